use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of the DER of a certificate, or of its public key.
///
/// A fingerprint parses from what `openssl x509 -noout -fingerprint -sha256` prints after the `=`, and from the same
/// digits without colons. It prints as 64 lower-case digits.
///
/// ```
/// use tower_client_cert::Fingerprint;
///
/// let digits = "BF:AF:1F:7E:07:0F:9F:A8:DD:62:90:5F:15:8D:A7:3F:84:A1:13:66:24:FB:AF:CC:93:93:C8:F7:28:7A:69:EB";
/// let fingerprint: Fingerprint = digits.parse()?;
/// assert_eq!(fingerprint.to_string(), digits.replace(':', "").to_lowercase());
/// # Ok::<(), tower_client_cert::ParseFingerprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns the fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self::of_bytes(certificate)
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseFingerprintError { given: text.to_owned() };
        let pairs: Vec<&[u8]> = match text.len() {
            64 => text.as_bytes().chunks(2).collect(),
            95 => text.as_bytes().split(|&byte| byte == b':').collect(),
            _ => return Err(error()),
        };
        let bytes: Option<Vec<u8>> = pairs.into_iter().map(hex_byte).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(error)
    }
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else { return None };
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// An error from reading a text that is not a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a SHA-256 fingerprint: {given:?}: expected 64 hexadecimal digits, or 32 pairs of them joined by colons"
)]
pub struct ParseFingerprintError {
    given: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_exactly_32_bytes_of_hex() {
        let plain = "0123456789abcdef".repeat(4);
        let colons: Vec<_> =
            plain.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        let fingerprint: Fingerprint = plain.parse().unwrap();
        assert_eq!(colons.join(":").to_uppercase().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.to_string(), plain);
        let wrong = [
            String::new(),
            plain[2..].to_owned(),
            plain.replace('0', "g"),
            plain.replace("01", "+1"),
            colons.join(" "),
            format!(":{}", &colons.join(":")[1..]),
            "\u{e9}".repeat(32),
        ];
        for text in wrong {
            let error = text.parse::<Fingerprint>().unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
