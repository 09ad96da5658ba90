//! `X-Forwarded-Tls-Client-Cert`, as Skipper's `tlsPassClientCertificates()` writes it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{DecodeError, DecodeErrorKind, Dialect, ForwardedCert, Outgoing, VerifyStatus};

/// Skipper's header, which is also that of Traefik's `passTLSClientCert.pem`, and a companion for the verdict.
///
/// ```text
/// x-forwarded-tls-client-cert: MIIB…==,MIIC…=
/// x-forwarded-tls-client-cert-verify: SUCCESS
/// ```
///
/// The first is the standard base64 (RFC 4648 section 4, padded) of each certificate's DER, the client's own first,
/// joined by `,`; absent if there is no certificate. Source: [`filters/tls/pass_client.go`] of Skipper.
///
/// Skipper forwards what the client presented, verified or not, and says nothing about it. So that no backend is left
/// to guess, the companion says `SUCCESS`, `FAILED:reason` or `NONE`, nginx's words. It can be switched off with
/// [`without_verify_header`](Self::without_verify_header).
///
/// [`filters/tls/pass_client.go`]: https://github.com/zalando/skipper/blob/master/filters/tls/pass_client.go
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipper {
    verify_header: bool,
}

const CERT: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert");
const VERIFY: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert-verify");
static NAMES: [HeaderName; 2] = [CERT, VERIFY];

impl Skipper {
    /// Both headers.
    #[must_use]
    pub const fn new() -> Self {
        Self { verify_header: true }
    }

    /// The certificate header alone. One that a client sends under the companion's name is stripped all the same.
    #[must_use]
    pub const fn without_verify_header(self) -> Self {
        Self { verify_header: false }
    }
}

impl Default for Skipper {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for Skipper {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn forwards_unverified(&self) -> bool {
        true
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let mut list = String::new();
        for certificate in client.certificates {
            if !list.is_empty() {
                list.push(',');
            }
            STANDARD.encode_string(certificate, &mut list);
        }
        if !client.certificates.is_empty() {
            insert(headers, &CERT, list);
        }
        if self.verify_header {
            insert(headers, &VERIFY, client.status.to_string());
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let list = DecodeError::single(headers, &CERT)?;
        let status = if self.verify_header { decode_status(headers, &VERIFY)? } else { None };
        if list.is_none() && status.is_none() {
            return Ok(None);
        }
        let certificates = list.map_or_else(|| Ok(Vec::new()), |list| decode_list(list, &CERT))?;
        match status {
            Some(VerifyStatus::Success) if certificates.is_empty() => Err(DecodeError::new(
                &VERIFY,
                0,
                DecodeErrorKind::Contradiction("SUCCESS, but no certificate"),
            )),
            Some(VerifyStatus::None) if !certificates.is_empty() => {
                Err(DecodeError::new(&VERIFY, 0, DecodeErrorKind::Contradiction("NONE, but a certificate")))
            }
            status => Ok(Some(ForwardedCert { certificates, status })),
        }
    }
}

/// Base64 and our own words are always legal header values.
fn insert(headers: &mut HeaderMap, name: &HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn decode_list(
    list: &[u8],
    header: &HeaderName,
) -> Result<Vec<rustls_pki_types::CertificateDer<'static>>, DecodeError> {
    let mut start = 0;
    list.split(|&byte| byte == b',')
        .map(|item| {
            let at = start;
            start += item.len() + 1;
            if item.is_empty() {
                return Err(DecodeError::new(header, at, DecodeErrorKind::Empty));
            }
            let der = STANDARD.decode(item).map_err(|error| DecodeError::base64(header, at, error))?;
            Ok(der.into())
        })
        .collect()
}

fn decode_status(headers: &HeaderMap, header: &HeaderName) -> Result<Option<VerifyStatus>, DecodeError> {
    let Some(value) = DecodeError::single(headers, header)? else { return Ok(None) };
    let status = match value {
        b"SUCCESS" => VerifyStatus::Success,
        b"NONE" => VerifyStatus::None,
        _ => value
            .strip_prefix(b"FAILED:")
            .filter(|reason| reason.iter().all(|byte| matches!(byte, b' '..=b'~')))
            .and_then(|reason| std::str::from_utf8(reason).ok())
            .map(|reason| VerifyStatus::Failed(Cow::Owned(reason.to_owned())))
            .ok_or_else(|| DecodeError::new(header, 0, DecodeErrorKind::Status))?,
    };
    Ok(Some(status))
}
