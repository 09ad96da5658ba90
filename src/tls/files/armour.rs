//! The BEGIN and END lines of PEM blocks (RFC 7468 section 3).

pub(super) enum Armour<'a> {
    Begin(&'a str),
    End(&'a str),
}

const DASHES: &[u8] = b"-----";

/// Reads a BEGIN or END line as RFC 7468 section 3 writes it. Blanks may follow it.
pub(super) fn armour(line: &[u8]) -> Option<Armour<'_>> {
    let inner = line.trim_ascii_end().strip_prefix(DASHES)?.strip_suffix(DASHES)?;
    let (label, armour): (_, fn(_) -> _) = match inner.strip_prefix(b"BEGIN ") {
        Some(label) => (label, Armour::Begin),
        None => (inner.strip_prefix(b"END ")?, Armour::End),
    };
    let usual =
        |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'.' | b'#');
    let whole = !label.is_empty() && label.trim_ascii() == label && label.iter().all(usual);
    // The label is ASCII, so this can't fail.
    std::str::from_utf8(label).ok().filter(|_| whole).map(armour)
}
