//! Keywords for attribute types in distinguished names (RFC 4514 section 3, and what OpenSSL prints).

/// The object identifier of `id-at-commonName`.
pub(super) const COMMON_NAME: &str = "2.5.4.3";

/// Keywords and their object identifiers. Keywords are compared without regard to case, as in LDAP.
const KEYWORDS: [(&str, &str); 31] = [
    ("CN", COMMON_NAME),
    ("SN", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("description", "2.5.4.13"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("postOfficeBox", "2.5.4.18"),
    ("telephoneNumber", "2.5.4.20"),
    ("name", "2.5.4.41"),
    ("givenName", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("initials", "2.5.4.43"),
    ("generationQualifier", "2.5.4.44"),
    ("dnQualifier", "2.5.4.46"),
    ("houseIdentifier", "2.5.4.51"),
    ("pseudonym", "2.5.4.65"),
    ("organizationIdentifier", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("mail", "0.9.2342.19200300.100.1.3"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("unstructuredName", "1.2.840.113549.1.9.2"),
    ("unstructuredAddress", "1.2.840.113549.1.9.8"),
];

/// Returns the object identifier that a keyword stands for. An object identifier stands for itself. `None` for other
/// text.
pub(super) fn oid(kind: &str) -> Option<&str> {
    let keyword = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(kind));
    keyword.map(|(_, oid)| *oid).or_else(|| is_oid(kind).then_some(kind))
}

/// Returns whether a text is an object identifier: dotted decimals without leading zeros, so that each has one
/// spelling.
fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && (arc == "0" || !arc.starts_with('0'))
            && arc.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.contains('.') && text.split('.').all(is_arc)
}
