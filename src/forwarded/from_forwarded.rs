use std::fmt;
use std::marker::PhantomData;
#[cfg(feature = "tls")]
use std::sync::Arc;

use http::Extensions;

use super::{ForwardedClientCert, ForwardedClientCertError, Required};
use crate::authorize::{CertificateSource, Evidence, NoEvidence, Reason};
use crate::dialect::{DecodeErrorKind, Skipper, VerifyStatus};
use crate::identity::ClientIdentity;
use crate::peer::{UnverifiedReason, Verification};
#[cfg(feature = "tls")]
use crate::tls::ClientVerifier;

/// A source that takes the certificate that a trusted proxy forwarded in dialect `D`. It is for a
/// [`RequireClientCertLayer`](crate::RequireClientCertLayer) behind a
/// [`ForwardedClientCertLayer`](super::ForwardedClientCertLayer) of that dialect.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_client_cert::ClientIdentity;
/// use tower_client_cert::authorize::{RequireClientCertLayer, Rule};
/// use tower_client_cert::dialect::Nginx;
/// use tower_client_cert::forwarded::{ForwardedClientCertLayer, FromForwarded, TrustedProxies};
///
/// async fn hello(client: ClientIdentity) -> String {
///     format!("hello {}", client.subject())
/// }
///
/// let proxy: std::net::IpAddr = "10.1.0.4".parse()?;
/// let clients = RequireClientCertLayer::new(Rule::san_dns(["alice.example.org"])?)
///     .from_source(FromForwarded::<Nginx>::new());
/// let app: Router = Router::new()
///     .route("/", get(hello))
///     .layer(clients)
///     // What is added last sees a request first.
///     .layer(ForwardedClientCertLayer::new(Nginx::new(), TrustedProxies::none().ip_range(proxy)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Whether the certificate counts as verified depends on the proxy:
///
/// | the proxy says | [`Verification`] |
/// |---|---|
/// | `SUCCESS` | verified |
/// | `FAILED:reason` | unverified; the reason is one of [`UnverifiedReason`]'s, or `FailedAtProxy` with the proxy's words in the log |
/// | no verdict | unverified, `NotChecked`; verified after [`proxy_verifies`](Self::proxy_verifies) |
/// | anything, after `verified_by` (feature `tls`) | the verdict of this server's own verifier |
///
/// If there is no certificate to check, the request is denied:
///
/// | [`ForwardedClientCertError`] | [`Reason`] | status |
/// |---|---|---|
/// | `Absent`, `NotPresented`, `Withheld`, or only [details](ForwardedClientCert::details) of a certificate | `missing-cert` | 401 |
/// | `Untrusted` | `untrusted-proxy` | 403 |
/// | `Malformed` | `malformed-header` | 400 |
/// | `Malformed`, too large to look at | `header-too-large` | 431 |
/// | `HopUnknown`, `LayerMissing` | `misconfigured` | 500 |
///
/// The error's text is the `detail` of the event in the log, or, with status 500, in the layer's warning about the
/// server's setup. The client does not see it.
#[must_use = "it is for `RequireClientCertLayer::from_source`"]
pub struct FromForwarded<D = Skipper> {
    proxy_verifies: bool,
    #[cfg(feature = "tls")]
    verifier: Option<Arc<ClientVerifier>>,
    dialect: PhantomData<fn() -> D>,
}

impl<D> FromForwarded<D> {
    /// Creates a source that takes the certificate that the
    /// [`ForwardedClientCertLayer`](super::ForwardedClientCertLayer) of this dialect has read.
    pub fn new() -> Self {
        Self {
            proxy_verifies: false,
            #[cfg(feature = "tls")]
            verifier: None,
            dialect: PhantomData,
        }
    }

    /// **Takes a certificate without a verdict for a verified one.** This is for a dialect without verdicts, behind a
    /// proxy that is configured to forward only certificates that it has verified.
    ///
    /// Behind a proxy that accepts any certificate, as Skipper and Traefik do unless told otherwise, anybody can then
    /// claim to be anybody. A certificate with the verdict `FAILED` stays unverified.
    pub fn proxy_verifies(mut self) -> Self {
        self.proxy_verifies = true;
        self
    }

    /// Verifies each certificate with this verifier, at the time of the request, whatever the proxy says of the
    /// certificate.
    ///
    /// Whether the client holds the private key is still the proxy's word. If there are intermediates between the
    /// certificate and the verifier's roots, the proxy must pass them on too, in a dialect with a chain.
    #[cfg(feature = "tls")]
    pub fn verified_by(mut self, verifier: impl Into<Arc<ClientVerifier>>) -> Self {
        self.verifier = Some(verifier.into());
        self
    }

    fn judge(&self, client: &ForwardedClientCert<D>, certificate: &[u8]) -> Evidence {
        let worth = |verification| Evidence::new(ClientIdentity::from_der(certificate), verification);
        #[cfg(feature = "tls")]
        if let Some(verifier) = &self.verifier {
            return match client.verify_again(verifier, rustls_pki_types::UnixTime::now()) {
                Ok(verdict) => worth(verdict.unwrap_or(NOT_CHECKED)),
                Err(error) => {
                    worth(Verification::Unverified(UnverifiedReason::Invalid)).with_detail(error.to_string())
                }
            };
        }
        match client.status() {
            Some(VerifyStatus::Success) => worth(Verification::Verified),
            Some(VerifyStatus::Failed(words)) => {
                let reason = UnverifiedReason::from_words(words).unwrap_or(UnverifiedReason::FailedAtProxy);
                worth(Verification::Unverified(reason)).with_detail(format!("the proxy says: {words}"))
            }
            None if self.proxy_verifies => worth(Verification::Verified),
            None => worth(NOT_CHECKED)
                .with_detail("the proxy forwarded the certificate without a verdict")
                .with_setup_hint(NO_VERDICT),
            // This can't happen: for a client without a certificate, there is no `ForwardedClientCert`.
            Some(VerifyStatus::None) => worth(NOT_CHECKED),
        }
    }
}

const NOT_CHECKED: Verification = Verification::Unverified(UnverifiedReason::NotChecked);

const NO_VERDICT: &str = "the proxy forwards certificates without a verdict, so nothing tells one that it verified from \
    one that anybody made. Have them verified here with `FromForwarded::new().verified_by(verifier)` (feature `tls`), or \
    read a dialect with a verdict; if the proxy is configured to forward only what it has verified, say so with \
    `FromForwarded::new().proxy_verifies()`";

const NO_CERTIFICATE: &str = "the proxy tells of the certificate without passing it on, and a rule is about certificates. \
    Have the proxy pass it on: Envoy with `set_current_client_cert_details: { cert: true }`";

impl<D: 'static> CertificateSource for FromForwarded<D> {
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, NoEvidence> {
        let Required { outcome, peer } = Required::<D>::of(extensions);
        let client = outcome.map_err(|error| match (&error, peer) {
            (ForwardedClientCertError::Untrusted { .. }, Some(peer)) => {
                NoEvidence::new(Reason::UntrustedProxy).with_detail(format!("from {peer}: {error}"))
            }
            _ => error.into(),
        })?;
        let certificate = client.end_entity().ok_or_else(|| {
            NoEvidence::new(Reason::MissingCert)
                .with_detail("the proxy tells of the certificate without passing it on")
                .with_setup_hint(NO_CERTIFICATE)
        })?;
        Ok(self.judge(&client, certificate))
    }
}

impl From<ForwardedClientCertError> for NoEvidence {
    fn from(error: ForwardedClientCertError) -> Self {
        use ForwardedClientCertError as E;
        let reason = match &error {
            E::Absent | E::NotPresented | E::Withheld { .. } => Reason::MissingCert,
            E::Untrusted { .. } => Reason::UntrustedProxy,
            E::Malformed(malformed) => match malformed.kind() {
                DecodeErrorKind::TooLarge { .. } => Reason::HeaderTooLarge,
                _ => Reason::MalformedHeader,
            },
            E::HopUnknown | E::LayerMissing { .. } => Reason::Misconfigured,
        };
        let text = error.to_string();
        match reason {
            Reason::Misconfigured => Self::new(reason).with_setup_hint(text),
            _ => Self::new(reason).with_detail(text),
        }
    }
}

impl<D> Default for FromForwarded<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D> Clone for FromForwarded<D> {
    fn clone(&self) -> Self {
        Self {
            proxy_verifies: self.proxy_verifies,
            #[cfg(feature = "tls")]
            verifier: self.verifier.clone(),
            dialect: PhantomData,
        }
    }
}

impl<D> fmt::Debug for FromForwarded<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FromForwarded");
        shown.field("dialect", &std::any::type_name::<D>()).field("proxy_verifies", &self.proxy_verifies);
        #[cfg(feature = "tls")]
        shown.field("verified_by", &self.verifier.as_ref().map(|verifier| verifier.policy()));
        shown.finish()
    }
}
