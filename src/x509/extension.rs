//! The extensions of certificates, of CRLs and of CRL entries (RFC 5280 sections 4.2, 5.2 and 5.3).

use super::der::{BOOLEAN, Der, OCTET_STRING, SEQUENCE};

pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 14];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1D, 15];
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 17];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 19];
pub(crate) const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 20];
pub(crate) const REASON_CODE: &[u8] = &[0x55, 0x1D, 21];
pub(crate) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1D, 27];
pub(crate) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 28];
pub(crate) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 29];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 30];
pub(crate) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1D, 31];
pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 35];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 37];

/// An extension: `SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    /// The contents of the identifier.
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(crate) fn read(extensions: &mut Der<'a>) -> Option<Self> {
        let mut extension = Der::new(extensions.take(SEQUENCE)?);
        let oid = extension.oid()?;
        let critical = boolean(extension.take_optional(BOOLEAN).unwrap_or(&[0]))?;
        let value = extension.take(OCTET_STRING)?;
        extension.end()?;
        Some(Self { oid, critical, value })
    }
}

/// Reads the contents of a boolean. Every byte but zero is true, as in BER and OpenSSL. DER allows 0xFF only, but a
/// reader that took another byte for false would ignore critical extensions.
pub(crate) fn boolean(contents: &[u8]) -> Option<bool> {
    match contents {
        [byte] => Some(*byte != 0),
        _ => None,
    }
}

/// The extensions of a certificate. Each of them is well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Reads the contents of the sequence of extensions.
    pub(super) fn read(contents: &'a [u8]) -> Option<Self> {
        let mut rest = Der::new(contents);
        while !rest.is_empty() {
            Extension::read(&mut rest)?;
        }
        Some(Self(contents))
    }

    /// Returns the value of the only extension with this identifier. `None` if there is no such extension.
    pub(super) fn get(self, oid: &[u8]) -> Result<Option<&'a [u8]>, ExtensionError> {
        let mut rest = Der::new(self.0);
        let mut found =
            std::iter::from_fn(|| Extension::read(&mut rest)).filter(|extension| extension.oid == oid);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(ExtensionError::Repeated),
            (first, _) => Ok(first.map(|extension| extension.value)),
        }
    }
}

/// The reason why an extension can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The value is not the DER that RFC 5280 has for this extension.
    #[error("the extension is malformed")]
    Malformed,
    /// The extension occurs more than once, which RFC 5280 section 4.2 forbids.
    #[error("the extension occurs more than once")]
    Repeated,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(contents: &[u8]) -> Option<Extension<'_>> {
        let mut rest = Der::new(contents);
        Extension::read(&mut rest)
    }

    #[test]
    fn an_extension_is_an_identifier_a_flag_and_a_value() {
        let plain = [0x30, 7, 6, 3, 0x55, 0x1D, 17, 4, 0];
        let expected = Extension { oid: SUBJECT_ALT_NAME, critical: false, value: &[] };
        assert_eq!(read(&plain), Some(expected));
        for (flag, critical) in [(0, false), (1, true), (0xFF, true)] {
            let flagged = [0x30, 10, 6, 3, 0x55, 0x1D, 17, 1, 1, flag, 4, 0];
            assert_eq!(read(&flagged).map(|extension| extension.critical), Some(critical), "{flag}");
        }
        for wrong in [
            &[0x30, 9, 6, 3, 0x55, 0x1D, 17, 1, 0, 4, 0][..],
            &[0x30, 9, 6, 3, 0x55, 0x1D, 17, 4, 0, 5, 0],
            &[0x30, 5, 6, 3, 0x55, 0x1D, 17],
            &[0x30, 8, 6, 4, 0x55, 0x1D, 0x80, 17, 4, 0],
            &[0x31, 7, 6, 3, 0x55, 0x1D, 17, 4, 0],
        ] {
            assert_eq!(read(wrong), None, "{wrong:x?}");
        }
    }

    #[test]
    fn of_two_extensions_with_one_identifier_neither_counts() {
        let one = [0x30, 7, 6, 3, 0x55, 0x1D, 17, 4, 0];
        let other = [0x30, 8, 6, 3, 0x55, 0x1D, 15, 4, 1, 7];
        let both = [&one[..], &other].concat();
        let extensions = Extensions::read(&both).unwrap();
        assert_eq!(extensions.get(SUBJECT_ALT_NAME), Ok(Some(&[][..])));
        assert_eq!(extensions.get(KEY_USAGE), Ok(Some(&[7][..])));
        assert_eq!(extensions.get(NAME_CONSTRAINTS), Ok(None));
        let twice = [&both[..], &one].concat();
        let extensions = Extensions::read(&twice).unwrap();
        assert_eq!(extensions.get(SUBJECT_ALT_NAME), Err(ExtensionError::Repeated));
        assert_eq!(extensions.get(KEY_USAGE), Ok(Some(&[7][..])));
        assert_eq!(Extensions::read(&twice[..twice.len() - 1]), None);
    }
}
