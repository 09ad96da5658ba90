mod builder;
mod constraints;
pub(super) mod handshake;
mod refusal;
mod schemes;
mod usage;
mod verdicts;

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::server::WantsServerCert;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, DistinguishedName, PeerMisbehaved, ServerConfig,
    SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

pub use builder::ClientVerifierBuilder;
pub use refusal::{ChainError, RefusalReason};

use self::handshake::{Observed, Verified, VerifierId};
use self::refusal::{VerifyError, reason};
use self::verdicts::{Verdict, Verdicts};
use super::crl::{Crls, Refusal, Revocation, Roots, Span};
use super::digest::Digest;
use super::files::FileRead;
use super::files::VerifierError;
use crate::peer::{PeerCertificates, UnverifiedReason};
use crate::policy::ClientAuthPolicy;
use crate::x509::Certificate;

/// Carries out a [`ClientAuthPolicy`] in rustls, and judges certificates. Made by [`ClientAuthPolicy::verifier`].
///
/// Every policy refuses a chain that has too many certificates, one that is too large, or one that is not a
/// certificate. Every policy also refuses a client that does not prove that it holds the private key.
///
/// [`RequestClientCert`](ClientAuthPolicy::RequestClientCert) and
/// [`RequireAnyClientCert`](ClientAuthPolicy::RequireAnyClientCert) accept every other certificate that Go accepts,
/// including X.509 v1 and unknown critical extensions, as long as the crypto provider knows the type of its key. Under
/// [`VerifyClientCertIfGiven`](ClientAuthPolicy::VerifyClientCertIfGiven) and
/// [`RequireAndVerifyClientCert`](ClientAuthPolicy::RequireAndVerifyClientCert) webpki decides, for the extended key
/// usage `clientAuth`. The [crate's documentation](crate#differences-from-go) lists where it differs from Go.
#[derive(Debug)]
pub struct ClientVerifier {
    policy: ClientAuthPolicy,
    roots: Roots,
    /// Issuers that clients need not send.
    intermediates: Vec<CertificateDer<'static>>,
    crls: Crls,
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    files: Vec<FileRead>,
    root_hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
    max_certificates: usize,
    max_certificate_size: usize,
    session_lifetime: Duration,
    revocation: Revocation,
    fingerprint: Digest,
    verdicts: Verdicts,
}

impl ClientVerifier {
    /// Returns the policy that this verifier carries out.
    #[must_use]
    pub fn policy(&self) -> ClientAuthPolicy {
        self.policy
    }

    /// Returns the files that the verifier was built from.
    #[cfg(feature = "reload")]
    pub(super) fn files(&self) -> &[FileRead] {
        &self.files
    }

    pub(super) fn id(&self) -> VerifierId {
        VerifierId::of(self)
    }

    pub(super) fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    /// Returns the SHA-256 hash of everything that the verifier's answers depend on: the policy, the roots, the CRLs,
    /// the options and limits, and the signature algorithms of the crypto provider.
    ///
    /// A session is resumed only by a verifier with the fingerprint it was made under. Replicas that are to resume each
    /// other's sessions must have the same fingerprint; a reload that does not change it invalidates none. The
    /// fingerprint does not depend on the names of files, or on the order of roots and CRLs.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Returns when the first of the CRLs is out of date: its `nextUpdate`. `None` if there are no CRLs.
    ///
    /// From then on no certificate that this CRL covers verifies, unless
    /// [`allow_expired_crls`](ClientVerifierBuilder::allow_expired_crls) was set, so monitor this time. A CRL does not
    /// count here if a newer one of the same scope is in force, or comes into force before it ends.
    #[must_use]
    pub fn crl_next_update(&self) -> Option<UnixTime> {
        self.crls.next_update(UnixTime::now())
    }

    pub(super) fn session_lifetime(&self) -> Duration {
        self.session_lifetime
    }

    /// Starts a rustls configuration that uses this verifier. The server's own certificate comes next.
    ///
    /// Pass the finished configuration to [`ClientCertAcceptor::new`](super::ClientCertAcceptor::new), together with
    /// the verifier. [`ClientCertAcceptor::from_files`](super::ClientCertAcceptor::from_files) and `from_der` do both.
    ///
    /// # Errors
    ///
    /// Returns an error if the crypto provider supports none of the cipher suites that rustls considers safe.
    pub fn server_config(
        self: &Arc<Self>,
    ) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, VerifierError> {
        Ok(ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(VerifierError::UnusableProvider)?
            .with_client_cert_verifier(Arc::clone(self) as Arc<dyn ClientCertVerifier>))
    }

    /// Judges certificates at a point in time, whatever the policy. `None` if `presented` is empty.
    ///
    /// This is the only way to make a [`PeerCertificates`] that is verified. It does not tell whether anyone holds the
    /// private key; in a handshake, rustls checks that with this verifier.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificates are more, or larger, than this verifier accepts, or if one of them is not a
    /// certificate.
    pub fn judge(
        &self,
        presented: Vec<CertificateDer<'static>>,
        now: UnixTime,
    ) -> Result<Option<PeerCertificates>, ChainError> {
        let Some((end_entity, intermediates)) = presented.split_first() else { return Ok(None) };
        self.admit(end_entity, intermediates)?;
        let verified = self.verify(end_entity, intermediates, now);
        let verdict = verified.map(|verified| verified.path).map_err(|error| reason(&error));
        Ok(PeerCertificates::judged(presented, verdict))
    }

    /// Returns the last second in which a chain verifies. The inner error says why it does not verify.
    ///
    /// While a verdict is remembered, this costs a hash over the chain.
    pub(super) fn verifies_until(
        &self,
        presented: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Result<UnixTime, UnverifiedReason>, ChainError> {
        let Some((end_entity, intermediates)) = presented.split_first() else {
            return Ok(Err(UnverifiedReason::NotChecked));
        };
        self.admit(end_entity, intermediates)?;
        let verdict = self.verdict(end_entity, intermediates, now);
        Ok(verdict.map(|verdict| verdict.until).map_err(|error| reason(&error)))
    }

    /// Checks that a chain is within the limits, without verifying it.
    pub(super) fn takes(&self, presented: &[CertificateDer<'_>]) -> Result<(), ChainError> {
        presented
            .split_first()
            .map_or(Ok(()), |(end_entity, intermediates)| self.admit(end_entity, intermediates))
    }

    /// Bounds what a client sends before anything costly works on it.
    fn admit(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), ChainError> {
        let count = intermediates.len().saturating_add(1);
        if count > self.max_certificates {
            return Err(ChainError::TooManyCertificates { count, max: self.max_certificates });
        }
        for (index, certificate) in std::iter::once(end_entity).chain(intermediates).enumerate() {
            let bytes = certificate.len();
            if bytes > self.max_certificate_size {
                return Err(ChainError::TooLarge { index, bytes, max: self.max_certificate_size });
            }
            if Certificate::presented(certificate).is_none() {
                return Err(ChainError::NotACertificate { index });
            }
        }
        Ok(())
    }

    /// Verifies the chain, and returns the verified path.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verified, VerifyError> {
        let verdict = self.verdict(end_entity, intermediates, now)?;
        let path = verdict.path(end_entity, &self.with_own(intermediates));
        Ok(Verified { path, until: verdict.until })
    }

    /// Returns the verdict on a chain that verifies, from memory if it is there.
    fn verdict(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verdict, VerifyError> {
        let chain = Verdicts::key(end_entity, intermediates);
        if let Some(verdict) = self.verdicts.get(&chain, now) {
            return Ok(verdict);
        }
        let intermediates = &*self.with_own(intermediates);
        let verdict = self.build_path(end_entity, intermediates, now).map_err(|error| match error {
            VerifyError::Webpki(webpki::Error::NameConstraintViolation)
                if constraints::are_unsupported(end_entity, intermediates, self.roots.anchors()) =>
            {
                VerifyError::UnsupportedConstraint
            }
            error => error,
        })?;
        self.verdicts.insert(chain, verdict.clone());
        Ok(verdict)
    }

    /// Returns the certificates that a path may lead through: what the client sent, then what the verifier has.
    fn with_own<'a>(&'a self, presented: &'a [CertificateDer<'a>]) -> Cow<'a, [CertificateDer<'a>]> {
        if self.intermediates.is_empty() {
            return Cow::Borrowed(presented);
        }
        let all = presented.iter().chain(&self.intermediates);
        Cow::Owned(all.map(|certificate| CertificateDer::from(certificate.as_ref())).collect())
    }

    fn build_path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verdict, VerifyError> {
        if self.roots.anchors().is_empty() {
            return Err(VerifyError::NoRoots);
        }
        // webpki accepts the first path that this function does not refuse, and asks about each path, so the last span
        // counts.
        let span = Cell::new(Span::ALWAYS);
        let refusal = Cell::new(None::<Refusal>);
        let not_revoked = |path: &VerifiedPath<'_>| {
            match self.crls.check(path, &self.roots, self.revocation, now) {
                Ok(good) => span.set(good),
                Err(refused) => {
                    refusal.set(refusal.get().max(Some(refused)));
                    return Err(refused.into());
                }
            }
            Ok(())
        };
        let parsed = EndEntityCert::try_from(end_entity)?;
        let result = parsed.verify_for_usage(
            self.algorithms().all,
            self.roots.anchors(),
            intermediates,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&not_revoked),
        );
        let path = result.map_err(|error| VerifyError::of_paths(error, refusal.get()))?;
        if !usage::allows_client(end_entity) {
            return Err(VerifyError::KeyUsage);
        }
        let path: Vec<_> = path.intermediate_certificates().map(|certificate| certificate.der()).collect();
        Ok(Verdict::new(end_entity, intermediates, &path, span.get(), now))
    }

    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.provider.signature_verification_algorithms
    }

    fn verify_handshake(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        candidates: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = Certificate::presented(end_entity).ok_or(CertificateError::BadEncoding)?.key;
        candidates
            .iter()
            .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm)
            .find(|algorithm| algorithm.verify_signature(key.key, message, signed.signature()).is_ok())
            .map(|_| HandshakeSignatureValid::assertion())
            .ok_or_else(|| CertificateError::BadSignature.into())
    }

    fn candidates(
        &self,
        scheme: SignatureScheme,
        offered: fn(SignatureScheme) -> bool,
    ) -> Result<&'static [&'static dyn SignatureVerificationAlgorithm], rustls::Error> {
        let known = self.algorithms().mapping.iter().find(|(known, _)| *known == scheme);
        known
            .filter(|_| offered(scheme))
            .map(|(_, candidates)| *candidates)
            .ok_or_else(|| PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        handshake::note(self.id(), Observed::consult);
        self.policy.requests()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.policy.requires()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.root_hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        handshake::note(self.id(), |observed| observed.presented = Some(end_entity.clone().into_owned()));
        let refuse = |reason| handshake::note(self.id(), |observed| observed.refused = Some(reason));
        self.admit(end_entity, intermediates).inspect_err(|error| {
            refuse(error.clone().into());
        })?;
        if self.policy.verifies() {
            let verified = self.verify(end_entity, intermediates, now).inspect_err(|error| {
                refuse(RefusalReason::Unverified(reason(error)));
            })?;
            handshake::note(self.id(), |observed| observed.verified = Some(verified));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let candidates = self.candidates(signed.scheme, schemes::offered_under_tls12)?;
        self.verify_handshake(message, end_entity, signed, candidates)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let candidates = self.candidates(signed.scheme, schemes::offered_under_tls13)?;
        // RFC 8446 section 4.2.3: the scheme determines the curve, and rustls lists the algorithm for that curve first.
        self.verify_handshake(message, end_entity, signed, candidates.get(..1).unwrap_or_default())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
