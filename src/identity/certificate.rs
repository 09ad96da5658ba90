use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::distinguished_name::{AttributeError, DistinguishedName};
use super::spiffe::{SpiffeError, SpiffeId};
use super::subject_alt_name::SubjectAltName;
use super::uri::Uri;
use super::usage::{ExtendedKeyUsage, KeyUsage};
use crate::x509::oid::dotted;
use crate::x509::{Certificate, ExtensionError, Fingerprint, Name, Serial, Unreadable};

/// The identity that a certificate claims for its holder.
///
/// The claim is worth something only if the certificate was [verified](crate::PeerCertificates::verification). Cloning
/// is cheap: it copies a reference-counted pointer.
///
/// In axum handlers this type is an extractor, which accepts verified certificates only: see the [module's
/// documentation](crate::identity).
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
    fingerprint: Fingerprint,
    spki_hash: Fingerprint,
}

impl ClientIdentity {
    /// Reads a certificate, verified or not.
    ///
    /// Reading takes some microseconds. On a TLS connection, [`PeerCertificates::identity`] reads once and remembers
    /// the result.
    ///
    /// [`PeerCertificates::identity`]: crate::PeerCertificates::identity
    ///
    /// # Errors
    ///
    /// Returns an error if `der` is not an X.509 certificate, has bytes left over, or has a time that this system can't
    /// represent. An extension that can't be read is no error here: the method that asks for this extension returns it.
    pub fn from_der(der: &[u8]) -> Result<Self, IdentityError> {
        let certificate = Certificate::read(der).map_err(|unreadable| match unreadable {
            Unreadable::NotACertificate => IdentityError::NotACertificate,
            Unreadable::TrailingBytes => IdentityError::TrailingBytes,
        })?;
        let name = |contents| {
            let name = Name::read(contents).ok_or(IdentityError::NotACertificate)?;
            Ok::<_, IdentityError>(DistinguishedName::from_x509(&name))
        };
        let [not_before, not_after] = certificate.validity.ok_or(IdentityError::NotACertificate)?;
        let alt_names =
            certificate.alt_names().map(|names| names.iter().map(SubjectAltName::from_x509).collect());
        let purposes = |oids: Vec<&[u8]>| oids.into_iter().map(|oid| dotted(oid).into()).collect();
        let extended_key_usage = certificate.extended_key_usage();
        Ok(Self(Arc::new(Parsed {
            subject: name(certificate.subject)?,
            issuer: name(certificate.issuer)?,
            serial: certificate.serial.0.into(),
            not_before: not_before.to_system().ok_or(IdentityError::Time)?,
            not_after: not_after.to_system().ok_or(IdentityError::Time)?,
            spiffe_id: spiffe_id(&alt_names),
            alt_names,
            key_usage: certificate.key_usage().map(|usage| usage.map(KeyUsage::from_bits)),
            extended_key_usage: extended_key_usage
                .map(|oids| oids.map(|oids| ExtendedKeyUsage::new(purposes(oids)))),
            fingerprint: Fingerprint::of_bytes(der),
            spki_hash: Fingerprint::of_bytes(certificate.key_info),
        })))
    }

    /// Returns the subject, the name of the certificate's holder. It may be empty in a certificate with alternative
    /// names.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Returns the issuer, as the certificate names it.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// Returns the common name of the subject.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no common name, or more than one, or if it is not text. Programs disagree on which
    /// one of two counts.
    pub fn common_name(&self) -> Result<&str, AttributeError> {
        self.0.subject.common_name()
    }

    /// Returns the serial number as the certificate has it: big-endian, in two's complement, often with a leading zero.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// Returns the serial number in upper-case hexadecimal, two digits per byte and without a leading zero byte, as
    /// `openssl x509 -serial` prints it. A negative number, which RFC 5280 forbids, is returned as two's complement.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        Serial(self.serial()).to_string()
    }

    /// Returns the first second at which the certificate is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.0.not_before
    }

    /// Returns the last second at which the certificate is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.0.not_after
    }

    /// Returns every subject alternative name, in the order of the certificate. The list is empty if the extension is
    /// absent.
    ///
    /// # Errors
    ///
    /// Returns an error if the extension as a whole can't be read. A single name that can't be read is
    /// [`Malformed`](SubjectAltName::Malformed).
    pub fn subject_alt_names(&self) -> Result<&[SubjectAltName], ExtensionError> {
        self.0.alt_names.as_deref().map_err(|error| *error)
    }

    /// Returns the host names among the alternative names, in lower case. They may be wildcards. Malformed names are
    /// left out, and there are none if the extension can't be read.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Dns(host) => Some(&**host),
            _ => None,
        })
    }

    /// Returns the URIs among the alternative names.
    pub fn uris(&self) -> impl Iterator<Item = &Uri> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Uri(uri) => Some(uri),
            _ => None,
        })
    }

    /// Returns the e-mail addresses among the alternative names.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Email(mail) => Some(&**mail),
            _ => None,
        })
    }

    /// Returns the IP addresses among the alternative names.
    pub fn ip_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.readable_alt_names().filter_map(|name| match name {
            SubjectAltName::Ip(ip) => Some(*ip),
            _ => None,
        })
    }

    /// Returns the alternative names, or none if the extension can't be read.
    fn readable_alt_names(&self) -> impl Iterator<Item = &SubjectAltName> {
        self.0.alt_names.iter().flatten()
    }

    /// Returns the SPIFFE ID. By the rules of an X509-SVID, it is the only URI among the alternative names.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no URI, or more than one, or if the URI is not a valid SPIFFE ID.
    pub fn spiffe_id(&self) -> Result<&SpiffeId, SpiffeError> {
        self.0.spiffe_id.as_ref().map_err(|error| *error)
    }

    /// Returns the uses that the certificate allows for its key. `None` if the extension is absent.
    ///
    /// # Errors
    ///
    /// Returns an error if the extension can't be read.
    pub fn key_usage(&self) -> Result<Option<KeyUsage>, ExtensionError> {
        self.0.key_usage
    }

    /// Returns the purposes that the certificate may be used for. `None` if the extension is absent.
    ///
    /// # Errors
    ///
    /// Returns an error if the extension can't be read.
    pub fn extended_key_usage(&self) -> Result<Option<&ExtendedKeyUsage>, ExtensionError> {
        self.0.extended_key_usage.as_ref().map(Option::as_ref).map_err(|error| *error)
    }

    /// Returns the SHA-256 of the certificate's DER, the hash of `openssl x509 -fingerprint -sha256` and of Envoy's
    /// `Hash=`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// Returns the SHA-256 of the `SubjectPublicKeyInfo`'s DER. It stays the same when a certificate is renewed for the
    /// same key (RFC 7469 section 2.4).
    #[must_use]
    pub fn spki_hash(&self) -> Fingerprint {
        self.0.spki_hash
    }
}

/// Shows the fingerprint only: names are personal data, and logs have many readers.
impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").field("fingerprint", &self.0.fingerprint).finish_non_exhaustive()
    }
}

/// Two identities are equal if they were read from the same certificate.
impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint == other.0.fingerprint
    }
}

impl Eq for ClientIdentity {}

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

/// The reason why a certificate can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The bytes are not the DER of an X.509 certificate.
    #[error("not the DER of an X.509 certificate (RFC 5280 section 4.1)")]
    NotACertificate,
    /// There are bytes after the certificate, or at the end of one of its parts, that do not belong there.
    #[error("bytes that do not belong to the certificate")]
    TrailingBytes,
    /// The certificate's first or last valid second is a time that this system can't represent.
    #[error("a time of validity that this system cannot represent")]
    Time,
}
