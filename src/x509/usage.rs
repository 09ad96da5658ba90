//! The extensions `keyUsage` and `extKeyUsage` (RFC 5280 sections 4.2.1.3 and 4.2.1.12).

use super::der::{BIT_STRING, Der, SEQUENCE, Value, bit_string};

/// The bits of a [`key_usage`]: bit n of the extension is `1 << n`.
pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
pub(crate) const KEY_AGREEMENT: u16 = 1 << 4;
pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
pub(crate) const CRL_SIGN: u16 = 1 << 6;
/// The nine bits that RFC 5280 defines.
const ALL: u16 = 0x1FF;

/// Reads the value of `keyUsage`: bit n of the bit string becomes `1 << n`. Bits after the ninth mean nothing.
pub(super) fn key_usage(value: &[u8]) -> Option<u16> {
    let string = Value::only(value).filter(|value| value.tag == BIT_STRING)?;
    let (_, bytes) = bit_string(string.contents)?;
    let byte = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0).reverse_bits());
    Some((byte(0) | byte(1) << 8) & ALL)
}

/// Reads the value of `extKeyUsage`, and returns the contents of each purpose's identifier.
pub(super) fn extended_key_usage(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = Der::only(value, SEQUENCE)?;
    let mut purposes = Vec::new();
    while !rest.is_empty() {
        purposes.push(rest.oid()?);
    }
    Some(purposes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_numbered_from_the_left() {
        for (value, expected) in [
            (&[3, 2, 7, 0x80][..], Some(DIGITAL_SIGNATURE)),
            (&[3, 2, 3, 0x08], Some(KEY_AGREEMENT)),
            (&[3, 2, 2, 0x04], Some(KEY_CERT_SIGN)),
            (&[3, 2, 1, 0x02], Some(CRL_SIGN)),
            (&[3, 2, 0, 0xFF], Some(0xFF)),
            (&[3, 3, 7, 0, 0x80], Some(1 << 8)),
            (&[3, 3, 0, 0xFF, 0xFF], Some(ALL)),
            (&[3, 4, 0, 0, 0, 0xFF], Some(0)),
            (&[3, 1, 0], Some(0)),
            (&[3, 0], None),
            (&[3, 1, 1], None),
            (&[3, 2, 8, 0], None),
            (&[3, 2, 0xFF, 0], None),
            (&[3, 2, 7, 0xC0], None),
            (&[3, 2, 7, 0x80, 0], None),
            (&[4, 2, 7, 0x80], None),
        ] {
            assert_eq!(key_usage(value), expected, "{value:x?}");
        }
    }

    #[test]
    fn purposes_are_identifiers() {
        let read =
            |value: &[u8]| extended_key_usage(value).map(|all| all.iter().map(|oid| oid.len()).collect());
        assert_eq!(read(&[0x30, 0]), Some(vec![]));
        assert_eq!(read(&[0x30, 7, 6, 1, 0x2A, 6, 2, 0x2A, 3]), Some(vec![1, 2]));
        for wrong in [
            &[][..],
            &[0x30, 3, 6, 1, 0x2A, 0],
            &[0x30, 2, 5, 0],
            &[0x30, 3, 6, 1, 0xAA],
            &[0x31, 3, 6, 1, 0x2A],
        ] {
            assert_eq!(read(wrong), None, "{wrong:x?}");
        }
    }
}
