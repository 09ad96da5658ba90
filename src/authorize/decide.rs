//! Decides whether a rule holds for a certificate.
//!
//! The answer is not always yes or no. If a certificate has two common names, or an alternative name that can't be
//! read, nobody knows whether it has a certain name. Such a certificate must not be let in for *not* having the name.
//! So the answer can be unclear too (`None`), and the opposite of unclear is unclear.

use super::denied::Reason;
use super::rule::{Node, Rule};
use crate::identity::{AttributeError, ClientIdentity, SanKind, SpiffeError, SpiffeId, SubjectAltName};
use crate::peer::{UnverifiedReason, Verification};

impl Rule {
    /// Checks whether to let a client in.
    ///
    /// [`RequireClientCertLayer`](super::RequireClientCertLayer) calls this method for each request. The method does
    /// not allocate.
    ///
    /// # Errors
    ///
    /// Returns the reason why the client is not let in.
    pub fn check(&self, client: &ClientIdentity, verification: Verification) -> Result<(), Reason> {
        let distrust = match verification {
            Verification::Verified => None,
            Verification::Unverified(reason) => Some(reason),
        };
        match self.holds(client, distrust.is_none()) {
            Some(true) => Ok(()),
            _ => Err(self.reason(client, distrust)),
        }
    }

    /// Returns whether the rule holds. `trusted` tells whether to believe what the certificate says.
    fn holds(&self, client: &ClientIdentity, trusted: bool) -> Option<bool> {
        match &self.0 {
            Node::All(rules) => all(rules.iter().map(|rule| rule.holds(client, trusted))),
            // One rule that holds is enough. By De Morgan, that is the opposite of "all of them do not hold".
            Node::Any(rules) => not(all(rules.iter().map(|rule| not(rule.holds(client, trusted))))),
            Node::EvenUnverified(rule) => rule.holds(client, true),
            _ if !trusted => None,
            Node::AnyCertificate => Some(true),
            Node::CommonName(names) => match client.common_name() {
                Ok(name) => Some(names.contains(name)),
                Err(AttributeError::Missing) => Some(false),
                Err(AttributeError::Repeated | AttributeError::NotText) => None,
            },
            Node::IssuerDn(names) => Some(names.contains(client.issuer())),
            Node::SanDns(hosts) => alt_name(client, SanKind::Dns, |name| match name {
                SubjectAltName::Dns(host) => hosts.contains(host),
                _ => None,
            }),
            Node::SanUri(uris) => alt_name(client, SanKind::Uri, |name| match name {
                SubjectAltName::Uri(uri) => Some(uris.contains(uri)),
                _ => None,
            }),
            Node::SanUriGlob(globs) => alt_name(client, SanKind::Uri, |name| match name {
                // Nobody who writes `https://*.example/` means `https://good.example@evil.example/`.
                SubjectAltName::Uri(uri) if !uri.has_userinfo() => {
                    Some(globs.iter().any(|glob| glob.matches(uri)))
                }
                _ => None,
            }),
            Node::SpiffeTrustDomain(domains) => spiffe(client, |id| domains.contains(id.trust_domain())),
            Node::SpiffeId(patterns) => {
                spiffe(client, |id| patterns.iter().any(|pattern| pattern.matches(id)))
            }
            Node::SanIp(networks) => alt_name(client, SanKind::Ip, |name| match name {
                SubjectAltName::Ip(ip) => Some(networks.contains(*ip)),
                _ => None,
            }),
            Node::Fingerprint(hashes) => Some(hashes.contains(&client.fingerprint())),
            Node::Spki(hashes) => Some(hashes.contains(&client.spki_hash())),
            Node::Not(rule) => not(rule.holds(client, true)),
            Node::Custom(custom) => Some((custom.rule)(client)),
        }
    }

    /// Returns why the rule does not hold. This asks the rule again, so that clients that are let in don't pay for
    /// reasons.
    fn reason(&self, client: &ClientIdentity, distrust: Option<UnverifiedReason>) -> Reason {
        let fails = |rule: &&Self| rule.holds(client, distrust.is_none()) != Some(true);
        match (&self.0, distrust) {
            (Node::All(rules), _) => {
                rules.iter().find(fails).map_or(Reason::NoMatch, |rule| rule.reason(client, distrust))
            }
            (Node::Any(rules), _) => {
                let mut reasons = rules.iter().map(|rule| rule.reason(client, distrust));
                let first = reasons.next().unwrap_or(Reason::NoMatch);
                if reasons.all(|reason| reason == first) { first } else { Reason::NoMatch }
            }
            (Node::EvenUnverified(rule), _) => rule.reason(client, None),
            (_, Some(reason)) => Reason::Unverified(reason),
            (Node::Not(rule), None) if fails(&&**rule) => rule.reason(client, None),
            (Node::Not(_) | Node::AnyCertificate, None) => Reason::Excluded,
            (Node::CommonName(_), None) => Reason::WrongCn,
            (Node::IssuerDn(_), None) => Reason::WrongDn,
            (Node::SanDns(_) | Node::SanUri(_) | Node::SanUriGlob(_) | Node::SanIp(_), None)
            | (Node::SpiffeTrustDomain(_) | Node::SpiffeId(_), None) => Reason::WrongSan,
            (Node::Fingerprint(_), None) => Reason::WrongFingerprint,
            (Node::Spki(_), None) => Reason::WrongSpki,
            (Node::Custom(custom), None) => Reason::Custom(custom.name),
        }
    }
}

fn not(holds: Option<bool>) -> Option<bool> {
    holds.map(|holds| !holds)
}

/// Returns false if one answer is false, else unclear if one is unclear, else true.
fn all(rules: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for holds in rules {
        match holds {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Returns true if an alternative name matches. Unclear if none does and the answer for one of them is unclear, or if
/// the extension can't be read.
fn alt_name(
    client: &ClientIdentity,
    kind: SanKind,
    matches: impl Fn(&SubjectAltName) -> Option<bool>,
) -> Option<bool> {
    let names = client.subject_alt_names().ok()?;
    not(all(names.iter().filter(|name| name.kind() == kind).map(|name| not(matches(name)))))
}

fn spiffe(client: &ClientIdentity, matches: impl FnOnce(&SpiffeId) -> bool) -> Option<bool> {
    match client.spiffe_id() {
        Ok(id) => Some(matches(id)),
        Err(SpiffeError::Missing) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unclear_is_neither_true_nor_false() {
        let (yes, no, unclear) = (Some(true), Some(false), None);
        let all = |rules: &[Option<bool>]| all(rules.iter().copied());
        let any = |rules: &[Option<bool>]| not(all(&rules.iter().map(|rule| not(*rule)).collect::<Vec<_>>()));
        assert_eq!(not(unclear), unclear);
        assert_eq!(all(&[yes, yes]), yes);
        assert_eq!(all(&[yes, unclear]), unclear);
        assert_eq!(all(&[unclear, no]), no);
        assert_eq!(any(&[no, unclear, yes]), yes);
        assert_eq!(any(&[no, unclear]), unclear);
        assert_eq!(any(&[no, no]), no);
    }
}
