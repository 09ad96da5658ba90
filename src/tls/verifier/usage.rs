//! `keyUsage` (RFC 5280 section 4.2.1.3), which webpki does not check.

use crate::x509::der::{BIT_STRING, Der, extension};

const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_AGREEMENT: u8 = 0x08;

/// Whether a TLS client may use the certificate's key, by the rules of OpenSSL's purpose `sslclient`: the extension is
/// absent, or has digitalSignature or keyAgreement. An extension that can't be read has neither.
pub(super) fn allows_client(certificate: &[u8]) -> bool {
    let Some(value) = extension(certificate, KEY_USAGE) else { return true };
    let mut value = Der::new(value);
    match value.take(BIT_STRING) {
        // The first byte counts the unused bits of the last byte; the bits follow.
        Some([_, first, ..]) => first & (DIGITAL_SIGNATURE | KEY_AGREEMENT) != 0,
        _ => false,
    }
}
