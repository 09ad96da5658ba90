//! Extensions of CRLs, of their entries and of certificates (RFC 5280 sections 4.2, 5.2 and 5.3), by object identifier.

use crate::x509::der::{BOOLEAN, Der, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, VERSION};

pub(super) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 14];
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1D, 15];
pub(super) const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 20];
pub(super) const REASON_CODE: &[u8] = &[0x55, 0x1D, 21];
pub(super) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1D, 27];
pub(super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 28];
pub(super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 29];
pub(super) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1D, 31];
pub(super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 35];

const CERTIFICATE_EXTENSIONS: u8 = 0xA3;
pub(super) const DIRECTORY_NAME: u8 = 0xA4;

/// `SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }`
pub(super) struct Extension<'a> {
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(super) fn read(extensions: &mut Der<'a>) -> Option<Self> {
        let mut extension = Der::new(extensions.take(SEQUENCE)?);
        let oid = extension.take(OBJECT_IDENTIFIER)?;
        let critical = boolean(extension.take_optional(BOOLEAN).unwrap_or(&[0]))?;
        let value = extension.take(OCTET_STRING)?;
        extension.end()?;
        Some(Self { oid, critical, value })
    }
}

/// Reads the contents of a `BOOLEAN`.
pub(super) fn boolean(contents: &[u8]) -> Option<bool> {
    match contents {
        [byte] => Some(*byte != 0),
        _ => None,
    }
}

/// Returns the contents of the first name in a `GeneralNames`, if that is a directory name.
pub(super) fn directory_name(names: &[u8]) -> Option<&[u8]> {
    let mut names = Der::new(Der::new(names).take(SEQUENCE)?);
    Der::new(names.take(DIRECTORY_NAME)?).take(SEQUENCE)
}

/// Returns the object identifier in the contents of an `AlgorithmIdentifier`.
pub(super) fn algorithm_oid(algorithm: &[u8]) -> &[u8] {
    Der::new(algorithm).take(OBJECT_IDENTIFIER).unwrap_or_default()
}

/// The fields of a certificate that matter for CRLs.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) serial: &'a [u8],
    /// The contents of the issuer's name.
    pub(super) issuer: &'a [u8],
    /// The contents of the certificate's `SubjectPublicKeyInfo`.
    pub(super) key_info: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Der::new(Der::new(der).take(SEQUENCE)?);
        let mut tbs = Der::new(certificate.take(SEQUENCE)?);
        tbs.take_optional(VERSION);
        let serial = tbs.take(INTEGER)?;
        tbs.take(SEQUENCE)?; // signature
        let issuer = tbs.take(SEQUENCE)?;
        tbs.take(SEQUENCE)?; // validity
        tbs.take(SEQUENCE)?; // subject
        let key_info = tbs.take(SEQUENCE)?;
        let mut extensions = &[][..];
        while !tbs.is_empty() {
            match tbs.any()? {
                (CERTIFICATE_EXTENSIONS, outer) => extensions = Der::new(outer).take(SEQUENCE)?,
                _unique_identifier => {}
            }
        }
        Some(Self { serial, issuer, key_info, extensions })
    }

    /// Returns the value of an extension. `None` if the certificate does not have it, `Some(None)` if it can't be read.
    pub(super) fn extension(&self, oid: &[u8]) -> Option<Option<&'a [u8]>> {
        let mut extensions = Der::new(self.extensions);
        while !extensions.is_empty() {
            match Extension::read(&mut extensions) {
                Some(extension) if extension.oid == oid => return Some(Some(extension.value)),
                Some(_) => {}
                None => return Some(None),
            }
        }
        None
    }
}
