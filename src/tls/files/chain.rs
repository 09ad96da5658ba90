//! The order of a server's chain: its own certificate first, and then the issuer of each (RFC 5246 section 7.4.2).

use rustls::pki_types::CertificateDer;

use super::origin::Origin;
use crate::x509::Certificate;

/// Returns the positions of the certificates in the right order: the server's own first, each followed by its issuer,
/// and at the end those that are not part of the chain.
pub(in crate::tls) fn order(chain: &[CertificateDer<'_>], leaf: usize) -> Vec<usize> {
    let read: Vec<_> = chain.iter().map(|certificate| Certificate::read(certificate).ok()).collect();
    let read = |index: usize| read.get(index).and_then(Option::as_ref);
    let mut order = vec![leaf];
    let mut last = leaf;
    let next = |order: &[usize], last: usize| {
        let issuer = read(last)?.issuer;
        (0..chain.len())
            .find(|index| !order.contains(index) && read(*index).is_some_and(|other| other.subject == issuer))
    };
    while let Some(issuer) = next(&order, last) {
        order.push(issuer);
        last = issuer;
    }
    let rest = (0..chain.len()).filter(|index| !order.contains(index)).collect::<Vec<_>>();
    order.extend(rest);
    order
}

/// Warns of issuers in the wrong order, and of certificates that don't belong in the chain. Most clients cope with any
/// order, but some fail.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
pub(in crate::tls) fn warn_of_strangers(
    origin: &Origin,
    chain: &[CertificateDer<'_>],
    lines: &[Option<usize>],
) {
    #[cfg(feature = "tracing")]
    {
        let right = order(chain, 0);
        if right.iter().copied().ne(0..chain.len()) {
            let lines: Vec<_> =
                right.iter().filter_map(|index| lines.get(*index).copied().flatten()).collect();
            tracing::warn!(
                %origin,
                right_order = ?lines,
                "the server's issuers are in the wrong order, and some clients will not find their way: put each \
                 certificate before its issuer, by the lines that they begin on"
            );
        }
        for (index, certificate) in chain.iter().enumerate().skip(1) {
            let subject = Certificate::read(certificate).map(|certificate| certificate.subject);
            let issued =
                |other: &CertificateDer<'_>| Certificate::read(other).map(|other| other.issuer) == subject;
            if !chain.iter().enumerate().any(|(other, certificate)| other != index && issued(certificate)) {
                tracing::warn!(
                    %origin,
                    line = lines.get(index).copied().flatten(),
                    certificate = %super::describe::describe(certificate),
                    "a certificate in the server's chain issued none of the others: give the issuer's, or delete it"
                );
            }
        }
    }
}
