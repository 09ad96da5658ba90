//! `Client-Cert` and `Client-Cert-Chain`, RFC 9440.

use http::header::{HeaderMap, HeaderName, HeaderValue, VARY};

use super::decode::{DecodeErrorKind, Field, Limits, Shape, only};
use super::encoding::{base64_list, insert};
use super::structured;
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// The standard's two headers, [RFC 9440].
///
/// ```text
/// client-cert: :MIIB…==:
/// client-cert-chain: :MIIC…=:, :MIID…:
/// ```
///
/// Byte sequences of [RFC 8941]; the chain is the validated one and does not repeat the client's own certificate.
/// Neither is there if there is no certificate, and there is no word on verification: certificates that nobody
/// verified are written only by [`ClientCertLayer::forward_unverified`](crate::ClientCertLayer::forward_unverified).
///
/// An empty `Client-Cert-Chain` is an empty list (RFC 8941 section 4.2.1), and so a certificate without issuers. An empty
/// `Client-Cert` without a chain is read as none: a load balancer that writes the two by rule sends empty values where it has
/// no certificate to pass on. Google's pass on what they validated. Cloudflare's rules fill the two **whether or not the
/// certificate is valid**: behind them read [`Fields::cloudflare_rfc9440`](super::Fields::cloudflare_rfc9440).
///
/// A response that depends on `Client-Cert` must say so to caches, and a proxy that sees it say so must hide it from
/// caches in front (section 2.4): [`vary`](Self::vary) does the one, [`shield_caches`](Self::shield_caches) the other.
///
/// [RFC 9440]: https://www.rfc-editor.org/rfc/rfc9440
/// [RFC 8941]: https://www.rfc-editor.org/rfc/rfc8941
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rfc9440 {
    limits: Limits,
}

static NAMES: [HeaderName; 2] =
    [HeaderName::from_static("client-cert"), HeaderName::from_static("client-cert-chain")];

impl Rfc9440 {
    /// Both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { limits: Limits::new() }
    }

    /// How much to read.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { limits }
    }

    /// At the backend: says that the response depends on the client's certificate.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use tower_client_cert::dialect::Rfc9440;
    ///
    /// let mut response = HeaderMap::new();
    /// Rfc9440::vary(&mut response);
    /// assert_eq!(response["vary"], "client-cert");
    /// ```
    pub fn vary(response: &mut HeaderMap) {
        if !varies(response, |token| token == b"*" || token.eq_ignore_ascii_case(b"client-cert")) {
            response.append(VARY, HeaderValue::from_static("client-cert"));
        }
    }

    /// At the proxy: replaces `Vary` by `*` in a response that depends on the client's certificate. Caches in front
    /// never see the request header it names, and would hand one client's response to another.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue};
    /// use tower_client_cert::dialect::Rfc9440;
    ///
    /// let mut response = HeaderMap::new();
    /// response.insert("vary", HeaderValue::from_static("accept, Client-Cert"));
    /// Rfc9440::shield_caches(&mut response);
    /// assert_eq!(response["vary"], "*");
    /// ```
    pub fn shield_caches(response: &mut HeaderMap) {
        if varies(response, |token| NAMES.iter().any(|name| token.eq_ignore_ascii_case(name.as_ref()))) {
            response.insert(VARY, HeaderValue::from_static("*"));
        }
    }
}

fn varies(response: &HeaderMap, on: impl Fn(&[u8]) -> bool) -> bool {
    let lines = response.get_all(VARY).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).any(|token| on(token.trim_ascii()))
}

impl Dialect for Rfc9440 {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [leaf_name, chain_name] = &NAMES;
        let Some((leaf, chain)) = client.certificates.split_first() else { return };
        insert(headers, leaf_name, format!(":{}:", base64_list(std::slice::from_ref(leaf), "")));
        if !chain.is_empty() {
            insert(headers, chain_name, format!(":{}:", base64_list(chain, ":, :")));
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [leaf_name, chain_name] = &NAMES;
        // The one header here that may come in several lines (section 2.3).
        let lines = headers.get_all(chain_name);
        let leaf = match only(headers, leaf_name)? {
            None | Some(b"") if lines.iter().all(|line| line.is_empty()) => return Ok(None),
            None => {
                let kind = DecodeErrorKind::Contradiction("a chain, but no Client-Cert");
                return Err(DecodeError::new(chain_name, 0, kind));
            }
            Some(_) => Field::single(headers, leaf_name, Shape::StructuredField, self.limits)?,
        };
        let Some(leaf) = leaf else { return Ok(None) };
        leaf.check_count(0, 0)?;
        let mut certificates = vec![structured::item(&leaf)?];
        let max = self.limits.value_size();
        if lines.iter().map(HeaderValue::len).sum::<usize>() > max {
            return Err(DecodeError::new(chain_name, max, DecodeErrorKind::TooLarge { max }));
        }
        let only_line = lines.iter().nth(1).is_none();
        for line in lines {
            let field = Field::new(chain_name, line.as_bytes(), Shape::StructuredField, self.limits)?;
            if only_line && structured::is_empty_list(&field) {
                break;
            }
            if field.value.is_empty() {
                return Err(field.error(0, DecodeErrorKind::Empty));
            }
            structured::list(&field, &mut certificates)?;
        }
        Ok(Some(ForwardedCert::new(certificates)))
    }
}
