//! What a certificate is made of (RFC 5280 section 4.1).

use super::der::{BOOLEAN, Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, Value};
use super::extension::{self, ExtensionError, Extensions};
use super::general_name::GeneralName;
use super::serial::Serial;
use super::time::Time;
use super::usage;

const VERSION: u8 = 0xA0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xA3;

/// The parts of a certificate. Each is where it should be, and there is nothing else.
///
/// What is in the parts is read when it is asked for: Go and OpenSSL agree on these outlines, and much less on names. So a
/// certificate with a name or a time that is none has an outline too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// As people count: 1 to 3.
    pub(crate) version: u8,
    pub(crate) serial: Serial<'a>,
    /// The contents of the issuer's name, for [`Name::read`](super::Name::read).
    pub(crate) issuer: &'a [u8],
    /// The first and the last second at which it is valid, if both are times.
    pub(crate) validity: Option<[Time; 2]>,
    /// The contents of the subject's name.
    pub(crate) subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`, tag and length included.
    pub(crate) key_info: &'a [u8],
    pub(crate) key: PublicKey<'a>,
    extensions: Extensions<'a>,
}

/// What kind of key it is, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// The contents of the `AlgorithmIdentifier`, which is how rustls' algorithms name the keys they take.
    pub(crate) algorithm: &'a [u8],
    /// The bits of the `subjectPublicKey`.
    pub(crate) key: &'a [u8],
}

/// Why something has not the outline of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotACertificate,
    /// There is something after the certificate, or after the last of a sequence's parts.
    TrailingBytes,
}

impl<'a> Certificate<'a> {
    /// It must be DER and nothing after it. Versions 1 and 2 may have extensions: RFC 5280 has them in version 3 alone,
    /// OpenSSL reads them, and Go passes over them.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Unreadable> {
        let mut nothing_left = true;
        let certificate = Self::parts(der, &mut nothing_left).ok_or(Unreadable::NotACertificate)?;
        if nothing_left { Ok(certificate) } else { Err(Unreadable::TrailingBytes) }
    }

    /// One that may be presented in a handshake: as Go, and unlike OpenSSL, not one with a negative serial number.
    pub(crate) fn presented(der: &'a [u8]) -> Option<Self> {
        Self::read(der).ok().filter(|certificate| !certificate.serial.is_negative())
    }

    fn parts(der: &'a [u8], nothing_left: &mut bool) -> Option<Self> {
        let mut end = |der: &Der<'_>| *nothing_left &= der.is_empty();
        let mut file = Der::new(der);
        let mut certificate = Der::new(file.take(SEQUENCE)?);
        end(&file);
        let mut tbs = Der::new(certificate.take(SEQUENCE)?);
        certificate.take(SEQUENCE)?; // signatureAlgorithm
        certificate.bits()?; // signature
        end(&certificate);

        let version = match tbs.take_optional(VERSION) {
            Some(version) => match Value::only(version)? {
                Value { tag: INTEGER, contents: [version @ 0..=2], .. } => version + 1,
                _ => return None,
            },
            None => 1,
        };
        let serial = Serial(tbs.integer()?);
        tbs.take(SEQUENCE)?; // signature
        let issuer = tbs.take(SEQUENCE)?;
        let mut times = Der::new(tbs.take(SEQUENCE)?);
        let [from, to] = [time(&mut times)?, time(&mut times)?];
        end(&times);
        let subject = tbs.take(SEQUENCE)?;
        let key_info = tbs.whole(SEQUENCE)?;
        let mut key_parts = Der::new(key_info.contents);
        let key = PublicKey::parts(&mut key_parts)?;
        end(&key_parts);

        tbs.take_optional(ISSUER_UNIQUE_ID);
        tbs.take_optional(SUBJECT_UNIQUE_ID);
        let extensions = match tbs.take_optional(EXTENSIONS) {
            Some(outer) => {
                let mut outer = Der::new(outer);
                let extensions = Extensions::read(outer.take(SEQUENCE)?)?;
                end(&outer);
                extensions
            }
            None => Extensions::default(),
        };
        end(&tbs);
        let key_info = key_info.der;
        let validity = from.zip(to).map(<[Time; 2]>::from);
        Some(Self { version, serial, issuer, validity, subject, key_info, key, extensions })
    }

    /// The value of an extension, if it is there, whatever is in it.
    pub(crate) fn extension(&self, oid: &[u8]) -> Result<Option<&'a [u8]>, ExtensionError> {
        self.extensions.get(oid)
    }

    /// The value of an extension, if it is there, read to its end.
    fn read_extension<T>(
        &self,
        oid: &[u8],
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, ExtensionError> {
        let value = self.extension(oid)?;
        value.map(|value| read(value).ok_or(ExtensionError::Malformed)).transpose()
    }

    /// The subject alternative names, in order. None, if the extension is not there.
    pub(crate) fn alt_names(&self) -> Result<Vec<GeneralName<'a>>, ExtensionError> {
        let names = self.read_extension(extension::SUBJECT_ALT_NAME, GeneralName::all)?;
        Ok(names.unwrap_or_default())
    }

    /// What its key may be used for, by the bits of [`usage`]. `None` if it does not say.
    pub(crate) fn key_usage(&self) -> Result<Option<u16>, ExtensionError> {
        self.read_extension(extension::KEY_USAGE, usage::key_usage)
    }

    /// The contents of the identifiers of what it may be used for. `None` if it does not say.
    pub(crate) fn extended_key_usage(&self) -> Result<Option<Vec<&'a [u8]>>, ExtensionError> {
        self.read_extension(extension::EXTENDED_KEY_USAGE, usage::extended_key_usage)
    }

    /// Whether it is a CA's (RFC 5280 sections 4.2.1.3 and 4.2.1.9). Before version 3 no certificate can say so; then
    /// one that is self-signed is taken for a CA's, as OpenSSL does.
    pub(crate) fn may_issue(&self) -> bool {
        if self.version < 3 {
            return self.issuer == self.subject;
        }
        let is_ca = self.read_extension(extension::BASIC_CONSTRAINTS, |value| {
            extension::boolean(Der::only(value, SEQUENCE)?.take_optional(BOOLEAN).unwrap_or(&[0]))
        });
        let signs = self.key_usage().map(|usage| usage.is_none_or(|usage| usage & usage::KEY_CERT_SIGN != 0));
        is_ca == Ok(Some(true)) && signs == Ok(true)
    }
}

impl<'a> PublicKey<'a> {
    /// Of the contents of a `SubjectPublicKeyInfo`.
    pub(crate) fn read(key_info: &'a [u8]) -> Option<Self> {
        let mut rest = Der::new(key_info);
        Self::parts(&mut rest).filter(|_| rest.is_empty())
    }

    fn parts(key_info: &mut Der<'a>) -> Option<Self> {
        Some(Self { algorithm: key_info.take(SEQUENCE)?, key: key_info.bits()? })
    }
}

/// A value that has the tag of a time: the time, if it is one.
fn time(times: &mut Der<'_>) -> Option<Option<Time>> {
    let value = times.value().filter(|value| matches!(value.tag, UTC_TIME | GENERALIZED_TIME))?;
    Some(Time::read(&mut Der::new(value.der)))
}
