//! The fields that say of the certificate in words what it says itself.

use std::collections::{BTreeSet, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::HeaderName;
use rustls_pki_types::CertificateDer;

use super::field::{Field, HashEncoding, ListEncoding, SerialEncoding};
use super::{name, time};
use crate::dialect::CertDetails;
use crate::dialect::certificate::{Certificate, printable};
use crate::dialect::decode::{DecodeError, DecodeErrorKind};
use crate::dialect::encoding;
use crate::x509::{Fingerprint, Serial};

/// What a field holds of this certificate. `None` if it has nothing of the kind, or nothing that can be written.
pub(super) fn write(field: Field, header: &HeaderName, leaf: &Certificate<'_>) -> Option<String> {
    let [not_before, not_after] = &leaf.validity;
    let text = match field {
        Field::Subject(encoding) => name::write(encoding, &leaf.subject, leaf.subject_contents),
        Field::Issuer(encoding) => name::write(encoding, &leaf.issuer, leaf.issuer_contents),
        Field::SerialNumber(encoding) => Some(serial(encoding, leaf.serial)),
        Field::Uris(encoding) => return list(encoding, header, &leaf.uris()),
        Field::DnsNames(encoding) => return list(encoding, header, &leaf.dns_names()),
        Field::SpiffeId => return spiffe_id(leaf).and_then(|id| one(header, id)),
        Field::Identity => return identity(leaf).and_then(|name| one(header, name)),
        Field::NotBefore(encoding) => time::write(encoding, not_before),
        Field::NotAfter(encoding) => time::write(encoding, not_after),
        Field::Validity => Some(leaf.validity_text()),
        _ => return None,
    };
    if text.is_none() {
        left_out(header, 1);
    }
    text.filter(|text| !text.is_empty())
}

/// The hash of any certificate, readable or not.
pub(super) fn hash(encoding: HashEncoding, der: &CertificateDer<'_>) -> String {
    let hash = Fingerprint::of(der);
    match encoding {
        HashEncoding::Hex => hash.to_string(),
        HashEncoding::Base64 => STANDARD.encode(hash.as_bytes()),
    }
}

fn serial(encoding: SerialEncoding, serial: Serial<'_>) -> String {
    let hex = serial.to_string();
    match encoding {
        SerialEncoding::Hex => hex,
        SerialEncoding::HexColons => {
            let pairs: Vec<String> = hex
                .to_lowercase()
                .as_bytes()
                .chunks(2)
                .map(|pair| String::from_utf8_lossy(pair).into_owned())
                .collect();
            pairs.join(":")
        }
        SerialEncoding::Decimal => serial.decimal(),
    }
}

/// Whether no reader can take a part of this name for something else.
fn fit(name: &str, plain: bool) -> bool {
    printable(name) && !(plain && name.contains([',', ';', '"', '\\']))
}

/// The only name of a header.
fn one(header: &HeaderName, name: String) -> Option<String> {
    if fit(&name, true) {
        return Some(name);
    }
    left_out(header, 1);
    None
}

fn list(encoding: ListEncoding, header: &HeaderName, names: &[String]) -> Option<String> {
    let plain = encoding == ListEncoding::Commas;
    let written: Vec<&String> = names.iter().filter(|name| fit(name, plain)).collect();
    if written.len() < names.len() {
        left_out(header, names.len() - written.len());
    }
    let item = |name: &&String| if plain { (*name).clone() } else { STANDARD.encode(name.as_bytes()) };
    let list = written.iter().map(item).collect::<Vec<_>>().join(",");
    Some(list).filter(|list| !list.is_empty())
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn left_out(header: &HeaderName, names: usize) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        %header,
        names,
        "names of a client certificate are left out of a header: they have something in them that its encoding can't say, \
         or that a reader could take for the end of a name"
    );
}

fn spiffe_id(leaf: &Certificate<'_>) -> Option<String> {
    let mut ids = leaf.uris().into_iter().filter(|uri| uri.starts_with("spiffe://"));
    ids.next().filter(|_| ids.next().is_none())
}

/// The first DNS name, or else the first URI. Its reader tells one from the other by `://`, so no other is written.
fn identity(leaf: &Certificate<'_>) -> Option<String> {
    let host = leaf.dns_names().into_iter().find(|name| !name.contains([':', '/']));
    host.or_else(|| leaf.uris().into_iter().find(|uri| uri.contains("://")))
}

/// What was told of the client's own certificate, and by which header.
pub(super) struct Told<'a> {
    pub(super) header: &'a HeaderName,
    field: Field,
    said: Said,
}

enum Said {
    /// A distinguished name, a serial number, a time in RFC 3339, or AWS's two times.
    Text(String),
    Hash(Fingerprint),
    Names(Vec<String>),
}

pub(super) fn read<'a>(field: Field, header: &'a HeaderName, value: &[u8]) -> Result<Told<'a>, DecodeError> {
    let malformed = |what| DecodeError::new(header, 0, DecodeErrorKind::Field(what));
    let text =
        || encoding::printable(value).ok_or_else(|| DecodeError::new(header, 0, DecodeErrorKind::Text));
    let said = match field {
        Field::Subject(encoding) | Field::Issuer(encoding) => {
            Said::Text(name::read(encoding, header, value)?)
        }
        Field::SerialNumber(SerialEncoding::Decimal) => {
            let text = text()?;
            let decimal = match text.strip_prefix("0x") {
                Some(hex) => !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
                None => text.bytes().all(|byte| byte.is_ascii_digit()),
            };
            Said::Text(
                Some(text.to_owned())
                    .filter(|_| decimal)
                    .ok_or_else(|| malformed("not a decimal serial number"))?,
            )
        }
        Field::SerialNumber(_) => {
            let text = text()?;
            let hex = text
                .split(':')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
            Said::Text(
                Some(text.to_owned())
                    .filter(|_| hex)
                    .ok_or_else(|| malformed("not a hexadecimal serial number"))?,
            )
        }
        Field::Sha256(HashEncoding::Hex) => {
            Said::Hash(text()?.parse().map_err(|_| malformed("not a SHA-256 in hexadecimal"))?)
        }
        Field::Sha256(HashEncoding::Base64) => {
            let digits = text()?.trim_end_matches('=').to_owned();
            let padding = value.len() - digits.len();
            let bytes =
                STANDARD_NO_PAD.decode(&digits).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let bytes = bytes.filter(|_| padding <= 1);
            Said::Hash(bytes.ok_or_else(|| malformed("not a SHA-256 in base64"))?.into())
        }
        Field::Uris(encoding) | Field::DnsNames(encoding) => Said::Names(names(encoding, header, text()?)?),
        Field::SpiffeId | Field::Identity => {
            let name = Some(text()?.to_owned()).filter(|name| fit(name, true));
            Said::Names(vec![name.ok_or_else(|| malformed("not one name"))?])
        }
        Field::NotBefore(encoding) | Field::NotAfter(encoding) => Said::Text(
            time::read(encoding, text()?).ok_or_else(|| malformed("not a time in this dialect's format"))?,
        ),
        _ => {
            let text = text()?;
            let times = text.strip_prefix("NotBefore=").and_then(|rest| rest.split_once(";NotAfter="));
            let both = times.is_some_and(|(from, to)| time::is_rfc3339(from) && time::is_rfc3339(to));
            Said::Text(
                Some(text.to_owned())
                    .filter(|_| both)
                    .ok_or_else(|| malformed("not `NotBefore=…;NotAfter=…`"))?,
            )
        }
    };
    Ok(Told { header, field, said })
}

/// One of two words.
pub(super) fn word(header: &HeaderName, value: &[u8], yes: &str, no: &str) -> Result<bool, DecodeError> {
    let is = |word: &str| word.as_bytes() == value;
    let kind = DecodeErrorKind::Field("neither of the two words of this header");
    if is(yes) || is(no) { Ok(is(yes)) } else { Err(DecodeError::new(header, 0, kind)) }
}

/// Text for people.
pub(super) fn reason(header: &HeaderName, value: &[u8]) -> Result<String, DecodeError> {
    let text =
        encoding::printable(value).ok_or_else(|| DecodeError::new(header, 0, DecodeErrorKind::Text))?;
    Ok(text.to_owned())
}

fn names(encoding: ListEncoding, header: &HeaderName, list: &str) -> Result<Vec<String>, DecodeError> {
    let mut start = 0;
    let mut names = Vec::new();
    for item in list.split(',') {
        let error = |kind| DecodeError::new(header, start, kind);
        let name = match encoding {
            ListEncoding::Commas => item.to_owned(),
            ListEncoding::Base64Commas => {
                let bytes =
                    STANDARD.decode(item).map_err(|base64| DecodeError::base64(header, start, base64))?;
                String::from_utf8(bytes).map_err(|_| error(DecodeErrorKind::Text))?
            }
        };
        if !fit(&name, encoding == ListEncoding::Commas) {
            return Err(error(DecodeErrorKind::Field("an item of the list is not a name")));
        }
        start += item.len() + 1;
        names.push(name);
    }
    Ok(names)
}

impl<'a> Told<'a> {
    pub(super) fn hash(&self) -> Option<Fingerprint> {
        match self.said {
            Said::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    /// Whether it fits the certificate. Of a list, each name must be the certificate's; some may be left out.
    pub(super) fn check(
        &self,
        der: &CertificateDer<'_>,
        leaf: Option<&Certificate<'_>>,
    ) -> Result<(), DecodeError> {
        let fits = match (&self.said, leaf) {
            (Said::Hash(hash), _) => *hash == Fingerprint::of(der),
            (_, None) => false,
            (Said::Names(told), Some(leaf)) => {
                let own: BTreeSet<String> = match self.field {
                    Field::DnsNames(_) => leaf.dns_names().into_iter().collect(),
                    Field::Identity => leaf.dns_names().into_iter().chain(leaf.uris()).collect(),
                    _ => leaf.uris().into_iter().collect(),
                };
                told.iter().all(|name| own.contains(name))
            }
            (Said::Text(told), Some(leaf)) => {
                let [not_before, not_after] = &leaf.validity;
                match self.field {
                    Field::Subject(_) => name::is(told, &leaf.subject),
                    Field::Issuer(_) => name::is(told, &leaf.issuer),
                    Field::SerialNumber(SerialEncoding::Decimal) => *told == leaf.serial.decimal(),
                    Field::SerialNumber(_) => hex_digits(told) == hex_digits(&leaf.serial.to_string()),
                    Field::NotBefore(_) => *told == not_before.to_string(),
                    Field::NotAfter(_) => *told == not_after.to_string(),
                    _ => *told == leaf.validity_text(),
                }
            }
        };
        let kind = DecodeErrorKind::Contradiction(match self.field {
            Field::Subject(_) => "not the subject of the certificate beside it",
            Field::Issuer(_) => "not the issuer of the certificate beside it",
            Field::SerialNumber(_) => "not the serial number of the certificate beside it",
            Field::Sha256(_) => "not the hash of the certificate beside it",
            Field::NotBefore(_) | Field::NotAfter(_) | Field::Validity => {
                "not a time of the certificate beside it"
            }
            _ => "not a name of the certificate beside it",
        });
        if fits { Ok(()) } else { Err(DecodeError::new(self.header, 0, kind)) }
    }

    /// Adds it to what is known of a certificate that is not there.
    pub(super) fn add_to(self, details: &mut CertDetails, times: &mut [Option<(&'a HeaderName, String)>; 2]) {
        let [not_before, not_after] = times;
        match (self.field, self.said) {
            (_, Said::Hash(hash)) => details.hash = Some(hash),
            (Field::DnsNames(_), Said::Names(names)) => add(&mut details.dns_names, names),
            (Field::Identity, Said::Names(names)) if names.iter().all(|name| !name.contains("://")) => {
                add(&mut details.dns_names, names);
            }
            (_, Said::Names(names)) => add(&mut details.uris, names),
            (Field::Subject(_), Said::Text(text)) => details.subject = Some(text),
            (Field::Issuer(_), Said::Text(text)) => details.issuer = Some(text),
            (Field::SerialNumber(_), Said::Text(text)) => details.serial_number = Some(text),
            (Field::NotBefore(_), Said::Text(text)) => *not_before = Some((self.header, text)),
            (Field::NotAfter(_), Said::Text(text)) => *not_after = Some((self.header, text)),
            (_, Said::Text(text)) => details.validity = Some(text),
        }
    }
}

/// A name may be told twice: as a SPIFFE ID and among the URIs.
fn add(names: &mut Vec<String>, told: Vec<String>) {
    let mut known: HashSet<String> = names.iter().cloned().collect();
    names.extend(told.into_iter().filter(|name| known.insert(name.clone())));
}

/// A serial number without its colons and leading zeros.
fn hex_digits(serial: &str) -> String {
    serial.replace(':', "").to_uppercase().trim_start_matches('0').to_owned()
}
