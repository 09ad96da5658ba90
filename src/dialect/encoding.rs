//! The shapes in which certificates travel, both ways. Every one of them is ASCII without controls.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rustls_pki_types::CertificateDer;

use super::decode::{DecodeErrorKind, Field};
use super::{DecodeError, VerifyStatus};

type Certificates = Vec<CertificateDer<'static>>;

/// Writes a value unless it can't be a header's, which no shape here can cause.
pub(super) fn insert(headers: &mut HeaderMap, name: &HeaderName, value: impl Into<String>) {
    if let Ok(value) = HeaderValue::try_from(value.into()) {
        headers.insert(name, value);
    }
}

/// Standard base64 with padding, items joined by `separator`.
pub(super) fn base64_list(certificates: &[CertificateDer<'_>], separator: &str) -> String {
    let mut list = String::new();
    for certificate in certificates {
        if !list.is_empty() {
            list.push_str(separator);
        }
        STANDARD.encode_string(certificate, &mut list);
    }
    list
}

/// One certificate that takes up the whole value.
pub(super) fn decode_base64(field: &Field<'_>) -> Result<CertificateDer<'static>, DecodeError> {
    base64_item(field, 0, field.value)
}

/// Base64 of one certificate, `item`, which begins at `start`.
pub(super) fn base64_item(
    field: &Field<'_>,
    start: usize,
    item: &[u8],
) -> Result<CertificateDer<'static>, DecodeError> {
    if item.is_empty() {
        return Err(field.error(start, DecodeErrorKind::Empty));
    }
    let der = STANDARD.decode(item).map_err(|error| field.base64_error(start, error))?;
    certificate(field, start, der)
}

/// The bytes, if they are one DER `SEQUENCE` and nothing else.
pub(super) fn certificate(
    field: &Field<'_>,
    start: usize,
    der: Vec<u8>,
) -> Result<CertificateDer<'static>, DecodeError> {
    match sequence_length(&der) {
        Some(length) if length == der.len() => Ok(der.into()),
        _ => Err(field.error(start, DecodeErrorKind::Der)),
    }
}

/// Adds certificates that come one after the other, as in HAProxy's `ssl_c_chain_der`.
pub(super) fn concatenated(
    field: &Field<'_>,
    der: &[u8],
    certificates: &mut Certificates,
) -> Result<(), DecodeError> {
    let mut rest = der;
    while !rest.is_empty() {
        field.check_count(certificates.len(), 0)?;
        let (certificate, tail) = sequence_length(rest)
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(|| field.error(0, DecodeErrorKind::Der))?;
        certificates.push(CertificateDer::from(certificate.to_vec()));
        rest = tail;
    }
    Ok(())
}

/// The length of the DER `SEQUENCE` (X.690 section 8.1.3) at the start, header included; it may be more than is there.
fn sequence_length(der: &[u8]) -> Option<usize> {
    let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
    if tag != 0x30 {
        return None;
    }
    if length < 0x80 {
        return Some(2 + usize::from(length));
    }
    // Four bytes of length are 4 GB; 0x80 is BER's indefinite form.
    let count = usize::from(length & 0x7F);
    let bytes = rest.get(..count).filter(|_| (1..=4).contains(&count))?;
    let length =
        bytes.iter().try_fold(0_usize, |all, byte| all.checked_mul(256)?.checked_add(usize::from(*byte)))?;
    // DER has one length for each value: the shortest.
    let shortest = bytes.first() != Some(&0) && length >= 0x80;
    (2 + count).checked_add(length).filter(|_| shortest)
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const END: &str = "-----END CERTIFICATE-----\n";

/// PEM as OpenSSL and Go write it: lines of 64, ended by LF, the last included.
pub(super) fn pem(der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der), config)
}

/// RFC 3986's unreserved characters stay: nginx's set. Of the bytes of PEM, Envoy's and Go's sets keep the same.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn percent_encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

/// PEM, one after the other, percent-encoded.
pub(super) fn percent_pem(certificates: &[CertificateDer<'_>]) -> String {
    let mut value = String::new();
    for der in certificates {
        // `write!` to a string cannot fail.
        let _ = write!(value, "{}", percent_encode(pem(der).as_bytes(), ESCAPED));
    }
    value
}

/// Reads [`percent_pem`]. Bytes that need no escape may be literal, as `+`, `/` and `=` are in some of AWS's values;
/// a `+` is a plus.
pub(super) fn decode_percent_pem(field: &Field<'_>) -> Result<Certificates, DecodeError> {
    let text = percent_decoded(field)?;
    pem_blocks(field, &text).map_err(|(offset, kind)| field.error(raw_offset(field.value, offset), kind))
}

fn percent_decoded(field: &Field<'_>) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::with_capacity(field.value.len());
    let mut bytes = field.value.iter().enumerate();
    while let Some((offset, &byte)) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|(_, digit)| char::from(*digit).to_digit(16));
                digit()
                    .zip(digit())
                    .and_then(|(high, low)| u8::try_from(high << 4 | low).ok())
                    .ok_or_else(|| field.error(offset, DecodeErrorKind::Percent))?
            }
            b'!'..=b'~' => byte,
            _ => return Err(field.error(offset, DecodeErrorKind::Percent)),
        });
    }
    Ok(decoded)
}

/// Where in the value the byte comes from that is at `decoded` after decoding.
fn raw_offset(value: &[u8], decoded: usize) -> usize {
    let mut offset = 0_usize;
    for _ in 0..decoded {
        offset += if value.get(offset) == Some(&b'%') { 3 } else { 1 };
    }
    offset.min(value.len())
}

fn pem_blocks(field: &Field<'_>, text: &[u8]) -> Result<Certificates, (usize, DecodeErrorKind)> {
    let mut certificates = Vec::new();
    let mut start = 0;
    while let Some(block) = text.get(start..).filter(|rest| !rest.is_empty()) {
        field.check_count(certificates.len(), start).map_err(|error| (start, error.kind().clone()))?;
        let at = |offset: usize, what| (start + offset, DecodeErrorKind::Pem(what));
        let body = block
            .strip_prefix(BEGIN.as_bytes())
            .ok_or_else(|| at(0, "no `-----BEGIN CERTIFICATE-----` and line feed"))?;
        let length = body
            .windows(END.len())
            .position(|window| window == END.as_bytes())
            .ok_or_else(|| at(BEGIN.len(), "no `-----END CERTIFICATE-----` and line feed"))?;
        let body = body.get(..length).unwrap_or_default();
        let base64: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\n').collect();
        let der = STANDARD
            .decode(base64)
            .map_err(|error| (start + BEGIN.len(), DecodeErrorKind::Base64(error.to_string())))?;
        let der = certificate(field, start, der).map_err(|error| (start, error.kind().clone()))?;
        let end = start + BEGIN.len() + length + END.len();
        if text.get(start..end) != Some(pem(&der).as_bytes()) {
            return Err(at(BEGIN.len(), "lines are not of 64 columns"));
        }
        certificates.push(der);
        start = end;
    }
    if certificates.is_empty() {
        return Err((0, DecodeErrorKind::Empty));
    }
    Ok(certificates)
}

/// One certificate of a JSON string, `text`, which begins at `start`. Where in it something is wrong is not told: the
/// string is escaped.
pub(super) fn decode_pem(
    field: &Field<'_>,
    start: usize,
    text: &str,
) -> Result<CertificateDer<'static>, DecodeError> {
    let mut certificates =
        pem_blocks(field, text.as_bytes()).map_err(|(_, kind)| field.error(start, kind))?;
    match (certificates.pop(), certificates.is_empty()) {
        (Some(certificate), true) => Ok(certificate),
        _ => Err(field.error(start, DecodeErrorKind::Pem("more than one certificate"))),
    }
}

/// PEM with spaces for line feeds and none at the end, which the next HTTP parser would trim.
pub(super) fn spaced_pem(der: &[u8]) -> String {
    pem(der).trim_end().replace('\n', " ")
}

/// Reads [`spaced_pem`], with or without the space at the end.
pub(super) fn decode_spaced_pem(field: &Field<'_>) -> Result<CertificateDer<'static>, DecodeError> {
    let value = field.value.strip_suffix(b" ").unwrap_or(field.value);
    if let Some(offset) = value.iter().position(|byte| !(b' '..=b'~').contains(byte)) {
        return Err(field.error(offset, DecodeErrorKind::Pem("line ends are not spaces")));
    }
    let mut text: Vec<u8> = value.to_vec();
    text.push(b'\n');
    let inner = BEGIN.len() - 1..text.len().saturating_sub(END.len());
    for byte in text.get_mut(inner).unwrap_or_default() {
        *byte = if *byte == b' ' { b'\n' } else { *byte };
    }
    let mut certificates =
        pem_blocks(field, &text).map_err(|(offset, kind)| field.error(offset.min(value.len()), kind))?;
    match (certificates.pop(), certificates.is_empty()) {
        (Some(certificate), true) => Ok(certificate),
        _ => Err(field.error(0, DecodeErrorKind::Pem("more than one certificate"))),
    }
}

/// Writes a verdict. A reason is text for people, so what no header may hold is a `?`.
pub(super) fn insert_status(headers: &mut HeaderMap, name: &HeaderName, status: &VerifyStatus) {
    insert(headers, name, status.to_string().replace(|c| !matches!(c, ' '..='~'), "?"));
}

/// `SUCCESS`, `FAILED:reason` or `NONE`. `failures` are a proxy's own words for a certificate that was presented and
/// not verified, each with the reason it stands for.
pub(super) fn decode_status(
    headers: &HeaderMap,
    header: &HeaderName,
    failures: &[(&str, &'static str)],
) -> Result<Option<VerifyStatus>, DecodeError> {
    let Some(value) = DecodeError::single(headers, header)? else { return Ok(None) };
    let status = read_status(value, failures);
    status.map(Some).ok_or_else(|| DecodeError::new(header, 0, DecodeErrorKind::Status))
}

/// `None` for what is none of these words.
pub(super) fn read_status(value: &[u8], failures: &[(&str, &'static str)]) -> Option<VerifyStatus> {
    let text = printable(value)?;
    match text {
        "SUCCESS" => return Some(VerifyStatus::Success),
        "NONE" => return Some(VerifyStatus::None),
        _ => {}
    }
    if let Some(reason) = text.strip_prefix("FAILED:") {
        return Some(VerifyStatus::Failed(reason.to_owned().into()));
    }
    let failure = failures.iter().find(|(word, _)| *word == text);
    failure.map(|(_, reason)| VerifyStatus::Failed((*reason).into()))
}

/// Whether certificates and verdict can be of one connection, where the proxy sends both or neither.
pub(super) fn agree(
    header: &HeaderName,
    certificates: &[CertificateDer<'_>],
    status: Option<&VerifyStatus>,
) -> Result<(), DecodeError> {
    if status == Some(&VerifyStatus::Success) && certificates.is_empty() {
        let kind = DecodeErrorKind::Contradiction("SUCCESS, but no certificate");
        return Err(DecodeError::new(header, 0, kind));
    }
    none_is_none(header, certificates, status)
}

/// The same, where the proxy may keep the certificate to itself.
pub(super) fn none_is_none(
    header: &HeaderName,
    certificates: &[CertificateDer<'_>],
    status: Option<&VerifyStatus>,
) -> Result<(), DecodeError> {
    if status == Some(&VerifyStatus::None) && !certificates.is_empty() {
        let kind = DecodeErrorKind::Contradiction("NONE, but a certificate");
        return Err(DecodeError::new(header, 0, kind));
    }
    Ok(())
}

/// Text for people: printable ASCII, and not empty.
pub(super) fn decode_text(headers: &HeaderMap, header: &HeaderName) -> Result<Option<String>, DecodeError> {
    let Some(value) = DecodeError::single(headers, header)? else { return Ok(None) };
    let text = printable(value).ok_or_else(|| DecodeError::new(header, 0, DecodeErrorKind::Text))?;
    Ok(Some(text.to_owned()))
}

/// Writes such text, unless it is empty.
pub(super) fn insert_text(headers: &mut HeaderMap, name: &HeaderName, text: String) {
    if !text.is_empty() {
        insert(headers, name, text);
    }
}

pub(super) fn printable(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')))
}
