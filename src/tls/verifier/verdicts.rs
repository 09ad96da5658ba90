//! Remembers which chains were verified, and for how long each verdict holds.
//!
//! For one verifier, a verdict depends only on the chain and on the time. That makes it cheap to judge a chain again
//! each time its session is resumed: until the verdict's dates have passed, no signature of the chain is checked twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::{CertificateDer, UnixTime};

use crate::tls::crl::Span;
use crate::tls::digest::{Digest, Hasher};
use crate::x509::{Certificate, Time};

/// The verdict that a chain verifies.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// The issuers on the path, as positions among the intermediates.
    path: Box<[usize]>,
    /// The first and the last second in which the verdict holds.
    since: UnixTime,
    pub(super) until: UnixTime,
}

impl Verdict {
    /// Makes the verdict on a path that verifies now and was built from these intermediates. It holds as long as each
    /// certificate on the path is valid, and within the span for which the CRLs were checked.
    pub(super) fn new(
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        path: &[CertificateDer<'_>],
        not_revoked: Span,
        now: UnixTime,
    ) -> Self {
        let place = |certificate| intermediates.iter().position(|intermediate| intermediate == certificate);
        let Span { since, until } = not_revoked;
        let mut verdict = Self { path: path.iter().filter_map(place).collect(), since, until };
        for certificate in std::iter::once(end_entity).chain(path) {
            // If the dates can't be read, the verdict holds for this second only.
            let validity = Certificate::read(certificate).ok().and_then(|certificate| certificate.validity);
            let [since, until] = validity.map_or([now; 2], |times| times.map(Time::to_unix));
            verdict.since = verdict.since.max(since);
            verdict.until = verdict.until.min(until);
        }
        verdict
    }

    /// Returns the path, end entity first, given the chain for which the verdict was made.
    pub(super) fn path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Vec<CertificateDer<'static>> {
        let issuers = self.path.iter().filter_map(|place| intermediates.get(*place));
        std::iter::once(end_entity)
            .chain(issuers)
            .map(|certificate| certificate.clone().into_owned())
            .collect()
    }
}

/// A memory of verdicts that is bounded in size.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<Generations>);

/// Two generations of verdicts. When the young one is full, it becomes the old one, and verdicts that nobody asked for
/// since the last change are dropped.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Verdict>,
    old: HashMap<Digest, Verdict>,
}

impl Verdicts {
    /// The most verdicts that are kept, of about a hundred bytes each.
    const MAX: usize = 4096;

    pub(super) fn key(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Digest {
        let chain = std::iter::once(end_entity).chain(intermediates);
        chain.fold(Hasher::new("chain"), |hasher, certificate| hasher.bytes(certificate)).finish()
    }

    pub(super) fn get(&self, chain: &Digest, now: UnixTime) -> Option<Verdict> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = match generations.young.get(chain) {
            Some(verdict) => verdict.clone(),
            None => {
                let verdict = generations.old.remove(chain)?;
                generations.insert(*chain, verdict.clone());
                verdict
            }
        };
        (verdict.since..=verdict.until).contains(&now).then_some(verdict)
    }

    pub(super) fn insert(&self, chain: Digest, verdict: Verdict) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(chain, verdict);
    }
}

impl Generations {
    fn insert(&mut self, chain: Digest, verdict: Verdict) {
        if self.young.len() >= Verdicts::MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(chain, verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }

    fn verdict(since: u64, until: u64) -> Verdict {
        Verdict { path: Box::new([]), since: seconds(since), until: seconds(until) }
    }

    fn chain(number: u64) -> Digest {
        Hasher::new("test").number(number).finish()
    }

    #[test]
    fn a_verdict_holds_from_its_first_second_to_its_last() {
        let verdicts = Verdicts::default();
        verdicts.insert(chain(1), verdict(10, 20));
        for (now, holds) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(verdicts.get(&chain(1), seconds(now)).is_some(), holds, "{now}");
        }
        assert!(verdicts.get(&chain(2), seconds(15)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_use_stays() {
        let verdicts = Verdicts::default();
        for number in 0..20_000 {
            verdicts.insert(chain(number), verdict(0, 1));
            assert!(verdicts.get(&chain(0), seconds(0)).is_some(), "{number}");
        }
        let generations = verdicts.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= Verdicts::MAX);
    }

    #[test]
    fn the_key_tells_chains_apart_that_are_the_same_bytes() {
        let der = |bytes: &[u8]| CertificateDer::from(bytes.to_vec());
        assert_ne!(Verdicts::key(&der(b"ab"), &[der(b"c")]), Verdicts::key(&der(b"a"), &[der(b"bc")]),);
    }

    #[test]
    fn without_dates_a_verdict_holds_for_a_second() {
        let der = CertificateDer::from(vec![0x30, 0x00]);
        let verdict = Verdict::new(&der, &[], &[], Span::ALWAYS, seconds(7));
        assert_eq!((verdict.since, verdict.until), (seconds(7), seconds(7)));
    }
}
