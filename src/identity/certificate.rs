use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::Digest as _;
use x509_parser::asn1_rs::{FromDer as _, Oid, oid};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{self, X509Extension};
use x509_parser::nom::Parser as _;
use x509_parser::time::ASN1Time;

use super::distinguished_name::{AttributeError, DistinguishedName};
use super::outline;
use super::spiffe::{SpiffeError, SpiffeId};
use super::subject_alt_name::SubjectAltName;
use super::uri::Uri;
use super::usage::{ExtendedKeyUsage, KeyUsage};
use crate::x509::name;

/// Who a certificate says its holder is.
///
/// What it says is only worth something if the certificate was
/// [verified](crate::PeerCertificates::verification). A clone is a reference count.
///
/// In axum handlers it is an extractor, which takes verified certificates only: see the
/// [module's documentation](crate::identity).
///
/// ```
/// # fn show(der: &[u8]) -> Result<(), tower_client_cert::identity::IdentityError> {
/// use tower_client_cert::ClientIdentity;
///
/// let client = ClientIdentity::from_der(der)?;
/// println!("{} by {}, serial {}", client.subject(), client.issuer(), client.serial_hex());
/// match client.common_name() {
///     Ok(name) => println!("common name {name}"),
///     Err(error) => println!("no common name: {error}"),
/// }
/// for host in client.dns_names() {
///     println!("host {host}");
/// }
/// if let Ok(id) = client.spiffe_id() {
///     println!("workload {} of {}", id.path(), id.trust_domain());
/// }
/// # Ok(())
/// # }
/// # let params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
/// # show(params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der()).unwrap();
/// ```
#[derive(Clone)]
pub struct ClientIdentity(Arc<Parsed>);

struct Parsed {
    subject: DistinguishedName,
    issuer: DistinguishedName,
    serial: Box<[u8]>,
    not_before: SystemTime,
    not_after: SystemTime,
    alt_names: Result<Box<[SubjectAltName]>, ExtensionError>,
    spiffe_id: Result<SpiffeId, SpiffeError>,
    key_usage: Result<Option<KeyUsage>, ExtensionError>,
    extended_key_usage: Result<Option<ExtendedKeyUsage>, ExtensionError>,
    fingerprint: Sha256,
    spki_hash: Sha256,
}

const SUBJECT_ALT_NAME: Oid<'static> = oid!(2.5.29.17);
const KEY_USAGE: Oid<'static> = oid!(2.5.29.15);
const EXTENDED_KEY_USAGE: Oid<'static> = oid!(2.5.29.37);

impl ClientIdentity {
    /// Reads a certificate, which nobody need have checked.
    ///
    /// It costs some microseconds. On a TLS connection, [`PeerCertificates::identity`] reads once and remembers.
    ///
    /// [`PeerCertificates::identity`]: crate::PeerCertificates::identity
    ///
    /// # Errors
    ///
    /// If it is no X.509 certificate, or there is something after it. An extension that can't be read is no error
    /// here: it is the answer to the question about that extension.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        // Extensions are looked into one by one, and only those that are asked about here.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, certificate) = parser.parse(der).map_err(|_| IdentityError::NotACertificate)?;
        if !rest.is_empty() {
            return Err(IdentityError::TrailingBytes);
        }
        outline::check(&certificate).ok_or(IdentityError::TrailingBytes)?;
        let validity = certificate.validity();
        let alt_names = alt_names(&certificate);
        Ok(Self(Arc::new(Parsed {
            subject: DistinguishedName::from_x509(certificate.subject()),
            issuer: DistinguishedName::from_x509(certificate.issuer()),
            serial: certificate.raw_serial().into(),
            not_before: system_time(validity.not_before)?,
            not_after: system_time(validity.not_after)?,
            spiffe_id: spiffe_id(&alt_names),
            alt_names,
            key_usage: key_usage(&certificate),
            extended_key_usage: extended_key_usage(&certificate),
            fingerprint: Sha256::of(der),
            spki_hash: Sha256::of(certificate.public_key().raw),
        })))
    }

    /// Who the certificate is for. It can be empty, if there are alternative names.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Who says that they issued it.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The common name of the subject.
    ///
    /// # Errors
    ///
    /// If there is none, or it is no text, or there are two: software disagrees on which of two is meant.
    pub fn common_name(&self) -> Result<&str, AttributeError> {
        self.0.subject.common_name()
    }

    /// The serial number as the certificate has it: big-endian, in two's complement, often with a leading zero.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The serial number in upper-case hexadecimal, two digits a byte, without a leading zero byte, as
    /// `openssl x509 -serial` prints it. Negative ones, which RFC 5280 forbids, are printed as two's complement.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        let serial = match self.serial() {
            [0, rest @ ..] if !rest.is_empty() => rest,
            serial => serial,
        };
        let mut hex = String::with_capacity(serial.len().saturating_mul(2));
        for byte in serial {
            // `write!` to a string cannot fail.
            let _ = write!(hex, "{byte:02X}");
        }
        hex
    }

    /// When it starts to be valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.0.not_before
    }

    /// The last second at which it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// Every subject alternative name, in the order of the certificate. Empty if there is no such extension.
    ///
    /// # Errors
    ///
    /// If the extension is there and can't be read as a whole. A single name that can't is
    /// [`Malformed`](SubjectAltName::Malformed).
    pub fn subject_alt_names(&self) -> Result<&[SubjectAltName], ExtensionError> {
        self.0.alt_names.as_deref().map_err(|error| *error)
    }

    /// The host names among the alternative names, in lower case. They may be wildcards.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Dns(host) => Some(&**host),
            _ => None,
        })
    }

    /// The URIs among the alternative names.
    pub fn uris(&self) -> impl Iterator<Item = &Uri> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Uri(uri) => Some(uri),
            _ => None,
        })
    }

    /// The e-mail addresses among the alternative names.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Email(mail) => Some(&**mail),
            _ => None,
        })
    }

    /// The IP addresses among the alternative names.
    pub fn ip_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Ip(ip) => Some(*ip),
            _ => None,
        })
    }

    /// None if the extension can't be read.
    fn readable_alt_names(&self) -> impl Iterator<Item = &SubjectAltName> {
        self.0.alt_names.iter().flatten()
    }

    /// The SPIFFE ID, by the rules of an X509-SVID: the one URI among the alternative names.
    ///
    /// # Errors
    ///
    /// If there is no URI, or more than one, or it is no valid SPIFFE ID.
    pub fn spiffe_id(&self) -> Result<&SpiffeId, SpiffeError> {
        self.0.spiffe_id.as_ref().map_err(|error| *error)
    }

    /// What its key may be used for. `None` if it does not say.
    ///
    /// # Errors
    ///
    /// If the extension is there and can't be read.
    pub fn key_usage(&self) -> Result<Option<KeyUsage>, ExtensionError> {
        self.0.key_usage
    }

    /// What it may be used for. `None` if it does not say.
    ///
    /// # Errors
    ///
    /// If the extension is there and can't be read.
    pub fn extended_key_usage(&self) -> Result<Option<&ExtendedKeyUsage>, ExtensionError> {
        self.0.extended_key_usage.as_ref().map(Option::as_ref).map_err(|error| *error)
    }

    /// The SHA-256 of the certificate's DER, as `openssl x509 -fingerprint -sha256` and Envoy's `Hash=` have it.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        self.0.fingerprint
    }

    /// The SHA-256 of the `SubjectPublicKeyInfo`'s DER: it stays the same when a certificate is renewed for the same
    /// key (RFC 7469 section 2.4).
    #[must_use]
    pub fn spki_hash(&self) -> Sha256 {
        self.0.spki_hash
    }
}

/// The fingerprint; names are personal data, and logs are read by many.
impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").field("fingerprint", &self.0.fingerprint).finish_non_exhaustive()
    }
}

/// Two identities are equal if they are of the same certificate.
impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint == other.0.fingerprint
    }
}

impl Eq for ClientIdentity {}

fn system_time(time: ASN1Time) -> Result<SystemTime, IdentityError> {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if time.timestamp() < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) };
    time.ok_or(IdentityError::Time)
}

/// The contents of an extension, if it is there, read to its end by `parse`.
fn extension<'a, T>(
    certificate: &'a X509Certificate<'_>,
    oid: &Oid<'_>,
    parse: impl FnOnce(&'a [u8]) -> Option<(&'a [u8], T)>,
) -> Result<Option<T>, ExtensionError> {
    let mut found = certificate.extensions().iter().filter(|extension| extension.oid == *oid);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(ExtensionError::Repeated),
        (Some(X509Extension { value, .. }), None) => match parse(value) {
            Some(([], parsed)) => Ok(Some(parsed)),
            _ => Err(ExtensionError::Malformed),
        },
    }
}

fn alt_names(certificate: &X509Certificate<'_>) -> Result<Box<[SubjectAltName]>, ExtensionError> {
    let names = extension(certificate, &SUBJECT_ALT_NAME, |value| {
        extensions::SubjectAlternativeName::from_der(value).ok()
    })?;
    Ok(names.iter().flat_map(|names| &names.general_names).map(SubjectAltName::parse).collect())
}

fn spiffe_id(alt_names: &Result<Box<[SubjectAltName]>, ExtensionError>) -> Result<SpiffeId, SpiffeError> {
    let names = alt_names.as_ref().map_err(|_| SpiffeError::Unreadable)?;
    let mut uris = names.iter().filter_map(|name| match name {
        SubjectAltName::Uri(uri) => Some(Ok(uri)),
        SubjectAltName::Malformed { kind: super::SanKind::Uri, .. } => Some(Err(SpiffeError::Unreadable)),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (None, _) => Err(SpiffeError::Missing),
        (Some(_), Some(_)) => Err(SpiffeError::Repeated),
        (Some(uri), None) => uri?.as_str().parse(),
    }
}

fn key_usage(certificate: &X509Certificate<'_>) -> Result<Option<KeyUsage>, ExtensionError> {
    let usage = extension(certificate, &KEY_USAGE, |value| extensions::KeyUsage::from_der(value).ok())?;
    Ok(usage.map(|usage| KeyUsage::from_bits(usage.flags)))
}

fn extended_key_usage(certificate: &X509Certificate<'_>) -> Result<Option<ExtendedKeyUsage>, ExtensionError> {
    let purposes = extension(certificate, &EXTENDED_KEY_USAGE, |value| <Vec<Oid<'_>>>::from_der(value).ok())?;
    Ok(purposes.map(|oids| ExtendedKeyUsage::new(oids.iter().map(|oid| name::dotted(oid).into()).collect())))
}

/// A SHA-256 hash. Prints as 64 digits of lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// A hash that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// Why a certificate can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It is not the DER of an X.509 certificate.
    #[error("not the DER of an X.509 certificate (RFC 5280 section 4.1)")]
    NotACertificate,
    /// There is something after the certificate, or at the end of a part of it, that does not belong there.
    #[error("bytes that do not belong to the certificate")]
    TrailingBytes,
    /// It starts or ends to be valid at a time that this system can't represent.
    #[error("a time of validity that this system cannot represent")]
    Time,
}

/// Why an extension can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// It is not the DER that it should be.
    #[error("the extension is malformed")]
    Malformed,
    /// It occurs more than once (RFC 5280 section 4.2 forbids it).
    #[error("the extension occurs more than once")]
    Repeated,
}
