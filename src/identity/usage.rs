use std::fmt;

use crate::x509::usage;

/// The uses that the certificate allows for its holder's key (RFC 5280 section 4.2.1.3).
///
/// ```
/// use tower_client_cert::identity::KeyUsage;
///
/// let usage = KeyUsage::DIGITAL_SIGNATURE;
/// assert!(usage.contains(KeyUsage::DIGITAL_SIGNATURE));
/// assert!(!usage.contains(KeyUsage::KEY_CERT_SIGN));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// Signing, other than certificates and CRLs. A TLS client needs it.
    pub const DIGITAL_SIGNATURE: Self = Self(usage::DIGITAL_SIGNATURE);
    /// Signing that can't be denied later, also called `contentCommitment`.
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// Encrypting keys.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// Encrypting data.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// Key agreement.
    pub const KEY_AGREEMENT: Self = Self(usage::KEY_AGREEMENT);
    /// Signing certificates, for CAs.
    pub const KEY_CERT_SIGN: Self = Self(usage::KEY_CERT_SIGN);
    /// Signing revocation lists, for CAs.
    pub const CRL_SIGN: Self = Self(usage::CRL_SIGN);
    /// With [`KEY_AGREEMENT`](Self::KEY_AGREEMENT): for encrypting only.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// With [`KEY_AGREEMENT`](Self::KEY_AGREEMENT): for decrypting only.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::DIGITAL_SIGNATURE, "digitalSignature"),
        (Self::NON_REPUDIATION, "nonRepudiation"),
        (Self::KEY_ENCIPHERMENT, "keyEncipherment"),
        (Self::DATA_ENCIPHERMENT, "dataEncipherment"),
        (Self::KEY_AGREEMENT, "keyAgreement"),
        (Self::KEY_CERT_SIGN, "keyCertSign"),
        (Self::CRL_SIGN, "cRLSign"),
        (Self::ENCIPHER_ONLY, "encipherOnly"),
        (Self::DECIPHER_ONLY, "decipherOnly"),
    ];

    /// Takes the bits of the extension, in which bit n is `1 << n`.
    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Returns whether every use in `other` is among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Shows RFC 5280's names of the bits, joined by ` | `.
impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(usage, _)| self.contains(*usage)).map(|(_, name)| *name).collect();
        write!(f, "KeyUsage({})", names.join(" | "))
    }
}

/// The purposes that the certificate may be used for, by object identifier (RFC 5280 section 4.2.1.12).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtendedKeyUsage(Box<[Box<str>]>);

impl ExtendedKeyUsage {
    /// TLS client authentication, `id-kp-clientAuth`.
    pub const CLIENT_AUTH: &'static str = "1.3.6.1.5.5.7.3.2";
    /// TLS server authentication, `id-kp-serverAuth`.
    pub const SERVER_AUTH: &'static str = "1.3.6.1.5.5.7.3.1";
    /// Anything, `anyExtendedKeyUsage`.
    pub const ANY: &'static str = "2.5.29.37.0";

    pub(super) fn new(purposes: Vec<Box<str>>) -> Self {
        Self(purposes.into())
    }

    /// Returns whether exactly this purpose is on the list. [`ANY`](Self::ANY) on the list does not stand for other
    /// purposes.
    #[must_use]
    pub fn contains(&self, oid: &str) -> bool {
        self.purposes().any(|purpose| purpose == oid)
    }

    /// Returns every purpose, in dotted decimals.
    pub fn purposes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|purpose| &**purpose)
    }
}
