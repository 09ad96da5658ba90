//! Who may have signed a CRL: only the key that signed the certificate, and no other key of a CA with the same name.

use crate::tls::digest::{Digest, Hasher};
use crate::x509::der::{Der, OCTET_STRING, SEQUENCE};
use crate::x509::extension::SUBJECT_KEY_IDENTIFIER;
use crate::x509::{Certificate, PublicKey, usage};

const KEY_IDENTIFIER: u8 = 0x80;
const ISSUER: u8 = 0xA1;
const SERIAL: u8 = 0x82;
pub(super) const DIRECTORY_NAME: u8 = 0xA4;

/// An issuer on a path: its key, and its certificate. A root may come without a certificate.
#[derive(Clone, Debug)]
pub(super) struct Signer<'a> {
    pub(super) key: PublicKey<'a>,
    certificate: Option<Certificate<'a>>,
}

impl<'a> Signer<'a> {
    /// Reads the issuer's certificate.
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let certificate = Certificate::read(certificate).ok()?;
        Some(Self { key: certificate.key.clone(), certificate: Some(certificate) })
    }

    /// Reads the contents of the issuer's `SubjectPublicKeyInfo`.
    pub(super) fn without_certificate(key_info: &'a [u8]) -> Option<Self> {
        Some(Self { key: PublicKey::read(key_info)?, certificate: None })
    }

    pub(super) fn key_fingerprint(&self) -> Digest {
        Hasher::new("key").bytes(self.key.algorithm).bytes(self.key.key).finish()
    }

    /// RFC 5280 section 6.3.3 (f): a CA whose certificate has a key usage must have cRLSign in it.
    pub(super) fn may_sign_crls(&self) -> bool {
        let usage = self.certificate.as_ref().map_or(Ok(None), Certificate::key_usage);
        usage.is_ok_and(|usage| usage.is_none_or(|usage| usage & usage::CRL_SIGN != 0))
    }
}

/// The list's `authorityKeyIdentifier`: whose key the list claims to be signed with. The default claims nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AuthorityKey {
    key: Option<Vec<u8>>,
    issuer: Option<Vec<u8>>,
    serial: Option<Vec<u8>>,
}

impl AuthorityKey {
    /// `SEQUENCE { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] }`, all optional.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut outer = Der::new(value);
        let mut fields = Der::new(outer.take(SEQUENCE)?);
        outer.end()?;
        let key = fields.take_optional(KEY_IDENTIFIER).map(<[u8]>::to_vec);
        let mut issuer = None;
        if let Some(names) = fields.take_optional(ISSUER) {
            let mut names = Der::new(names);
            while !names.is_empty() {
                let name = names.value()?;
                if name.tag == DIRECTORY_NAME && issuer.is_none() {
                    issuer = Some(Der::new(name.contents).take(SEQUENCE)?.to_vec());
                }
            }
        }
        let serial = fields.take_optional(SERIAL).map(<[u8]>::to_vec);
        fields.end()?;
        Some(Self { key, issuer, serial })
    }

    /// Whether the signer's certificate contradicts none of these fields.
    pub(super) fn may_be(&self, signer: &Signer<'_>) -> bool {
        let Some(certificate) = &signer.certificate else { return true };
        let key = certificate
            .extension(SUBJECT_KEY_IDENTIFIER)
            .ok()
            .flatten()
            .and_then(|value| Der::new(value).take(OCTET_STRING));
        let same = |own: &Option<Vec<u8>>, theirs: Option<&[u8]>| match (own, theirs) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => true,
        };
        same(&self.key, key)
            && same(&self.issuer, Some(certificate.issuer))
            && same(&self.serial, Some(certificate.serial.0))
    }

    /// Whether the two may name the same key.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        self.key.is_none() || other.key.is_none() || self.key == other.key
    }
}
