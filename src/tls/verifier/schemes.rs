//! Which signature schemes a version of TLS allows in a client's `CertificateVerify`. rustls advertises the schemes,
//! and leaves it to the verifier to refuse one that was not on offer.

use rustls::SignatureScheme;

/// The schemes of RFC 5246 section 7.4.1.4.1, and those that RFC 8446 and RFC 8422 add to it. The list is complete,
/// since schemes that are defined from now on, such as ML-DSA, are for TLS 1.3 only.
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

/// RFC 8446 sections 4.2.3 and 4.4.3 allow no PKCS#1, no DSA, and no hash older than SHA-256. The two bytes of a scheme
/// say which it is: under TLS 1.2 they stood for hash and algorithm. A server advertises the others under TLS 1.3 only
/// for signatures in certificates.
pub(super) fn offered_under_tls13(scheme: SignatureScheme) -> bool {
    const NONE: u8 = 0;
    const SHA224: u8 = 3;
    const ANONYMOUS: u8 = 0;
    const DSA: u8 = 2;
    let [hash, algorithm] = u16::from(scheme).to_be_bytes();
    !matches!(hash, NONE..=SHA224) && !matches!(algorithm, ANONYMOUS..=DSA)
}
