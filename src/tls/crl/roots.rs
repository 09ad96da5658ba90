//! The client CAs: as trust anchors for webpki, and as the certificates they came in, if any.

use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::signer::Signer;

/// The client CAs. A trust anchor has only a name and a key; whether the key may sign CRLs stands in its certificate.
#[derive(Debug, Default)]
pub(in crate::tls) struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    /// The certificate of each anchor, in the same order.
    certificates: Vec<Option<CertificateDer<'static>>>,
}

impl Roots {
    pub(in crate::tls) fn add(
        &mut self,
        anchor: TrustAnchor<'static>,
        certificate: Option<CertificateDer<'static>>,
    ) {
        self.anchors.push(anchor);
        self.certificates.push(certificate);
    }

    pub(in crate::tls) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// Returns all client CAs with this name.
    pub(super) fn named(&self, subject: &[u8]) -> impl Iterator<Item = Signer<'_>> {
        self.all().filter(move |(anchor, _)| *anchor.subject == *subject).filter_map(Self::read)
    }

    /// Finds one of the [anchors](Self::anchors), given the copy or the reference that webpki hands out.
    pub(super) fn signer(&self, anchor: &TrustAnchor<'_>) -> Option<Signer<'_>> {
        let same = |(own, _): &(&TrustAnchor<'_>, _)| std::ptr::eq(*own, anchor);
        self.all().find(same).or_else(|| self.all().find(|(own, _)| *own == anchor)).and_then(Self::read)
    }

    fn all(&self) -> impl Iterator<Item = (&TrustAnchor<'static>, Option<&CertificateDer<'static>>)> {
        self.anchors.iter().zip(self.certificates.iter().map(Option::as_ref))
    }

    fn read<'a>(
        (anchor, certificate): (&'a TrustAnchor<'static>, Option<&'a CertificateDer<'static>>),
    ) -> Option<Signer<'a>> {
        match certificate {
            Some(certificate) => Signer::of(certificate),
            None => Signer::without_certificate(&anchor.subject_public_key_info),
        }
    }
}
