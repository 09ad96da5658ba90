//! Which client was refused for its certificate, and why.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, PeerMisbehaved};

use crate::policy::ClientAuthPolicy;
use crate::telemetry::printable;
use crate::tls::verifier::RefusalReason;
use crate::tls::verifier::handshake::Observed;
use crate::x509::{Certificate, Fingerprint, Name};

/// Describes a client that was refused for its certificate, or for not having one.
///
/// It comes in [`AcceptError::Refused`](crate::AcceptError::Refused). Its `Display` gives the reason and the policy,
/// and no names, which are personal data.
///
/// ```no_run
/// use tower_client_cert::{AcceptError, ClientCertAcceptor, RefusalReason, UnverifiedReason};
///
/// # async fn serve(acceptor: ClientCertAcceptor, tcp: tokio::net::TcpStream) {
/// if let Err(AcceptError::Refused(refusal)) = acceptor.accept(tcp).await {
///     if *refusal.reason() == RefusalReason::Unverified(UnverifiedReason::Expired) {
///         let which = refusal.certificate().map(|certificate| certificate.fingerprint());
///         println!("somebody should renew {which:?}");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    policy: ClientAuthPolicy,
    certificate: Option<ClaimedCertificate>,
    server_name: Option<String>,
    resumed: bool,
}

impl Refusal {
    /// Describes a client whose resumed session was refused after the handshake.
    pub(super) fn resumed(
        reason: RefusalReason,
        policy: ClientAuthPolicy,
        presented: Option<&CertificateDer<'_>>,
        server_name: Option<String>,
    ) -> Self {
        let certificate = presented.map(|der| ClaimedCertificate(der.clone().into_owned()));
        Self { reason, policy, certificate, server_name, resumed: true }
    }

    /// Explains rustls's error as a refusal, if the client's certificate was the cause.
    pub(super) fn within(
        error: &Error,
        observed: Observed,
        policy: ClientAuthPolicy,
        server_name: Option<String>,
    ) -> Option<Self> {
        let reason = match (observed.refused, error) {
            (Some(reason), _) => reason,
            (None, Error::NoCertificatesPresented) => RefusalReason::NoCertificate,
            // The verifier accepted the certificate itself, so the error is about proving that the client has its key.
            (None, _) if observed.presented.is_some() && is_about_the_key(error) => RefusalReason::NotProven,
            _ => return None,
        };
        let certificate = observed.presented.map(ClaimedCertificate);
        Some(Self { reason, policy, certificate, server_name, resumed: false })
    }

    /// Returns why the client was refused.
    #[must_use]
    pub fn reason(&self) -> &RefusalReason {
        &self.reason
    }

    /// Returns the policy that refused the client.
    #[must_use]
    pub fn policy(&self) -> ClientAuthPolicy {
        self.policy
    }

    /// Returns the client's own certificate, if it presented one.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClaimedCertificate> {
        self.certificate.as_ref()
    }

    /// Returns the name that the client asked for (SNI), if any.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the client resumed a session, whose certificate had been accepted when the session was made.
    #[must_use]
    pub fn is_resumption(&self) -> bool {
        self.resumed
    }
}

fn is_about_the_key(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::BadSignature | CertificateError::BadEncoding)
            | Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)
    )
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = if self.resumed { ", in a session that it resumes" } else { "" };
        write!(f, "{}{session} (policy {})", self.reason, self.policy)
    }
}

/// The certificate that a refused client presented as its own.
///
/// Nothing in it is known to be true. Most clients are refused before they have to prove that they hold the private
/// key, so this may be a copy of somebody else's certificate, or a fabrication.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedCertificate(CertificateDer<'static>);

impl ClaimedCertificate {
    /// Returns the bytes that the client sent. They need not be a certificate.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// Returns the SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }

    /// Returns the subject that the certificate claims, in a form that is safe to log. `None` if it can't be read.
    ///
    /// It is written as in RFC 4514, cut at 256 bytes. Characters that would break the line or change its direction are
    /// escaped.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.read(|certificate| Some(printable(Name::read(certificate.subject)?.rfc4514())))
    }

    /// Returns the issuer that the certificate claims, in the same form as [`subject`](Self::subject).
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.read(|certificate| Some(printable(Name::read(certificate.issuer)?.rfc4514())))
    }

    /// Returns the serial number in hexadecimal, as `openssl x509 -serial` prints it, cut at
    /// 256 bytes.
    #[must_use]
    pub fn serial(&self) -> Option<String> {
        self.read(|certificate| Some(printable(certificate.serial)))
    }

    fn read(&self, what: impl FnOnce(Certificate<'_>) -> Option<String>) -> Option<String> {
        Certificate::read(&self.0).ok().and_then(what)
    }
}

/// Shows the fingerprint only: names are personal data.
impl fmt::Debug for ClaimedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimedCertificate({})", self.fingerprint())
    }
}
