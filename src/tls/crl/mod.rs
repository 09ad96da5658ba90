//! Certificate revocation lists: all that a verifier has, and which of them counts for a certificate.
//!
//! webpki builds paths, and asks this module about each one. webpki can look into CRLs itself, but it uses the first
//! CRL whose issuer has the right name, which need not be the newest one, nor signed with the right key. The rules here
//! are those of `openssl verify -crl_check_all`, or stricter where the table in `docs/revocation.md` says so.

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

/// The options of the builder that concern CRLs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Revocation {
    /// Check the issuers too, and not only the client's own certificate.
    pub(super) whole_chain: bool,
    /// Treat a certificate that no CRL covers as good.
    pub(super) allow_unknown: bool,
    /// Use a CRL after its `nextUpdate`.
    pub(super) allow_expired: bool,
}

/// Explains why a path is refused. If several paths are, the greatest of the reasons says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// No list covers the certificate.
    Unknown,
    /// The lists that cover the certificate have not come into force yet.
    NotYetValid,
    /// The newest list is out of date.
    Expired,
    Revoked,
}

/// The first and the last second in which an answer holds.
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
            // `List::read` takes the bytes, and copying them would be costly, so the title is read first.
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
            crls.ignore_or_refuse(limited)?;
        }
        for lists in crls.by_issuer.values_mut() {
            lists.retain(|list| list.limit.as_ref().is_none_or(Limit::still_revokes));
        }
        crls.check_against(roots);
        Ok(crls)
    }

    /// Ignores a list that can't say that a certificate is good, if another list covers all of its scope. Otherwise
    /// refuses it.
    fn ignore_or_refuse(&self, limited: Limited) -> Result<(), VerifierError> {
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

    /// Warns about lists that have no effect, and checks the signatures of the roots' lists before a client has to wait
    /// for it.
    fn check_against(&self, roots: &Roots) {
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

    /// Returns the earliest time at which a list ends that no other list of its scope follows without a gap.
    pub(super) fn next_update(&self, now: UnixTime) -> Option<UnixTime> {
        let complete = |list: &&List| list.limit.is_none();
        self.lists().filter(complete).map(|list| self.succession_ends(list, now)).min()
    }

    /// Returns when the succession of lists ends that `list` belongs to: lists of one scope, each of which begins
    /// before the one before it has ended.
    fn succession_ends(&self, list: &List, now: UnixTime) -> UnixTime {
        let line = self.of(&list.issuer).iter().filter(|other| {
            other.limit.is_none() && other.scope == list.scope && other.authority == list.authority
        });
        let mut line: Vec<_> = line.map(|other| (other.this_update, other.next_update)).collect();
        line.sort_unstable();
        let mut counting: Option<(UnixTime, UnixTime)> = None;
        for (begins, next) in line {
            counting = match counting {
                // Two lists that begin together both count, until the first of them ends. That one is sorted first.
                Some((began, ends)) if began == begins => Some((began, ends)),
                Some((began, ends)) if begins > now && begins > ends => Some((began, ends)),
                // Of the lists that have begun, the newest counts, whatever came before it.
                _ => Some((begins, next)),
            };
        }
        counting.map_or(list.next_update, |(_, ends)| ends)
    }

    /// Checks that no certificate of a path is revoked, and returns for how long that holds.
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
                // This can't happen: webpki has parsed both already.
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

    /// Checks that a certificate that `signer` issued is good, and returns for how long that holds.
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

        // The newest complete list decides, together with all that are equally new. A newer, limited list can only
        // revoke.
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
            // An older list must not replace one that is out of date: certificates that only the newer one lists would
            // be good again.
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

/// A list that can't say that a certificate is good.
struct Limited {
    origin: Origin,
    index: usize,
    title: Title,
    /// The issuer whose lists the list is among, and its position there.
    issuer: Vec<u8>,
    place: usize,
}

fn last_before(time: UnixTime) -> UnixTime {
    seconds(time.as_secs().saturating_sub(1))
}

const fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
