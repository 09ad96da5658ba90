//! Finds lines outside of all blocks, or within one, that somebody meant to be something else.

use super::armour::{Armour, armour};
use super::fault::PemFault;

/// Returns what is wrong with a line outside of all blocks. `None` for text that explains a block: what `openssl`
/// prints around one, comments, names of CAs.
pub(super) fn text(line: &[u8]) -> Option<PemFault> {
    if line.contains(&0) {
        return Some(PemFault::NulByte);
    }
    // `-----BEGIN` in base64, at each of its three alignments.
    let twice = ["LS0tLS1CRUdJTi", "0tLS0tQkVHSU4g", "tLS0tLUJFR0lOI"];
    if twice.iter().any(|twice| position(line, twice.as_bytes()).is_some()) {
        return Some(PemFault::EncodedTwice);
    }
    distorted_armour(line).or_else(|| holds_base64(line).then_some(PemFault::StrayBase64))
}

/// Returns what is wrong with a line inside a block, where base64 belongs.
pub(super) fn body(line: &[u8]) -> Option<PemFault> {
    if line.iter().all(is_base64) {
        return None;
    }
    if line.contains(&0) {
        return Some(PemFault::NulByte);
    }
    distorted_armour(line)
}

/// Whether a line has base64 of a certificate, a CRL or a key in it. In base64, DER of their length begins with `MI`,
/// nearly always with `MII`; the lines after the first are base64 and nothing else. Digests, which `openssl` and curl's
/// bundle print, are hexadecimal, so they don't count.
fn holds_base64(line: &[u8]) -> bool {
    const LONG: usize = 48; // lines of base64 have 64 characters, or 76
    let whole = line.trim_ascii().len();
    line.split(|byte| !is_base64(byte)).any(|run| {
        let alone = run.len() == whole;
        let long = run.len() >= LONG && (alone || run.starts_with(b"MI"));
        (long || alone && run.len() >= LONG / 3 && run.starts_with(b"MII"))
            && !run.iter().all(u8::is_ascii_hexdigit)
            // Padding comes at the end. `Modulus=` is not padding, nor is a line under a heading.
            && run.iter().position(|byte| *byte == b'=').is_none_or(|padding| padding + 2 >= run.len())
    })
}

pub(super) fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Returns what is wrong with a line that was meant to begin or end a block.
fn distorted_armour(line: &[u8]) -> Option<PemFault> {
    let begin = position(line, b"-----BEGIN");
    let end = position(line, b"-----END");
    if begin.is_none() && end.is_none() && !resembles_armour(&fold(line)) {
        return None;
    }
    let starts = line.trim_ascii_start();
    Some(if [&b"\\n"[..], b"\\r"].iter().any(|escape| position(line, escape).is_some()) {
        PemFault::EscapedLineBreaks
    } else if starts.len() < line.len() && armour(starts).is_some() {
        PemFault::Indented
    } else if !line.is_ascii() {
        PemFault::NotAscii
    } else if begin.zip(end).is_some_and(|(begin, end)| end < begin) {
        PemFault::RunTogether
    } else if begin == Some(0) && ends_early(line) {
        PemFault::OneLine
    } else if end == Some(0) && ends_early(line) {
        PemFault::TextAfterEnd
    } else if begin
        .or(end)
        .and_then(|at| line.get(..at))
        .is_some_and(|before| before.iter().any(|byte| *byte != b'-'))
    {
        PemFault::Prefixed
    } else if line.iter().any(u8::is_ascii_lowercase)
        && matches!(armour(&line.to_ascii_uppercase()), Some(Armour::Begin(_) | Armour::End(_)))
    {
        PemFault::LowerCase
    } else {
        PemFault::Distorted
    })
}

/// Whether something follows the dashes that should end a BEGIN or END line.
fn ends_early(line: &[u8]) -> bool {
    let after = line.get(5..).unwrap_or_default();
    position(after, b"-----")
        .and_then(|at| after.get(at + 5..))
        .is_some_and(|rest| !rest.trim_ascii().is_empty() && rest.iter().any(|byte| *byte != b'-'))
}

/// Folds a line to capitals, and everything that looks like a dash or a blank to one character each.
fn fold(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .chars()
        .filter(|char| !matches!(char, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}'))
        .map(|char| match char {
            '\u{2010}'..='\u{2015}'
            | '\u{2212}'
            | '\u{2500}'
            | '\u{2501}'
            | '\u{FE58}'
            | '\u{FE63}'
            | '\u{FF0D}'
            // A dash or a blank in another encoding than UTF-8.
            | char::REPLACEMENT_CHARACTER => '-',
            char if char.is_whitespace() => ' ',
            char => char.to_ascii_uppercase(),
        })
        .collect()
}

/// The first words of labels.
const LABELS: [&str; 17] = [
    "CERTIFICATE",
    "X509",
    "X.509",
    "TRUSTED",
    "CRL",
    "PRIVATE",
    "PUBLIC",
    "ENCRYPTED",
    "RSA",
    "DSA",
    "EC",
    "DH",
    "OPENSSH",
    "PKCS",
    "PKCS7",
    "CMS",
    "NEW",
];

/// Whether a line has dashes, BEGIN or END, and a label, or consists of BEGIN or END and a label.
fn resembles_armour(folded: &str) -> bool {
    ["BEGIN", "END"].iter().any(|word| {
        folded.match_indices(word).any(|(at, _)| {
            let (before, after) = (folded.get(..at), folded.get(at + word.len()..));
            let (Some(before), Some(after)) = (before, after) else { return false };
            let label = after.trim_start_matches(|char: char| !char.is_alphanumeric());
            let labelled = LABELS.iter().any(|known| {
                label.strip_prefix(known).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
            });
            let alone = !before.contains(char::is_alphanumeric)
                && label.len() < after.len()
                && matches!(
                    label.trim_end_matches(|char: char| !char.is_alphanumeric()),
                    "CERTIFICATE"
                        | "X509 CERTIFICATE"
                        | "TRUSTED CERTIFICATE"
                        | "X509 CRL"
                        | "PRIVATE KEY"
                        | "RSA PRIVATE KEY"
                        | "EC PRIVATE KEY"
                );
            alone || labelled && before.trim_end().ends_with('-')
        })
    })
}

fn position(line: &[u8], what: &[u8]) -> Option<usize> {
    line.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE64: &str = "MIIBizCCATGgAwIBAgIUfo0rR1bnJXdNAhPbHBq1gLkUTYQwCgYIKoZIzj0EAwIw";

    #[test]
    fn text_that_explains_a_block_is_let_be() {
        for line in [
            "",
            "# a comment",
            "subject=CN = client CA, O = \"Example, Inc.\"",
            "        Serial Number:",
            "            57:0a:11:9f:ca:1c:ee:8f:53:22:04:0b:6c:1c:42:6a:32:0f:6d:4d:cc:01:ab:cd:ef",
            "Certificate:",
            "Certificate Revocation List (CRL):",
            "            X509v3 Extended Key Usage: critical",
            "                  CPS: https://www.example.com/repository/ALongDocumentNameWithoutAnyBreak2024/index",
            "Bag Attributes",
            "    localKeyID: 54 69 6D 65 20 31 36",
            "    friendlyName: BEGIN of something",
            "## SHA256: 86df25d5a36c1d5e5b5f8a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d",
            "86df25d5a36c1d5e5b5f8a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d5a5d",
            "Modulus=C0FFEEC0FFEEC0FFEEC0FFEEC0FFEEC0FFEEC0FFEEC0FFEEC0FFEE",
            "AutoridadDeCertificacionFirmaprofesional",
            "==============================================================",
            "---",
            "--------------------",
            "--- the new certificate begins here ---",
            "Legend - certificates",
            "begin with the certificate below",
            "Übergang — bis 2027",
        ] {
            assert_eq!(text(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_was_meant_to_be_part_of_a_block_is_named() {
        use PemFault as F;
        for (line, fault) in [
            (" -----BEGIN CERTIFICATE-----", F::Indented),
            ("\t-----END A-----", F::Indented),
            ("----BEGIN CERTIFICATE----", F::Distorted),
            ("------BEGIN CERTIFICATE------", F::Distorted),
            ("-----BEGIN CERTIFICATE----", F::Distorted),
            ("-----BEGIN CERTIFICATE", F::Distorted),
            ("-----BEGINCERTIFICATE-----", F::Distorted),
            ("----- BEGIN CERTIFICATE -----", F::Distorted),
            ("-----BEGIN-----", F::Distorted),
            ("BEGIN CERTIFICATE", F::Distorted),
            ("---END X509 CRL---", F::Distorted),
            ("-----begin certificate-----", F::LowerCase),
            ("-----Begin Certificate-----", F::LowerCase),
            ("-----BEGIN certificate-----", F::LowerCase),
            ("\u{2013}\u{2013}BEGIN CERTIFICATE\u{2013}\u{2013}", F::NotAscii),
            ("\u{2014}BEGIN CERTIFICATE\u{2014}", F::NotAscii),
            ("-----BEGIN\u{A0}CERTIFICATE-----", F::NotAscii),
            ("\u{A0}-----BEGIN CERTIFICATE-----", F::NotAscii),
            ("-----BEGIN CERTIFICATE-----\u{A0}", F::NotAscii),
            ("-----BEGIN CERTI\u{200B}FICATE-----", F::NotAscii),
            ("-----END CERTIFICATE----------BEGIN CERTIFICATE-----", F::RunTogether),
            ("-----END CERTIFICATE----- -----BEGIN CERTIFICATE-----", F::RunTogether),
            ("-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----", F::OneLine),
            ("-----BEGIN CERTIFICATE----- MIIB", F::OneLine),
            ("-----END CERTIFICATE-----;", F::TextAfterEnd),
            ("-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n", F::EscapedLineBreaks),
            ("{\"ca\": \"-----BEGIN CERTIFICATE-----\\r\\nMIIB", F::EscapedLineBreaks),
            ("# -----BEGIN CERTIFICATE-----", F::Prefixed),
            ("ca: -----BEGIN CERTIFICATE-----", F::Prefixed),
            ("> -----END CERTIFICATE-----", F::Prefixed),
            (BASE64, F::StrayBase64),
            (&format!("  {BASE64}"), F::StrayBase64),
            (&format!("# {BASE64}"), F::StrayBase64),
            (&format!("\"{BASE64}\","), F::StrayBase64),
            (&format!("\u{A0}{BASE64}"), F::StrayBase64),
            (&BASE64[2..], F::StrayBase64),
            (&BASE64[..16], F::StrayBase64),
            ("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI", F::EncodedTwice),
            ("tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI", F::EncodedTwice),
            ("a\0", F::NulByte),
        ] {
            assert_eq!(text(line.as_bytes()), Some(fault), "{line}");
        }
        for windows_1252 in [&b"\x97BEGIN CERTIFICATE\x97"[..], b"-----BEGIN\xA0CERTIFICATE-----"] {
            assert_eq!(text(windows_1252), Some(F::NotAscii));
        }
    }
}
