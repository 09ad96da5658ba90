//! Envoy's `x-forwarded-client-cert`.

use http::{HeaderMap, HeaderName};

use super::certificate::Certificate;
use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{insert, percent_pem};
use super::xfcc::{self, Pair};
use super::xfcc_element;
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};
use crate::x509::Fingerprint;

/// `x-forwarded-client-cert`, XFCC for short: one element for each proxy, each with several fields.
///
/// ```text
/// By=spiffe://test/edge;Hash=bfaf…;Cert="-----BEGIN%20CERTIFICATE…";Subject="CN=alice";URI=spiffe://test/alice;DNS=alice.test
/// ```
///
/// `Hash` is the SHA-256 of the client's certificate. `Cert` is the certificate and `Chain` what it was presented or
/// verified with, itself included, as percent-encoded PEM. Without a certificate there is no element, and no word on verification: unverified certificates are written only by
/// [`ClientCertLayer::forward_unverified`](crate::ClientCertLayer::forward_unverified). Sources: Envoy's
/// [documentation], `mutateXfccRequestHeader`.
///
/// What becomes of a header that the request came with is Envoy's `forward_client_cert_details`: [`XfccMode`]. It is
/// kept, where it is, only if it is well-formed: an open quote in it would swallow the element that follows.
///
/// # Names
///
/// Readers split this header in their own ways, some at every `;` and `,`. So of what a certificate says no `;` and no
/// `"` is ever written, and no `,` but those between the parts of `Subject`: there they are escaped as RFC 4514 has it
/// (`\3B`, `\22`, `\2C`, and so are `\` and `%`), and a `URI` or `DNS` that has one, percent-encoded or not, is left out,
/// with a line in the log. Envoy itself escapes `Subject` as `\,` and `\"`, which is the same name.
///
/// # Reading
///
/// With [`SanitizeSet`](XfccMode::SanitizeSet), the default, there must be one element, with another mode the one of
/// the nearest proxy is read, which is the last; [`hops`](Self::hops) reaches further back. `Hash` must be there and
/// fit the certificate, fields must come in Envoy's order and the unique ones once, and quotes must close.
///
/// Where `Cert` or `Chain` is there, [`details`](ForwardedCert::details) are the certificate's own, and what the header
/// says in `Subject`, `URI`, `DNS` and `Issuer` is not read. Envoy writes names as they are, even with a `,` or `;` in
/// them ([issue 32945]), so one may look like two; and if it has a `,`, like an element more, which is refused where
/// there must be one. Where elements are appended, or the certificate is not there, a CA that signs such names lets their
/// owner write elements and names of his own. Have Envoy pass `Cert` on.
///
/// ```
/// use tower_client_cert::ClientCertLayer;
/// use tower_client_cert::dialect::{Envoy, XfccMode};
///
/// let dialect = Envoy::new().mode(XfccMode::AppendForward).chain(true).by("spiffe://example.test/edge");
/// let layer = ClientCertLayer::with_dialect(dialect);
/// ```
///
/// [documentation]: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
/// [issue 32945]: https://github.com/envoyproxy/envoy/issues/32945
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envoy {
    mode: XfccMode,
    cert: bool,
    chain: bool,
    names: Names,
    by: Vec<String>,
    hops: usize,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    subject: bool,
    uri: bool,
    dns: bool,
}

/// Envoy's `forward_client_cert_details`: what becomes of the header that a request came with, and whether this hop
/// adds its own.
///
/// "With a certificate" means one that the layer forwards: a verified one, unless it is told to forward others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // Envoy's five
pub enum XfccMode {
    /// `SANITIZE`: it is removed, and none is written.
    Sanitize,
    /// `FORWARD_ONLY`: with a certificate it is kept, without one removed. None is written.
    ForwardOnly,
    /// `APPEND_FORWARD`: with a certificate it is kept, and this hop's element put behind it; without one removed.
    AppendForward,
    /// `SANITIZE_SET`: it is removed, and with a certificate this hop's element is written.
    #[default]
    SanitizeSet,
    /// `ALWAYS_FORWARD_ONLY`: it is kept. Anybody who reaches this layer writes it.
    AlwaysForwardOnly,
}

static NAMES: [HeaderName; 1] = [HeaderName::from_static("x-forwarded-client-cert")];

impl Envoy {
    /// `SANITIZE_SET` with `Hash`, `Cert`, `Subject`, `URI` and `DNS`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            mode: XfccMode::SanitizeSet,
            cert: true,
            chain: false,
            names: Names { subject: true, uri: true, dns: true },
            by: Vec::new(),
            hops: 1,
            limits: Limits::new(),
        }
    }

    /// What becomes of the header that a request came with.
    #[must_use]
    pub fn mode(self, mode: XfccMode) -> Self {
        Self { mode, ..self }
    }

    /// Whether to write `Cert`.
    #[must_use]
    pub fn cert(self, write: bool) -> Self {
        Self { cert: write, ..self }
    }

    /// Whether to write `Chain`.
    #[must_use]
    pub fn chain(self, write: bool) -> Self {
        Self { chain: write, ..self }
    }

    /// Whether to write `Subject`.
    #[must_use]
    pub fn subject(mut self, write: bool) -> Self {
        self.names.subject = write;
        self
    }

    /// Whether to write `URI`.
    #[must_use]
    pub fn uri(mut self, write: bool) -> Self {
        self.names.uri = write;
        self
    }

    /// Whether to write `DNS`.
    #[must_use]
    pub fn dns(mut self, write: bool) -> Self {
        self.names.dns = write;
        self
    }

    /// Writes `By`: a URI that this proxy's own certificate is for. One with a delimiter in it, as the client's
    /// [names](Self#names), or that is not printable ASCII, is not written, and a warning says so.
    #[must_use]
    pub fn by(mut self, uri: impl Into<String>) -> Self {
        let uri = uri.into();
        if xfcc::stays_whole(&uri) {
            self.by.push(uri);
        } else {
            #[cfg(feature = "tracing")]
            tracing::warn!(?uri, "`Envoy::by` is left out: it is not a URI, or has one of , ; \" \\ in it");
        }
        self
    }

    /// How many trusted proxies, each adding an element, the request has passed: 1 unless set, and 0 counts as 1.
    /// With 2, what the one before the last says is read: its client, instead of the proxy that is the last one's
    /// client. One element less than that is what a client without a certificate looks like, for which the first proxy
    /// adds none.
    #[must_use]
    pub fn hops(self, trusted: usize) -> Self {
        Self { hops: trusted.max(1), ..self }
    }

    /// How much to read.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Which is the element of the proxy whose word counts. `None` if that proxy added none.
    fn pick(&self, field: &Field<'_>, elements: &[Vec<Pair<'_>>]) -> Result<Option<usize>, DecodeError> {
        let error = |at, what| Err(field.error(at, DecodeErrorKind::Xfcc(what)));
        let one_only = matches!(self.mode, XfccMode::SanitizeSet | XfccMode::Sanitize);
        if one_only {
            if let Some(second) = elements.get(1).and_then(|pairs| pairs.first()) {
                return error(
                    second.at,
                    "a second element, though the proxy is to write one only (SANITIZE_SET)",
                );
            }
        }
        match elements.len().checked_sub(self.hops) {
            None if one_only || elements.len() + 1 < self.hops => {
                error(0, "fewer elements than trusted proxies")
            }
            position => Ok(position),
        }
    }
}

impl Default for Envoy {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for Envoy {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [name] = &NAMES;
        let Some(leaf) = client.certificates.first() else { return };
        if !matches!(self.mode, XfccMode::SanitizeSet | XfccMode::AppendForward) {
            return;
        }
        let mut element = String::new();
        for uri in &self.by {
            xfcc::push(&mut element, "By", uri);
        }
        xfcc::push(&mut element, "Hash", &Fingerprint::of(leaf).to_string());
        if self.cert {
            xfcc::push_quoted(&mut element, "Cert", &percent_pem(std::slice::from_ref(leaf)));
        }
        if self.chain {
            xfcc::push_quoted(&mut element, "Chain", &percent_pem(client.certificates));
        }
        if let Some(leaf) = Certificate::parse(leaf) {
            self.names.push(&mut element, &leaf);
        }
        insert(headers, name, element);
    }

    fn keep(&self, received: &HeaderMap, forwarding: bool) -> HeaderMap {
        let [name] = &NAMES;
        let mut kept = HeaderMap::new();
        let keep = match self.mode {
            XfccMode::Sanitize | XfccMode::SanitizeSet => false,
            XfccMode::ForwardOnly | XfccMode::AppendForward => forwarding,
            XfccMode::AlwaysForwardOnly => true,
        };
        if keep {
            let lines: Vec<&[u8]> = received.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
            let value = lines.join(&b',');
            let field = Field::new(name, &value, Shape::Xfcc, self.limits);
            if field.and_then(|field| well_formed(&field)).is_ok() {
                kept.extend(http::HeaderValue::from_bytes(&value).ok().map(|value| (name.clone(), value)));
            }
        }
        kept
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [name] = &NAMES;
        let Some(field) = Field::single(headers, name, Shape::Xfcc, self.limits)? else { return Ok(None) };
        let elements = xfcc::elements(&field)?;
        let picked = self.pick(&field, &elements)?;
        let mut read = ForwardedCert::new(Vec::new());
        for (position, pairs) in elements.iter().enumerate() {
            if Some(position) == picked {
                read = xfcc_element::read(&field, pairs)?;
            } else {
                pairs.iter().try_for_each(|pair| pair.check(&field))?;
            }
        }
        Ok(Some(read))
    }
}

/// Whether every element is one to every reader that knows quotes.
fn well_formed(field: &Field<'_>) -> Result<(), DecodeError> {
    xfcc::elements(field)?.iter().flatten().try_for_each(|pair| pair.check(field))
}

impl Names {
    /// Adds what is wanted of the certificate's names, as far as no reader can take one for a field.
    fn push(self, element: &mut String, leaf: &Certificate<'_>) {
        let (mut uris, mut dns_names) = (leaf.uris(), leaf.dns_names());
        if !self.uri {
            uris.clear();
        }
        if !self.dns {
            dns_names.clear();
        }
        let all = uris.len() + dns_names.len();
        uris.retain(|uri| xfcc::stays_whole(uri));
        dns_names.retain(|name| xfcc::stays_whole(name));
        let left_out = all - uris.len() - dns_names.len();
        if left_out > 0 {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                left_out,
                "names of a client certificate are left out of `x-forwarded-client-cert`: they are empty or no printable \
                 ASCII, or have one of , ; \" \\ in them, which a reader could take for the start of a field"
            );
        }
        if self.subject {
            // A reader that percent-decodes first must find no delimiter either.
            xfcc::push_quoted(element, "Subject", &leaf.subject_text().replace('%', "\\25"));
        }
        if self.uri && uris.is_empty() {
            xfcc::push(element, "URI", "");
        }
        uris.iter().for_each(|uri| xfcc::push(element, "URI", uri));
        dns_names.iter().for_each(|name| xfcc::push(element, "DNS", name));
    }
}
