use super::denied::Reason;

/// What a rule says of a certificate.
///
/// It is not always yes or no. Of a certificate with two common names, or with an alternative name that can't be
/// read, it is not known whether it has a certain name; and it must not come in because it has *not*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Yes,
    No(Reason),
    /// Neither, and neither is its opposite.
    Unclear(Reason),
}

use Outcome::{No, Unclear, Yes};

impl Outcome {
    pub(super) fn is(matches: bool, reason: Reason) -> Self {
        if matches { Yes } else { No(reason) }
    }

    pub(super) fn not(self) -> Self {
        match self {
            Yes => No(Reason::Excluded),
            No(_) => Yes,
            Unclear(reason) => Unclear(reason),
        }
    }

    /// No if one is no, unclear if one is unclear, with the first reason.
    pub(super) fn all(outcomes: impl Iterator<Item = Self>) -> Self {
        let mut all = Yes;
        for outcome in outcomes {
            match (outcome, all) {
                (No(_), _) => return outcome,
                (Unclear(_), Yes) => all = outcome,
                _ => {}
            }
        }
        all
    }

    /// Yes if one is yes, unclear if one is unclear, with the reason they have in common.
    pub(super) fn any(outcomes: impl Iterator<Item = Self>) -> Self {
        let mut common = None;
        let mut unclear = false;
        for outcome in outcomes {
            let reason = match outcome {
                Yes => return Yes,
                No(reason) => reason,
                Unclear(reason) => {
                    unclear = true;
                    reason
                }
            };
            common = match common {
                None => Some(reason),
                Some(other) if other == reason => common,
                Some(_) => Some(Reason::NoMatch),
            };
        }
        let reason = common.unwrap_or(Reason::NoMatch);
        if unclear { Unclear(reason) } else { No(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::{NoMatch, WrongCn, WrongDn};

    #[test]
    fn unclear_is_neither_true_nor_false() {
        let (no, unclear) = (No(WrongCn), Unclear(WrongDn));
        let all = |outcomes: &[Outcome]| Outcome::all(outcomes.iter().copied());
        let any = |outcomes: &[Outcome]| Outcome::any(outcomes.iter().copied());
        assert_eq!(unclear.not(), unclear);
        assert_eq!(Yes.not(), No(Reason::Excluded));
        assert_eq!(no.not(), Yes);
        assert_eq!(all(&[Yes, Yes]), Yes);
        assert_eq!(all(&[Yes, unclear]), unclear);
        assert_eq!(all(&[unclear, no]), no);
        assert_eq!(any(&[no, unclear, Yes]), Yes);
        assert_eq!(any(&[no, unclear]), Unclear(NoMatch));
        assert_eq!(any(&[no, no]), no);
        assert_eq!(any(&[no, No(WrongDn), no]), No(NoMatch));
    }
}
