//! Client CAs and CRLs, from files, PEM or DER.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};

use super::contents;
use super::file::FileRead;
use super::origin::Origin;
use super::role::Role;
use super::verifier_error::VerifierError;
use crate::x509::Certificate;

/// Where client CAs come from. They are read when the verifier is built.
#[derive(Clone, Debug)]
pub(in crate::tls) enum RootSource {
    Bytes(Bytes),
    Certificates(Vec<CertificateDer<'static>>),
    Store(Arc<RootCertStore>),
}

/// Where CRLs come from. They are read when the verifier is built.
#[derive(Clone, Debug)]
pub(in crate::tls) enum CrlSource {
    Bytes(Bytes),
    Crls(Vec<CertificateRevocationListDer<'static>>),
}

/// Where the certificates of intermediate CAs come from. They are read when the verifier is built.
#[derive(Clone, Debug)]
pub(in crate::tls) enum IntermediateSource {
    Bytes(Bytes),
    Certificates(Vec<CertificateDer<'static>>),
}

/// A client CA as webpki uses it, with the certificate that it came in, if any.
pub(in crate::tls) type GivenRoot = (TrustAnchor<'static>, Option<CertificateDer<'static>>);

/// A CRL in DER, with where it came from.
pub(in crate::tls) struct GivenCrl {
    pub(in crate::tls) origin: Origin,
    pub(in crate::tls) index: usize,
    pub(in crate::tls) der: CertificateRevocationListDer<'static>,
}

#[derive(Clone, Debug)]
pub(in crate::tls) enum Bytes {
    File(PathBuf),
    Given(Vec<u8>),
}

impl Bytes {
    fn read(self, files: &mut Vec<FileRead>) -> Result<(Origin, Vec<u8>), VerifierError> {
        match self {
            Self::File(path) => match FileRead::read(&path) {
                Ok((bytes, file)) => {
                    files.push(file);
                    Ok((Origin(Some(path)), bytes))
                }
                Err(source) => Err(VerifierError::Read { path, source }),
            },
            Self::Given(bytes) => Ok((Origin(None), bytes)),
        }
    }
}

impl RootSource {
    pub(in crate::tls) fn load(self, files: &mut Vec<FileRead>) -> Result<Vec<GivenRoot>, VerifierError> {
        let (origin, certificates) = match self {
            Self::Store(store) => {
                return Ok(store.roots.iter().map(|anchor| (anchor.clone(), None)).collect());
            }
            Self::Certificates(certificates) => {
                (Origin(None), certificates.into_iter().map(|certificate| (certificate, None)).collect())
            }
            Self::Bytes(bytes) => {
                let (origin, bytes) = bytes.read(files)?;
                let certificates = contents::certificates(&origin, Role::ClientCas, bytes)?;
                (origin, certificates)
            }
        };
        let mut roots = Vec::with_capacity(certificates.len());
        for (index, (certificate, line)) in certificates.into_iter().enumerate() {
            let anchor = match webpki::anchor_from_trusted_cert(&certificate) {
                Ok(anchor) => anchor.to_owned(),
                Err(error) => {
                    let reason = error.to_string();
                    return Err(VerifierError::BadCertificate { origin, index, line, reason });
                }
            };
            if Certificate::read(&certificate).is_ok_and(|certificate| !certificate.may_issue()) {
                warn_of_leaf(&origin, index, line, &certificate);
            }
            roots.push((anchor, Some(certificate)));
        }
        Ok(roots)
    }
}

impl IntermediateSource {
    pub(in crate::tls) fn load(
        self,
        files: &mut Vec<FileRead>,
    ) -> Result<Vec<CertificateDer<'static>>, VerifierError> {
        let (origin, certificates) = match self {
            Self::Certificates(certificates) => {
                (Origin(None), certificates.into_iter().map(|certificate| (certificate, None)).collect())
            }
            Self::Bytes(bytes) => {
                let (origin, bytes) = bytes.read(files)?;
                let certificates = contents::certificates(&origin, Role::Intermediates, bytes)?;
                (origin, certificates)
            }
        };
        for (index, (certificate, line)) in certificates.iter().enumerate() {
            let unusable = match Certificate::read(certificate) {
                Err(_) => "it is not an X.509 certificate",
                Ok(certificate) if certificate.version < 3 => {
                    "only X.509 version 3 can say that it is a CA's"
                }
                Ok(certificate) if !certificate.may_issue() => {
                    "it is not a CA's certificate, so no path leads through it; give those of the CAs that issued the \
                     clients' certificates"
                }
                Ok(_) => continue,
            };
            return Err(VerifierError::BadIntermediate { origin, index, line: *line, reason: unusable });
        }
        Ok(certificates.into_iter().map(|(certificate, _)| certificate).collect())
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn_of_leaf(origin: &Origin, index: usize, line: Option<usize>, certificate: &CertificateDer<'_>) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        %origin,
        index,
        line,
        certificate = %super::describe::describe(certificate),
        "what is given as a client CA is not a CA's certificate: no certificate of its issuer verifies with it, but \
         any that its own key signs does; give the certificate of the CA that issued it"
    );
}

impl CrlSource {
    pub(in crate::tls) fn load(self, files: &mut Vec<FileRead>) -> Result<Vec<GivenCrl>, VerifierError> {
        let (origin, crls) = match self {
            Self::Crls(crls) => (Origin(None), crls),
            Self::Bytes(bytes) => {
                let (origin, bytes) = bytes.read(files)?;
                let crls = contents::crls(&origin, bytes)?;
                (origin, crls)
            }
        };
        let given = |(index, der)| GivenCrl { origin: origin.clone(), index, der };
        Ok(crls.into_iter().enumerate().map(given).collect())
    }
}
