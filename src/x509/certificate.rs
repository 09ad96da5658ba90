//! The outline of a certificate (RFC 5280 section 4.1).

use super::der::{BOOLEAN, Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, Value, bit_string};
use super::extension::{self, ExtensionError, Extensions};
use super::general_name::GeneralName;
use super::serial::Serial;
use super::time::Time;
use super::usage;

const VERSION: u8 = 0xA0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xA3;

/// The parts of a certificate. Each part is in its place, and there is nothing else.
///
/// The contents of names and extensions are read only when they are asked for: Go and OpenSSL agree on the outline of a
/// certificate, and much less on names. So a certificate with a malformed name or time has an outline too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// The version as people count it: 1 to 3.
    pub(crate) version: u8,
    pub(crate) serial: Serial<'a>,
    /// The contents of the issuer's name, for [`Name::read`](super::Name::read).
    pub(crate) issuer: &'a [u8],
    /// The first and the last second at which the certificate is valid. `None` if one of them is not a time.
    pub(crate) validity: Option<[Time; 2]>,
    /// The contents of the subject's name.
    pub(crate) subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`, tag and length included.
    pub(crate) key_info: &'a [u8],
    pub(crate) key: PublicKey<'a>,
    extensions: Extensions<'a>,
}

/// A public key and its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// The contents of the `AlgorithmIdentifier`, by which rustls's algorithms name the keys that they take.
    pub(crate) algorithm: &'a [u8],
    /// The bits of the `subjectPublicKey`.
    pub(crate) key: &'a [u8],
}

/// The reason why some bytes do not have the outline of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotACertificate,
    /// There are bytes after the certificate, or after the last part of a sequence in it.
    TrailingBytes,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER, with nothing after it. Versions 1 and 2 may have extensions: RFC 5280 allows them in
    /// version 3 only, OpenSSL reads them, and Go passes over them.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, Unreadable> {
        let mut nothing_left = true;
        let certificate = Self::parts(der, &mut nothing_left).ok_or(Unreadable::NotACertificate)?;
        if nothing_left { Ok(certificate) } else { Err(Unreadable::TrailingBytes) }
    }

    /// Reads a certificate that may be presented in a handshake. Like Go and unlike OpenSSL, it refuses a negative
    /// serial number.
    pub(crate) fn presented(der: &'a [u8]) -> Option<Self> {
        Self::read(der).ok().filter(|certificate| !certificate.serial.is_negative())
    }

    fn parts(der: &'a [u8], nothing_left: &mut bool) -> Option<Self> {
        let mut end = |der: &Der<'_>| *nothing_left &= der.is_empty();
        let mut file = Der::new(der);
        let mut certificate = Der::new(file.take(SEQUENCE)?);
        end(&file);
        let mut tbs = Der::new(certificate.take(SEQUENCE)?);
        algorithm(&mut certificate)?; // signatureAlgorithm
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
        algorithm(&mut tbs)?; // signature
        let issuer = tbs.take(SEQUENCE)?;
        let mut times = Der::new(tbs.take(SEQUENCE)?);
        let [from, to] = [time(&mut times)?, time(&mut times)?];
        end(&times);
        let subject = tbs.take(SEQUENCE)?;
        let key_info = tbs.whole(SEQUENCE)?;
        let mut key_parts = Der::new(key_info.contents);
        let key = PublicKey::parts(&mut key_parts)?;
        end(&key_parts);

        for unique_id in [ISSUER_UNIQUE_ID, SUBJECT_UNIQUE_ID] {
            if let Some(contents) = tbs.take_optional(unique_id) {
                bit_string(contents)?;
            }
        }
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

    /// Returns the value of an extension, unread. `None` if the extension is absent.
    pub(crate) fn extension(&self, oid: &[u8]) -> Result<Option<&'a [u8]>, ExtensionError> {
        self.extensions.get(oid)
    }

    /// Reads the value of an extension with a function that reads it to its end. `None` if the extension is absent.
    fn read_extension<T>(
        &self,
        oid: &[u8],
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, ExtensionError> {
        let value = self.extension(oid)?;
        value.map(|value| read(value).ok_or(ExtensionError::Malformed)).transpose()
    }

    /// Returns the subject alternative names, in order. The list is empty if the extension is absent.
    pub(crate) fn alt_names(&self) -> Result<Vec<GeneralName<'a>>, ExtensionError> {
        let names = self.read_extension(extension::SUBJECT_ALT_NAME, GeneralName::all)?;
        Ok(names.unwrap_or_default())
    }

    /// Returns the uses that the certificate allows for its key, as bits of [`usage`]. `None` if the extension is
    /// absent.
    pub(crate) fn key_usage(&self) -> Result<Option<u16>, ExtensionError> {
        self.read_extension(extension::KEY_USAGE, usage::key_usage)
    }

    /// Returns the purposes of the certificate, as the contents of their identifiers. `None` if the extension is
    /// absent.
    pub(crate) fn extended_key_usage(&self) -> Result<Option<Vec<&'a [u8]>>, ExtensionError> {
        self.read_extension(extension::EXTENDED_KEY_USAGE, usage::extended_key_usage)
    }

    /// Returns whether this is a CA's certificate (RFC 5280 sections 4.2.1.3 and 4.2.1.9). Before version 3 no
    /// certificate can say so. Of those, a certificate that names its subject as its issuer is taken for a CA's, as in
    /// OpenSSL.
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
    /// Reads a key from the contents of a `SubjectPublicKeyInfo`.
    pub(crate) fn read(key_info: &'a [u8]) -> Option<Self> {
        let mut rest = Der::new(key_info);
        Self::parts(&mut rest).filter(|_| rest.is_empty())
    }

    fn parts(key_info: &mut Der<'a>) -> Option<Self> {
        Some(Self { algorithm: algorithm(key_info)?, key: key_info.bits()? })
    }
}

/// Returns the contents of an `AlgorithmIdentifier`: an object identifier, and at most one value of any kind as its
/// parameters.
fn algorithm<'a>(der: &mut Der<'a>) -> Option<&'a [u8]> {
    let contents = der.take(SEQUENCE)?;
    let mut parts = Der::new(contents);
    parts.oid()?;
    if !parts.is_empty() {
        parts.value()?;
    }
    parts.end()?;
    Some(contents)
}

/// Takes a value with the tag of a time. The inner `None` stands for a value that is not a time.
fn time(times: &mut Der<'_>) -> Option<Option<Time>> {
    let value = times.value().filter(|value| matches!(value.tag, UTC_TIME | GENERALIZED_TIME))?;
    Some(Time::read(&mut Der::new(value.der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
        let length = if contents.len() < 0x80 { vec![low] } else { vec![0x82, high, low] };
        let length = if (0x80..0x100).contains(&contents.len()) { vec![0x81, low] } else { length };
        [&[tag][..], &length, contents].concat()
    }

    fn algorithm() -> Vec<u8> {
        der(0x30, &[6, 3, 0x2B, 0x65, 0x70])
    }

    /// The parts of the `TBSCertificate`, in order.
    fn parts() -> Vec<Vec<u8>> {
        let time = der(UTC_TIME, b"240101000000Z");
        vec![
            der(VERSION, &[2, 1, 2]),
            der(INTEGER, &[7]),
            algorithm(),
            der(0x30, &[0x31, 0]),
            der(0x30, &[time.clone(), time].concat()),
            der(0x30, &[]),
            der(0x30, &[algorithm(), vec![3, 2, 0, 9]].concat()),
            der(ISSUER_UNIQUE_ID, &[0, 1]),
            der(SUBJECT_UNIQUE_ID, &[4, 0x10]),
            der(EXTENSIONS, &der(0x30, &extension(extension::KEY_USAGE, &[3, 2, 2, 4]))),
        ]
    }

    fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
        der(0x30, &[der(6, oid), der(4, value)].concat())
    }

    fn certificate(parts: &[Vec<u8>]) -> Vec<u8> {
        der(0x30, &[der(0x30, &parts.concat()), algorithm(), vec![3, 2, 0, 1]].concat())
    }

    /// Builds a certificate with `this` in the place of one of the parts, or with all its parts unchanged.
    fn with(at: usize, part: &[u8]) -> Vec<u8> {
        let mut parts = parts();
        parts.resize(parts.len().max(at + 1), vec![]);
        parts[at] = part.to_vec();
        certificate(&parts)
    }

    #[test]
    fn every_part_is_where_it_belongs() {
        let whole = certificate(&parts());
        let read = Certificate::read(&whole).unwrap();
        assert_eq!(
            (read.version, read.serial, read.issuer, read.subject),
            (3, Serial(&[7]), &[0x31, 0][..], &[][..])
        );
        assert_eq!(read.validity.map(|times| times.map(Time::since_1970)), Some([1_704_067_200; 2]));
        assert_eq!(read.key_info, parts()[6]);
        assert_eq!(read.key, PublicKey { algorithm: &algorithm()[2..], key: &[9] });
        assert_eq!(PublicKey::read(&read.key_info[2..]), Some(read.key.clone()));
        assert_eq!(read.key_usage(), Ok(Some(usage::KEY_CERT_SIGN)));
        assert_eq!(read.extended_key_usage(), Ok(None));
        for (part, version) in [(&[][..], 1), (&[VERSION, 3, 2, 1, 0], 1), (&[VERSION, 3, 2, 1, 1], 2)] {
            assert_eq!(Certificate::read(&with(0, part)).map(|read| read.version), Ok(version));
        }
        for optional in [7, 8, 9] {
            assert!(Certificate::read(&with(optional, &[])).is_ok(), "{optional}");
        }
    }

    #[test]
    fn a_part_that_is_missing_twice_there_or_something_else_is_refused() {
        for at in 1..7 {
            assert_eq!(Certificate::read(&with(at, &[])), Err(Unreadable::NotACertificate), "{at}");
            assert!(Certificate::read(&with(at, &parts()[at].repeat(2))).is_err(), "{at}");
        }
        let time = [UTC_TIME, 0];
        for (at, wrong) in [
            (0, &[VERSION, 3, 2, 1, 3][..]),
            (0, &[VERSION, 4, 2, 2, 0, 2]),
            (0, &[VERSION, 5, 2, 1, 2, 5, 0]),
            (0, &[VERSION, 3, 4, 1, 2]),
            (1, &[INTEGER, 2, 0, 7]),
            (2, &[0x30, 0]),
            (2, &[0x30, 5, 6, 1, 0x2A, 5]),
            (4, &[0x30, 4, UTC_TIME, 0, 4, 0]),
            (6, &[0x30, 8, 0x30, 3, 6, 1, 0x2A, 3, 1, 7]),
            (7, &[ISSUER_UNIQUE_ID, 0]),
            (8, &[SUBJECT_UNIQUE_ID, 2, 8, 0]),
            (9, &[EXTENSIONS, 2, 0x31, 0]),
            (9, &[EXTENSIONS, 4, 0x30, 2, 0x30, 0]),
        ] {
            assert_eq!(
                Certificate::read(&with(at, wrong)),
                Err(Unreadable::NotACertificate),
                "{at} {wrong:x?}"
            );
        }
        // A malformed time still takes the place of a time.
        let odd = with(4, &der(0x30, &[time, time].concat()));
        assert_eq!(Certificate::read(&odd).map(|read| read.validity), Ok(None));
    }

    #[test]
    fn nothing_is_left_anywhere() {
        let trailing =
            |der: &[u8]| assert_eq!(Certificate::read(der), Err(Unreadable::TrailingBytes), "{der:x?}");
        let whole = certificate(&parts());
        trailing(&[&whole[..], &[0]].concat());
        let inner = [der(0x30, &parts().concat()), algorithm(), vec![3, 2, 0, 1, 5, 0]].concat();
        trailing(&der(0x30, &inner));
        trailing(&with(10, &[5, 0]));
        trailing(&with(10, &parts()[9]));
        let into = |at: usize| der(parts()[at][0], &[&parts()[at][2..], &[5, 0]].concat());
        for at in [4, 6, 9] {
            trailing(&with(at, &into(at)));
        }
        assert_eq!(PublicKey::read(&into(6)[2..]), None);
        assert_eq!(
            Certificate::read(&with(2, &[0x30, 7, 6, 1, 0x2A, 5, 0, 5, 0])),
            Err(Unreadable::NotACertificate)
        );
        let bits_missing = [der(0x30, &parts().concat()), algorithm(), vec![3, 2, 1, 0]].concat();
        assert_eq!(Certificate::read(&der(0x30, &bits_missing)), Err(Unreadable::NotACertificate));
    }

    #[test]
    fn a_negative_serial_number_is_read_and_not_presented() {
        let negative = with(1, &[INTEGER, 1, 0x80]);
        assert!(Certificate::read(&negative).is_ok());
        assert_eq!(Certificate::presented(&negative), None);
        assert!(Certificate::presented(&certificate(&parts())).is_some());
    }

    #[test]
    fn a_ca_says_so_and_may_sign_certificates() {
        let issues = |version: &[u8], extensions: &[Vec<u8>]| {
            let mut parts = parts();
            parts[0] = version.to_vec();
            parts[9] = der(EXTENSIONS, &der(0x30, &extensions.concat()));
            Certificate::read(&certificate(&parts)).unwrap().may_issue()
        };
        let ca = |value: &[u8]| extension(extension::BASIC_CONSTRAINTS, value);
        let usage = |bits: u8| extension(extension::KEY_USAGE, &[3, 2, 0, bits]);
        let yes = [0x30, 3, 1, 1, 0xFF];
        let v3 = &parts()[0];
        assert!(issues(v3, &[ca(&yes)]));
        assert!(issues(v3, &[ca(&yes), usage(0x04)]));
        assert!(issues(v3, &[ca(&[0x30, 6, 1, 1, 0xFF, 2, 1, 0])]));
        for wrong in [
            &[][..],
            &[usage(0x04)],
            &[ca(&[0x30, 0])],
            &[ca(&[0x30, 3, 1, 1, 0])],
            &[ca(&[0x30, 3, 1, 1])],
            &[ca(&yes), usage(0x80)],
            &[ca(&yes), ca(&yes)],
            &[ca(&yes), usage(0x04), usage(0x04)],
        ] {
            assert!(!issues(v3, wrong), "{wrong:x?}");
        }
        // The names differ here. In version 1 they would have to be the same.
        assert!(!issues(&[], &[ca(&yes)]));
        assert!(
            Certificate::read(&{
                let mut parts = parts();
                parts[0].clear();
                parts[5] = parts[3].clone();
                certificate(&parts)
            })
            .unwrap()
            .may_issue()
        );
    }
}
