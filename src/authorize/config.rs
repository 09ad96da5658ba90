//! Reads rules from a configuration file.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::rule::Rule;
use super::rule_error::RuleError;

/// A rule as a configuration file has it: one key, which is the rule's name, and its list.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    AnyCertificate,
    CommonName(Vec<String>),
    IssuerDn(Vec<String>),
    SanDns(Vec<String>),
    SanUri(Vec<String>),
    SanUriGlob(Vec<String>),
    SpiffeTrustDomain(Vec<String>),
    SpiffeId(Vec<String>),
    SanIp(Vec<String>),
    Fingerprint(Vec<String>),
    Spki(Vec<String>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    EvenUnverified(Box<Self>),
}

/// Reads a rule from a configuration file: see the [module's
/// documentation](crate::authorize#from-a-configuration-file). An error names the item that is wrong.
impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.check().map_err(D::Error::custom)
    }
}

impl Written {
    fn check(self) -> Result<Rule, RuleError> {
        match self {
            Self::AnyCertificate => Ok(Rule::any_certificate()),
            Self::CommonName(names) => Rule::common_name(names),
            Self::IssuerDn(names) => Rule::issuer_dn(names),
            Self::SanDns(hosts) => Rule::san_dns(hosts),
            Self::SanUri(uris) => Rule::san_uri(uris),
            Self::SanUriGlob(patterns) => Rule::san_uri_glob(patterns),
            Self::SpiffeTrustDomain(domains) => Rule::spiffe_trust_domain(domains),
            Self::SpiffeId(patterns) => Rule::spiffe_id(patterns),
            Self::SanIp(networks) => Rule::san_ip(networks),
            Self::Fingerprint(hashes) => Rule::fingerprint(hashes),
            Self::Spki(hashes) => Rule::spki(hashes),
            Self::All(rules) => Rule::all(check_all(rules)?),
            Self::Any(rules) => Rule::any(check_all(rules)?),
            Self::Not(rule) => Ok(Rule::not(rule.check()?)),
            Self::EvenUnverified(rule) => Ok(Rule::even_unverified(rule.check()?)),
        }
    }
}

fn check_all(rules: Vec<Written>) -> Result<Vec<Rule>, RuleError> {
    rules.into_iter().map(Written::check).collect()
}
