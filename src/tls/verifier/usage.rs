//! `keyUsage` (RFC 5280 section 4.2.1.3), which webpki does not look at.

use crate::x509::der::{BIT_STRING, Der, extension};

const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_AGREEMENT: u8 = 0x08;

/// Whether a certificate's key may be a TLS client's, as OpenSSL's purpose `sslclient` has it: the extension is not there, or
/// says digitalSignature or keyAgreement. What can't be read says neither.
pub(super) fn allows_client(certificate: &[u8]) -> bool {
    let Some(value) = extension(certificate, KEY_USAGE) else { return true };
    let mut value = Der::new(value);
    match value.take(BIT_STRING) {
        // How many bits of the last byte are not there, and the bits.
        Some([_, first, ..]) => first & (DIGITAL_SIGNATURE | KEY_AGREEMENT) != 0,
        _ => false,
    }
}
