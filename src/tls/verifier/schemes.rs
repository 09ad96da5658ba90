//! Which signature schemes a client was offered for its `CertificateVerify`, by version: rustls advertises those, and
//! leaves it to a verifier to refuse the others.

use rustls::SignatureScheme;

/// RFC 5246 section 7.4.1.4.1, with those that RFC 8446 and RFC 8422 add to it. It is a list of what there is, since
/// what is defined from now on is for TLS 1.3 only: ML-DSA is.
pub(super) fn offered_under_tls12(scheme: SignatureScheme) -> bool {
    use SignatureScheme as S;
    matches!(
        scheme,
        S::RSA_PKCS1_SHA1
            | S::RSA_PKCS1_SHA256
            | S::RSA_PKCS1_SHA384
            | S::RSA_PKCS1_SHA512
            | S::RSA_PSS_SHA256
            | S::RSA_PSS_SHA384
            | S::RSA_PSS_SHA512
            | S::ECDSA_SHA1_Legacy
            | S::ECDSA_NISTP256_SHA256
            | S::ECDSA_NISTP384_SHA384
            | S::ECDSA_NISTP521_SHA512
            | S::ED25519
            | S::ED448
    )
}

/// RFC 8446 sections 4.2.3 and 4.4.3: no PKCS#1, no DSA, and no hash older than SHA-256, by the two bytes that under TLS
/// 1.2 stood for hash and algorithm. What is advertised all the same is for signatures in certificates.
pub(super) fn offered_under_tls13(scheme: SignatureScheme) -> bool {
    const NONE: u8 = 0;
    const SHA224: u8 = 3;
    const ANONYMOUS: u8 = 0;
    const DSA: u8 = 2;
    let [hash, algorithm] = u16::from(scheme).to_be_bytes();
    !matches!(hash, NONE..=SHA224) && !matches!(algorithm, ANONYMOUS..=DSA)
}
