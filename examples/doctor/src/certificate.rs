//! The certificate that the doctor presents, and whether it fits what a server asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::sign::CertifiedKey;
use tower_client_cert::identity::ExtendedKeyUsage;
use tower_client_cert::{ClientIdentity, Fingerprint};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

use crate::hello::Asked;
use crate::text::{and, printable};

/// A client's certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
    /// The beginning of its base64, as long as a line of PEM: enough to find it by.
    pub(crate) base64_start: String,
    /// The names of all who issued the certificates in the file, in DER.
    issuers: Vec<Vec<u8>>,
    /// What is wrong with it whatever the server asks for.
    pub(crate) defects: Vec<String>,
}

impl Identity {
    pub(crate) fn read(cert: &Path, key: &Path) -> Result<Self, String> {
        let of = |file: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect)
            .map_err(|error| of(cert, &error))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of(key, &error))?;
        Self::new(chain, private).map_err(|error| of(cert, &error))
    }

    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, String> {
        let leaf = chain.first().ok_or("there is no certificate in it")?.clone();
        let identity = ClientIdentity::from_der(&leaf).map_err(|error| error.to_string())?;
        let mut issuers = Vec::new();
        for certificate in &chain {
            let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
            issuers.push(parsed.issuer().as_raw().to_vec());
        }
        let key = CertifiedKey::from_der(chain, key, &crate::trust::provider()).map_err(|error| {
            format!("the key is not this certificate's, or of no kind that can sign: {error}")
        })?;
        let mut base64_start = STANDARD.encode(&leaf);
        base64_start.truncate(64);
        Ok(Self {
            key: Arc::new(key),
            subject: named(identity.subject().as_str()),
            issuer: named(identity.issuer().as_str()),
            sha256: Fingerprint::of(&leaf).to_string(),
            base64_start,
            issuers,
            defects: defects(&identity, SystemTime::now()),
        })
    }

    /// Why a client that chooses among its certificates would not choose this one.
    pub(crate) fn misfit_ca(&self, asked: &Asked) -> Option<String> {
        let fits = asked.cas.is_empty() || self.issuers.iter().any(|issuer| asked.cas.contains(issuer));
        (!fits).then(|| {
            format!(
                "the certificate was issued by {}, and the CAs that the server names are {}; browsers and Java then \
                 present none at all",
                self.issuer,
                some_ca_names(asked, "and")
            )
        })
    }

    /// Why the certificate can't be presented at all.
    pub(crate) fn misfit_scheme(&self, asked: &Asked) -> Option<String> {
        self.key.key.choose_scheme(&asked.schemes).is_none().then(|| {
            format!(
                "the certificate can't be presented: its key signs with none of the schemes that the server takes, {}",
                and(&scheme_names(asked))
            )
        })
    }
}

/// What a name says, with something to read where it is empty.
fn named(name: &str) -> String {
    if name.is_empty() { "(an empty name)".to_owned() } else { printable(name) }
}

fn defects(identity: &ClientIdentity, now: SystemTime) -> Vec<String> {
    let mut defects = Vec::new();
    if identity.not_after() < now {
        defects.push("it has expired".to_owned());
    }
    if identity.not_before() > now {
        defects.push("it is not valid yet".to_owned());
    }
    let for_clients = |usage: &ExtendedKeyUsage| {
        usage.contains(ExtendedKeyUsage::CLIENT_AUTH) || usage.contains(ExtendedKeyUsage::ANY)
    };
    if matches!(identity.extended_key_usage(), Ok(Some(usage)) if !for_clients(usage)) {
        let defect = "its extended key usage does not include clientAuth, on which verifying servers insist";
        defects.push(defect.to_owned());
    }
    defects
}

/// The CAs that a server names, for people: some have hundreds.
pub(crate) fn some_ca_names(asked: &Asked, last: &str) -> String {
    let names = ca_names(asked);
    match names.get(..3).filter(|_| names.len() > 4) {
        Some(some) => format!("{} {last} {} others", some.join(", "), names.len() - some.len()),
        None => names.join(&format!(" {last} ")),
    }
}

/// The CAs that a server names, as text.
pub(crate) fn ca_names(asked: &Asked) -> Vec<String> {
    let text = |der: &Vec<u8>| match X509Name::from_der(der) {
        Ok((_, name)) => named(&name.to_string()),
        Err(_) => "(a name that can't be read)".to_owned(),
    };
    asked.cas.iter().map(text).collect()
}

pub(crate) fn scheme_names(asked: &Asked) -> Vec<String> {
    let name = |scheme: &rustls::SignatureScheme| match scheme.as_str() {
        Some(name) => name.to_owned(),
        None => format!("0x{:04x}", u16::from(*scheme)),
    };
    asked.schemes.iter().map(name).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
    use rustls::SignatureScheme;
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    /// A self-signed certificate with a P-256 key.
    pub(crate) fn identity(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Identity::new(vec![certificate.der().clone()], key).unwrap()
    }

    #[test]
    fn a_certificate_of_a_named_ca_with_a_fitting_key_fits() {
        let alice = identity("alice", |_| {});
        let other = identity("other CA\u{202e}", |_| {});
        let schemes = vec![SignatureScheme::ECDSA_NISTP256_SHA256];
        let mut asked = Asked { cas: Vec::new(), schemes };
        assert_eq!((alice.misfit_ca(&asked), alice.misfit_scheme(&asked)), (None, None));
        asked.cas.clone_from(&alice.issuers);
        assert_eq!(alice.misfit_ca(&asked), None);
        asked.cas.clone_from(&other.issuers);
        let misfit = alice.misfit_ca(&asked).unwrap();
        assert!(misfit.contains("alice") && misfit.contains("other CA\\u{202e}"), "{misfit}");
        asked.schemes = vec![SignatureScheme::RSA_PSS_SHA256];
        assert!(alice.misfit_scheme(&asked).unwrap().contains("RSA_PSS_SHA256"));
    }

    #[test]
    fn defects_are_named_before_a_server_finds_them() {
        assert_eq!(identity("fine", |_| {}).defects, [""; 0]);
        let expired = identity("expired", |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
        assert!(expired.defects.join("").contains("expired"));
        let early = identity("early", |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
        assert!(early.defects.join("").contains("not valid yet"));
        let server = identity("server", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        assert!(server.defects.join("").contains("clientAuth"));
    }
}
