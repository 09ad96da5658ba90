use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use super::lists::{Hosts, Networks, Sorted, SpiffePattern, Texts, hash};
use super::rule_error::{RuleError, RuleErrorKind};
use super::uri_glob::UriGlob;
use crate::identity::{ClientIdentity, DistinguishedName, Uri, is_trust_domain};
use crate::x509::Fingerprint;

/// A rule that tells from a certificate whether to let its client in.
///
/// Simple rules have a list, and let in every client that is on it. [`all`](Self::all), [`any`](Self::any) and
/// [`not`](Self::not) combine rules. The items of a list are checked when the rule is made. The [module's
/// documentation](crate::authorize) tells what each rule compares.
///
/// ```
/// use tower_client_cert::authorize::Rule;
///
/// let rule = Rule::any([
///     Rule::spiffe_id(["spiffe://example.org/ns/*/sa/web"])?,
///     Rule::all([Rule::issuer_dn(["CN=Ops CA,O=Example,C=DE"])?, Rule::common_name(["backup"])?])?,
/// ])?;
///
/// let error = Rule::san_ip(["10.0.0.0/33"]).unwrap_err();
/// assert_eq!(error.to_string(), r#"rule `san_ip`: "10.0.0.0/33": not an IP address or a network like 10.0.0.0/8"#);
/// # Ok::<(), tower_client_cert::authorize::RuleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rule(pub(super) Node);

#[derive(Clone, Debug)]
pub(super) enum Node {
    AnyCertificate,
    CommonName(Texts),
    IssuerDn(Sorted<DistinguishedName>),
    SanDns(Hosts),
    SanUri(Sorted<Uri>),
    SanUriGlob(Box<[UriGlob]>),
    SpiffeTrustDomain(Texts),
    SpiffeId(Box<[SpiffePattern]>),
    SanIp(Networks),
    Fingerprint(Sorted<Fingerprint>),
    Spki(Sorted<Fingerprint>),
    All(Box<[Rule]>),
    Any(Box<[Rule]>),
    Not(Box<Rule>),
    EvenUnverified(Box<Rule>),
    Custom(Custom),
}

/// Simple rules.
impl Rule {
    /// Lets in any certificate that was verified: Skipper's `mtlsAuthn()`.
    #[must_use]
    pub fn any_certificate() -> Self {
        Self(Node::AnyCertificate)
    }

    /// Lets in certificates whose subject's common name is exactly one of these: Skipper's `mtlsCN()`.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if a name is.
    pub fn common_name<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse =
            |name: &str| if name.is_empty() { Err(RuleErrorKind::EmptyText) } else { Ok(name.into()) };
        list("common_name", names, parse).map(|names| Self(Node::CommonName(Texts::new(names))))
    }

    /// Lets in certificates whose issuer's distinguished name is one of these, in RFC 4514 text: Skipper's
    /// `mtlsIssuerDN()`.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a distinguished name.
    pub fn issuer_dn<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse = |name: &str| match name {
            "" => Err(RuleErrorKind::EmptyText),
            name => name.parse().map_err(RuleErrorKind::Name),
        };
        list("issuer_dn", names, parse).map(|names| Self(Node::IssuerDn(Sorted::new(names))))
    }

    /// Lets in certificates with an alternative name that is one of these hosts, or fits one of these wildcards:
    /// Skipper's `mtlsSanDNS()`.
    ///
    /// The `*` of `*.example.org` stands for exactly one label. Case makes no difference. An IP address is not a host;
    /// use [`san_ip`](Self::san_ip).
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a host name in ASCII.
    pub fn san_dns<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("san_dns", hosts, Hosts::parse).map(|hosts| Self(Node::SanDns(Hosts::new(hosts))))
    }

    /// Lets in certificates with an alternative name that is one of these URIs, byte for byte except for the case of
    /// the scheme.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a URI.
    pub fn san_uri<T: AsRef<str>>(uris: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse = |uri: &str| uri.parse().map_err(RuleErrorKind::Uri);
        list("san_uri", uris, parse).map(|uris| Self(Node::SanUri(Sorted::new(uris))))
    }

    /// Lets in certificates with an alternative name that is a URI and fits one of these patterns of Go's
    /// [`path.Match`]: Skipper's `mtlsSanURI()`.
    ///
    /// Each part of the pattern is matched with the same part of the URI (RFC 3986 section 3). The parts are the
    /// scheme, the text between `//` and the next `/`, `?` or `#`, and the rest. `*`, `?` and sets like `[^a]` never
    /// stand for `/`, so that `https://*.example/` fits `https://a.example/` and neither `https://evil.test?.example/`
    /// nor `https://a.example/b`. Escape the brackets of an IPv6 address: `https://\[2001:db8::*\]/`.
    ///
    /// [`path.Match`]: https://pkg.go.dev/path#Match
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if a pattern is broken, does not start with a plain scheme, or could
    /// fit no URI because of what it has between `//` and the next `/`.
    pub fn san_uri_glob<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("san_uri_glob", patterns, UriGlob::parse).map(|globs| Self(Node::SanUriGlob(globs.into())))
    }

    /// Lets in certificates whose SPIFFE ID is in one of these trust domains, whatever its path.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a trust domain (`example.org`, without `spiffe://`).
    pub fn spiffe_trust_domain<T: AsRef<str>>(
        domains: impl IntoIterator<Item = T>,
    ) -> Result<Self, RuleError> {
        let parse = |domain: &str| {
            let valid = is_trust_domain(domain);
            if valid { Ok(domain.into()) } else { Err(RuleErrorKind::TrustDomain) }
        };
        list("spiffe_trust_domain", domains, parse)
            .map(|domains| Self(Node::SpiffeTrustDomain(Texts::new(domains))))
    }

    /// Lets in certificates whose SPIFFE ID is one of these. Their paths may be patterns of Go's `path.Match`, in which
    /// `*` stands for one segment or a part of it: `spiffe://example.org/ns/*/sa/web`.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item could not match any SPIFFE ID.
    pub fn spiffe_id<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("spiffe_id", patterns, SpiffePattern::parse).map(|ids| Self(Node::SpiffeId(ids.into())))
    }

    /// Lets in certificates with an alternative name that is one of these IP addresses, or is in one of these networks
    /// in CIDR notation: Skipper's `mtlsSanIP()` and `mtlsSanCIDR()`.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is neither an address nor a network.
    pub fn san_ip<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let networks: Vec<IpNet> = list("san_ip", networks, Networks::parse)?;
        Ok(Self(Node::SanIp(Networks::new(networks))))
    }

    /// Lets in certificates whose SHA-256 is one of these, in hexadecimal with or without colons, or in base64.
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a SHA-256.
    pub fn fingerprint<T: AsRef<str>>(hashes: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("fingerprint", hashes, hash).map(|hashes| Self(Node::Fingerprint(Sorted::new(hashes))))
    }

    /// Lets in certificates whose `SubjectPublicKeyInfo` has one of these as its SHA-256, written as for
    /// [`fingerprint`](Self::fingerprint).
    ///
    /// # Errors
    ///
    /// Returns an error if the list is empty, or if an item is not a SHA-256.
    pub fn spki<T: AsRef<str>>(hashes: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("spki", hashes, hash).map(|hashes| Self(Node::Spki(Sorted::new(hashes))))
    }

    /// Lets in the clients for which a closure of yours returns `true`.
    ///
    /// If the closure returns `false`, `name` is the [reason](super::Reason::Custom) in the log. The closure may be
    /// called more than once for a request.
    ///
    /// ```
    /// use tower_client_cert::authorize::Rule;
    /// use tower_client_cert::identity::KeyUsage;
    ///
    /// let rule = Rule::custom("cannot-sign", |client| {
    ///     matches!(client.key_usage(), Ok(Some(usage)) if usage.contains(KeyUsage::DIGITAL_SIGNATURE))
    /// });
    /// ```
    pub fn custom(
        name: &'static str,
        rule: impl Fn(&ClientIdentity) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Node::Custom(Custom { name, rule: Arc::new(rule) }))
    }
}

/// Rules that are made of other rules.
impl Rule {
    /// Lets in the clients that all of these rules let in.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no rules, since it is not clear whom that would let in.
    pub fn all(rules: impl IntoIterator<Item = Self>) -> Result<Self, RuleError> {
        list_of_rules("all", rules).map(|rules| Self(Node::All(rules)))
    }

    /// Lets in the clients that at least one of these rules lets in.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no rules.
    pub fn any(rules: impl IntoIterator<Item = Self>) -> Result<Self, RuleError> {
        list_of_rules("any", rules).map(|rules| Self(Node::Any(rules)))
    }

    /// Lets in the clients that this rule does not let in.
    ///
    /// If it is not clear whether a certificate has a name (because it has two common names, an alternative name that
    /// can't be read, or a wildcard), neither the rule nor its `not` lets the client in. But a name in another spelling
    /// counts as another name. So use `not` only within [`all`](Self::all), to take some clients away from those that
    /// another rule lets in.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // in a row with `all` and `any`
    pub fn not(rule: Self) -> Self {
        Self(Node::Not(Box::new(rule)))
    }

    /// Applies this rule to unverified certificates too.
    ///
    /// Anybody can make a certificate with any name in it. So this makes sense around
    /// [`fingerprint`](Self::fingerprint) and [`spki`](Self::spki), since the client has proven that it holds the
    /// private key, and around hardly any other rule.
    #[must_use]
    pub fn even_unverified(rule: Self) -> Self {
        Self(Node::EvenUnverified(Box::new(rule)))
    }
}

#[derive(Clone)]
pub(super) struct Custom {
    pub(super) name: &'static str,
    pub(super) rule: Arc<dyn Fn(&ClientIdentity) -> bool + Send + Sync>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

fn list<T: AsRef<str>, P>(
    rule: &'static str,
    items: impl IntoIterator<Item = T>,
    parse: impl Fn(&str) -> Result<P, RuleErrorKind>,
) -> Result<Vec<P>, RuleError> {
    let parsed = items.into_iter().map(|item| {
        let item = item.as_ref();
        parse(item).map_err(|kind| RuleError { rule, item: Some(item.to_owned()), kind })
    });
    let parsed: Vec<P> = parsed.collect::<Result<_, _>>()?;
    if parsed.is_empty() {
        Err(RuleError { rule, item: None, kind: RuleErrorKind::EmptyList })
    } else {
        Ok(parsed)
    }
}

fn list_of_rules(
    rule: &'static str,
    rules: impl IntoIterator<Item = Rule>,
) -> Result<Box<[Rule]>, RuleError> {
    let rules: Box<[Rule]> = rules.into_iter().collect();
    if rules.is_empty() {
        Err(RuleError { rule, item: None, kind: RuleErrorKind::EmptyList })
    } else {
        Ok(rules)
    }
}
