//! Serial numbers, and their text as people read it.

use std::fmt::{self, Write as _};

/// The contents of a serial number: big-endian, in two's complement, often with a leading zero.
///
/// A serial number prints in upper-case hexadecimal by whole bytes, without the leading zero byte, as
/// `openssl x509 -serial` does. A negative number, which RFC 5280 forbids, prints as two's complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Serial<'a>(pub(crate) &'a [u8]);

impl Serial<'_> {
    pub(crate) fn is_negative(self) -> bool {
        self.0.first().is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Returns the number in decimal digits. RFC 5280 section 4.1.2.2 allows at most 20 bytes, and a longer number is
    /// returned as `0x…`, because decimal digits cost the square of their number, and an unverified client may present
    /// any number.
    pub(crate) fn decimal(self) -> String {
        const MAX_BYTES: usize = 20;
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        let bytes = self.0.get(zeros..).unwrap_or_default();
        if bytes.len() > MAX_BYTES {
            return format!("0x{self}");
        }
        // The digits, with the last one first.
        let mut digits = vec![0_u8];
        for byte in bytes {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                carry += u32::from(*digit) * 256;
                *digit = (carry % 10) as u8;
                carry /= 10;
            }
            while carry > 0 {
                digits.push((carry % 10) as u8);
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }
}

impl fmt::Display for Serial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self.0 {
            [0, rest @ ..] if !rest.is_empty() => rest,
            bytes => bytes,
        };
        let mut hex = String::with_capacity(bytes.len().saturating_mul(2));
        for byte in bytes {
            write!(hex, "{byte:02X}")?;
        }
        f.write_str(&hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_31_kb_costs_no_quadratic_time() {
        let decimal = |serial: &[u8]| Serial(serial).decimal();
        assert_eq!(decimal(&[0]), "0");
        assert_eq!(decimal(&[0x01, 0x00]), "256");
        assert_eq!(
            decimal(&[&[0][..], &[0xFF; 20]].concat()),
            "1461501637330902918203684832716283019655932542975"
        );
        // A longer number has no more digits than its bytes have, since nothing was divided.
        assert_eq!(decimal(&[0x01; 21]), format!("0x{}", "01".repeat(21)));
        let long = [&[0][..], &[0xFF; 31_000]].concat();
        assert_eq!(decimal(&long), format!("0x{}", "FF".repeat(31_000)));
    }

    #[test]
    fn decimals_are_what_u128_has() {
        for number in [0, 9, 10, 99, 100, 255, 256, 65_535, 1_000_000_007, u64::MAX.into(), u128::MAX / 7] {
            assert_eq!(Serial(&u128::to_be_bytes(number)).decimal(), number.to_string());
        }
    }

    #[test]
    fn hexadecimal_has_no_leading_zero_byte() {
        for (bytes, text) in
            [(&[0][..], "00"), (&[1], "01"), (&[0, 0x9A, 0xBC], "9ABC"), (&[0xFF], "FF"), (&[1, 0], "0100")]
        {
            assert_eq!(Serial(bytes).to_string(), text);
        }
        assert!(Serial(&[0x80]).is_negative() && !Serial(&[0, 0x80]).is_negative());
    }
}
