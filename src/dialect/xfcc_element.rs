//! One element of `x-forwarded-client-cert`, read: what one proxy says of its client.

use rustls_pki_types::CertificateDer;

use super::decode::{DecodeErrorKind, Field, Shape};
use super::encoding::{decode_pem, decode_percent_pem, printable};
use super::xfcc::Pair;
use super::xfcc_json::{Member, Value};
use super::{CertDetails, DecodeError, ForwardedCert};
use crate::telemetry;
use crate::x509::Fingerprint;

/// What an element holds.
#[derive(Default)]
struct Told {
    leaf: Option<Vec<CertificateDer<'static>>>,
    chain: Option<Vec<CertificateDer<'static>>>,
    details: CertDetails,
}

/// The certificate, if it is there, with its own names, and otherwise what is told of it.
pub(super) fn read(field: &Field<'_>, pairs: &[Pair<'_>]) -> Result<ForwardedCert, DecodeError> {
    let mut told = Told::default();
    let details = &mut told.details;
    let mut last = Rank::By;
    let mut alt_names = false;
    // A name without quotes, which goes on behind a `;` of its own.
    let mut open_ended = false;
    for (position, pair) in pairs.iter().enumerate() {
        let error = |what| field.error(pair.at, DecodeErrorKind::Xfcc(what));
        let rank = Rank::of(|key| pair.is(key));
        if told.leaf.is_some() || told.chain.is_some() {
            // Not read, and whatever its text is: a `;` in a name that is not quoted makes several of one.
            let is_name = rank.map_or(alt_names, |rank| rank >= Rank::Subject);
            if is_name {
                alt_names |= matches!(rank, Some(Rank::Uri | Rank::Dns));
                last = Rank::Subject;
                continue;
            }
        }
        pair.check(field)?;
        let Some(rank) = rank else {
            if open_ended {
                return Err(error("unknown field, or the rest of a name that has a `;` in it"));
            }
            skip(pair.key);
            continue;
        };
        open_ended = matches!(rank, Rank::Uri | Rank::Dns) && !pair.quoted;
        if rank < last || (rank == last && !rank.may_repeat() && position > 0) {
            return Err(error("a field twice, or out of order"));
        }
        last = rank;
        let part = || field.part(pair.value_at, pair.value, Shape::PercentPem);
        match rank {
            Rank::By => details.by.push(pair.text()),
            Rank::Hash => {
                details.hash = Some(decode_hash(pair.value).ok_or_else(|| error(NOT_A_HASH))?);
            }
            Rank::Cert => told.leaf = Some(decode_percent_pem(&part())?),
            Rank::Chain => told.chain = Some(decode_percent_pem(&part())?),
            Rank::Subject => details.subject = Some(pair.raw()),
            Rank::Uri => details.uris.push(pair.text()),
            Rank::Dns => details.dns_names.push(pair.text()),
            Rank::Issuer => details.issuer = Some(pair.raw()),
        }
    }
    details.uris.retain(|uri| !uri.is_empty());
    told.believed(field, pairs.first().map_or(0, |pair| pair.at))
}

/// The same, in JSON, where the order is anybody's.
pub(super) fn read_json(field: &Field<'_>, object: Vec<Member>) -> Result<ForwardedCert, DecodeError> {
    let start = object.first().map_or(0, |member| member.at);
    let mut told = Told::default();
    let mut names = Vec::new();
    for Member { at, key, value } in object {
        let error = |what| field.error(at, DecodeErrorKind::Xfcc(what));
        let Some(rank) = Rank::of(|known| key == known.to_ascii_lowercase()) else {
            skip(key.as_bytes());
            continue;
        };
        let details = &mut told.details;
        match (rank, value) {
            (Rank::Hash, Value::Text(hash)) => {
                details.hash = Some(decode_hash(hash.as_bytes()).ok_or_else(|| error(NOT_A_HASH))?);
            }
            (Rank::Cert, Value::Text(pem)) => told.leaf = Some(vec![decode_pem(field, at, &pem)?]),
            (Rank::Chain, Value::List(pem)) => {
                let mut chain = Vec::new();
                for pem in pem {
                    field.check_count(chain.len(), at)?;
                    chain.push(decode_pem(field, at, &pem)?);
                }
                told.chain = Some(chain);
            }
            (Rank::Subject | Rank::Issuer, Value::Text(name)) => {
                names.push((at, name.clone()));
                *(if rank == Rank::Subject { &mut details.subject } else { &mut details.issuer }) =
                    Some(name);
            }
            (Rank::By | Rank::Uri | Rank::Dns, Value::List(list)) => {
                // The proxy's own names are told beside the certificate too.
                if rank == Rank::By && list.iter().any(|name| printable(name.as_bytes()).is_none()) {
                    return Err(field.error(at, DecodeErrorKind::Text));
                }
                names.extend(list.iter().map(|name| (at, name.clone())));
                match rank {
                    Rank::By => details.by = list,
                    Rank::Uri => details.uris = list,
                    _ => details.dns_names = list,
                }
            }
            (_, Value::List(_)) => return Err(error("a list where there is one text")),
            (_, Value::Text(_)) => return Err(error("a text where there is a list")),
        }
    }
    // Beside the certificate they are not read.
    if told.leaf.is_none() && told.chain.is_none() {
        if let Some((at, _)) = names.iter().find(|(_, name)| printable(name.as_bytes()).is_none()) {
            return Err(field.error(*at, DecodeErrorKind::Text));
        }
    }
    told.believed(field, start)
}

const NOT_A_HASH: &str = "Hash is not SHA-256";

impl Told {
    /// If the parts of an element, which begins at `at`, are of one certificate.
    fn believed(self, field: &Field<'_>, at: usize) -> Result<ForwardedCert, DecodeError> {
        let Self { leaf, chain, details: told } = self;
        let contradiction = |what| Err(field.error(at, DecodeErrorKind::Contradiction(what)));
        let error = |what| Err(field.error(at, DecodeErrorKind::Xfcc(what)));
        if leaf.as_ref().is_some_and(|leaf| leaf.len() > 1) {
            return contradiction("Cert has more than one certificate");
        }
        if leaf.is_some() && chain.is_some() && leaf.iter().flatten().next() != chain.iter().flatten().next()
        {
            return contradiction("Chain does not begin with Cert");
        }
        let certificates = chain.or(leaf).unwrap_or_default();
        let details = match (certificates.first(), told.hash) {
            (Some(leaf), Some(hash)) if hash != Fingerprint::of(leaf) => {
                return contradiction("Hash does not fit Cert");
            }
            (Some(leaf), Some(_)) => CertDetails { hash: told.hash, by: told.by, ..CertDetails::of(leaf) },
            (Some(_), None) => return error("a certificate, but no Hash, which Envoy always writes"),
            // A waypoint of Istio's ambient mesh knows its client by name, and never saw a certificate.
            (None, None) if told.uris.is_empty() => return error("neither Hash nor URI"),
            (None, _) => told,
        };
        Ok(ForwardedCert { details, ..ForwardedCert::new(certificates) })
    }
}

/// A field that is not known, of a proxy that is newer than this reader. Nothing depends on it.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn skip(key: &[u8]) {
    telemetry::unknown_field();
    #[cfg(feature = "tracing")]
    {
        use crate::telemetry::limit::{Limit, limited};
        static LIMIT: Limit = Limit::new(1, std::time::Duration::from_secs(3_600));
        let field = telemetry::printable(String::from_utf8_lossy(key));
        limited!(LIMIT, info, field, "skipped a field of `x-forwarded-client-cert` that is not known");
    }
}

/// Envoy's order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    By,
    Hash,
    Cert,
    Chain,
    Subject,
    Uri,
    Dns,
    Issuer,
}

impl Rank {
    fn of(is: impl Fn(&str) -> bool) -> Option<Self> {
        let ranks = [
            ("By", Self::By),
            ("Hash", Self::Hash),
            ("Cert", Self::Cert),
            ("Chain", Self::Chain),
            ("Subject", Self::Subject),
            ("URI", Self::Uri),
            ("DNS", Self::Dns),
            ("Issuer", Self::Issuer),
        ];
        ranks.into_iter().find(|(key, _)| is(key)).map(|(_, rank)| rank)
    }

    fn may_repeat(self) -> bool {
        matches!(self, Self::By | Self::Uri | Self::Dns)
    }
}

/// Reads the hash as Envoy writes it: 64 lower-case digits.
fn decode_hash(digits: &[u8]) -> Option<Fingerprint> {
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.len() == 64 && !digits.contains(|char: char| char.is_ascii_uppercase());
    plain.then(|| digits.parse().ok())?
}
