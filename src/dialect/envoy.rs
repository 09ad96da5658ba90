//! Envoy's `x-forwarded-client-cert`.

use std::num::NonZeroUsize;

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;

use super::certificate::Certificate;
use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{insert, pem};
use super::xfcc_element;
use super::xfcc_write::Element;
use super::{DecodeError, Dialect, ForwardedCert, Outgoing, xfcc, xfcc_json};
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
/// [`json`](Self::json) writes Envoy's other format, an array of objects. Both are read, whichever is written: a value that
/// begins with `[` is JSON. As with Envoy, what is appended follows the format of what came in.
///
/// # Names
///
/// Readers split this header in their own ways, some at every `;` and `,`. So of what a certificate says no `;` and no
/// `"` is ever written, and no `,` but those between the parts of `Subject`: there they are escaped as RFC 4514 has it
/// (`\3B`, `\22`, `\2C`, and so are `\` and `%`), and a `URI` or `DNS` that has one, percent-encoded or not, is left out,
/// with a line in the log. Envoy itself escapes `Subject` as `\,` and `\"`, which is the same name. In JSON they are
/// `\u003b`, `\u0022` and `\u002c`, and none is left out.
///
/// # Whose element
///
/// **How many trusted proxies add an element is for the reader to say: [`hops`](Self::hops).** Unless it is said, the
/// value must have one element, and that is the client's, as one proxy with `SANITIZE_SET` writes it. More than one is an
/// error, whatever the [`mode`](Self::mode). With `mode(AppendForward)` even one is: whoever appends may be the second of
/// several proxies.
///
/// Behind two Envoys with mutual TLS between them, the first with `SANITIZE_SET` and the second with `APPEND_FORWARD`, say
/// `hops(2)`. There a client's request has two elements: the client's own, and the first Envoy's, for which only the
/// second vouches. A client *without a certificate* has one, the first Envoy's. **To a reader that was not told of the
/// second, that client is the first Envoy**: the one element is all it sees. With `hops(2)` that is a request without a
/// certificate. An Istio sidecar behind a gateway is such a second Envoy.
///
/// More elements than `hops` are an error too: a stranger's, or made of a name with a `,` in it. Where the first of the
/// trusted proxies appends to what strangers write, `mode(AppendForward)` says so to the reader: then what is in front is
/// not looked at, and such a name may be taken for elements. `SANITIZE_SET` there is better.
///
/// `Hash` must fit the certificate, fields must come in Envoy's order (in JSON in any) and the unique ones once, and quotes
/// must close. Without a certificate in the header there may be `URI` without `Hash`, as Istio's ambient waypoints write: a
/// name that is told, and no more. A field that is not known is skipped, counted and logged
/// ([observing](crate#seeing-what-happens)), unless it may be the rest of a name with a `;` in it.
///
/// Where `Cert` or `Chain` is there, [`details`](ForwardedCert::details) are the certificate's own, and what the header
/// says in `Subject`, `URI`, `DNS` and `Issuer` is not read. Envoy writes names as they are, even with a `,` or `;` in
/// them ([issue 32945]), so one may look like two; and if it has a `,`, like an element more, which is refused where
/// there must be one. Where strangers' elements may be in front, or the certificate is not there, a CA that signs such names lets
/// their owner write elements and names of his own. Have Envoy pass `Cert` on, or write JSON, in which no name is a field.
///
/// # Into Envoy
///
/// Where a proxy with this layer stands *in front of* Envoy and speaks plain HTTP with it, Envoy takes the header off:
/// `FORWARD_ONLY`, `APPEND_FORWARD` and `SANITIZE_SET` all remove it from what did not come over mutual TLS. Only
/// `forward_client_cert_details: ALWAYS_FORWARD_ONLY` lets it through there, from whoever reaches that listener: nobody but
/// the proxy may.
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
    json: bool,
    hops: Option<NonZeroUsize>,
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
// Not `non_exhaustive`: Envoy's five
pub enum XfccMode {
    /// `SANITIZE`: it is removed, and none is written.
    Sanitize,
    /// `FORWARD_ONLY`: with a certificate it is kept, without one removed. None is written. Any client that has a
    /// certificate writes it, and so is whoever it likes to whoever reads it.
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
            json: false,
            hops: None,
            limits: Limits::new(),
        }
    }

    /// What becomes of the header that a request came with. To a reader only `AppendForward` says something, beside
    /// [`hops`](Self::hops): that there may be strangers' elements in front.
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

    /// Writes JSON, as Envoy does from 1.38 on with `format: JSON`.
    #[must_use]
    pub fn json(self) -> Self {
        Self { json: true, ..self }
    }

    /// For a reader: how many trusted proxies the request has passed, each of which adds an element; 0 counts as 1.
    ///
    /// With 2, what the one before the last says is read: its client, instead of the proxy that is the last one's client.
    /// One element less than that is what a client without a certificate looks like, for which the first proxy adds
    /// none. More are an error, unless the [`mode`](Self::mode) is `AppendForward`. See [whose element](Self#whose-element).
    #[must_use]
    pub fn hops(self, trusted: usize) -> Self {
        Self { hops: Some(NonZeroUsize::new(trusted).unwrap_or(NonZeroUsize::MIN)), ..self }
    }

    /// How much to read.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Which is the client's element, of those that begin at these bytes. `None` if the client's proxy added none.
    fn pick(&self, field: &Field<'_>, starts: &[usize]) -> Result<Option<usize>, DecodeError> {
        let error = |at, what| Err(field.error(at, DecodeErrorKind::Xfcc(what)));
        match (self.hops, starts) {
            (None, [_, second, ..]) => error(
                *second,
                "a second element, though one proxy (SANITIZE_SET) writes one only. If more than one of yours add one, \
                 say how many: `hops(2)`, `envoy;hops=2`",
            ),
            // Whoever appends is, or stands behind, the second of several proxies: one element may be the first proxy's.
            (None, [first, ..]) if self.mode == XfccMode::AppendForward => error(
                *first,
                "an element, and nobody has said how many of your proxies add one: `envoy;mode=append-forward;hops=2` \
                 for two, `hops=1` for one",
            ),
            (Some(hops), _) if self.mode != XfccMode::AppendForward && starts.len() > hops.get() => error(
                starts.last().copied().unwrap_or_default(),
                "more elements than trusted proxies, though the first of them sets its own (SANITIZE_SET). Where it \
                 appends to what strangers write, say so: `envoy;mode=append-forward`",
            ),
            (None, _) => {
                say_whose_element_it_is();
                Ok(Some(0))
            }
            (Some(hops), _) if starts.len() + 1 < hops.get() => {
                error(0, "fewer elements than trusted proxies")
            }
            (Some(hops), _) => Ok(starts.len().checked_sub(hops.get())),
        }
    }

    /// What this hop says of the client.
    fn element(&self, leaf: &CertificateDer<'_>, certificates: &[CertificateDer<'_>]) -> Element {
        let mut element = Element {
            by: self.by.clone(),
            hash: Fingerprint::of(leaf).to_string(),
            cert: if self.cert { pem(leaf) } else { String::new() },
            chain: if self.chain { certificates.iter().map(|der| pem(der)).collect() } else { Vec::new() },
            ..Element::default()
        };
        if let Some(leaf) = Certificate::parse(leaf) {
            // A reader that percent-decodes first must find no delimiter either.
            element.subject = self.names.subject.then(|| leaf.subject_text().replace('%', "\\25"));
            element.uris = self.names.uri.then(|| leaf.uris());
            element.dns_names = if self.names.dns { leaf.dns_names() } else { Vec::new() };
        }
        element
    }
}

/// Once, since it is no fault where there is one proxy.
fn say_whose_element_it_is() {
    #[cfg(feature = "tracing")]
    {
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| {
            tracing::info!(
                "`x-forwarded-client-cert` is read as behind one proxy: its only element is taken for the client's. Behind \
                 two, the second with APPEND_FORWARD, a client without a certificate is then taken for the first proxy: \
                 there say `Envoy::hops(2)`, or `envoy;hops=2`. `hops(1)` says that it is one"
            );
        });
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
        let element = self.element(leaf, client.certificates);
        insert(headers, name, if self.json { format!("[{}]", element.json()) } else { element.text() });
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

    fn append(&self, kept: &HeaderValue, own: &HeaderValue) -> Option<HeaderValue> {
        let [name] = &NAMES;
        let value = own.as_bytes();
        // What this hop wrote has no limit but the layer's.
        let field = Field::new(name, value, Shape::Xfcc, self.limits.max_value_size(value.len())).ok()?;
        let own = match (xfcc_json::is(kept.as_bytes()), xfcc_json::is(value)) {
            (false, false) => value.to_vec(),
            (true, true) => value.strip_prefix(b"[")?.strip_suffix(b"]")?.to_vec(),
            (true, false) => {
                let element = xfcc::elements(&field).ok()?.pop()?;
                Element::from_text(&element).json().into_bytes()
            }
            (false, true) => {
                let mut element = Element::from_json(xfcc_json::objects(&field).ok()?.pop()?);
                if self.names.uri {
                    // In text it is there, if empty.
                    element.uris.get_or_insert_default();
                }
                element.text().into_bytes()
            }
        };
        let kept = kept.as_bytes();
        let joined = match kept.strip_suffix(b"]").filter(|_| xfcc_json::is(kept)) {
            Some(open) => [open, b",", &own, b"]"].concat(),
            None => [kept, b",", &own].concat(),
        };
        HeaderValue::from_bytes(&joined).ok()
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [name] = &NAMES;
        let Some(field) = Field::single(headers, name, Shape::Xfcc, self.limits)? else { return Ok(None) };
        let mut read = ForwardedCert::new(Vec::new());
        if xfcc_json::is(field.value) {
            let field = field.part(0, field.value, Shape::XfccJson);
            let objects = xfcc_json::objects(&field)?;
            let starts: Vec<usize> =
                objects.iter().flat_map(|object| object.first()).map(|first| first.at).collect();
            let picked = self.pick(&field, &starts)?;
            if let Some(object) = picked.and_then(|position| objects.into_iter().nth(position)) {
                read = xfcc_element::read_json(&field, object)?;
            }
            return Ok(Some(read));
        }
        let elements = xfcc::elements(&field)?;
        let starts: Vec<usize> =
            elements.iter().flat_map(|pairs| pairs.first()).map(|first| first.at).collect();
        let picked = self.pick(&field, &starts)?;
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

/// Whether every element is one to every reader that knows quotes, or JSON.
fn well_formed(field: &Field<'_>) -> Result<(), DecodeError> {
    if xfcc_json::is(field.value) {
        return xfcc_json::objects(field).map(drop);
    }
    xfcc::elements(field)?.iter().flatten().try_for_each(|pair| pair.check(field))
}
