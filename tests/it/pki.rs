//! Certificates of every kind, made at run time.

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    RevokedCertParams, SanType, SerialNumber, SigningKey as _,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

/// The identifier of ecdsa-with-SHA256, with which `generate`'s keys sign.
pub(crate) const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];

/// A CA that issues.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a TLS peer presents: its chain, and the key it signs with.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self { issuer: CertifiedIssuer::self_signed(ca_params(name), generate()).unwrap() }
    }

    /// A root with a difference.
    pub(crate) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::self_signed(params, generate()).unwrap() }
    }

    /// Its name, as it stands in what it issues.
    pub(crate) fn subject(&self) -> Vec<u8> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der()).unwrap();
        roots.subjects()[0].as_ref().to_vec()
    }

    /// The `subjectKeyIdentifier` in its certificate.
    pub(crate) fn key_identifier(&self) -> Vec<u8> {
        let mark = [0x06, 0x03, 0x55, 0x1D, 14, 0x04, 22, 0x04, 20];
        let certificate = self.issuer.der();
        let place = certificate.windows(mark.len()).position(|bytes| bytes == mark).unwrap() + mark.len();
        certificate[place..place + 20].to_vec()
    }

    /// `SEQUENCE { tbs, signatureAlgorithm, signature }`, with ecdsa-with-SHA256.
    pub(crate) fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let bits = [&[0][..], &self.issuer.key().sign(tbs).unwrap()].concat();
        der(0x30, &[tbs, &der(0x30, ECDSA_SHA256), &der(0x03, &bits)].concat())
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    /// An intermediate CA with a difference.
    pub(crate) fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::signed_by(params, generate(), &self.issuer).unwrap() }
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        pem::encode(&pem::Pem::new("CERTIFICATE", self.issuer.der().as_ref()))
    }

    /// A client certificate as CAs issue them, P-256 and with clientAuth.
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.issue(name, |_| {})
    }

    /// A client certificate with a difference.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.issue_for(name, &generate(), change)
    }

    /// A client certificate for a key of any kind.
    pub(crate) fn issue_for(
        &self,
        name: &str,
        key: &KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = client_params(name);
        change(&mut params);
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], key: private(key) }
    }

    /// A certificate for a server at these names, of which some may be IP addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.issue("server", |params| {
            params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    /// An X.509 v1 certificate, which rcgen does not make: no version, no extensions.
    pub(crate) fn issue_v1(&self, name: &str) -> Identity {
        self.issue_v1_with_serial(name, &[0x01])
    }

    /// The same, with these bytes for its serial number.
    pub(crate) fn issue_v1_with_serial(&self, name: &str, serial: &[u8]) -> Identity {
        let key = generate();
        let common_name = der(0x30, &[der(0x06, &[0x55, 0x04, 0x03]), der(0x0C, name.as_bytes())].concat());
        let tbs = der(
            0x30,
            &[
                der(0x02, serial),
                der(0x30, ECDSA_SHA256),
                self.subject(),
                der(0x30, &[der(0x17, b"240101000000Z"), der(0x17, b"491231235959Z")].concat()),
                der(0x30, &der(0x31, &common_name)),
                key.subject_public_key_info(),
            ]
            .concat(),
        );
        Identity { chain: vec![self.sign(&tbs).into()], key: private(&key) }
    }

    /// A CRL with these serial numbers on it, that is to be renewed after so long (which may be negative).
    pub(crate) fn crl(
        &self,
        revoked: &[&SerialNumber],
        valid_for: Duration,
    ) -> CertificateRevocationListDer<'static> {
        self.make_crl(revoked, valid_for).der().clone()
    }

    pub(crate) fn crl_pem(&self, revoked: &[&SerialNumber], valid_for: Duration) -> String {
        let crl = self.make_crl(revoked, valid_for);
        pem::encode(&pem::Pem::new("X509 CRL", crl.der().as_ref()))
    }

    fn make_crl(&self, revoked: &[&SerialNumber], valid_for: Duration) -> rcgen::CertificateRevocationList {
        let now = OffsetDateTime::now_utc();
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::clone(serial),
            revocation_time: now - Duration::days(1),
            reason_code: None,
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update: now - Duration::days(30),
            next_update: now + valid_for,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
    }
}

/// What rcgen does not make.
impl Authority {
    /// A root whose key is of another kind, and with a difference.
    pub(crate) fn root_for(name: &str, key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    /// The same certificate but for its signed part, in which `from` becomes `to` each time, and the algorithm outside
    /// of it, signed again.
    pub(crate) fn resign(&self, identity: &Identity, from: &[u8], to: &[u8]) -> Identity {
        let (_, contents) = value(&identity.chain[0]);
        let (signed, tbs) = value(contents);
        let rest = &contents[signed..];
        let (algorithm, _) = value(rest);
        let (tbs, algorithm) = (der(0x30, &replace(tbs, from, to)), replace(&rest[..algorithm], from, to));
        let signature = self.issuer.key().sign(&tbs).unwrap();
        let bits = der(0x03, &[&[0][..], &signature].concat());
        let mut identity = identity.clone();
        identity.chain[0] = der(0x30, &[tbs, algorithm, bits].concat()).into();
        identity
    }
}

/// How many bytes the first value takes, and its contents.
fn value(der: &[u8]) -> (usize, &[u8]) {
    let (start, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        length => (2, usize::from(length)),
    };
    (start + length, &der[start..start + length])
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let Some(at) = bytes.windows(from.len()).position(|window| window == from) else { return bytes.to_vec() };
    [&bytes[..at], to, &replace(&bytes[at + from.len()..], from, to)].concat()
}

impl Identity {
    /// A certificate that its holder signed itself.
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = generate();
        let certificate = client_params(name).self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], key: private(&key) }
    }

    /// The same, with more certificates sent along.
    pub(crate) fn with(mut self, more: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.chain.extend(more);
        self
    }

    /// The same certificate in the hands of somebody who does not have its key.
    pub(crate) fn stolen(mut self) -> Self {
        self.key = private(&generate());
        self
    }

    pub(crate) fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.as_ref()))).collect()
    }

    pub(crate) fn key_pem(&self) -> String {
        pem::encode(&pem::Pem::new("PRIVATE KEY", self.key.secret_der()))
    }
}

pub(crate) fn client_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(format!("{name}.test")).unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(30);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = client_params(name);
    params.subject_alt_names.clear();
    params.extended_key_usages.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn generate() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(crate) fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}

/// An extension that nobody knows.
pub(crate) fn unknown_extension(critical: bool, bytes: usize) -> CustomExtension {
    let mut extension =
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], der(0x04, &vec![7; bytes]));
    extension.set_criticality(critical);
    extension
}

/// One DER value.
pub(crate) fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut value = vec![tag];
    match length {
        0..=0x7F => value.push(length as u8),
        0x80..=0xFF => value.extend([0x81, length as u8]),
        0x100..=0xFFFF => value.extend([0x82, (length >> 8) as u8, length as u8]),
        _ => {
            let bytes = (length as u32).to_be_bytes();
            let bytes = if bytes[0] == 0 { &bytes[1..] } else { &bytes[..] };
            value.push(0x80 | bytes.len() as u8);
            value.extend(bytes);
        }
    }
    value.extend(contents);
    value
}
