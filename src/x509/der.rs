//! The outline of an X.509 certificate (RFC 5280 section 4.1), as far as it takes to find the public key.
//!
//! webpki refuses X.509 v1 and unknown critical extensions before it looks at the key. Go does not, and under the
//! policies that take any certificate the handshake's signature must be checked all the same.

/// The parts of a certificate that prove possession: what kind of key it holds, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// The contents of the `AlgorithmIdentifier`, which is how rustls's algorithms name the keys they take.
    pub(crate) algorithm: &'a [u8],
    /// The bits of the `subjectPublicKey`.
    pub(crate) key: &'a [u8],
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const VERSION: u8 = 0xA0;
const ISSUER_UNIQUE_ID: u8 = 0x81;
const SUBJECT_UNIQUE_ID: u8 = 0x82;
pub(crate) const EXTENSIONS: u8 = 0xA3;

/// Reads the outline. `None` if this is not a certificate, trailing bytes included.
///
/// As Go's parser, it refuses a negative serial number; unlike it, it does not look into names and extensions.
pub(crate) fn public_key(der: &[u8]) -> Option<PublicKey<'_>> {
    let mut file = Der(der);
    let mut certificate = Der(file.take(SEQUENCE)?);
    file.end()?;

    let mut tbs = Der(certificate.take(SEQUENCE)?);
    certificate.take(SEQUENCE)?;
    certificate.bits()?;
    certificate.end()?;

    if let Some(version) = tbs.take_optional(VERSION) {
        let mut version = Der(version);
        if !matches!(version.take(INTEGER)?, [0..=2]) {
            return None;
        }
        version.end()?;
    }
    let serial = tbs.take(INTEGER)?;
    if serial.first()? & 0x80 != 0 {
        return None;
    }
    tbs.take(SEQUENCE)?; // signature
    tbs.take(SEQUENCE)?; // issuer
    let mut validity = Der(tbs.take(SEQUENCE)?);
    validity.time()?;
    validity.time()?;
    validity.end()?;
    tbs.take(SEQUENCE)?; // subject
    let mut key_info = Der(tbs.take(SEQUENCE)?);
    let algorithm = key_info.take(SEQUENCE)?;
    let key = key_info.bits()?;
    key_info.end()?;

    tbs.take_optional(ISSUER_UNIQUE_ID);
    tbs.take_optional(SUBJECT_UNIQUE_ID);
    if let Some(extensions) = tbs.take_optional(EXTENSIONS) {
        let mut outer = Der(extensions);
        let mut extensions = Der(outer.take(SEQUENCE)?);
        outer.end()?;
        while extensions.end().is_none() {
            let mut extension = Der(extensions.take(SEQUENCE)?);
            extension.take(OBJECT_IDENTIFIER)?;
            extension.take_optional(BOOLEAN);
            extension.take(OCTET_STRING)?;
            extension.end()?;
        }
    }
    tbs.end()?;
    Some(PublicKey { algorithm, key })
}

/// The contents of the extension with this object identifier. `None` if it is not there; of two, the first.
pub(crate) fn extension<'a>(certificate: &'a [u8], oid: &[u8]) -> Option<&'a [u8]> {
    let mut tbs = after_validity(certificate)?;
    tbs.take(SEQUENCE)?; // subject
    tbs.take(SEQUENCE)?; // subjectPublicKeyInfo
    tbs.take_optional(ISSUER_UNIQUE_ID);
    tbs.take_optional(SUBJECT_UNIQUE_ID);
    let mut extensions = Der(Der(tbs.take_optional(EXTENSIONS)?).take(SEQUENCE)?);
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        if extension.take(OBJECT_IDENTIFIER)? == oid {
            extension.take_optional(BOOLEAN);
            return extension.take(OCTET_STRING);
        }
    }
    None
}

/// The contents of the issuer's name.
pub(crate) fn issuer(certificate: &[u8]) -> Option<&[u8]> {
    before_issuer(certificate)?.take(SEQUENCE)
}

fn after_validity(certificate: &[u8]) -> Option<Der<'_>> {
    let mut tbs = before_issuer(certificate)?;
    tbs.take(SEQUENCE)?; // issuer
    tbs.take(SEQUENCE)?; // validity
    Some(tbs)
}

fn before_issuer(certificate: &[u8]) -> Option<Der<'_>> {
    let mut tbs = Der(Der(Der(certificate).take(SEQUENCE)?).take(SEQUENCE)?);
    tbs.take_optional(VERSION);
    tbs.take(INTEGER)?; // serialNumber
    tbs.take(SEQUENCE)?; // signature
    Some(tbs)
}

/// What is left to read.
#[derive(Clone, Debug)]
pub(crate) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// The contents of the next value, if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.take_any().map(|(_, contents)| contents) } else { None }
    }

    /// The tag and the contents of the next value.
    pub(crate) fn take_any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7F => (usize::from(length), rest),
            // Longer than four bytes is longer than TLS can carry; 0x80 is BER's indefinite length.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
                let length = bytes
                    .iter()
                    .try_fold(0_usize, |all, byte| all.checked_mul(256)?.checked_add(usize::from(*byte)))?;
                // DER has one length for each value: the shortest.
                if bytes.first() == Some(&0) || length < 0x80 {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    pub(crate) fn take_optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.take(tag) } else { None }
    }

    /// The next value, whatever its tag: tag and contents.
    pub(crate) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let tag = *self.0.first()?;
        Some((tag, self.take(tag)?))
    }

    /// The next value with this tag, tag and length included.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        self.take(tag)?;
        before.get(..before.len() - self.0.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A bit string of whole bytes.
    pub(crate) fn bits(&mut self) -> Option<&'a [u8]> {
        match self.take(BIT_STRING)?.split_first()? {
            (0, bits) => Some(bits),
            _ => None,
        }
    }

    fn time(&mut self) -> Option<&'a [u8]> {
        self.take_optional(UTC_TIME).or_else(|| self.take(GENERALIZED_TIME))
    }

    /// The tag of the next value, if there is one.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
