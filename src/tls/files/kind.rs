//! What people keep in such files: by the label of a PEM block, or by the structure of DER.

use std::fmt;

use crate::x509::der::{
    BIT_STRING, Der, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, UTC_TIME,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Certificate,
    /// OpenSSL's own format: a certificate, and what it is trusted for.
    TrustedCertificate,
    Crl,
    PrivateKey,
    EncryptedKey,
    OpenSshKey,
    /// A private key of an algorithm, or in a format, that TLS does not use.
    OtherKey,
    PublicKey,
    CertificateRequest,
    Parameters,
    Pkcs7,
    Pkcs12,
    JavaKeyStore,
    Unknown,
}

impl Kind {
    /// Recognizes the labels of RFC 7468 section 4, and the others in OpenSSL's `pem.h`.
    pub(super) fn of_label(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            "X509 CRL" => Self::Crl,
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => Self::PrivateKey,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            "OPENSSH PRIVATE KEY" => Self::OpenSshKey,
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "EC PUBLIC KEY" | "DSA PUBLIC KEY" => Self::PublicKey,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::CertificateRequest,
            "EC PARAMETERS" | "DH PARAMETERS" | "X9.42 DH PARAMETERS" | "DSA PARAMETERS" => Self::Parameters,
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Self::Pkcs7,
            label if label.ends_with("PRIVATE KEY") => Self::OtherKey,
            _ => Self::Unknown,
        }
    }

    /// Recognizes a structure by its first fields. The rest of it may still be malformed.
    pub(super) fn of_der(der: &[u8]) -> Option<Self> {
        const PKCS7: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07]; // 1.2.840.113549.1.7
        const VERSION: u8 = 0xA0; // of a certificate
        let mut outer = Der::new(match der {
            // PKCS#7 and PKCS#12 may be BER of indefinite length.
            [SEQUENCE, 0x80, rest @ ..] => rest,
            _ => Der::new(der).take(SEQUENCE)?,
        });
        if let Some(oid) = outer.take_optional(OBJECT_IDENTIFIER) {
            return oid.starts_with(PKCS7).then_some(Self::Pkcs7);
        }
        if let Some(version) = outer.take_optional(INTEGER) {
            return match (version, outer.tag()?) {
                ([3], SEQUENCE) => Some(Self::Pkcs12),
                ([0 | 1], SEQUENCE) | ([1], OCTET_STRING) | ([0 | 1], INTEGER) => Some(Self::PrivateKey),
                _ => None,
            };
        }
        let mut inner = Der::new(outer.take(SEQUENCE)?);
        if inner.tag() == Some(OBJECT_IDENTIFIER) {
            return match outer.tag()? {
                OCTET_STRING => Some(Self::EncryptedKey),
                BIT_STRING => Some(Self::PublicKey),
                _ => None,
            };
        }
        if inner.take_optional(VERSION).is_some() {
            return Some(Self::Certificate);
        }
        inner.take_optional(INTEGER); // a version, or a serial number
        inner.take(SEQUENCE)?; // an algorithm, or a subject
        inner.take(SEQUENCE)?; // an issuer, or a public key
        match inner.tag() {
            Some(UTC_TIME | GENERALIZED_TIME) => Some(Self::Crl),
            Some(SEQUENCE) => Some(Self::Certificate),
            _ => Some(Self::CertificateRequest),
        }
    }

    pub(super) fn is_private(self) -> bool {
        matches!(self, Self::PrivateKey | Self::EncryptedKey | Self::OpenSshKey | Self::OtherKey)
    }
}

/// Displays the kind with its article.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => "a certificate with OpenSSL's trust settings",
            Self::Crl => "a CRL",
            Self::PrivateKey => "a private key",
            Self::EncryptedKey => "an encrypted private key",
            Self::OpenSshKey => "a private key in OpenSSH's format",
            Self::OtherKey => "a private key of a kind that is not used in TLS",
            Self::PublicKey => "a public key",
            Self::CertificateRequest => "a certificate request (CSR)",
            Self::Parameters => "parameters of a key",
            Self::Pkcs7 => "a PKCS#7 bundle",
            Self::Pkcs12 => "a PKCS#12 bundle",
            Self::JavaKeyStore => "a Java keystore",
            Self::Unknown => "something unknown",
        })
    }
}
