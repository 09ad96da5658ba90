use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor,
};
use rustls::{DistinguishedName, RootCertStore};

use super::ClientVerifier;
use super::verdicts::Verdicts;
use crate::policy::ClientAuthPolicy;
use crate::tls::crl::{Crls, Revocation, Roots};
use crate::tls::digest::{Digest, Hasher};
use crate::tls::files::{Bytes, CrlSource, IntermediateSource, RootSource, VerifierError};
use crate::x509::Certificate;

/// The longest list of CA names, in bytes, that all common clients accept in a `CertificateRequest`.
const MAX_ROOT_HINTS: usize = 16 * 1024;

/// RFC 8446 section 4.6.1: no ticket is used for longer.
const MAX_SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl ClientAuthPolicy {
    /// Starts a [`ClientVerifier`] that carries this policy out.
    ///
    /// ```
    /// use tower_client_cert::{ClientAuthPolicy, VerifierError};
    ///
    /// # let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    /// // Without a client CA, certificates are passed on unverified, and are marked as such.
    /// let verifier = ClientAuthPolicy::RequestClientCert.verifier().provider(provider.clone()).build()?;
    /// assert_eq!(verifier.policy(), ClientAuthPolicy::RequestClientCert);
    ///
    /// // A policy that verifies needs client CAs.
    /// let error = ClientAuthPolicy::RequireAndVerifyClientCert.verifier().provider(provider).build().unwrap_err();
    /// assert!(matches!(error, VerifierError::NoRoots { .. }));
    /// # Ok::<(), VerifierError>(())
    /// ```
    pub fn verifier(self) -> ClientVerifierBuilder {
        ClientVerifierBuilder {
            policy: self,
            roots: Vec::new(),
            intermediates: Vec::new(),
            crls: Vec::new(),
            provider: None,
            root_hints: true,
            max_certificates: 5,
            max_certificate_size: 32 * 1024,
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            revocation: Revocation { whole_chain: true, allow_unknown: false, allow_expired: false },
        }
    }
}

/// Collects the settings of a [`ClientVerifier`]. Made by [`ClientAuthPolicy::verifier`], which has an example.
///
/// Files are read, and everything is checked, in [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `build`"]
pub struct ClientVerifierBuilder {
    policy: ClientAuthPolicy,
    roots: Vec<RootSource>,
    intermediates: Vec<IntermediateSource>,
    crls: Vec<CrlSource>,
    provider: Option<Arc<CryptoProvider>>,
    root_hints: bool,
    max_certificates: usize,
    max_certificate_size: usize,
    session_lifetime: Duration,
    revocation: Revocation,
}

impl ClientVerifierBuilder {
    /// Adds the client CAs in a file: any number in PEM, or one in DER.
    ///
    /// Nothing in the file is ignored silently: see the [crate's documentation](crate#files).
    ///
    /// The policies that do not verify use client CAs too: they accept any certificate, and *judge* it by these CAs.
    /// See [`PeerCertificates::verification`](crate::PeerCertificates::verification).
    pub fn roots_from_file(self, path: impl AsRef<Path>) -> Self {
        self.root_source(RootSource::Bytes(Bytes::File(path.as_ref().to_owned())))
    }

    /// Adds the client CAs in the contents of such a file.
    pub fn roots_from_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_source(RootSource::Bytes(Bytes::Given(pem.into())))
    }

    /// Adds client CAs in DER.
    pub fn roots(self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.root_source(RootSource::Certificates(certificates.into_iter().collect()))
    }

    /// Adds the client CAs in rustls's own store.
    pub fn root_store(self, store: impl Into<Arc<RootCertStore>>) -> Self {
        self.root_source(RootSource::Store(store.into()))
    }

    fn root_source(mut self, source: RootSource) -> Self {
        self.roots.push(source);
        self
    }

    /// Adds the intermediate CAs in a file, for clients that do not send the certificates of their issuers: any number in
    /// PEM, or one in DER.
    ///
    /// Nothing is trusted by this: a path may lead through these certificates, and must end at a client CA. They count
    /// neither towards [`max_certificates`](Self::max_certificates) nor as presented by the client, and their names are
    /// sent to clients beside those of the client CAs.
    ///
    /// A backend that [verifies again](crate::forwarded::ForwardedClientCert::verify_again) needs them behind proxies
    /// that forward no chain: nginx never does, and HAProxy and Apache do not for resumed sessions.
    ///
    /// ```no_run
    /// use tower_client_cert::ClientAuthPolicy;
    ///
    /// let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
    ///     .verifier()
    ///     .roots_from_file("client-ca.pem")
    ///     .intermediates_from_file("issuing-cas.pem")
    ///     .build()?;
    /// # Ok::<(), tower_client_cert::VerifierError>(())
    /// ```
    pub fn intermediates_from_file(self, path: impl AsRef<Path>) -> Self {
        self.intermediate_source(IntermediateSource::Bytes(Bytes::File(path.as_ref().to_owned())))
    }

    /// Adds the intermediate CAs in the contents of such a file.
    pub fn intermediates_from_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.intermediate_source(IntermediateSource::Bytes(Bytes::Given(pem.into())))
    }

    /// Adds intermediate CAs in DER.
    pub fn intermediates(self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.intermediate_source(IntermediateSource::Certificates(certificates.into_iter().collect()))
    }

    fn intermediate_source(mut self, source: IntermediateSource) -> Self {
        self.intermediates.push(source);
        self
    }

    /// Adds the certificate revocation lists in a file: any number in PEM, or one in DER.
    ///
    /// Nothing in the file is ignored silently: see the [crate's documentation](crate#files). The order of the lists
    /// makes no difference; the documentation [explains](crate#revocation) which of them counts for a certificate.
    ///
    /// As soon as one CRL is given, every certificate of a chain must be covered by a CRL that is up to date.
    /// [`only_check_end_entity_revocation`](Self::only_check_end_entity_revocation),
    /// [`allow_unknown_revocation_status`](Self::allow_unknown_revocation_status) and
    /// [`allow_expired_crls`](Self::allow_expired_crls) each relax a part of that.
    pub fn crls_from_file(self, path: impl AsRef<Path>) -> Self {
        self.crl_source(CrlSource::Bytes(Bytes::File(path.as_ref().to_owned())))
    }

    /// Adds the certificate revocation lists in the contents of such a file.
    pub fn crls_from_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        self.crl_source(CrlSource::Bytes(Bytes::Given(pem.into())))
    }

    /// Adds certificate revocation lists in DER.
    pub fn crls(self, crls: impl IntoIterator<Item = CertificateRevocationListDer<'static>>) -> Self {
        self.crl_source(CrlSource::Crls(crls.into_iter().collect()))
    }

    fn crl_source(mut self, source: CrlSource) -> Self {
        self.crls.push(source);
        self
    }

    /// Looks up only the client's own certificate in the CRLs, and not those of its issuers.
    pub fn only_check_end_entity_revocation(mut self) -> Self {
        self.revocation.whole_chain = false;
        self
    }

    /// Treats a certificate that no CRL covers as not revoked.
    pub fn allow_unknown_revocation_status(mut self) -> Self {
        self.revocation.allow_unknown = true;
        self
    }

    /// Keeps using a CRL after its `nextUpdate`. An attacker who can keep new CRLs from arriving can then keep a
    /// revoked certificate in use.
    pub fn allow_expired_crls(mut self) -> Self {
        self.revocation.allow_expired = true;
        self
    }

    /// Sets the crypto provider to use, instead of the process's default.
    pub fn provider(mut self, provider: impl Into<Arc<CryptoProvider>>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Does not send the names of the client CAs to the client.
    ///
    /// By default, each name is sent once. Without the names, browsers offer the user all certificates they have.
    pub fn without_root_hints(mut self) -> Self {
        self.root_hints = false;
        self
    }

    /// Sets how many certificates a client may present, its own included. The default is 5.
    ///
    /// Building a path through many certificates is costly, and anybody can send them.
    pub fn max_certificates(mut self, max: usize) -> Self {
        self.max_certificates = max;
        self
    }

    /// Sets how large a certificate of a client may be, in bytes of DER. The default is 32 KiB. rustls allows 64 KiB
    /// for the whole chain.
    pub fn max_certificate_size(mut self, bytes: usize) -> Self {
        self.max_certificate_size = bytes;
        self
    }

    /// Sets how long a session may be resumed after the full handshake that began it, however often it is resumed.
    ///
    /// The default is 24 hours, and the maximum is the 7 days of RFC 8446 section 4.6.1. Fractions of a second are
    /// dropped. Zero switches resumption off.
    ///
    /// A session ends earlier if a certificate or a CRL does: see
    /// [`ClientCertAcceptor`](crate::ClientCertAcceptor#trust-over-time).
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = Duration::from_secs(lifetime.as_secs()).min(MAX_SESSION_LIFETIME);
        self
    }

    /// Reads the files, checks everything, and builds the verifier.
    ///
    /// # Errors
    ///
    /// Returns an error if a file can't be read, is empty, or has anything in it that does not parse; if a CRL is of a
    /// kind that can't be used and no other CRL covers its scope; if a policy that verifies has no client CA; if the
    /// names of the CAs are too long to send; or if there is no crypto provider. See [`VerifierError`].
    pub fn build(mut self) -> Result<Arc<ClientVerifier>, VerifierError> {
        let provider = self
            .provider
            .take()
            .or_else(|| CryptoProvider::get_default().cloned())
            .ok_or(VerifierError::NoProvider)?;
        let mut files = Vec::new();
        let mut roots = Roots::default();
        for source in std::mem::take(&mut self.roots) {
            for (anchor, certificate) in source.load(&mut files)? {
                roots.add(anchor, certificate);
            }
        }
        let mut intermediates = Vec::new();
        for source in std::mem::take(&mut self.intermediates) {
            intermediates.extend(source.load(&mut files)?);
        }
        let mut crls = Vec::new();
        for source in std::mem::take(&mut self.crls) {
            crls.extend(source.load(&mut files)?);
        }
        if self.policy.verifies() && roots.anchors().is_empty() {
            return Err(VerifierError::NoRoots { policy: self.policy });
        }
        let crls = Crls::new(crls, provider.signature_verification_algorithms.all, &roots)?;
        // A policy that asks for no certificate sends no names, so their length can't be an error.
        let hinting = self.root_hints && self.policy.requests();
        let root_hints = if hinting { root_hints(roots.anchors(), &intermediates)? } else { Vec::new() };
        let fingerprint = self.fingerprint(&provider, &roots, &intermediates, &crls);
        Ok(Arc::new(ClientVerifier {
            policy: self.policy,
            roots,
            intermediates,
            crls,
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

    /// Hashes everything that a verdict depends on, except for the chain and the time.
    fn fingerprint(
        &self,
        provider: &CryptoProvider,
        roots: &Roots,
        intermediates: &[CertificateDer<'_>],
        crls: &Crls,
    ) -> Digest {
        let root = |root: &TrustAnchor<'_>| {
            let hasher = Hasher::new("root").bytes(&root.subject).bytes(&root.subject_public_key_info);
            match &root.name_constraints {
                None => hasher.finish(),
                Some(constraints) => hasher.bytes(constraints).finish(),
            }
        };
        let algorithm = |algorithm: &&'static dyn SignatureVerificationAlgorithm| {
            let (key, signature) = (algorithm.public_key_alg_id(), algorithm.signature_alg_id());
            Hasher::new("algorithm").bytes(&key).bytes(&signature).finish()
        };
        let intermediate =
            |certificate: &CertificateDer<'_>| Hasher::new("intermediate").bytes(certificate).finish();
        Hasher::new("tower-client-cert session 3")
            .bytes(self.policy.as_str().as_bytes())
            .set(roots.anchors().iter().map(root))
            .set(intermediates.iter().map(intermediate))
            .set(crls.fingerprints())
            .number(self.revocation.whole_chain.into())
            .number(self.revocation.allow_unknown.into())
            .number(self.revocation.allow_expired.into())
            .number(self.max_certificates as u64)
            .number(self.max_certificate_size as u64)
            .number(self.session_lifetime.as_secs())
            .set(provider.signature_verification_algorithms.all.iter().map(algorithm))
            .finish()
    }
}

/// Returns each name once: two CAs share a name after a key rollover, and a bundle may hold a CA several times.
fn root_hints(
    roots: &[TrustAnchor<'_>],
    intermediates: &[CertificateDer<'_>],
) -> Result<Vec<DistinguishedName>, VerifierError> {
    let mut seen = HashSet::new();
    let intermediates =
        intermediates.iter().filter_map(|certificate| Some(Certificate::read(certificate).ok()?.subject));
    let hints: Vec<_> = roots
        .iter()
        .map(|root| root.subject.as_ref())
        .chain(intermediates)
        .filter(|subject| seen.insert(*subject))
        .map(DistinguishedName::in_sequence)
        .collect();
    let bytes = hints.iter().map(|hint| hint.as_ref().len() + 2).sum();
    if bytes > MAX_ROOT_HINTS {
        return Err(VerifierError::RootHintsTooLarge { bytes, max: MAX_ROOT_HINTS });
    }
    Ok(hints)
}
