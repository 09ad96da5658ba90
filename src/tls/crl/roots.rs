//! The client CAs: what webpki takes, and the certificates they came in, if they did.

use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::signer::Signer;

/// The client CAs. To webpki each is a name and a key; whether it may have signed a CRL stands in its certificate.
#[derive(Debug, Default)]
pub(in crate::tls) struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    /// One for each anchor.
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

    /// All of this name.
    pub(super) fn named(&self, subject: &[u8]) -> impl Iterator<Item = Signer<'_>> {
        self.all().filter(move |(anchor, _)| *anchor.subject == *subject).filter_map(Self::read)
    }

    /// One of the [anchors](Self::anchors), as webpki hands it out again.
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
