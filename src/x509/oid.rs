//! Object identifiers (X.690 section 8.19).

use std::fmt::Write as _;

/// Returns an object identifier in dotted decimals.
///
/// An identifier that is malformed, or has an arc that does not fit in 128 bits, becomes `x` and its bytes in
/// hexadecimal, so that it can't pass for another identifier. 128 bits have room for every UUID, and so for every
/// identifier below 2.25.
pub(crate) fn dotted(oid: &[u8]) -> String {
    decimals(oid).unwrap_or_else(|| {
        oid.iter().fold("x".to_owned(), |mut text, byte| {
            // `write!` to a string cannot fail.
            let _ = write!(text, "{byte:02X}");
            text
        })
    })
}

fn decimals(bytes: &[u8]) -> Option<String> {
    if !is_well_formed(bytes) {
        return None;
    }
    let mut text = String::new();
    let mut arc = 0_u128;
    for byte in bytes {
        arc = arc.checked_mul(0x80)? | u128::from(byte & 0x7F);
        if byte & 0x80 != 0 {
            continue;
        }
        let _ = if text.is_empty() {
            // The first two arcs share a number (section 8.19.4).
            let first = (arc / 40).min(2);
            write!(text, "{first}.{}", arc - first * 40)
        } else {
            write!(text, ".{arc}")
        };
        arc = 0;
    }
    Some(text)
}

/// Returns whether an identifier has at least one arc, its last arc ends, and each arc has its shortest form. Go and
/// OpenSSL refuse all others too.
pub(super) fn is_well_formed(oid: &[u8]) -> bool {
    let starts = std::iter::once(true).chain(oid.iter().map(|byte| byte & 0x80 == 0));
    oid.last().is_some_and(|byte| byte & 0x80 == 0)
        && oid.iter().zip(starts).all(|(byte, starts_arc)| !starts_arc || *byte != 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_dotted_as_openssl_prints_them() {
        for (bytes, text) in [
            (&[0x55, 0x1D, 0x1C][..], "2.5.29.28"),
            (&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05], "1.2.840.113549.1.1.5"),
            (&[0x88, 0x37, 0x83, 0xFF, 0xFF, 0x7F], "2.999.8388607"),
            (&[0x09], "0.9"),
        ] {
            assert_eq!(dotted(bytes), text);
        }
    }

    #[test]
    fn a_malformed_identifier_passes_for_no_other() {
        for bytes in [&[0x55, 4, 3, 0x83][..], &[0x55, 4, 0x80, 3], &[0x80, 0x55, 4, 3], &[0x83], &[]] {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(dotted(bytes), format!("x{hex}"));
            assert!(!is_well_formed(bytes));
        }
    }

    #[test]
    fn an_arc_too_large_for_a_number_passes_for_no_other() {
        let oid = [&[0x2A][..], &[0xFF; 30], &[0x7F]].concat();
        assert!(is_well_formed(&oid));
        assert_eq!(dotted(&oid), format!("x2A{}7F", "FF".repeat(30)));
        // The largest UUID's identifier, below 2.25.
        let uuid = [&[0x69, 0x83][..], &[0xFF; 17], &[0x7F]].concat();
        assert_eq!(dotted(&uuid), format!("2.25.{}", u128::MAX));
    }
}
