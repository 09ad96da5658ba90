use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use rustls::server::WantsServerCert;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, DistinguishedName, OtherError, PeerMisbehaved,
    RootCertStore, ServerConfig, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::certificate;
use super::file::FileRead;
use super::fingerprint::{Fingerprint, Hasher};
use super::handshake::{self, Observed, Verified};
use super::trust::{Bytes, Crl, CrlSource, RootSource, VerifierError};
use super::verdicts::{Verdict, Verdicts};
use crate::peer::{PeerCertificates, UnverifiedReason};
use crate::policy::ClientAuthPolicy;

/// What all clients of note take as names of CAs in a `CertificateRequest`.
const MAX_ROOT_HINTS: usize = 16 * 1024;

/// RFC 8446 section 4.6.1: no ticket is used for longer.
const MAX_SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl ClientAuthPolicy {
    /// Starts a [`ClientVerifier`] that carries this policy out.
    ///
    /// ```
    /// use tower_client_cert::{ClientAuthPolicy, VerifierError};
    ///
    /// # let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    /// // No client CA, so certificates are passed on unchecked, and say so.
    /// let verifier = ClientAuthPolicy::RequestClientCert.verifier().provider(provider.clone()).build()?;
    /// assert_eq!(verifier.policy(), ClientAuthPolicy::RequestClientCert);
    ///
    /// // A policy that verifies needs something to verify with.
    /// let error = ClientAuthPolicy::RequireAndVerifyClientCert.verifier().provider(provider).build().unwrap_err();
    /// assert!(matches!(error, VerifierError::NoRoots { .. }));
    /// # Ok::<(), VerifierError>(())
    /// ```
    pub fn verifier(self) -> ClientVerifierBuilder {
        ClientVerifierBuilder {
            policy: self,
            roots: Vec::new(),
            crls: Vec::new(),
            provider: None,
            root_hints: true,
            max_certificates: 5,
            max_certificate_size: 32 * 1024,
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            revocation: Revocation {
                depth: RevocationCheckDepth::Chain,
                unknown_status: UnknownStatusPolicy::Deny,
                expiration: ExpirationPolicy::Enforce,
            },
        }
    }
}

/// Collects what a [`ClientVerifier`] needs. Made by [`ClientAuthPolicy::verifier`].
///
/// Files are read, and everything is checked, in [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `build`"]
pub struct ClientVerifierBuilder {
    policy: ClientAuthPolicy,
    roots: Vec<RootSource>,
    crls: Vec<CrlSource>,
    provider: Option<Arc<CryptoProvider>>,
    root_hints: bool,
    max_certificates: usize,
    max_certificate_size: usize,
    session_lifetime: Duration,
    revocation: Revocation,
}

#[derive(Clone, Copy, Debug)]
struct Revocation {
    depth: RevocationCheckDepth,
    unknown_status: UnknownStatusPolicy,
    expiration: ExpirationPolicy,
}

impl ClientVerifierBuilder {
    /// Client CAs from a file: any number in PEM, or one in DER. Adds to those already given.
    ///
    /// Under the policies that do not verify, certificates are *judged* with them all the same: see
    /// [`PeerCertificates::verification`].
    pub fn roots_from_file(self, path: impl AsRef<Path>) -> Self {
        self.root_source(RootSource::Bytes(Bytes::File(path.as_ref().to_owned())))
    }

    /// Client CAs from the contents of such a file.
    pub fn roots_from_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_source(RootSource::Bytes(Bytes::Given(pem.into())))
    }

    /// Client CAs, in DER.
    pub fn roots(self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.root_source(RootSource::Certificates(certificates.into_iter().collect()))
    }

    /// Client CAs from rustls' own store.
    pub fn root_store(self, store: impl Into<Arc<RootCertStore>>) -> Self {
        self.root_source(RootSource::Store(store.into()))
    }

    fn root_source(mut self, source: RootSource) -> Self {
        self.roots.push(source);
        self
    }

    /// Certificate revocation lists from a file: any number in PEM, or one in DER. Adds to those already given.
    ///
    /// As soon as one is given, every certificate of a chain must be spoken for by one, and by one that is up to
    /// date. [`only_check_end_entity_revocation`](Self::only_check_end_entity_revocation),
    /// [`allow_unknown_revocation_status`](Self::allow_unknown_revocation_status) and
    /// [`allow_expired_crls`](Self::allow_expired_crls) each take a part of that back.
    pub fn crls_from_file(self, path: impl AsRef<Path>) -> Self {
        self.crl_source(CrlSource::Bytes(Bytes::File(path.as_ref().to_owned())))
    }

    /// Certificate revocation lists from the contents of such a file.
    pub fn crls_from_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.crl_source(CrlSource::Bytes(Bytes::Given(pem.into())))
    }

    /// Certificate revocation lists, in DER.
    pub fn crls(self, crls: impl IntoIterator<Item = CertificateRevocationListDer<'static>>) -> Self {
        self.crl_source(CrlSource::Crls(crls.into_iter().collect()))
    }

    fn crl_source(mut self, source: CrlSource) -> Self {
        self.crls.push(source);
        self
    }

    /// Look for the client's own certificate in the CRLs, and not for those of its issuers.
    pub fn only_check_end_entity_revocation(mut self) -> Self {
        self.revocation.depth = RevocationCheckDepth::EndEntity;
        self
    }

    /// Take a certificate whose issuer has no CRL among those given for one that is not revoked.
    pub fn allow_unknown_revocation_status(mut self) -> Self {
        self.revocation.unknown_status = UnknownStatusPolicy::Allow;
        self
    }

    /// Believe a CRL after its `nextUpdate` too. An attacker who can keep new ones from arriving then keeps a revoked
    /// certificate in use.
    pub fn allow_expired_crls(mut self) -> Self {
        self.revocation.expiration = ExpirationPolicy::Ignore;
        self
    }

    /// The cryptography to use, instead of the process's default.
    pub fn provider(mut self, provider: impl Into<Arc<CryptoProvider>>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Do not send the names of the client CAs to the client. Browsers then offer all certificates they have.
    pub fn without_root_hints(mut self) -> Self {
        self.root_hints = false;
        self
    }

    /// The most certificates a client may present, its own included: 5 unless set.
    ///
    /// Building a path through many costs exponential time, and anybody can send them.
    pub fn max_certificates(mut self, max: usize) -> Self {
        self.max_certificates = max;
        self
    }

    /// The largest certificate a client may present, in bytes of DER: 32 KiB unless set. TLS itself allows 64 KiB for
    /// the whole chain.
    pub fn max_certificate_size(mut self, bytes: usize) -> Self {
        self.max_certificate_size = bytes;
        self
    }

    /// How long a session may be resumed after the full handshake that began it, in whole seconds and however often:
    /// 24 hours unless set, and never more than the 7 days of RFC 8446 section 4.6.1. Zero switches resumption off.
    ///
    /// It ends earlier if a certificate or a CRL does: see [`ClientCertAcceptor`](super::ClientCertAcceptor).
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = Duration::from_secs(lifetime.as_secs()).min(MAX_SESSION_LIFETIME);
        self
    }

    /// Reads the files, and checks everything.
    ///
    /// # Errors
    ///
    /// If a file can't be read, has nothing in it, or anything in it does not parse; if a policy that verifies has no
    /// roots; if their names are too long to send; if there is no crypto provider. See [`VerifierError`].
    pub fn build(mut self) -> Result<Arc<ClientVerifier>, VerifierError> {
        let provider = self
            .provider
            .take()
            .or_else(|| CryptoProvider::get_default().cloned())
            .ok_or(VerifierError::NoProvider)?;
        let mut files = Vec::new();
        let mut roots = Vec::new();
        for source in std::mem::take(&mut self.roots) {
            roots.extend(source.load(&mut files)?);
        }
        let mut crls = Vec::new();
        for source in std::mem::take(&mut self.crls) {
            crls.extend(source.load(&mut files)?);
        }
        if self.policy.verifies() && roots.is_empty() {
            return Err(VerifierError::NoRoots { policy: self.policy });
        }
        let root_hints = if self.root_hints { root_hints(&roots)? } else { Vec::new() };
        let fingerprint = self.fingerprint(&provider, &roots, &crls);
        Ok(Arc::new(ClientVerifier {
            policy: self.policy,
            roots,
            crls_expire: crls.iter().map(|crl| crl.next_update).collect(),
            crls: crls.into_iter().map(|crl| crl.parsed).collect(),
            files,
            root_hints,
            provider,
            max_certificates: self.max_certificates,
            max_certificate_size: self.max_certificate_size,
            session_lifetime: self.session_lifetime,
            revocation: self.revocation,
            fingerprint,
            verdicts: Verdicts::default(),
        }))
    }

    /// Everything that a verdict depends on but the chain and the time.
    fn fingerprint(&self, provider: &CryptoProvider, roots: &[TrustAnchor<'_>], crls: &[Crl]) -> Fingerprint {
        let root = |root: &TrustAnchor<'_>| {
            let hasher = Hasher::new("root").bytes(&root.subject).bytes(&root.subject_public_key_info);
            match &root.name_constraints {
                None => hasher.finish(),
                Some(constraints) => hasher.bytes(constraints).finish(),
            }
        };
        let crl = |crl: &Crl| Hasher::new("CRL").bytes(&crl.der).finish();
        let algorithm = |algorithm: &&'static dyn SignatureVerificationAlgorithm| {
            let (key, signature) = (algorithm.public_key_alg_id(), algorithm.signature_alg_id());
            Hasher::new("algorithm").bytes(&key).bytes(&signature).finish()
        };
        Hasher::new("tower-client-cert session 1")
            .bytes(self.policy.as_str().as_bytes())
            .set(roots.iter().map(root))
            .set(crls.iter().map(crl))
            .number((self.revocation.depth == RevocationCheckDepth::Chain).into())
            .number((self.revocation.unknown_status == UnknownStatusPolicy::Deny).into())
            .number((self.revocation.expiration == ExpirationPolicy::Enforce).into())
            .number(self.max_certificates as u64)
            .number(self.max_certificate_size as u64)
            .number(self.session_lifetime.as_secs())
            .set(provider.signature_verification_algorithms.all.iter().map(algorithm))
            .finish()
    }
}

fn root_hints(roots: &[TrustAnchor<'_>]) -> Result<Vec<DistinguishedName>, VerifierError> {
    let hints: Vec<_> = roots.iter().map(|root| DistinguishedName::in_sequence(&root.subject)).collect();
    let bytes = hints.iter().map(|hint| hint.as_ref().len() + 2).sum();
    if bytes > MAX_ROOT_HINTS {
        return Err(VerifierError::RootHintsTooLarge { bytes, max: MAX_ROOT_HINTS });
    }
    Ok(hints)
}

/// Carries a [`ClientAuthPolicy`] out in rustls, and judges certificates.
///
/// Whatever the policy, a chain is refused if it has too many certificates, one that is too large, or one that is
/// not a certificate; and so is a client that does not prove that it holds the private key.
///
/// Under [`RequestClientCert`](ClientAuthPolicy::RequestClientCert) and
/// [`RequireAnyClientCert`](ClientAuthPolicy::RequireAnyClientCert) everything else that Go takes is taken, X.509 v1
/// and unknown critical extensions included, as far as the crypto provider knows the key. Under the other two webpki
/// decides, for the extended key usage `clientAuth`; where it differs from Go is listed in the [crate's
/// documentation](crate#differences-from-go).
#[derive(Debug)]
pub struct ClientVerifier {
    policy: ClientAuthPolicy,
    roots: Vec<TrustAnchor<'static>>,
    crls: Vec<CertRevocationList<'static>>,
    crls_expire: Vec<UnixTime>,
    #[cfg_attr(not(feature = "reload"), allow(dead_code))]
    files: Vec<FileRead>,
    root_hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
    max_certificates: usize,
    max_certificate_size: usize,
    session_lifetime: Duration,
    revocation: Revocation,
    fingerprint: Fingerprint,
    verdicts: Verdicts,
}

impl ClientVerifier {
    /// The policy it carries out.
    #[must_use]
    pub fn policy(&self) -> ClientAuthPolicy {
        self.policy
    }

    /// The files it was made of.
    #[cfg(feature = "reload")]
    pub(super) fn files(&self) -> &[FileRead] {
        &self.files
    }

    pub(super) fn provider(&self) -> &CryptoProvider {
        &self.provider
    }

    /// SHA-256 over everything that its answers depend on: the policy, the roots, the CRLs, the options and limits, and
    /// the signature algorithms of the crypto provider.
    ///
    /// A session is resumed only under the fingerprint it was made under. Replicas that are to resume each other's
    /// must have the same, and a reload that does not change it changes nothing. Files are not in it, nor the order of
    /// what is in them.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// When the first of the CRLs is out of date, its `nextUpdate`. `None` if there are none.
    ///
    /// From then on no certificate that it speaks for verifies, unless
    /// [`allow_expired_crls`](ClientVerifierBuilder::allow_expired_crls) was set. Watch it.
    #[must_use]
    pub fn crl_next_update(&self) -> Option<UnixTime> {
        self.crls_expire.iter().min().copied()
    }

    pub(super) fn session_lifetime(&self) -> Duration {
        self.session_lifetime
    }

    /// Starts a rustls configuration that uses this verifier; the server's own certificate comes next.
    ///
    /// Hand the result to [`ClientCertAcceptor::new`](super::ClientCertAcceptor::new), together with the verifier.
    ///
    /// # Errors
    ///
    /// If the crypto provider supports none of the cipher suites that rustls deems safe.
    pub fn server_config(
        self: &Arc<Self>,
    ) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, VerifierError> {
        Ok(ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(VerifierError::UnusableProvider)?
            .with_client_cert_verifier(Arc::clone(self) as Arc<dyn ClientCertVerifier>))
    }

    /// Says what certificates are worth at a point in time, whatever the policy. `None` if there are none.
    ///
    /// This is the only way to a [`PeerCertificates`] that is verified. It does not tell whether anyone holds the
    /// private key: in a handshake, that is what the acceptor sees to.
    ///
    /// # Errors
    ///
    /// If they are more, or larger, than this verifier takes, or one of them is not a certificate.
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

    /// Bounds what a client sends before anything costly looks at it.
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
            if certificate::public_key(certificate).is_none() {
                return Err(ChainError::NotACertificate { index });
            }
        }
        Ok(())
    }

    /// The verified path, looked for only if it is not known.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verified, VerifyError> {
        let chain = Verdicts::key(end_entity, intermediates);
        let verdict = match self.verdicts.get(&chain, now) {
            Some(verdict) => verdict,
            None => {
                let verdict = self.build_path(end_entity, intermediates, now)?;
                self.verdicts.insert(chain, verdict.clone());
                verdict
            }
        };
        Ok(Verified { path: verdict.path(end_entity, intermediates), until: verdict.until })
    }

    fn build_path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Verdict, VerifyError> {
        if self.roots.is_empty() {
            return Err(VerifyError::NoRoots);
        }
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        let parsed = EndEntityCert::try_from(end_entity)?;
        let path = parsed.verify_for_usage(
            self.algorithms().all,
            &self.roots,
            intermediates,
            now,
            KeyUsage::client_auth(),
            self.revocation_options(&crls),
            None,
        )?;
        let path: Vec<_> = path.intermediate_certificates().map(|certificate| certificate.der()).collect();
        let crls_expire = match self.revocation.expiration {
            ExpirationPolicy::Enforce => self.crls_expire.as_slice(),
            _ => &[],
        };
        Ok(Verdict::new(end_entity, intermediates, &path, crls_expire, now))
    }

    fn revocation_options<'a>(
        &self,
        crls: &'a [&'a CertRevocationList<'a>],
    ) -> Option<RevocationOptions<'a>> {
        // `new` fails if there are no CRLs, which is to say: do not check.
        let options = RevocationOptionsBuilder::new(crls).ok()?;
        Some(
            options
                .with_depth(self.revocation.depth)
                .with_status_policy(self.revocation.unknown_status)
                .with_expiration_policy(self.revocation.expiration)
                .build(),
        )
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
        let key = certificate::public_key(end_entity).ok_or(CertificateError::BadEncoding)?;
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
    ) -> Result<&'static [&'static dyn SignatureVerificationAlgorithm], rustls::Error> {
        let known = self.algorithms().mapping.iter().find(|(known, _)| *known == scheme);
        known
            .map(|(_, candidates)| *candidates)
            .ok_or_else(|| PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        handshake::note(self, Observed::consult);
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
        self.admit(end_entity, intermediates)?;
        if self.policy.verifies() {
            let verified = self.verify(end_entity, intermediates, now)?;
            handshake::note(self, |observed| observed.verified = Some(verified));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_handshake(message, end_entity, signed, self.candidates(signed.scheme)?)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end_entity: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        use SignatureScheme as S;
        // RFC 8446 section 4.4.3: neither PKCS#1 nor SHA-1 in a CertificateVerify. Section 4.2.3: the scheme
        // determines the curve, which rustls has first in its list.
        if matches!(
            signed.scheme,
            S::RSA_PKCS1_SHA1
                | S::ECDSA_SHA1_Legacy
                | S::RSA_PKCS1_SHA256
                | S::RSA_PKCS1_SHA384
                | S::RSA_PKCS1_SHA512
        ) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let candidates = self.candidates(signed.scheme)?;
        self.verify_handshake(message, end_entity, signed, candidates.get(..1).unwrap_or_default())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

/// A chain that no policy takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// More than [`max_certificates`](ClientVerifierBuilder::max_certificates).
    #[error("the client presents {count} certificates, at most {max} are taken")]
    TooManyCertificates {
        /// As many as these.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// One is larger than [`max_certificate_size`](ClientVerifierBuilder::max_certificate_size).
    #[error("certificate {index} (from 0) of the client's chain has {bytes} bytes, at most {max} are taken")]
    TooLarge {
        /// Which one, from 0.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// One is not a certificate.
    #[error("element {index} (from 0) of the client's chain is not an X.509 certificate")]
    NotACertificate {
        /// Which one, from 0.
        index: usize,
    },
}

impl From<ChainError> for rustls::Error {
    fn from(error: ChainError) -> Self {
        CertificateError::Other(OtherError(Arc::new(error))).into()
    }
}

/// Why a chain does not verify.
#[derive(Clone, Debug)]
enum VerifyError {
    NoRoots,
    Webpki(webpki::Error),
}

impl From<webpki::Error> for VerifyError {
    fn from(error: webpki::Error) -> Self {
        Self::Webpki(error)
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots => f.write_str("no client CA is configured"),
            Self::Webpki(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifyError {}

fn reason(error: &VerifyError) -> UnverifiedReason {
    use UnverifiedReason as R;
    use webpki::Error as E;
    let VerifyError::Webpki(error) = error else { return R::NotChecked };
    match error {
        E::CertExpired { .. } => R::Expired,
        E::CertNotValidYet { .. } => R::NotYetValid,
        E::CertRevoked => R::Revoked,
        E::UnknownRevocationStatus => R::UnknownRevocationStatus,
        E::CrlExpired { .. } => R::ExpiredCrl,
        E::UnknownIssuer => R::UnknownIssuer,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => R::NotForClientAuth,
        E::CaUsedAsEndEntity => R::CaUsedAsEndEntity,
        E::NameConstraintViolation | E::PathLenConstraintViolated => R::ConstraintViolated,
        E::InvalidSignatureForPublicKey
        | E::InvalidCrlSignatureForPublicKey
        | E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | E::UnsupportedCrlSignatureAlgorithmContext(_)
        | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => R::BadSignature,
        E::UnsupportedCertVersion | E::UnsupportedCriticalExtension => R::Unsupported,
        _ => R::Invalid,
    }
}

/// The alert that goes with it, as rustls' own verifier sends it.
impl From<VerifyError> for rustls::Error {
    fn from(error: VerifyError) -> Self {
        use CertificateError as C;
        use UnverifiedReason as R;
        match reason(&error) {
            R::Expired => C::Expired,
            R::NotYetValid => C::NotValidYet,
            R::Revoked => C::Revoked,
            R::UnknownRevocationStatus => C::UnknownRevocationStatus,
            R::ExpiredCrl => C::ExpiredRevocationList,
            R::UnknownIssuer | R::NotChecked => C::UnknownIssuer,
            R::NotForClientAuth => C::InvalidPurpose,
            R::BadSignature => C::BadSignature,
            _ => C::Other(OtherError(Arc::new(error))),
        }
        .into()
    }
}
