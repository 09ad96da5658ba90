//! Finds name constraints (RFC 5280 section 4.2.1.10) that webpki can't evaluate.
//!
//! webpki compares DNS names and IP addresses. It refuses a name of any other kind if a constraint of that kind
//! applies, with the same error as for a name that violates a constraint.

use rustls::pki_types::{CertificateDer, TrustAnchor};

use crate::x509::Certificate;
use crate::x509::der::{Der, SEQUENCE};
use crate::x509::extension::{NAME_CONSTRAINTS, SUBJECT_ALT_NAME};

const PERMITTED: u8 = 0xA0;
const EXCLUDED: u8 = 0xA1;

/// A set of the kinds of `GeneralName`: one bit for each, at the number of its tag.
type Kinds = u16;

const DNS: Kinds = 1 << 2;
const DIRECTORY: Kinds = 1 << 4;
const IP: Kinds = 1 << 7;

/// Whether an issuer constrains a kind of name that the chain contains and that webpki can't compare.
pub(super) fn are_unsupported(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &[TrustAnchor<'_>],
) -> bool {
    let chain = || std::iter::once(end_entity).chain(intermediates);
    // Every certificate has a subject, and a subject is a directory name.
    let names = chain().fold(DIRECTORY, |kinds, certificate| kinds | alt_names(certificate));
    let issuers: Vec<_> = chain().filter_map(|below| Some(Certificate::read(below).ok()?.issuer)).collect();
    let is_above = |root: &&TrustAnchor<'_>| issuers.contains(&&*root.subject);
    let by_roots = roots.iter().filter(is_above).filter_map(|root| root.name_constraints.as_deref());
    let by_intermediates = intermediates.iter().filter_map(|issuer| {
        let mut value = Der::new(extension(issuer, NAME_CONSTRAINTS)?);
        value.take(SEQUENCE)
    });
    let constrained = by_roots.chain(by_intermediates).fold(0, |kinds, value| kinds | constraints(value));
    names & constrained & !(DNS | IP) != 0
}

fn alt_names(certificate: &[u8]) -> Kinds {
    let names = extension(certificate, SUBJECT_ALT_NAME).and_then(|value| Der::new(value).take(SEQUENCE));
    let mut names = Der::new(names.unwrap_or_default());
    let mut kinds = 0;
    while let Some(name) = names.value() {
        kinds |= kind(name.tag);
    }
    kinds
}

fn extension<'a>(certificate: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    Certificate::read(certificate).ok()?.extension(oid).ok()?
}

/// Returns the kinds of name that the contents of a `NameConstraints` extension mention.
fn constraints(value: &[u8]) -> Kinds {
    let mut value = Der::new(value);
    let mut kinds = 0;
    for subtrees in [PERMITTED, EXCLUDED] {
        let mut subtrees = Der::new(value.take_optional(subtrees).unwrap_or_default());
        while let Some(subtree) = subtrees.take(SEQUENCE) {
            kinds |= Der::new(subtree).value().map_or(0, |base| kind(base.tag));
        }
    }
    kinds
}

/// The low five bits of a tag are the number of the kind. The other bits say class and encoding, which don't matter
/// here.
fn kind(tag: u8) -> Kinds {
    1_u16.checked_shl(u32::from(tag & 0x1F)).unwrap_or(0)
}
