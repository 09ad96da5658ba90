use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use super::lists::{Hosts, Networks, Sorted, SpiffePattern, Texts, hash};
use super::rule_error::{RuleError, RuleErrorKind};
use super::uri_glob::UriGlob;
use crate::identity::{ClientIdentity, DistinguishedName, Uri, is_trust_domain};
use crate::x509::Fingerprint;

/// Whom to let in, by the certificate.
///
/// A rule is made of lists, each of which lets in whoever is on it, and of [`all`](Self::all), [`any`](Self::any) and
/// [`not`](Self::not). What is on a list is checked when the rule is made. See the
/// [module's documentation](crate::authorize) for what each rule compares.
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

/// Lists to choose from.
impl Rule {
    /// Any certificate that was verified: Skipper's `mtlsAuthn()`.
    #[must_use]
    pub fn any_certificate() -> Self {
        Self(Node::AnyCertificate)
    }

    /// The subject's common name is one of these, exactly: Skipper's `mtlsCN()`.
    ///
    /// # Errors
    ///
    /// If the list is empty, or a name is.
    pub fn common_name<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse =
            |name: &str| if name.is_empty() { Err(RuleErrorKind::EmptyText) } else { Ok(name.into()) };
        list("common_name", names, parse).map(|names| Self(Node::CommonName(Texts::new(names))))
    }

    /// The issuer's distinguished name is one of these, in RFC 4514 text: Skipper's `mtlsIssuerDN()`.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no distinguished name.
    pub fn issuer_dn<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse = |name: &str| match name {
            "" => Err(RuleErrorKind::EmptyText),
            name => name.parse().map_err(RuleErrorKind::Name),
        };
        list("issuer_dn", names, parse).map(|names| Self(Node::IssuerDn(Sorted::new(names))))
    }

    /// An alternative name is one of these hosts, or fits one of these wildcards: Skipper's `mtlsSanDNS()`.
    ///
    /// The `*` of `*.example.org` stands for exactly one label. Case makes no difference. An IP address is no host: that is
    /// [`san_ip`](Self::san_ip).
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no host name in ASCII.
    pub fn san_dns<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("san_dns", hosts, Hosts::parse).map(|hosts| Self(Node::SanDns(Hosts::new(hosts))))
    }

    /// An alternative name is one of these URIs, byte for byte but for the case of the scheme.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no URI.
    pub fn san_uri<T: AsRef<str>>(uris: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let parse = |uri: &str| uri.parse().map_err(RuleErrorKind::Uri);
        list("san_uri", uris, parse).map(|uris| Self(Node::SanUri(Sorted::new(uris))))
    }

    /// An alternative name is a URI that fits one of these patterns of Go's [`path.Match`]: Skipper's `mtlsSanURI()`.
    ///
    /// Each part of the pattern is matched with its part of the URI (RFC 3986 section 3): the scheme, what is between `//`
    /// and the next `/`, `?` or `#`, and the rest. `*`, `?` and sets like `[^a]` never stand for `/`, so that
    /// `https://*.example/` fits `https://a.example/` and neither `https://evil.test?.example/` nor `https://a.example/b`.
    /// The brackets of an IPv6 address are escaped: `https://\[2001:db8::*\]/`.
    ///
    /// [`path.Match`]: https://pkg.go.dev/path#Match
    ///
    /// # Errors
    ///
    /// If the list is empty, or a pattern is broken, does not start with a plain scheme, or could fit no URI because of what
    /// is between `//` and the next `/`.
    pub fn san_uri_glob<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("san_uri_glob", patterns, UriGlob::parse).map(|globs| Self(Node::SanUriGlob(globs.into())))
    }

    /// The SPIFFE ID is of one of these trust domains, whatever its path.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no trust domain (`example.org`, without `spiffe://`).
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

    /// The SPIFFE ID is one of these; their paths may be patterns of Go's `path.Match`, in which `*` stands for one
    /// segment or a part of it: `spiffe://example.org/ns/*/sa/web`.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it could not match any SPIFFE ID.
    pub fn spiffe_id<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("spiffe_id", patterns, SpiffePattern::parse).map(|ids| Self(Node::SpiffeId(ids.into())))
    }

    /// An alternative name is one of these IP addresses, or in one of these networks in CIDR notation: Skipper's
    /// `mtlsSanIP()` and `mtlsSanCIDR()`.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is neither.
    pub fn san_ip<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        let networks: Vec<IpNet> = list("san_ip", networks, Networks::parse)?;
        Ok(Self(Node::SanIp(Networks::new(networks))))
    }

    /// The SHA-256 of the certificate is one of these, in hexadecimal with or without colons, or in base64.
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no SHA-256.
    pub fn fingerprint<T: AsRef<str>>(hashes: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("fingerprint", hashes, hash).map(|hashes| Self(Node::Fingerprint(Sorted::new(hashes))))
    }

    /// The SHA-256 of the certificate's `SubjectPublicKeyInfo` is one of these, written as for
    /// [`fingerprint`](Self::fingerprint).
    ///
    /// # Errors
    ///
    /// If the list is empty, or something on it is no SHA-256.
    pub fn spki<T: AsRef<str>>(hashes: impl IntoIterator<Item = T>) -> Result<Self, RuleError> {
        list("spki", hashes, hash).map(|hashes| Self(Node::Spki(Sorted::new(hashes))))
    }

    /// A closure of yours says yes. The name is the [reason](super::Reason::Custom) in the log if it says no. It may be
    /// asked more than once for a request.
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

/// Rules made of rules.
impl Rule {
    /// All of these let the client in.
    ///
    /// # Errors
    ///
    /// If there are none: would that be everybody, or nobody?
    pub fn all(rules: impl IntoIterator<Item = Self>) -> Result<Self, RuleError> {
        list_of_rules("all", rules).map(|rules| Self(Node::All(rules)))
    }

    /// At least one of these lets the client in.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub fn any(rules: impl IntoIterator<Item = Self>) -> Result<Self, RuleError> {
        list_of_rules("any", rules).map(|rules| Self(Node::Any(rules)))
    }

    /// This does not let the client in.
    ///
    /// Of a certificate that does not clearly have a name or not (two common names, an alternative name that can't
    /// be read, a wildcard), neither a rule nor its `not` is true. But what is spelt in another way is another name
    /// here: use it to take some away from [`all`](Self::all) who are let in by another rule.
    #[must_use]
    #[allow(clippy::should_implement_trait)] // in a row with `all` and `any`
    pub fn not(rule: Self) -> Self {
        Self(Node::Not(Box::new(rule)))
    }

    /// What this rule says holds for certificates that nobody verified too.
    ///
    /// Anybody can make a certificate with any name in it. It makes sense around [`fingerprint`](Self::fingerprint)
    /// and [`spki`](Self::spki), since the client has proven that it holds the private key, and hardly otherwise.
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
