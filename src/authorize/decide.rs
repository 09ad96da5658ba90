//! What a rule says of a certificate.

use super::denied::Reason;
use super::outcome::Outcome;
use super::rule::{Node, Rule};
use crate::identity::{AttributeError, ClientIdentity, SanKind, SpiffeError, SpiffeId, SubjectAltName};
use crate::peer::Verification;

impl Rule {
    /// Whether to let a client in.
    ///
    /// It does not allocate. [`RequireClientCertLayer`](super::RequireClientCertLayer) calls it for each request.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check(&self, client: &ClientIdentity, verification: Verification) -> Result<(), Reason> {
        let distrust = match verification {
            Verification::Verified => None,
            Verification::Unverified(reason) => Some(Reason::Unverified(reason)),
        };
        match self.evaluate(client, distrust) {
            Outcome::Yes => Ok(()),
            Outcome::No(reason) | Outcome::Unclear(reason) => Err(reason),
        }
    }

    /// `distrust` is why the certificate's word does not count.
    fn evaluate(&self, client: &ClientIdentity, distrust: Option<Reason>) -> Outcome {
        match (&self.0, distrust) {
            (Node::All(rules), _) => Outcome::all(rules.iter().map(|rule| rule.evaluate(client, distrust))),
            (Node::Any(rules), _) => Outcome::any(rules.iter().map(|rule| rule.evaluate(client, distrust))),
            (Node::EvenUnverified(rule), _) => rule.evaluate(client, None),
            (_, Some(reason)) => Outcome::Unclear(reason),
            (Node::AnyCertificate, None) => Outcome::Yes,
            (Node::CommonName(names), None) => match client.common_name() {
                Ok(name) => Outcome::is(names.contains_str(name), Reason::WrongCn),
                Err(AttributeError::Missing) => Outcome::No(Reason::WrongCn),
                Err(AttributeError::Repeated | AttributeError::NotText) => Outcome::Unclear(Reason::WrongCn),
            },
            (Node::IssuerDn(names), None) => Outcome::is(names.contains(client.issuer()), Reason::WrongDn),
            (Node::SanDns(hosts), None) => alt_name(client, SanKind::Dns, |name| match name {
                SubjectAltName::Dns(host) => hosts.contains(host),
                _ => None,
            }),
            (Node::SanUri(uris), None) => alt_name(client, SanKind::Uri, |name| match name {
                SubjectAltName::Uri(uri) => Some(uris.contains(uri)),
                _ => None,
            }),
            (Node::SanUriGlob(globs), None) => alt_name(client, SanKind::Uri, |name| match name {
                // `https://*.example/` is not meant to fit `https://good.example@evil.example/`.
                SubjectAltName::Uri(uri) if !uri.has_userinfo() => {
                    Some(globs.iter().any(|glob| glob.matches(uri.as_str())))
                }
                _ => None,
            }),
            (Node::SpiffeTrustDomain(domains), None) => {
                spiffe(client, |id| domains.contains_str(id.trust_domain()))
            }
            (Node::SpiffeId(patterns), None) => {
                spiffe(client, |id| patterns.iter().any(|pattern| pattern.matches(id)))
            }
            (Node::SanIp(networks), None) => alt_name(client, SanKind::Ip, |name| match name {
                SubjectAltName::Ip(ip) => Some(networks.contains(*ip)),
                _ => None,
            }),
            (Node::Fingerprint(hashes), None) => {
                Outcome::is(hashes.contains(&client.fingerprint()), Reason::WrongFingerprint)
            }
            (Node::Spki(hashes), None) => {
                Outcome::is(hashes.contains(&client.spki_hash()), Reason::WrongSpki)
            }
            (Node::Not(rule), None) => rule.evaluate(client, None).not(),
            (Node::Custom(custom), None) => Outcome::is((custom.rule)(client), Reason::Custom(custom.name)),
        }
    }
}

/// Yes if an alternative name matches; unclear if none does and it can't be said of one (`None`), or of all.
fn alt_name(
    client: &ClientIdentity,
    kind: SanKind,
    matches: impl Fn(&SubjectAltName) -> Option<bool>,
) -> Outcome {
    let Ok(names) = client.subject_alt_names() else { return Outcome::Unclear(Reason::WrongSan) };
    let mut outcome = Outcome::No(Reason::WrongSan);
    for name in names.iter().filter(|name| name.kind() == kind) {
        match matches(name) {
            Some(true) => return Outcome::Yes,
            Some(false) => {}
            None => outcome = Outcome::Unclear(Reason::WrongSan),
        }
    }
    outcome
}

fn spiffe(client: &ClientIdentity, matches: impl FnOnce(&SpiffeId) -> bool) -> Outcome {
    match client.spiffe_id() {
        Ok(id) => Outcome::is(matches(id), Reason::WrongSan),
        Err(SpiffeError::Missing) => Outcome::No(Reason::WrongSan),
        Err(_) => Outcome::Unclear(Reason::WrongSan),
    }
}
