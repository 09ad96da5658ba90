//! Apache httpd's `SSL_CLIENT_CERT`, which Tomcat's SSLValve and Undertow's SSLHeaderHandler read.

use http::{HeaderMap, HeaderName};

use super::decode::{DecodeErrorKind, Field, Limits, Shape, only};
use super::encoding::{decode_spaced_pem, decode_status, insert, insert_status, none_is_none, spaced_pem};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// Apache's variables as headers: PEM on one line, with spaces for line feeds.
///
/// ```text
/// ssl_client_cert: -----BEGIN CERTIFICATE----- MIIB… -----END CERTIFICATE-----
/// ssl_client_cert_chain_0: -----BEGIN CERTIFICATE----- MIIC… -----END CERTIFICATE-----
/// ssl_client_verify: SUCCESS
/// ```
///
/// In Apache:
///
/// ```text
/// RequestHeader set SSL_CLIENT_CERT         "%{SSL_CLIENT_CERT}s"
/// RequestHeader set SSL_CLIENT_CERT_CHAIN_0 "%{SSL_CLIENT_CERT_CHAIN_0}s"
/// RequestHeader set SSL_CLIENT_VERIFY       "%{SSL_CLIENT_VERIFY}s"
/// RequestHeader unset SSL_CLIENT_CERT_CHAIN_1
/// ```
///
/// and so on, `unset` up to `SSL_CLIENT_CERT_CHAIN_8`: Apache passes on what a client sends under the names that are not
/// mentioned, and a reader would take it for the proxy's.
///
/// A variable that is not set arrives as `(null)`, which is read as "no certificate" and never written. Names with `_` are
/// dropped by nginx and by others on the way unless told otherwise. Sources: [`mod_headers.c`], [`ssl_engine_vars.c`].
///
/// # `SSLVerifyClient optional_no_ca` is not safe by itself
///
/// Under `optional_no_ca` Apache takes certificates that it cannot verify, and says `GENEROUS`, which is read as a
/// failure. But **in a resumed session of TLS 1.2, Apache 2.4 says `SUCCESS`** for the same certificate, one that its
/// owner signed. Nothing in the headers tells the two apart. Configure one of these instead:
///
/// - `SSLVerifyClient optional` or `require`, which refuse such certificates in the handshake;
/// - `SSLProtocol TLSv1.3`, under which a resumed session is a `FAILED:…`;
/// - `SSLSessionTickets off` together with `SSLSessionCache none`, so that no session is resumed.
///
/// A backend that has the CA's certificate can also look for itself, with `ForwardedClientCert::verify_again`.
///
/// # Resumed sessions have no chain
///
/// `SSL_CLIENT_CERT_CHAIN_0` is `(null)` in every resumed session, under TLS 1.2 and 1.3. The client's own certificate and
/// the verdict are there. A backend that verifies again needs the certificates of intermediate CAs from its own
/// configuration then.
///
/// [`mod_headers.c`]: https://github.com/apache/httpd/blob/trunk/modules/metadata/mod_headers.c
/// [`ssl_engine_vars.c`]: https://github.com/apache/httpd/blob/trunk/modules/ssl/ssl_engine_vars.c
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apache {
    limits: Limits,
}

/// Certificate, verdict, then the chain. More issuers than these are not written.
static NAMES: [HeaderName; 11] = [
    HeaderName::from_static("ssl_client_cert"),
    HeaderName::from_static("ssl_client_verify"),
    HeaderName::from_static("ssl_client_cert_chain_0"),
    HeaderName::from_static("ssl_client_cert_chain_1"),
    HeaderName::from_static("ssl_client_cert_chain_2"),
    HeaderName::from_static("ssl_client_cert_chain_3"),
    HeaderName::from_static("ssl_client_cert_chain_4"),
    HeaderName::from_static("ssl_client_cert_chain_5"),
    HeaderName::from_static("ssl_client_cert_chain_6"),
    HeaderName::from_static("ssl_client_cert_chain_7"),
    HeaderName::from_static("ssl_client_cert_chain_8"),
];

/// What Apache says beside `FAILED:reason` of a certificate that it took and did not verify (`optional_no_ca`).
const FAILURES: [(&str, &str); 2] = [("GENEROUS", "GENEROUS"), ("FAILED", "no reason given")];

impl Apache {
    /// `SSL_CLIENT_CERT`, `SSL_CLIENT_VERIFY` and `SSL_CLIENT_CERT_CHAIN_0` to `_8`.
    #[must_use]
    pub const fn new() -> Self {
        Self { limits: Limits::new() }
    }

    /// How much to read.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { limits }
    }
}

impl Dialect for Apache {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [leaf, verify, chain @ ..] = &NAMES;
        insert_status(headers, verify, &client.status);
        for (name, der) in [leaf].into_iter().chain(chain).zip(client.certificates) {
            insert(headers, name, spaced_pem(der));
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [leaf, verify, chain @ ..] = &NAMES;
        if !NAMES.iter().any(|name| headers.contains_key(name)) {
            return Ok(None);
        }
        let status = match only(headers, verify)? {
            Some(b"(null)") => None,
            _ => decode_status(headers, verify, &FAILURES)?,
        };
        let mut certificates = Vec::new();
        let mut missing = false;
        for name in [leaf].into_iter().chain(chain) {
            let value = only(headers, name)?.filter(|value| *value != b"(null)");
            if value.is_none() {
                missing = true;
                continue;
            }
            if missing {
                let kind = DecodeErrorKind::Contradiction("an issuer, but not the certificate before it");
                return Err(DecodeError::new(name, 0, kind));
            }
            if let Some(field) = Field::single(headers, name, Shape::SpacedPem, self.limits)? {
                field.check_count(certificates.len(), 0)?;
                certificates.push(decode_spaced_pem(&field)?);
            }
        }
        none_is_none(verify, &certificates, status.as_ref())?;
        Ok(Some(ForwardedCert::judged(certificates, status)))
    }
}
