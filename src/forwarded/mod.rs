#![doc = include_str!("../docs/forwarded.md")]

#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "x509")]
mod from_forwarded;
mod label;
mod layer;
mod pass;
mod report;
mod service;
mod trust;

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use http::{Extensions, HeaderName, StatusCode};
use rustls_pki_types::CertificateDer;

#[cfg(feature = "x509")]
pub use from_forwarded::FromForwarded;
pub use layer::ForwardedClientCertLayer;
pub use pass::{PassHeaders, PassHeadersLayer};
pub use service::ReadForwardedClientCert;
pub use trust::{Hop, TrustedProxies};

use crate::dialect::{CertDetails, DecodeError, DecodeErrorKind, ForwardedCert, Skipper, VerifyStatus};

/// The client's certificate, as a trusted proxy tells of it in the headers of dialect `D`.
///
/// This certificate is *told*, while [`PeerCertificates`](crate::PeerCertificates) are *seen*: this server has not
/// checked a signature, and takes the proxy's word that the client holds the private key. Neither type converts into
/// the other. Whether the proxy verified the certificate is another question: see [`status`](Self::status).
///
/// In axum handlers this type is an extractor, and so is `Option<ForwardedClientCert<D>>`. Elsewhere,
/// [`from_extensions`](Self::from_extensions) returns what the layer found. Cloning is cheap: it copies a
/// reference-counted pointer.
pub struct ForwardedClientCert<D = Skipper> {
    cert: Arc<ForwardedCert>,
    dialect: PhantomData<fn() -> D>,
}

impl<D> ForwardedClientCert<D> {
    fn new(cert: ForwardedCert) -> Result<Self, ForwardedClientCertError> {
        let says_something = !cert.certificates.is_empty() || cert.details != CertDetails::default();
        match cert.status {
            Some(VerifyStatus::None) => Err(ForwardedClientCertError::NotPresented),
            _ if says_something => Ok(Self { cert: Arc::new(cert), dialect: PhantomData }),
            Some(status) => Err(ForwardedClientCertError::Withheld { status }),
            None => Err(ForwardedClientCertError::NotPresented),
        }
    }

    /// Returns the client's own certificate. `None` if the proxy passes on only [`details`](Self::details) of the
    /// certificate, as Envoy does unless told otherwise.
    #[must_use]
    pub fn end_entity(&self) -> Option<&CertificateDer<'static>> {
        self.cert.end_entity()
    }

    /// Returns all certificates that the proxy passed on, end entity first. Only the dialect and the proxy's
    /// configuration tell whether they are the path that the proxy verified or whatever the client sent.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.cert.certificates
    }

    /// Returns details of the certificate, as far as the dialect has them: names, hash, serial number. They come from
    /// the certificate itself if the proxy passed it on, and are the proxy's word otherwise: see [`CertDetails`].
    #[must_use]
    pub fn details(&self) -> &CertDetails {
        &self.cert.details
    }

    /// Returns the proxy's verdict on the certificate. `None` if the proxy gives no verdict, as in the dialects of
    /// Skipper and Traefik.
    #[must_use]
    pub fn status(&self) -> Option<&VerifyStatus> {
        self.cert.status.as_ref()
    }

    /// Returns whether the proxy says that it verified the certificate. This is short for
    /// `status() == Some(&VerifyStatus::Success)`.
    #[must_use]
    pub fn is_verified_by_proxy(&self) -> bool {
        self.cert.status == Some(VerifyStatus::Success)
    }

    /// Verifies the certificate with this server's own roots and CRLs, whatever the proxy says.
    ///
    /// Returns `None` if the proxy passed no certificate on. A certificate that verifies is still told, not seen:
    /// whether the client holds the private key remains the proxy's word.
    ///
    /// ```
    /// use rustls_pki_types::UnixTime;
    /// use tower_client_cert::forwarded::ForwardedClientCert;
    /// use tower_client_cert::{ChainError, ClientVerifier, Verification};
    ///
    /// fn admits(verifier: &ClientVerifier, client: &ForwardedClientCert) -> Result<bool, ChainError> {
    ///     Ok(client.verify_again(verifier, UnixTime::now())? == Some(Verification::Verified))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the certificates are more, or larger, than the verifier accepts, or if one of them is not a
    /// certificate.
    #[cfg(feature = "tls")]
    pub fn verify_again(
        &self,
        verifier: &crate::ClientVerifier,
        now: rustls_pki_types::UnixTime,
    ) -> Result<Option<crate::Verification>, crate::ChainError> {
        let peer = verifier.judge(self.cert.certificates.clone(), now)?;
        Ok(peer.map(|peer| peer.verification()))
    }
}

impl<D: 'static> ForwardedClientCert<D> {
    /// Returns the certificate that a [`ForwardedClientCertLayer`] for this dialect left in a request's extensions.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no certificate. Each variant of [`ForwardedClientCertError`] is another reason.
    pub fn from_extensions(extensions: &Extensions) -> Result<Self, ForwardedClientCertError> {
        match extensions.get::<Outcome<D>>() {
            Some(Outcome { outcome, .. }) => outcome.clone(),
            None => Err(ForwardedClientCertError::LayerMissing { dialect: std::any::type_name::<D>() }),
        }
    }
}

impl<D> Clone for ForwardedClientCert<D> {
    fn clone(&self) -> Self {
        Self { cert: Arc::clone(&self.cert), dialect: PhantomData }
    }
}

/// Shows sizes and the status only: certificates are personal data, and logs have many readers.
impl<D> fmt::Debug for ForwardedClientCert<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.cert.certificates.iter().map(|certificate| certificate.len()).collect();
        f.debug_struct("ForwardedClientCert")
            .field("certificate_bytes", &sizes)
            .field("status", &self.cert.status)
            .finish_non_exhaustive()
    }
}

/// The outcome that a layer leaves on a request, one for each dialect.
struct Outcome<D> {
    outcome: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
    /// The address of the hop, as the layer knows it.
    peer: Option<IpAddr>,
}

impl<D> Clone for Outcome<D> {
    fn clone(&self) -> Self {
        Self { outcome: self.outcome.clone(), peer: self.peer }
    }
}

/// The outcome, as a handler or a rule that needs a certificate finds it.
#[cfg(any(feature = "axum", feature = "x509"))]
struct Required<D> {
    outcome: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
    /// The address of the hop for the log, if the layer knows it.
    #[cfg_attr(not(any(feature = "tracing", feature = "x509")), allow(dead_code))]
    peer: Option<IpAddr>,
}

#[cfg(any(feature = "axum", feature = "x509"))]
impl<D: 'static> Required<D> {
    /// Returns the outcome, and counts the refusals that the layer did not: no layer saw the request, or the request
    /// was fine until somebody asked for a certificate.
    fn of(extensions: &Extensions) -> Self {
        use ForwardedClientCertError as E;
        let outcome = ForwardedClientCert::from_extensions(extensions);
        if let Err(error @ (E::LayerMissing { .. } | E::Untrusted { header: None })) = &outcome {
            crate::telemetry::forwarded_refused(error.label());
        }
        Self { outcome, peer: extensions.get().and_then(|Outcome::<D> { peer, .. }| *peer) }
    }
}

/// The reason why there is no [`ForwardedClientCert`]. Each variant has its [status](Self::status).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardedClientCertError {
    /// A trusted proxy sent none of the dialect's headers, or none that the dialect reads. Status 401.
    #[error("no client certificate: the proxy forwarded none")]
    Absent,
    /// A trusted proxy says that the client presented no certificate. Status 401.
    #[error("no client certificate: the proxy says that the client presented none")]
    NotPresented,
    /// A trusted proxy did not pass the client's certificate on, but gave a verdict on it. Status 401.
    #[error("no client certificate: the proxy does not pass it on, and says of it: {status}")]
    Withheld {
        /// The proxy's verdict, mostly the reason why the certificate did not verify.
        status: VerifyStatus,
    },
    /// The request does not come from a trusted proxy. Status 403.
    #[error(
        "this request does not come from a trusted proxy{}",
        header.as_ref().map_or_else(String::new, |header| format!(", so its header `{header}` is not believed"))
    )]
    Untrusted {
        /// A header of the dialect, in any spelling, that the request came with. `None` if it had none.
        header: Option<HeaderName>,
    },
    /// A trusted proxy sent headers that the dialect can't have written. The error's [kind](DecodeError::kind) tells
    /// what is wrong with them: an empty value, a header twice, another dialect. Status 400, and 431 for a value that
    /// is too large to read.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The server is not set up to know who sends it requests. Status 500.
    #[error(
        "nothing is known of the hop this request came from, so it can't be told whether it is a trusted proxy. To know \
         its address, serve the app with `app.into_make_service_with_connect_info::<std::net::SocketAddr>()`; to know its \
         client certificate too, with `tower_client_cert::make_service(app)` on a `TlsListener`. Without axum, call \
         `ForwardedClientCertLayer::with_peer_ip` for each connection"
    )]
    HopUnknown,
    /// No layer for this dialect saw the request. Status 500.
    #[error(
        "no ForwardedClientCertLayer for {dialect} saw this request: add \
         `.layer(ForwardedClientCertLayer::new(dialect, trusted_proxies))` to the router, after what asks for the \
         certificate: what is added last sees a request first"
    )]
    LayerMissing {
        /// The type of the dialect.
        dialect: &'static str,
    },
}

impl ForwardedClientCertError {
    /// Returns the status of the response to the client.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Absent | Self::NotPresented | Self::Withheld { .. } => StatusCode::UNAUTHORIZED,
            Self::Untrusted { .. } => StatusCode::FORBIDDEN,
            Self::Malformed(error) => match error.kind() {
                DecodeErrorKind::TooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            },
            Self::HopUnknown | Self::LayerMissing { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns whether the request is anonymous: it has no client certificate, and nothing is wrong with it. Where a
    /// certificate is optional, anonymous requests are served, and requests with any other error are refused.
    ///
    /// A request whose certificate the proxy withheld is anonymous too, and so is a request of an untrusted peer that
    /// came without any of the dialect's headers.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(
            self,
            Self::Absent | Self::NotPresented | Self::Withheld { .. } | Self::Untrusted { header: None }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Outgoing};
    use http::HeaderMap;

    /// Envoy's dialect and others can tell of a certificate without passing it on.
    #[test]
    fn a_certificate_may_be_told_by_its_details_alone() {
        struct Named(CertDetails, Option<VerifyStatus>);
        impl Dialect for Named {
            fn header_names(&self) -> &[HeaderName] {
                &[]
            }
            fn encode(&self, _: &Outgoing<'_>, _: &mut HeaderMap) {}
            fn decode(&self, _: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
                let mut cert = ForwardedCert::new(Vec::new());
                (cert.details, cert.status) = (self.0.clone(), self.1.clone());
                Ok(Some(cert))
            }
        }
        let details = CertDetails { hash: Some([7; 32].into()), ..CertDetails::default() };
        let read = |details: &CertDetails, status| {
            let everybody = TrustedProxies::none().trust_whoever_can_connect();
            ForwardedClientCertLayer::new(Named(details.clone(), status), everybody)
                .read(&Hop::unknown(), &HeaderMap::new())
        };
        let nothing = CertDetails::default();
        let failed = || VerifyStatus::Failed("expired".into());
        for status in [None, Some(VerifyStatus::Success), Some(failed())] {
            let client = read(&details, status.clone()).unwrap();
            assert_eq!(
                (client.end_entity(), client.details(), client.status()),
                (None, &details, status.as_ref())
            );
        }
        for (details, status) in [(&nothing, None), (&details, Some(VerifyStatus::None))] {
            assert_eq!(read(details, status).unwrap_err(), ForwardedClientCertError::NotPresented);
        }
        for status in [VerifyStatus::Success, failed()] {
            let error = read(&nothing, Some(status.clone())).unwrap_err();
            assert_eq!(error, ForwardedClientCertError::Withheld { status });
        }
    }

    /// Any other word is no verdict, and neither is a missing one.
    #[test]
    fn only_success_is_verified_by_the_proxy() {
        for (status, verified) in [
            (None, false),
            (Some(VerifyStatus::Failed("expired".into())), false),
            (Some(VerifyStatus::Failed("SUCCESS".into())), false),
            (Some(VerifyStatus::Success), true),
        ] {
            let mut cert = ForwardedCert::new(vec![CertificateDer::from(vec![0x30, 0x00])]);
            cert.status.clone_from(&status);
            let client = ForwardedClientCert::<Skipper>::new(cert).unwrap();
            assert_eq!((client.is_verified_by_proxy(), client.status()), (verified, status.as_ref()));
            assert_eq!(client.clone().is_verified_by_proxy(), verified);
            let shown = format!("{client:?}");
            assert!(
                shown.contains("certificate_bytes: [2]") && shown.contains(&format!("{status:?}")),
                "{shown}"
            );
        }
    }

    /// The response's status, and whether a handler with `Option` takes the client for anonymous.
    #[test]
    fn each_reason_has_its_status_and_few_are_anonymous() {
        use ForwardedClientCertError as E;
        let header = Some(HeaderName::from_static("client-cert"));
        for (error, status, anonymous) in [
            (E::Absent, 401, true),
            (E::NotPresented, 401, true),
            (E::Withheld { status: VerifyStatus::Success }, 401, true),
            (E::Untrusted { header: None }, 403, true),
            (E::Untrusted { header }, 403, false),
            (E::HopUnknown, 500, false),
            (E::LayerMissing { dialect: "Skipper" }, 500, false),
        ] {
            assert_eq!((error.status().as_u16(), error.is_anonymous()), (status, anonymous), "{error:?}");
        }
    }
}
