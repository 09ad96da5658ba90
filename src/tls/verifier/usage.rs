//! `keyUsage` (RFC 5280 section 4.2.1.3), which webpki does not check.

use crate::x509::Certificate;
use crate::x509::usage::{DIGITAL_SIGNATURE, KEY_AGREEMENT};

/// Whether a TLS client may use the certificate's key, by the rules of OpenSSL's purpose `sslclient`: the extension is
/// absent, or has digitalSignature or keyAgreement. An extension that can't be read has neither.
pub(super) fn allows_client(certificate: &[u8]) -> bool {
    let Ok(certificate) = Certificate::read(certificate) else { return false };
    let says_so = |usage| usage & (DIGITAL_SIGNATURE | KEY_AGREEMENT) != 0;
    certificate.key_usage().is_ok_and(|usage| usage.is_none_or(says_so))
}
