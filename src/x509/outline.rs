//! What a certificate says of itself that decides where it belongs: its version, its names, whether it may issue.

use super::der::{
    BIT_STRING, BOOLEAN, Der, EXTENSIONS, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, VERSION,
};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline<'a> {
    /// As people count: 1 to 3.
    pub(crate) version: u8,
    /// The contents of the names.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    basic_constraints: Option<&'a [u8]>,
    key_usage: Option<&'a [u8]>,
}

impl<'a> Outline<'a> {
    /// `None` if this is not a certificate.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1D, 0x13];
        const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
        let mut certificate = Der::new(Der::new(der).take(SEQUENCE)?);
        let mut tbs = Der::new(certificate.take(SEQUENCE)?);
        let version = match tbs.take_optional(VERSION) {
            Some(version) => Der::new(version).take(INTEGER)?.first()?.saturating_add(1),
            None => 1,
        };
        tbs.take(INTEGER)?; // serialNumber
        tbs.take(SEQUENCE)?; // signature
        let issuer = tbs.take(SEQUENCE)?;
        tbs.take(SEQUENCE)?; // validity
        let subject = tbs.take(SEQUENCE)?;
        tbs.take(SEQUENCE)?; // subjectPublicKeyInfo
        let mut outline = Self { version, issuer, subject, basic_constraints: None, key_usage: None };
        while let Some(tag) = tbs.tag() {
            let value = tbs.take(tag)?;
            if tag != EXTENSIONS {
                continue;
            }
            let mut extensions = Der::new(Der::new(value).take(SEQUENCE)?);
            while extensions.tag().is_some() {
                let mut extension = Der::new(extensions.take(SEQUENCE)?);
                let oid = extension.take(OBJECT_IDENTIFIER)?;
                extension.take_optional(BOOLEAN); // critical
                let value = extension.take(OCTET_STRING)?;
                match oid {
                    BASIC_CONSTRAINTS => outline.basic_constraints = Some(value),
                    KEY_USAGE => outline.key_usage = Some(value),
                    _ => {}
                }
            }
        }
        Some(outline)
    }

    /// Whether it is a CA's (RFC 5280 sections 4.2.1.3 and 4.2.1.9). Before version 3 no certificate can say so; then
    /// one that is self-signed is taken for a CA's, as OpenSSL does.
    pub(crate) fn may_issue(&self) -> bool {
        if self.version < 3 {
            return self.issuer == self.subject;
        }
        const KEY_CERT_SIGN: u8 = 0x04; // in the first byte after the count of unused bits
        let is_ca = self.basic_constraints.is_some_and(|value| {
            let constraints = Der::new(value).take(SEQUENCE);
            constraints.is_some_and(|contents| {
                Der::new(contents).take(BOOLEAN).is_some_and(|ca| ca.iter().any(|byte| *byte != 0))
            })
        });
        let signs = self.key_usage.is_none_or(|value| {
            matches!(Der::new(value).take(BIT_STRING), Some([_, usage, ..]) if usage & KEY_CERT_SIGN != 0)
        });
        is_ca && signs
    }
}
