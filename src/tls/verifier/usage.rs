//! `keyUsage` (RFC 5280 section 4.2.1.3), which webpki does not look at.

use crate::x509::Certificate;
use crate::x509::usage::{DIGITAL_SIGNATURE, KEY_AGREEMENT};

/// Whether a certificate's key may be a TLS client's, as OpenSSL's purpose `sslclient` has it: the extension is not there, or
/// says digitalSignature or keyAgreement. What can't be read says neither.
pub(super) fn allows_client(certificate: &[u8]) -> bool {
    let Ok(certificate) = Certificate::read(certificate) else { return false };
    let says_so = |usage| usage & (DIGITAL_SIGNATURE | KEY_AGREEMENT) != 0;
    certificate.key_usage().is_ok_and(|usage| usage.is_none_or(says_so))
}
