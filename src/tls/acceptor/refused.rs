//! Who was refused for a certificate, and why.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, PeerMisbehaved};

use crate::policy::ClientAuthPolicy;
use crate::telemetry::printable;
use crate::tls::verifier::RefusalReason;
use crate::tls::verifier::handshake::Observed;
use crate::x509::{Certificate, Fingerprint, Name};

/// A client was refused for its certificate, or for not having one: [`AcceptError::Refused`](crate::AcceptError).
///
/// It prints the reason, and no name: names are personal data.
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
    /// Of a session that was resumed, after the handshake.
    pub(super) fn resumed(
        reason: RefusalReason,
        policy: ClientAuthPolicy,
        presented: Option<&CertificateDer<'_>>,
        server_name: Option<String>,
    ) -> Self {
        let certificate = presented.map(|der| ClaimedCertificate(der.clone().into_owned()));
        Self { reason, policy, certificate, server_name, resumed: true }
    }

    /// What rustls failed with, if it was for the certificate.
    pub(super) fn within(
        error: &Error,
        observed: Observed,
        policy: ClientAuthPolicy,
        server_name: Option<String>,
    ) -> Option<Self> {
        let reason = match (observed.refused, error) {
            (Some(reason), _) => reason,
            (None, Error::NoCertificatesPresented) => RefusalReason::NoCertificate,
            // The certificate itself was taken, so this is about its key.
            (None, _) if observed.presented.is_some() && is_about_the_key(error) => RefusalReason::NotProven,
            _ => return None,
        };
        let certificate = observed.presented.map(ClaimedCertificate);
        Some(Self { reason, policy, certificate, server_name, resumed: false })
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &RefusalReason {
        &self.reason
    }

    /// The policy that refused it.
    #[must_use]
    pub fn policy(&self) -> ClientAuthPolicy {
        self.policy
    }

    /// The client's own certificate, if it presented one.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClaimedCertificate> {
        self.certificate.as_ref()
    }

    /// The name that the client asked for (SNI), if it did.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether it came back to a session, which had been good when it was made.
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
/// Nothing of it is known to be true. Most clients are refused before they would have to prove that they hold the
/// private key, so this may be somebody else's certificate, copied, or anybody's invention.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedCertificate(CertificateDer<'static>);

impl ClaimedCertificate {
    /// What the client sent, which need not be a certificate.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0
    }

    /// Its SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }

    /// Whom it says it is for, fit for a log: by RFC 4514, cut at 256 bytes, and with everything escaped that would
    /// break the line or turn its direction. `None` if it can't be read.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        self.read(|certificate| Some(printable(Name::read(certificate.subject)?.rfc4514())))
    }

    /// Who it says issued it, in the same way.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        self.read(|certificate| Some(printable(Name::read(certificate.issuer)?.rfc4514())))
    }

    /// Its serial number in upper-case hexadecimal, as `openssl x509 -serial` prints it, cut at 256 bytes.
    #[must_use]
    pub fn serial(&self) -> Option<String> {
        self.read(|certificate| Some(printable(certificate.serial)))
    }

    fn read(&self, what: impl FnOnce(Certificate<'_>) -> Option<String>) -> Option<String> {
        Certificate::read(&self.0).ok().and_then(what)
    }
}

/// No name, which is personal data.
impl fmt::Debug for ClaimedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimedCertificate({})", self.fingerprint())
    }
}
