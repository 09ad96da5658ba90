//! One certificate revocation list (RFC 5280 section 5): it is read once, and then looks up serial numbers.

use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rustls::pki_types::{CertificateRevocationListDer, SignatureVerificationAlgorithm, UnixTime};

use super::fault::{Fault, Limit};
use super::scope::Scope;
use super::signer::{AuthorityKey, DIRECTORY_NAME, Signer};
use super::title::Title;
use crate::tls::digest::Digest;
use crate::x509::Time;
use crate::x509::der::{Der, INTEGER, OBJECT_IDENTIFIER, SEQUENCE};
use crate::x509::extension::{self, Extension};

const EXTENSIONS: u8 = 0xA0;
const ENUMERATED: u8 = 0x0A;
const REMOVE_FROM_CRL: &[u8] = &[8];

/// A CRL that was read. Its signature is checked later, when the issuer of a certificate is known.
pub(super) struct List {
    der: CertificateRevocationListDer<'static>,
    /// The range of `der` that the signature covers.
    signed: Range<usize>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    /// The contents of the issuer's name.
    pub(super) issuer: Vec<u8>,
    pub(super) this_update: UnixTime,
    pub(super) next_update: UnixTime,
    pub(super) authority: AuthorityKey,
    pub(super) scope: Scope,
    /// Why the list can't say that a certificate is good, if it can't.
    pub(super) limit: Option<Limit>,
    /// The range of `der` that holds the revoked certificates.
    entries: Range<usize>,
    /// The positions of the entries, sorted by serial number. A list may have millions of entries, so the serial
    /// numbers themselves are not copied.
    sorted: Vec<u32>,
    /// The keys that the signature was checked with, and whether it is theirs.
    signers: Mutex<Vec<(Digest, bool)>>,
}

impl List {
    /// How many keys are remembered for each list. Only in an attack do more keys than these share a name.
    const MAX_SIGNERS: usize = 64;

    pub(super) fn read(
        der: CertificateRevocationListDer<'static>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Fault> {
        let outline = Outline::read(&der, algorithms)?;
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr().saturating_sub(der.as_ptr().addr());
            start..start.saturating_add(part.len())
        };
        Ok(Self {
            signed: place(outline.signed),
            algorithm: outline.algorithm.to_vec(),
            signature: outline.signature.to_vec(),
            issuer: outline.issuer.to_vec(),
            this_update: outline.this_update,
            next_update: outline.next_update,
            authority: outline.authority,
            scope: outline.scope,
            limit: outline.limit,
            entries: if outline.entries.is_empty() { 0..0 } else { place(outline.entries) },
            sorted: outline.sorted,
            signers: Mutex::default(),
            der,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns how messages to the operator name the list.
    pub(super) fn title(&self) -> Title {
        Title::of(&self.der)
    }

    /// Whether the certificate with this serial number is on the list.
    pub(super) fn revokes(&self, serial: &[u8]) -> bool {
        let entries = self.der.get(self.entries.clone()).unwrap_or_default();
        let serial = number(serial);
        self.sorted.binary_search_by(|place| serial_at(entries, *place).cmp(serial)).is_ok()
    }

    /// Whether the list is signed with the key of `signer`. The signature is checked once for each key, since that
    /// takes time in proportion to the size of the list.
    pub(super) fn is_signed_by(
        &self,
        signer: &Signer<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> bool {
        let key = signer.key_fingerprint();
        let mut signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, signed)) = signers.iter().find(|(known, _)| *known == key) {
            return *signed;
        }
        let message = self.der.get(self.signed.clone()).unwrap_or_default();
        let signed = algorithms
            .iter()
            .filter(|algorithm| {
                algorithm.signature_alg_id().as_ref() == self.algorithm
                    && algorithm.public_key_alg_id().as_ref() == signer.key.algorithm
            })
            .any(|algorithm| algorithm.verify_signature(signer.key.key, message, &self.signature).is_ok());
        if signers.len() >= Self::MAX_SIGNERS {
            signers.remove(0);
        }
        signers.push((key, signed));
        signed
    }

    #[cfg(test)]
    pub(super) fn signers_remembered(&self) -> usize {
        self.signers.lock().unwrap().len()
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("title", &self.title()).finish_non_exhaustive()
    }
}

/// The parts of a list, borrowed from its bytes.
struct Outline<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    issuer: &'a [u8],
    this_update: UnixTime,
    next_update: UnixTime,
    authority: AuthorityKey,
    scope: Scope,
    limit: Option<Limit>,
    entries: &'a [u8],
    sorted: Vec<u32>,
}

impl<'a> Outline<'a> {
    fn read(
        der: &'a [u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Fault> {
        let malformed = |what| move || Fault::Malformed(what);
        let parts = Parts::split(der).ok_or_else(malformed("the outline"))?;
        let mut tbs = Der::new(parts.tbs);
        match tbs.take_optional(INTEGER) {
            Some([1]) => {}
            None | Some([0]) => return Err(Fault::Version1),
            Some(_) => return Err(Fault::Malformed("the version")),
        }
        if tbs.take(SEQUENCE).ok_or_else(malformed("the signature algorithm"))? != parts.algorithm {
            return Err(Fault::Malformed("the signature algorithm, which is not the same in both places"));
        }
        if !algorithms.iter().any(|known| known.signature_alg_id().as_ref() == parts.algorithm) {
            return Err(Fault::SignatureAlgorithm(algorithm_oid(parts.algorithm).to_vec()));
        }
        let issuer = tbs.take(SEQUENCE).ok_or_else(malformed("the issuer"))?;
        let this_update = time(&mut tbs).ok_or_else(malformed("thisUpdate"))?;
        let next_update = time(&mut tbs);
        let entries = tbs.take_optional(SEQUENCE).unwrap_or_default();
        let extensions = tbs.take_optional(EXTENSIONS);
        tbs.end().ok_or_else(malformed("what follows thisUpdate"))?;
        let next_update = next_update.ok_or(Fault::NoNextUpdate)?;

        let mut about = About::default();
        if let Some(extensions) = extensions {
            about.read(extensions)?;
        }
        let delta = matches!(about.limit, Some(Limit::Delta));
        let index = Index::read(entries, issuer, delta)?;
        Ok(Self {
            signed: parts.signed,
            algorithm: parts.algorithm,
            signature: parts.signature,
            issuer,
            this_update,
            next_update,
            authority: about.authority.unwrap_or_default(),
            scope: about.scope.unwrap_or_default(),
            limit: Limit::worse(about.limit, index.limit),
            entries,
            sorted: index.sorted,
        })
    }
}

/// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }`
struct Parts<'a> {
    signed: &'a [u8],
    tbs: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(der: &'a [u8]) -> Option<Self> {
        let mut file = Der::new(der);
        let mut list = Der::new(file.take(SEQUENCE)?);
        file.end()?;
        let signed = list.whole(SEQUENCE)?;
        let algorithm = list.take(SEQUENCE)?;
        let signature = list.bits()?;
        list.end()?;
        Some(Self { signed: signed.der, tbs: signed.contents, algorithm, signature })
    }
}

fn time(der: &mut Der<'_>) -> Option<UnixTime> {
    Time::read(der).map(Time::to_unix)
}

/// Returns the identifier of an algorithm, given the contents of its `AlgorithmIdentifier`.
fn algorithm_oid(algorithm: &[u8]) -> &[u8] {
    Der::new(algorithm).take(OBJECT_IDENTIFIER).unwrap_or_default()
}

/// What the extensions of a list say about it.
#[derive(Default)]
struct About {
    authority: Option<AuthorityKey>,
    scope: Option<Scope>,
    limit: Option<Limit>,
}

impl About {
    fn read(&mut self, extensions: &[u8]) -> Result<(), Fault> {
        let malformed = Fault::Malformed;
        let mut outer = Der::new(extensions);
        let inner = outer.take(SEQUENCE).filter(|_| outer.is_empty()).ok_or(malformed("the extensions"))?;
        let mut inner = Der::new(inner);
        while !inner.is_empty() {
            let extension = Extension::read(&mut inner).ok_or(malformed("an extension"))?;
            match extension.oid {
                extension::AUTHORITY_KEY_IDENTIFIER if self.authority.is_none() => {
                    let authority = AuthorityKey::read(extension.value);
                    self.authority = Some(authority.ok_or(malformed("the authorityKeyIdentifier"))?);
                }
                extension::ISSUING_DISTRIBUTION_POINT if self.scope.is_none() => {
                    let (scope, limit) =
                        Scope::read(extension.value).ok_or(malformed("the issuingDistributionPoint"))?;
                    self.scope = Some(scope);
                    self.limit = Limit::worse(self.limit.take(), limit);
                }
                extension::AUTHORITY_KEY_IDENTIFIER | extension::ISSUING_DISTRIBUTION_POINT => {
                    return Err(malformed("an extension, which is there twice"));
                }
                extension::DELTA_CRL_INDICATOR => {
                    self.limit = Limit::worse(self.limit.take(), Some(Limit::Delta));
                }
                unknown if extension.critical => {
                    self.limit = Some(Limit::CriticalExtension(unknown.to_vec()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The entries for certificates of the list's own issuer, sorted by serial number.
struct Index {
    sorted: Vec<u32>,
    limit: Option<Limit>,
}

impl Index {
    fn read(entries: &[u8], issuer: &[u8], delta: bool) -> Result<Self, Fault> {
        let malformed = || Fault::Malformed("a revoked certificate");
        let mut index = Self { sorted: Vec::new(), limit: None };
        let mut rest = Der::new(entries);
        // An entry has the same issuer as the entry before it, and the first has the list's (RFC 5280 section 5.3.3).
        let mut own = true;
        while !rest.is_empty() {
            let place = entries.len() - rest.len();
            let entry = rest.take(SEQUENCE).and_then(Entry::read).ok_or_else(malformed)?;
            if let Some(others) = entry.issuer {
                own = others == Some(issuer);
                index.limit = Limit::worse(index.limit.take(), (!own).then_some(Limit::Indirect));
            }
            if let Some(oid) = entry.unknown {
                index.limit = Some(Limit::CriticalEntryExtension(oid.to_vec()));
            }
            // In a delta CRL, `removeFromCRL` takes an entry of the complete list back. In a complete list it means
            // nothing.
            if own && !(entry.taken_back && delta) {
                index.sorted.push(u32::try_from(place).map_err(|_| malformed())?);
            }
        }
        index.sort(entries);
        Ok(index)
    }
}

impl Index {
    /// Sorts by the first eight bytes, which are copied for speed, and looks up the others only where these are equal.
    fn sort(&mut self, entries: &[u8]) {
        let first = |place: u32| {
            let mut first = [0; 8];
            first.iter_mut().zip(serial_at(entries, place)).for_each(|(first, byte)| *first = *byte);
            u64::from_be_bytes(first)
        };
        let mut places: Vec<_> = self.sorted.iter().map(|place| (first(*place), *place)).collect();
        places.sort_unstable_by(|(one, one_place), (other, other_place)| {
            one.cmp(other).then_with(|| serial_at(entries, *one_place).cmp(serial_at(entries, *other_place)))
        });
        self.sorted = places.into_iter().map(|(_, place)| place).collect();
        self.sorted.shrink_to_fit();
    }
}

/// `SEQUENCE { userCertificate, revocationDate, crlEntryExtensions OPTIONAL }`
#[derive(Default)]
struct Entry<'a> {
    /// The issuer, if it differs from that of the entry before. The inner option is `None` if it has no directory name.
    issuer: Option<Option<&'a [u8]>>,
    taken_back: bool,
    /// A critical extension that this crate does not process.
    unknown: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    fn read(entry: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        let mut entry = Der::new(entry);
        entry.take(INTEGER).filter(|serial| !serial.is_empty())?;
        time(&mut entry)?;
        let mut extensions = Der::new(entry.take_optional(SEQUENCE).unwrap_or_default());
        entry.end()?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions)?;
            match extension.oid {
                extension::CERTIFICATE_ISSUER => {
                    this.issuer = Some(directory_name(extension.value));
                }
                unknown if extension.critical => this.unknown = Some(unknown),
                extension::REASON_CODE => {
                    this.taken_back = Der::new(extension.value).take(ENUMERATED)? == REMOVE_FROM_CRL;
                }
                _ => {}
            }
        }
        Some(this)
    }
}

/// The contents of the name, if these `GeneralNames` begin with the name of a directory.
fn directory_name(names: &[u8]) -> Option<&[u8]> {
    let mut names = Der::new(Der::new(names).take(SEQUENCE)?);
    Der::new(names.take(DIRECTORY_NAME)?).take(SEQUENCE)
}

fn serial_at(entries: &[u8], place: u32) -> &[u8] {
    let entry = usize::try_from(place).ok().and_then(|place| entries.get(place..));
    let serial = entry.and_then(|entry| Der::new(Der::new(entry).take(SEQUENCE)?).take(INTEGER));
    number(serial.unwrap_or_default())
}

/// Strips leading zeros, which do not change a serial number.
fn number(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}
