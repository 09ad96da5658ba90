//! HAProxy's `ssl_c_der`, `ssl_c_chain_der` and `ssl_c_verify`, under names that HAProxy leaves to its users.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;

use super::decode::{DecodeErrorKind, Field, Limits, Shape, only};
use super::encoding::{agree, base64_list, concatenated, decode_base64, insert};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing, VerifyStatus};

/// Base64 DER of the client's own certificate and of its chain, and OpenSSL's verify code.
///
/// ```text
/// x-ssl-client-cert: MIIB…==
/// x-ssl-client-chain: MIIC…
/// x-ssl-client-verify: 0
/// ```
///
/// In HAProxy:
///
/// ```text
/// http-request set-header X-SSL-Client-Cert   %[ssl_c_der,base64]
/// http-request set-header X-SSL-Client-Chain  %[ssl_c_chain_der,base64]
/// http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
/// ```
///
/// The chain does not repeat the client's own certificate; it is the base64 of all issuers' DER, one after the other.
/// [`chain_in_headers`](Self::chain_in_headers) writes a header for each instead, as Keycloak likes it. HAProxy's
/// verdict is a number, 0 for success; it is 0 without a certificate too, so none is written then, and one that comes
/// without a certificate is read as "no certificate". So are empty values: HAProxy sends three of them for a request of
/// plain HTTP with the lines above. An empty verdict beside a certificate is an error. One pair of quotes around a value
/// (`%{+Q}`) is taken off. Sources: [`ssl_sample.c`], [`sample.c`].
///
/// HAProxy's chain is empty in resumed sessions, under TLS 1.2 and 1.3, and where it is larger than `tune.bufsize` allows
/// (HAProxy 2.6: a chain of 20 KB). The client's own certificate and the verdict are there. A backend that verifies again
/// needs the certificates of intermediate CAs from its own configuration then.
///
/// [`ssl_sample.c`]: https://github.com/haproxy/haproxy/blob/master/src/ssl_sample.c
/// [`sample.c`]: https://github.com/haproxy/haproxy/blob/master/src/sample.c
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaProxy {
    /// Certificate, verdict, chain.
    names: Vec<HeaderName>,
    chain: Chain,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    Concatenated,
    OneEach,
}

impl HaProxy {
    /// `X-SSL-Client-Cert`, `X-SSL-Client-Chain` and `X-SSL-Client-Verify`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_names(
            HeaderName::from_static("x-ssl-client-cert"),
            HeaderName::from_static("x-ssl-client-chain"),
            HeaderName::from_static("x-ssl-client-verify"),
        )
    }

    /// Under names of your own.
    #[must_use]
    pub fn with_names(certificate: HeaderName, chain: HeaderName, verify: HeaderName) -> Self {
        Self { names: vec![certificate, verify, chain], chain: Chain::Concatenated, limits: Limits::new() }
    }

    /// The chain in a header per certificate, the name followed by `_0`, `_1` and so on up to `_8`.
    #[must_use]
    pub fn chain_in_headers(mut self) -> Self {
        if let (Chain::Concatenated, Some(prefix)) = (self.chain, self.names.pop()) {
            let numbered = (0..9).filter_map(|number| format!("{prefix}_{number}").parse().ok());
            self.names.extend(numbered);
            self.chain = Chain::OneEach;
        }
        self
    }

    /// How much to read.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The value without HAProxy's optional quotes. `None` if there is none, or if it is empty.
    fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, DecodeError> {
        let value = only(headers, name)?.map(|value| {
            let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
            quoted.unwrap_or(value)
        });
        match value {
            Some(b"(null)") => Err(DecodeError::new(name, 0, DecodeErrorKind::Null)),
            value => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    fn field<'a>(
        &self,
        headers: &'a HeaderMap,
        name: &'a HeaderName,
    ) -> Result<Option<Field<'a>>, DecodeError> {
        let value = Self::value(headers, name)?;
        value.map(|value| Field::new(name, value, Shape::Base64, self.limits)).transpose()
    }

    fn decode_issuers(
        &self,
        headers: &HeaderMap,
        names: &[HeaderName],
        certificates: &mut Vec<CertificateDer<'static>>,
    ) -> Result<(), DecodeError> {
        let mut missing = certificates.is_empty();
        for name in names {
            let Some(field) = self.field(headers, name)? else {
                missing = true;
                continue;
            };
            if missing {
                let kind = DecodeErrorKind::Contradiction("an issuer, but not the certificate before it");
                return Err(DecodeError::new(name, 0, kind));
            }
            match self.chain {
                Chain::OneEach => {
                    field.check_count(certificates.len(), 0)?;
                    certificates.push(decode_base64(&field)?);
                }
                Chain::Concatenated => {
                    let der = STANDARD.decode(field.value).map_err(|error| field.base64_error(0, error))?;
                    concatenated(&field, &der, certificates)?;
                }
            }
        }
        Ok(())
    }
}

impl Default for HaProxy {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for HaProxy {
    fn header_names(&self) -> &[HeaderName] {
        &self.names
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [leaf_name, verify, chain_names @ ..] = self.names.as_slice() else { return };
        match &client.status {
            VerifyStatus::Success => insert(headers, verify, "0"),
            VerifyStatus::Failed(reason) => insert(headers, verify, code(reason).to_string()),
            VerifyStatus::None => {}
        }
        let Some((leaf, chain)) = client.certificates.split_first() else { return };
        insert(headers, leaf_name, base64_list(std::slice::from_ref(leaf), ""));
        match (self.chain, chain_names) {
            (Chain::OneEach, names) => {
                for (name, issuer) in names.iter().zip(chain) {
                    insert(headers, name, STANDARD.encode(issuer));
                }
            }
            (Chain::Concatenated, [name, ..]) if !chain.is_empty() => {
                let der: Vec<u8> = chain.iter().flat_map(|issuer| issuer.iter().copied()).collect();
                insert(headers, name, STANDARD.encode(der));
            }
            (Chain::Concatenated, _) => {}
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [leaf_name, verify, chain_names @ ..] = self.names.as_slice() else { return Ok(None) };
        if !self.names.iter().any(|name| headers.contains_key(name)) {
            return Ok(None);
        }
        let mut certificates = Vec::new();
        if let Some(field) = self.field(headers, leaf_name)? {
            field.check_count(0, 0)?;
            certificates.push(decode_base64(&field)?);
        }
        self.decode_issuers(headers, chain_names, &mut certificates)?;
        let status = match Self::value(headers, verify)? {
            None if headers.contains_key(verify) && !certificates.is_empty() => {
                return Err(DecodeError::new(verify, 0, DecodeErrorKind::Empty));
            }
            None => None,
            Some(b"0") if certificates.is_empty() => Some(VerifyStatus::None),
            Some(b"0") => Some(VerifyStatus::Success),
            Some(number) => Some(VerifyStatus::Failed(
                reason(number)
                    .ok_or_else(|| DecodeError::new(verify, 0, DecodeErrorKind::VerifyCode))?
                    .into(),
            )),
        };
        agree(verify, &certificates, status.as_ref())?;
        Ok(Some(ForwardedCert::judged(certificates, status)))
    }
}

/// `X509_V_ERR_…` of OpenSSL's `x509_vfy.h`, in this crate's words and so in OpenSSL's where it has them.
const CODES: [(u8, &str); 13] = [
    (UNSPECIFIED, "unspecified certificate verification error"),
    (3, "unable to get certificate CRL"),
    (7, "certificate signature failure"),
    (9, "certificate is not yet valid"),
    (10, "certificate has expired"),
    (12, "CRL has expired"),
    (18, "self-signed certificate"),
    (19, "self-signed certificate in certificate chain"),
    (20, "unable to get local issuer certificate"),
    (21, "unable to verify the first certificate"),
    (22, "certificate chain too long"),
    (23, "certificate revoked"),
    (26, "unsuitable certificate purpose"),
];

const UNSPECIFIED: u8 = 1;

pub(super) fn code(reason: &str) -> u8 {
    CODES.iter().find(|(_, words)| *words == reason).map_or(UNSPECIFIED, |(code, _)| *code)
}

/// `None` if it is not a number as HAProxy prints it.
pub(super) fn reason(number: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(number).ok()?;
    let code: u16 = text.parse().ok().filter(|code: &u16| code.to_string() == text)?;
    let words = CODES.iter().find(|(known, _)| u16::from(*known) == code).map(|(_, words)| *words);
    Some(words.map_or_else(|| format!("verify error {code}"), ToOwned::to_owned))
}
