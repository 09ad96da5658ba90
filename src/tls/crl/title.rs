//! How messages to the operator name a CRL: by issuer, number and date.

use std::fmt;

use rustls::pki_types::UnixTime;

use crate::telemetry::printable;
use crate::x509::der::{Der, INTEGER, SEQUENCE};
use crate::x509::extension::{CRL_NUMBER, Extension};
use crate::x509::{Name, Time};

const EXTENSIONS: u8 = 0xA0;

/// The longest name that is written to a log.
const MAX_NAME: usize = 256;

/// Displays as `CRL of CN=client CA, number 7, of 2026-11-25 04:05:06 UTC`, as far as the CRL can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Title {
    issuer: Option<String>,
    number: Option<String>,
    this_update: Option<UnixTime>,
}

impl Title {
    pub(super) fn of(der: &[u8]) -> Self {
        let mut title = Self::default();
        title.read(der);
        title
    }

    fn read(&mut self, der: &[u8]) -> Option<()> {
        let mut tbs = Der::new(Der::new(Der::new(der).take(SEQUENCE)?).take(SEQUENCE)?);
        tbs.take_optional(INTEGER);
        tbs.take(SEQUENCE)?; // signature
        self.issuer = Some(name(tbs.take(SEQUENCE)?));
        self.this_update = Some(Time::read(&mut tbs)?.to_unix());
        Time::read(&mut tbs);
        tbs.take_optional(SEQUENCE); // revokedCertificates
        let mut extensions = Der::new(Der::new(tbs.take(EXTENSIONS)?).take(SEQUENCE)?);
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions)?;
            if extension.oid == CRL_NUMBER {
                self.number = Some(number(Der::new(extension.value).take(INTEGER)?));
            }
        }
        Some(())
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.issuer {
            None => return f.write_str("CRL of an issuer that can't be read"),
            Some(issuer) if issuer.is_empty() => f.write_str("CRL of an issuer without a name")?,
            Some(issuer) => write!(f, "CRL of {issuer}")?,
        }
        match &self.number {
            Some(number) => write!(f, ", number {number}")?,
            None => f.write_str(", without a number")?,
        }
        match self.this_update {
            Some(time) => write!(f, ", of {}", Utc(time)),
            None => f.write_str(", of a date that can't be read"),
        }
    }
}

/// Formats a non-negative number of up to 20 bytes: in decimal as OpenSSL's tools do, or in hexadecimal if it is too
/// large.
fn number(bytes: &[u8]) -> String {
    let value = bytes.iter().try_fold(0_u128, |value, byte| {
        value.checked_mul(256).and_then(|value| value.checked_add(u128::from(*byte)))
    });
    match value {
        Some(value) => value.to_string(),
        None => bytes.iter().take(MAX_NAME).fold("0x".to_owned(), |text, byte| text + &format!("{byte:02X}")),
    }
}

/// Formats a distinguished name, given its contents, with the last part first as in RFC 4514.
///
/// The text is for a log: everything is escaped in it that could pass for something else.
pub(super) fn name(contents: &[u8]) -> String {
    let Some(name) = Name::read(contents) else { return "?".to_owned() };
    printable(name.rfc4514())
}

/// Displays a time as `date -u +'%F %T UTC'` does.
pub(super) struct Utc(pub(super) UnixTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Time::from(self.0).to_string().replace('T', " ").replace('Z', " UTC"))
    }
}
