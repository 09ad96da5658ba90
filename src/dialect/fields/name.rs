//! Distinguished names, in each of the encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;

use super::field::NameEncoding;
use crate::dialect::certificate::hex_escaped;
use crate::dialect::decode::{DecodeError, DecodeErrorKind};
use crate::dialect::encoding;
use crate::x509::Name;
use crate::x509::der::{SEQUENCE, Value};

/// `None` if the encoding has no way to say it.
pub(super) fn write(encoding: NameEncoding, name: &Name<'_>, contents: &[u8]) -> Option<String> {
    match encoding {
        NameEncoding::Rfc2253 => Some(hex_escaped(&name.rfc2253())),
        NameEncoding::Rfc4514 => Some(hex_escaped(&name.rfc4514())),
        NameEncoding::Slashes => name.slashes().filter(|text| {
            text.matches('/').count() == name.attributes().count()
                && !text.contains('\\')
                && !text.ends_with(' ')
        }),
        NameEncoding::Base64Der => Some(STANDARD.encode(sequence(contents))),
    }
}

/// As text, whatever the encoding: Base64 DER becomes RFC 2253.
pub(super) fn read(encoding: NameEncoding, header: &HeaderName, value: &[u8]) -> Result<String, DecodeError> {
    let error = |kind| DecodeError::new(header, 0, kind);
    let malformed = || error(DecodeErrorKind::Field("not the DER of a distinguished name"));
    match encoding {
        NameEncoding::Base64Der => {
            let der = STANDARD.decode(value).map_err(|base64| DecodeError::base64(header, 0, base64))?;
            let sequence = Value::only(&der).filter(|value| value.tag == SEQUENCE).ok_or_else(malformed)?;
            let name = Name::read(sequence.contents).ok_or_else(malformed)?;
            Ok(hex_escaped(&name.rfc2253()))
        }
        NameEncoding::Rfc4514 => {
            let text = std::str::from_utf8(value).ok().filter(|text| !text.chars().any(char::is_control));
            Ok(text.ok_or_else(|| error(DecodeErrorKind::Text))?.to_owned())
        }
        NameEncoding::Slashes => {
            let text = encoding::printable(value).ok_or_else(|| error(DecodeErrorKind::Text))?;
            let kind = DecodeErrorKind::Field("a name in slashes begins with one");
            if text.starts_with('/') { Ok(text.to_owned()) } else { Err(error(kind)) }
        }
        NameEncoding::Rfc2253 => {
            let text = encoding::printable(value).ok_or_else(|| error(DecodeErrorKind::Text))?;
            Ok(text.to_owned())
        }
    }
}

/// Whether this text, of whatever encoding, is the name.
pub(super) fn is(text: &str, name: &Name<'_>) -> bool {
    if text.starts_with('/') {
        return name.slashes().as_deref() == Some(text);
    }
    [name.rfc2253(), name.rfc4514()].iter().any(|own| same(text, own))
}

/// Whether two texts differ in nothing but how they escape: `\,` and `\2C` are one, and so are UTF-8 and its `\C3\AB`.
fn same(text: &str, other: &str) -> bool {
    unescaped(text).is_some_and(|text| Some(text) == unescaped(other))
}

/// Each byte, and whether it was escaped and could be a delimiter otherwise.
fn unescaped(text: &str) -> Option<Vec<(u8, bool)>> {
    let mut bytes = text.bytes();
    let mut all = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            all.push((byte, false));
            continue;
        }
        let first = bytes.next()?;
        let digit = |byte| char::from(byte).to_digit(16);
        let byte = match (digit(first), bytes.clone().next().and_then(digit)) {
            (Some(high), Some(low)) => {
                bytes.next();
                u8::try_from(high << 4 | low).ok()?
            }
            _ => first,
        };
        all.push((byte, matches!(byte, b',' | b'+' | b';' | b'"' | b'<' | b'>' | b'\\' | b'#')));
    }
    Some(all)
}

/// A DER `SEQUENCE` with these contents.
fn sequence(contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let bytes = length.to_be_bytes();
    let significant: &[u8] = bytes.get(length.leading_zeros() as usize / 8..).unwrap_or_default();
    let mut der = vec![SEQUENCE];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            der.extend(significant);
        }
    }
    der.extend(contents);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_name_are_the_same_and_two_names_are_not() {
        for (one, other) in
            [(r"CN=a\,b", r"CN=a\2Cb"), ("CN=ë", r"CN=\C3\AB"), (r"CN=\ a", r"CN=\20a"), ("", "")]
        {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            (r"CN=a\,O=b", "CN=a,O=b"),
            ("CN=a", "CN=A"),
            (r"CN=a\", "CN=a"),
            (r"CN=a\\2C", r"CN=a\,"),
            (r"CN=\#0500", "CN=#0500"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_sequence_is_der_whatever_its_length() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 70_000] {
            let contents = vec![7; length];
            let der = sequence(&contents);
            assert_eq!(
                Value::only(&der).map(|value| (value.tag, value.contents.len())),
                Some((SEQUENCE, length))
            );
        }
    }
}
