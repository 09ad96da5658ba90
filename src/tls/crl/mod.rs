//! Certificate revocation lists: all that a verifier has, and which of them counts for a certificate.
//!
//! webpki builds paths and asks here about each. It could look into CRLs itself, but takes the first whose issuer has
//! the right name: not the current one, nor the one of the right key. The rules are those of `openssl verify
//! -crl_check_all`, and stricter where the guide's table says so (`docs/revocation.md`).

mod fault;
mod list;
mod roots;
mod scope;
mod signer;
#[cfg(test)]
mod tests;
mod title;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use rustls::pki_types::{SignatureVerificationAlgorithm, UnixTime};
use webpki::VerifiedPath;

pub(super) use self::roots::Roots;

use self::fault::Limit;
use self::list::List;
use self::scope::{Kind, Points};
use self::signer::Signer;
use self::title::Title;
use super::digest::{Digest, Hasher};
use super::files::{GivenCrl, Origin, VerifierError};
use crate::x509::Certificate;

/// What the builder's options ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revocation {
    /// Look at the issuers too, not only at the client's own certificate.
    pub(super) whole_chain: bool,
    /// What no CRL speaks of is good.
    pub(super) allow_unknown: bool,
    /// Believe a CRL after its `nextUpdate`.
    pub(super) allow_expired: bool,
}

/// Why a path is not taken. The last is the most telling, of several paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// No list speaks for the issuer.
    Unknown,
    /// The first list that does is from the future.
    NotYetValid,
    /// The current list is out of date.
    Expired,
    Revoked,
}

/// The first and the last second of which an answer is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: UnixTime,
    pub(super) until: UnixTime,
}

impl Span {
    pub(super) const ALWAYS: Self = Self { since: seconds(0), until: seconds(u64::MAX) };

    fn within(self, other: Self) -> Self {
        Self { since: self.since.max(other.since), until: self.until.min(other.until) }
    }
}

/// All lists that a verifier has.
#[derive(Debug)]
pub(super) struct Crls {
    by_issuer: HashMap<Vec<u8>, Vec<List>>,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

impl Crls {
    /// Reads all lists.
    pub(super) fn new(
        given: Vec<GivenCrl>,
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
        roots: &Roots,
    ) -> Result<Self, VerifierError> {
        let mut crls = Self { by_issuer: HashMap::new(), algorithms };
        let mut limited = Vec::new();
        for GivenCrl { origin, index, der } in given {
            // The list takes the bytes, which may be many.
            let title = Title::of(&der);
            match List::read(der, algorithms) {
                Ok(list) => {
                    let issuer = list.issuer.clone();
                    let lists = crls.by_issuer.entry(issuer.clone()).or_default();
                    if list.limit.is_some() {
                        limited.push(Limited { origin, index, title, issuer, place: lists.len() });
                    }
                    lists.push(list);
                }
                Err(fault) => return Err(VerifierError::bad_crl(origin, index, &title, &fault)),
            }
        }
        for limited in limited {
            crls.pass_over(limited)?;
        }
        for lists in crls.by_issuer.values_mut() {
            lists.retain(|list| list.limit.as_ref().is_none_or(Limit::still_revokes));
        }
        crls.look_at(roots);
        Ok(crls)
    }

    /// Passes a list over that can't say who is good, if another is there for all that it is for.
    fn pass_over(&self, limited: Limited) -> Result<(), VerifierError> {
        let Limited { origin, index, title, issuer, place } = limited;
        let lists = self.of(&issuer);
        let Some((list, limit)) = lists.get(place).and_then(|list| Some((list, list.limit.as_ref()?))) else {
            return Ok(());
        };
        let covered = lists.iter().any(|other| {
            other.limit.is_none()
                && other.authority.may_equal(&list.authority)
                && other.scope.contains(&list.scope)
        });
        if !covered {
            let reason = format!("{limit}: give a complete CRL of this CA, beside it or instead");
            return Err(VerifierError::bad_crl(origin, index, &title, &reason));
        }
        #[cfg(feature = "tracing")]
        tracing::warn!(
            "CRL {index} (from 0) of {origin}, the {title}, is passed over for another of this CA: {limit}"
        );
        Ok(())
    }

    /// Warns of what will surprise the operator, and checks the signatures of the roots' lists before a client waits.
    fn look_at(&self, roots: &Roots) {
        for list in self.lists() {
            let signers: Vec<_> = roots.named(&list.issuer).collect();
            let signed = |signer: &&Signer<'_>| list.is_signed_by(signer, self.algorithms);
            #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
            let problem = match signers.iter().find(signed) {
                None if signers.is_empty() => continue,
                None => {
                    "it is not signed with the key of the client CA of that name, and does not count for it"
                }
                Some(signer) if !list.authority.may_be(signer) => {
                    "its authorityKeyIdentifier names another certificate than the client CA's, so it does not count"
                }
                Some(signer) if !signer.may_sign_crls() => {
                    "the key usage in the client CA's certificate does not include cRLSign, so it does not count"
                }
                Some(_) => continue,
            };
            #[cfg(feature = "tracing")]
            tracing::warn!("the {}: {problem}", list.title());
        }
    }

    fn lists(&self) -> impl Iterator<Item = &List> {
        self.by_issuer.values().flatten()
    }

    fn of(&self, issuer: &[u8]) -> &[List] {
        self.by_issuer.get(issuer).map_or(&[], Vec::as_slice)
    }

    pub(super) fn fingerprints(&self) -> impl Iterator<Item = Digest> {
        self.lists().map(|list| Hasher::new("CRL").bytes(list.der()).finish())
    }

    /// The end of the first list that has none to follow it.
    pub(super) fn next_update(&self, now: UnixTime) -> Option<UnixTime> {
        let complete = |list: &&List| list.limit.is_none();
        self.lists().filter(complete).map(|list| self.succession_ends(list, now)).min()
    }

    /// When the last in a line of lists of one scope ends, each of which begins before the one before it has ended.
    fn succession_ends(&self, list: &List, now: UnixTime) -> UnixTime {
        let line = self.of(&list.issuer).iter().filter(|other| {
            other.limit.is_none() && other.scope == list.scope && other.authority == list.authority
        });
        let mut line: Vec<_> = line.map(|other| (other.this_update, other.next_update)).collect();
        line.sort_unstable();
        let mut reign: Option<(UnixTime, UnixTime)> = None;
        for (begins, next) in line {
            reign = match reign {
                // As new as the one before, and sorted after it: both count until the first ends.
                Some((began, ends)) if began == begins => Some((began, ends)),
                Some((began, ends)) if begins > now && begins > ends => Some((began, ends)),
                // The newest of those that have begun counts, whatever came before.
                _ => Some((begins, next)),
            };
        }
        reign.map_or(list.next_update, |(_, ends)| ends)
    }

    /// Whether no certificate of a path is revoked, and for how long that is true.
    pub(super) fn check(
        &self,
        path: &VerifiedPath<'_>,
        roots: &Roots,
        options: Revocation,
        now: UnixTime,
    ) -> Result<Span, Refusal> {
        let mut span = Span::ALWAYS;
        if self.by_issuer.is_empty() {
            return Ok(span);
        }
        let issuers: Vec<_> = path.intermediate_certificates().map(|issuer| issuer.der()).collect();
        let end_entity = path.end_entity().der();
        let mut kind = Kind::User;
        for (place, certificate) in std::iter::once(&end_entity).chain(&issuers).enumerate() {
            let signer = match issuers.get(place) {
                Some(issuer) => Signer::of(issuer),
                None => roots.signer(path.anchor()),
            };
            let (Ok(certificate), Some(signer)) = (Certificate::read(certificate), signer) else {
                // webpki has read them both already.
                return Err(Refusal::Unknown);
            };
            span = span.within(self.judge(&certificate, kind, &signer, options, now)?);
            if !options.whole_chain {
                break;
            }
            kind = Kind::Ca;
        }
        Ok(span)
    }

    /// Whether a certificate of this signer's is good.
    fn judge(
        &self,
        certificate: &Certificate<'_>,
        kind: Kind,
        signer: &Signer<'_>,
        options: Revocation,
        now: UnixTime,
    ) -> Result<Span, Refusal> {
        let points = Points::of(certificate);
        let in_scope = self.of(certificate.issuer).iter().filter(|list| list.scope.covers(kind, &points));
        let (mut begun, upcoming): (Vec<_>, Vec<_>) = in_scope.partition(|list| list.this_update <= now);
        begun.sort_unstable_by_key(|list| Reverse(list.this_update));

        // The newest complete list decides, and all that are as new. What is newer and can't decide still revokes.
        let signed = |list: &List| {
            signer.may_sign_crls()
                && list.authority.may_be(signer)
                && list.is_signed_by(signer, self.algorithms)
        };
        let mut decides = None;
        let mut expired = false;
        let mut span = Span::ALWAYS;
        for list in begun {
            if decides.is_some_and(|newest| list.this_update < newest) {
                break;
            }
            if !signed(list) {
                continue;
            }
            let stale = list.limit.is_none() && !options.allow_expired && list.next_update <= now;
            if list.revokes(certificate.serial.0) && !stale {
                return Err(Refusal::Revoked);
            }
            if list.limit.is_some() {
                continue;
            }
            // A list that is out of date is not replaced by an older one: whoever is new on it would come back.
            decides = Some(list.this_update);
            expired |= stale;
            let until =
                if options.allow_expired { Span::ALWAYS.until } else { last_before(list.next_update) };
            span = span.within(Span { since: list.this_update, until });
        }
        match decides {
            Some(_) if expired => return Err(Refusal::Expired),
            Some(_) => {}
            None if upcoming.iter().any(|list| list.limit.is_none() && signed(list)) => {
                return Err(Refusal::NotYetValid);
            }
            None if options.allow_unknown => {}
            None => return Err(Refusal::Unknown),
        }
        let begins = upcoming.iter().map(|list| last_before(list.this_update)).min();
        Ok(span.within(Span { until: begins.unwrap_or(Span::ALWAYS.until), ..Span::ALWAYS }))
    }
}

/// A list that can't say of a certificate that it is good.
struct Limited {
    origin: Origin,
    index: usize,
    title: Title,
    /// Where it is: among the lists of this issuer.
    issuer: Vec<u8>,
    place: usize,
}

fn last_before(time: UnixTime) -> UnixTime {
    seconds(time.as_secs().saturating_sub(1))
}

const fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
