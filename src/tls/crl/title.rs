//! How messages to the operator name a CRL: by issuer, number and date.

use std::fmt::{self, Write as _};

use rustls::pki_types::UnixTime;

use super::extension::{CRL_NUMBER, Extension};
use crate::x509::der::{Der, INTEGER, OBJECT_IDENTIFIER, SEQUENCE};
use crate::x509::validity;

const SET: u8 = 0x31;
const EXTENSIONS: u8 = 0xA0;
const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

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
        self.this_update = Some(validity::time(&mut tbs)?);
        validity::time(&mut tbs);
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
    let mut parts = Vec::new();
    let mut rdns = Der::new(contents);
    while let Some(rdn) = rdns.take(SET) {
        let mut attributes = Der::new(rdn);
        let mut part = Vec::new();
        while let Some(attribute) = attributes.take(SEQUENCE) {
            part.push(attribute_text(attribute).unwrap_or_else(|| "?".to_owned()));
        }
        parts.push(part.join("+"));
    }
    parts.reverse();
    let mut text = parts.join(",");
    if text.len() > MAX_NAME {
        let end = (0..=MAX_NAME).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

fn attribute_text(attribute: &[u8]) -> Option<String> {
    let mut attribute = Der::new(attribute);
    let oid = attribute.take(OBJECT_IDENTIFIER)?;
    let (tag, value) = attribute.any()?;
    let mut text = match oid {
        [0x55, 0x04, 3] => "CN".to_owned(),
        [0x55, 0x04, 5] => "serialNumber".to_owned(),
        [0x55, 0x04, 6] => "C".to_owned(),
        [0x55, 0x04, 7] => "L".to_owned(),
        [0x55, 0x04, 8] => "ST".to_owned(),
        [0x55, 0x04, 10] => "O".to_owned(),
        [0x55, 0x04, 11] => "OU".to_owned(),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 25] => "DC".to_owned(),
        other => Oid(other).to_string(),
    };
    text.push('=');
    let known = matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING);
    match std::str::from_utf8(value) {
        Ok(value) if known => value.chars().for_each(|char| write_escaped(char, &mut text)),
        _ => {
            text.push('#');
            for byte in value.iter().take(MAX_NAME) {
                let _ = write!(text, "{byte:02X}");
            }
        }
    }
    Some(text)
}

fn write_escaped(char: char, text: &mut String) {
    match char {
        ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#' => text.extend(['\\', char]),
        // Escapes characters that change the direction of the text, that are invisible, or that begin a line.
        '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{61C}'
        | '\u{FEFF}' => {
            text.extend(char.escape_unicode());
        }
        char if char.is_control() => text.extend(char.escape_unicode()),
        char => text.push(char),
    }
}

/// Displays an object identifier in dotted decimals, or in hexadecimal if it is malformed.
pub(super) struct Oid<'a>(pub(super) &'a [u8]);

impl fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut arc = Some(0_u64);
        for byte in self.0.iter().take(MAX_NAME) {
            arc = arc.and_then(|arc| arc.checked_mul(0x80)).map(|arc| arc | u64::from(byte & 0x7F));
            if byte & 0x80 != 0 {
                continue;
            }
            let Some(whole) = arc.replace(0) else { break };
            if text.is_empty() {
                let first = (whole / 40).min(2);
                write!(text, "{first}.{}", whole - first * 40)?;
            } else {
                write!(text, ".{whole}")?;
            }
        }
        let whole = self.0.last().is_some_and(|byte| byte & 0x80 == 0) && self.0.len() <= MAX_NAME;
        if whole && arc == Some(0) && !text.is_empty() {
            return f.write_str(&text);
        }
        f.write_char('x')?;
        self.0.iter().take(MAX_NAME).try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Displays a time as `date -u +'%F %T UTC'` does.
pub(super) struct Utc(pub(super) UnixTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.as_secs() / 86_400, self.0.as_secs() % 86_400);
        // In years that begin in March the leap day comes last, and all eras of 400 years are alike.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
        let year = era * 400 + year;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}
