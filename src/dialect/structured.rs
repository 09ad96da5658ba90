//! Structured fields (RFC 8941), as far as RFC 9440 uses them: byte sequences, alone or in a list, with parameters
//! that are checked and then ignored, as section 2 advises.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls_pki_types::CertificateDer;

use super::DecodeError;
use super::decode::{DecodeErrorKind, Field};
use super::encoding::certificate;

/// Padding and pad bits are not checked: section 4.2.7 says that a parser should not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One byte sequence (section 4.2.3).
pub(super) fn item(field: &Field<'_>) -> Result<CertificateDer<'static>, DecodeError> {
    let mut input = Input { field, at: 0 };
    input.skip(b" ");
    let der = input.byte_sequence_with_parameters()?;
    input.skip(b" ");
    match input.peek() {
        None => Ok(der),
        Some(b',') => Err(input.error("a list, where only one item may be")),
        Some(_) => Err(input.error("something follows the item")),
    }
}

/// Whether this, as the whole of a list, has no members (section 4.2.1). A line among others can't be that: it would be a
/// `,` too many.
pub(super) fn is_empty_list(field: &Field<'_>) -> bool {
    field.value.iter().all(|byte| *byte == b' ')
}

/// A list of byte sequences (section 4.2.1), or one of its lines. There is at least one member.
pub(super) fn list(
    field: &Field<'_>,
    certificates: &mut Vec<CertificateDer<'static>>,
) -> Result<(), DecodeError> {
    let mut input = Input { field, at: 0 };
    input.skip(b" ");
    loop {
        field.check_count(certificates.len(), input.at)?;
        certificates.push(input.byte_sequence_with_parameters()?);
        input.skip(b" \t");
        if input.peek().is_none() {
            return Ok(());
        }
        if !input.take(b',') {
            return Err(input.error("no `,` between two members"));
        }
        input.skip(b" \t");
        if input.peek().is_none() {
            return Err(input.error("a `,` at the end"));
        }
    }
}

struct Input<'a> {
    field: &'a Field<'a>,
    at: usize,
}

impl<'a> Input<'a> {
    fn error(&self, what: &'static str) -> DecodeError {
        self.field.error(self.at, DecodeErrorKind::StructuredField(what))
    }

    fn peek(&self) -> Option<u8> {
        self.field.value.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.take_while(|byte| bytes.contains(&byte));
    }

    fn take_while(&mut self, matches: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.field.value.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !matches(*byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn byte_sequence_with_parameters(&mut self) -> Result<CertificateDer<'static>, DecodeError> {
        let start = self.at;
        let base64 = self.byte_sequence()?;
        if base64.is_empty() {
            return Err(self.field.error(start, DecodeErrorKind::Empty));
        }
        let der = LENIENT.decode(base64).map_err(|error| self.field.base64_error(start + 1, error))?;
        let certificate = certificate(self.field, start, der)?;
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare_item()?;
            }
        }
        Ok(certificate)
    }

    fn byte_sequence(&mut self) -> Result<&'a [u8], DecodeError> {
        if !self.take(b':') {
            return Err(self.error("no `:` in front of the base64"));
        }
        let base64 = self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        if !self.take(b':') {
            return Err(self.error("the base64 does not end in `:`"));
        }
        Ok(base64)
    }

    /// Section 4.2.3.3.
    fn key(&mut self) -> Result<(), DecodeError> {
        if !matches!(self.peek(), Some(b'a'..=b'z' | b'*')) {
            return Err(self.error("a parameter without a name"));
        }
        self.take_while(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
        Ok(())
    }

    /// Section 4.2.3.1, the value thrown away.
    fn bare_item(&mut self) -> Result<(), DecodeError> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'"') => self.string(),
            Some(b'*' | b'a'..=b'z' | b'A'..=b'Z') => {
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Ok(())
            }
            Some(b':') => {
                let start = self.at;
                let base64 = self.byte_sequence()?;
                LENIENT.decode(base64).map_err(|error| self.field.base64_error(start + 1, error)).map(drop)
            }
            Some(b'?') => {
                self.at += 1;
                if self.take(b'0') || self.take(b'1') {
                    Ok(())
                } else {
                    Err(self.error("`?` without 0 or 1"))
                }
            }
            _ => Err(self.error("a parameter without a value")),
        }
    }

    /// Section 4.2.4: at most 15 digits, or 12 and 3 with a point between.
    fn number(&mut self) -> Result<(), DecodeError> {
        self.take(b'-');
        let whole = self.take_while(|byte| byte.is_ascii_digit()).len();
        if !(1..=15).contains(&whole) {
            return Err(self.error("not an integer of 1 to 15 digits"));
        }
        if self.take(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit()).len();
            if whole > 12 || !(1..=3).contains(&fraction) {
                return Err(self.error("not a decimal of 12 and 3 digits at most"));
            }
        }
        Ok(())
    }

    /// Section 4.2.5.
    fn string(&mut self) -> Result<(), DecodeError> {
        self.take(b'"');
        loop {
            self.take_while(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
            if self.take(b'"') {
                return Ok(());
            }
            if !self.take(b'\\') || !(self.take(b'"') || self.take(b'\\')) {
                return Err(self.error("a string that does not end, or with an odd escape"));
            }
        }
    }
}
