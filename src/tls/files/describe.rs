//! A certificate in one line of a log.

/// Describes a certificate by its subject, as RFC 4514 writes it (feature `x509`), and its SHA-256.
#[cfg(feature = "tracing")]
pub(crate) fn describe(der: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;

    let mut text = subject(der).unwrap_or_default();
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str("SHA-256 ");
    for byte in sha2::Sha256::digest(der) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns the subject, cut at 256 characters, with everything escaped that could disturb a line of a log.
#[cfg(all(feature = "tracing", feature = "x509"))]
fn subject(der: &[u8]) -> Option<String> {
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = crate::x509::name::rfc4514(certificate.subject());
    let mut text = String::new();
    for char in name.chars().take(256) {
        // Of the printable characters, `escape_debug` escapes only quotes and backslashes.
        match char {
            '"' | '\'' | '\\' => text.push(char),
            char => text.extend(char.escape_debug()),
        }
    }
    Some(text)
}

#[cfg(all(feature = "tracing", not(feature = "x509")))]
fn subject(_der: &[u8]) -> Option<String> {
    None
}
