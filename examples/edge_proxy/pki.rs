//! A throw-away PKI in a folder of its own: for demonstrations only, and gone with the process.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// Why there is no PKI.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PkiError {
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// A CA, a server, a client of that CA, and a client of a CA that nobody knows.
pub(crate) struct Pki {
    folder: TempDir,
    pub(crate) ca: CertificateDer<'static>,
    pub(crate) ca_file: PathBuf,
    /// Of the CA; there is nothing on it.
    pub(crate) crl: CertificateRevocationListDer<'static>,
    pub(crate) server: Identity,
    pub(crate) trusted: Identity,
    pub(crate) untrusted: Identity,
}

/// A certificate and its key, and where they lie.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl Pki {
    /// Makes it. The server is `localhost`, both loopback addresses, and `server_ip`.
    pub(crate) fn create(server_ip: IpAddr) -> Result<Self, PkiError> {
        let temp = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("throw-away-pki-")
            .tempdir()
            .map_err(|source| PkiError::Write { path: temp, source })?;

        let ca = authority("throw-away CA")?;
        let ca_file = folder.path().join("ca.pem");
        write(&ca_file, &pem("CERTIFICATE", ca.der()))?;

        let names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
            server_ip.to_canonical().to_string(),
        ];
        let server = CertificateParams::new(names)?;
        let client = CertificateParams::new(Vec::new())?;
        let stranger = authority("CA that nobody knows")?;
        let folder_path = folder.path();
        Ok(Self {
            server: issue(&ca, server, ExtendedKeyUsagePurpose::ServerAuth, folder_path, "server")?,
            trusted: issue(&ca, client.clone(), ExtendedKeyUsagePurpose::ClientAuth, folder_path, "trusted")?,
            untrusted: issue(
                &stranger,
                client,
                ExtendedKeyUsagePurpose::ClientAuth,
                folder_path,
                "untrusted",
            )?,
            crl: empty_crl(&ca)?,
            ca: ca.der().clone(),
            ca_file,
            folder,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority, PkiError> {
    let mut params = valid_for_a_week(CertificateParams::new(Vec::new())?, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn issue(
    ca: &Authority,
    params: CertificateParams,
    usage: ExtendedKeyUsagePurpose,
    folder: &Path,
    name: &str,
) -> Result<Identity, PkiError> {
    let mut params = valid_for_a_week(params, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, ca)?;

    let cert_file = folder.join(format!("{name}.pem"));
    let key_file = folder.join(format!("{name}.key"));
    write(&cert_file, &pem("CERTIFICATE", certificate.der()))?;
    write(&key_file, &pem("PRIVATE KEY", key.serialized_der()))?;
    Ok(Identity {
        certificate: certificate.der().clone(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        cert_file,
        key_file,
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der))
}

fn empty_crl(ca: &Authority) -> Result<CertificateRevocationListDer<'static>, PkiError> {
    let now = OffsetDateTime::now_utc();
    let params = CertificateRevocationListParams {
        this_update: now - Duration::hours(1),
        next_update: now + Duration::WEEK,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(params.signed_by(ca)?.der().clone())
}

fn valid_for_a_week(mut params: CertificateParams, name: &str) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::WEEK;
    params
}

/// A new file that only this user can read.
fn write(path: &Path, contents: &str) -> Result<(), PkiError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(contents.as_bytes()))
        .map_err(|source| PkiError::Write { path: path.to_owned(), source })
}
