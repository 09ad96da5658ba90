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

/// The client's certificate, as a trusted proxy tells it in the headers of dialect `D`.
///
/// *Told*, where [`PeerCertificates`](crate::PeerCertificates) are *seen*: this server has not checked a signature, and
/// takes the proxy's word for it that the client holds the private key. There is no conversion from one to the other.
/// Whether the proxy verified the certificate is a question of its own: see [`status`](Self::status).
///
/// In axum handlers it is an extractor, and so is `Option<ForwardedClientCert<D>>`; elsewhere
/// [`from_extensions`](Self::from_extensions) reads what the layer left. A clone is a reference count.
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

    /// The client's own certificate. `None` if the proxy passes only [`details`](Self::details) of it on, as Envoy does
    /// unless told otherwise.
    #[must_use]
    pub fn end_entity(&self) -> Option<&CertificateDer<'static>> {
        self.cert.end_entity()
    }

    /// All that the proxy passed on, end entity first. Whether that is the path it verified or whatever the client
    /// sent, only the dialect and the proxy's configuration tell.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.cert.certificates
    }

    /// The certificate in words: names, hash, serial number, as far as the dialect has them. They are the certificate's
    /// own where it is there, and otherwise told: see [`CertDetails`].
    #[must_use]
    pub fn details(&self) -> &CertDetails {
        &self.cert.details
    }

    /// What the proxy says of the certificate. `None` if its dialect does not say, as Skipper's and Traefik's do not.
    #[must_use]
    pub fn status(&self) -> Option<&VerifyStatus> {
        self.cert.status.as_ref()
    }

    /// Whether the proxy says, in so many words, that it verified the certificate: short for
    /// `status() == Some(&VerifyStatus::Success)`.
    #[must_use]
    pub fn is_verified_by_proxy(&self) -> bool {
        self.cert.status == Some(VerifyStatus::Success)
    }

    /// What this server's own roots and CRLs say of the certificate, whatever the proxy says.
    ///
    /// `None` if the proxy passed no certificate on. It is still told, not seen: that the client holds the private key
    /// remains the proxy's word.
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
    /// If the certificates are more, or larger, than the verifier takes, or one of them is not a certificate.
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
    /// What a [`ForwardedClientCertLayer`] for this dialect found out about a request, from the request's extensions.
    ///
    /// # Errors
    ///
    /// If there is no certificate: see [`ForwardedClientCertError`], each of whose variants is another reason.
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

/// Sizes and the status; certificates are personal data, and logs are read by many.
impl<D> fmt::Debug for ForwardedClientCert<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<usize> = self.cert.certificates.iter().map(|certificate| certificate.len()).collect();
        f.debug_struct("ForwardedClientCert")
            .field("certificate_bytes", &sizes)
            .field("status", &self.cert.status)
            .finish_non_exhaustive()
    }
}

/// What the layer leaves on a request, one for each dialect.
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

/// What a handler, or a rule, that needs a certificate finds.
#[cfg(any(feature = "axum", feature = "x509"))]
struct Required<D> {
    outcome: Result<ForwardedClientCert<D>, ForwardedClientCertError>,
    /// The address of the hop, if the layer knows it: for the log.
    #[cfg_attr(not(any(feature = "tracing", feature = "x509")), allow(dead_code))]
    peer: Option<IpAddr>,
}

#[cfg(any(feature = "axum", feature = "x509"))]
impl<D: 'static> Required<D> {
    /// Counts what the layer did not: requests that were fine until somebody asked.
    fn of(extensions: &Extensions) -> Self {
        use ForwardedClientCertError as E;
        let outcome = ForwardedClientCert::from_extensions(extensions);
        if let Err(error @ (E::LayerMissing { .. } | E::Untrusted { header: None })) = &outcome {
            crate::telemetry::forwarded_refused(error.label());
        }
        Self { outcome, peer: extensions.get().and_then(|Outcome::<D> { peer, .. }| *peer) }
    }
}

/// Why there is no [`ForwardedClientCert`]. Each is a different answer, with a [status](Self::status) of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardedClientCertError {
    /// A trusted proxy sent none of the dialect's headers, or none that is read. Status 401.
    #[error("no client certificate: the proxy forwarded none")]
    Absent,
    /// A trusted proxy says that the client presented no certificate. Status 401.
    #[error("no client certificate: the proxy says that the client presented none")]
    NotPresented,
    /// A trusted proxy keeps the client's certificate to itself, and says only this of it. Status 401.
    #[error("no client certificate: the proxy does not pass it on, and says of it: {status}")]
    Withheld {
        /// Mostly why it did not verify.
        status: VerifyStatus,
    },
    /// The request does not come from a trusted proxy. Status 403.
    #[error(
        "this request does not come from a trusted proxy{}",
        header.as_ref().map_or_else(String::new, |header| format!(", so its header `{header}` is not believed"))
    )]
    Untrusted {
        /// The header it came with all the same, in whatever spelling, now removed. `None` if it had none.
        header: Option<HeaderName>,
    },
    /// A trusted proxy sent what its dialect does not write, and the [kind](DecodeError::kind) tells what: an empty
    /// value, a header twice, another dialect. Status 400, and 431 for what is too large to look at.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The server is not set up to tell who sends it requests. Status 500.
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
    /// The status that says so to the client.
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

    /// Whether this is how a request without a client certificate looks, as opposed to one with which something is
    /// wrong: where a certificate is optional, these requests are anonymous and the others are refused.
    ///
    /// So are those with a certificate that the proxy withheld, and those of an untrusted peer that claims nothing.
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

    /// Envoy's dialect and others name the certificate without passing it on.
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

    /// Whatever else it says is no verdict, and neither is silence.
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

    /// What the client hears, and whether a handler with `Option` takes it for nobody.
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
