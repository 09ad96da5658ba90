//! One element of `x-forwarded-client-cert`, read: what one proxy says of its client.

use super::decode::{DecodeErrorKind, Field, Shape};
use super::encoding::decode_percent_pem;
use super::xfcc::Pair;
use super::{CertDetails, DecodeError, ForwardedCert};
use crate::x509::Fingerprint;

/// The certificate, if it is there, with its own names, and otherwise what is told of it.
pub(super) fn read(field: &Field<'_>, pairs: &[Pair<'_>]) -> Result<ForwardedCert, DecodeError> {
    let mut told = CertDetails::default();
    let (mut leaf, mut chain) = (None, None);
    let mut last = Rank::By;
    let mut alt_names = false;
    for (position, pair) in pairs.iter().enumerate() {
        let error = |what| field.error(pair.at, DecodeErrorKind::Xfcc(what));
        let rank = Rank::of(pair);
        if leaf.is_some() || chain.is_some() {
            // Not read, and whatever its text is: a `;` in a name that is not quoted makes several of one.
            let is_name = rank.map_or(alt_names, |rank| rank >= Rank::Subject);
            if is_name {
                alt_names |= matches!(rank, Some(Rank::Uri | Rank::Dns));
                last = Rank::Subject;
                continue;
            }
        }
        pair.check(field)?;
        let rank = rank.ok_or_else(|| error("unknown field"))?;
        if rank < last || (rank == last && !rank.may_repeat() && position > 0) {
            return Err(error("a field twice, or out of order"));
        }
        last = rank;
        let part = || field.part(pair.value_at, pair.value, Shape::PercentPem);
        match rank {
            Rank::By => told.by.push(pair.text()),
            Rank::Hash => {
                told.hash = Some(decode_hash(pair).ok_or_else(|| error("Hash is not SHA-256"))?);
            }
            Rank::Cert => leaf = Some(decode_percent_pem(&part())?),
            Rank::Chain => chain = Some(decode_percent_pem(&part())?),
            Rank::Subject => told.subject = Some(quoted_text(pair)),
            Rank::Uri => told.uris.push(pair.text()),
            Rank::Dns => told.dns_names.push(pair.text()),
            Rank::Issuer => told.issuer = Some(quoted_text(pair)),
        }
    }
    told.uris.retain(|uri| !uri.is_empty());

    let at = pairs.first().map_or(0, |pair| pair.at);
    let contradiction = |what| Err(field.error(at, DecodeErrorKind::Contradiction(what)));
    if leaf.as_ref().is_some_and(|leaf| leaf.len() > 1) {
        return contradiction("Cert has more than one certificate");
    }
    if leaf.is_some() && chain.is_some() && leaf.iter().flatten().next() != chain.iter().flatten().next() {
        return contradiction("Chain does not begin with Cert");
    }
    let certificates = chain.or(leaf).unwrap_or_default();
    let Some(hash) = told.hash else {
        return Err(field.error(at, DecodeErrorKind::Xfcc("no Hash, which Envoy always writes")));
    };
    let details = match certificates.first() {
        Some(leaf) if hash != Fingerprint::of(leaf) => return contradiction("Hash does not fit Cert"),
        Some(leaf) => CertDetails { hash: told.hash, by: told.by, ..CertDetails::of(leaf) },
        None => told,
    };
    Ok(ForwardedCert { details, ..ForwardedCert::new(certificates) })
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
    fn of(pair: &Pair<'_>) -> Option<Self> {
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
        ranks.into_iter().find(|(key, _)| pair.is(key)).map(|(_, rank)| rank)
    }

    fn may_repeat(self) -> bool {
        matches!(self, Self::By | Self::Uri | Self::Dns)
    }
}

/// A distinguished name, in which the backslashes are RFC 2253's own and stay.
fn quoted_text(pair: &Pair<'_>) -> String {
    pair.value.iter().copied().map(char::from).collect()
}

/// As Envoy writes it: 64 lower-case digits.
fn decode_hash(pair: &Pair<'_>) -> Option<Fingerprint> {
    let digits = std::str::from_utf8(pair.value).ok()?;
    let plain = digits.len() == 64 && !digits.contains(|char: char| char.is_ascii_uppercase());
    plain.then(|| digits.parse().ok())?
}
