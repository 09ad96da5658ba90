//! Certificates byte by byte: what no honest tool writes. Nobody has signed them.

use crate::pki::der;

pub(crate) const CN: &[u8] = &[0x55, 0x04, 0x03];
pub(crate) const O: &[u8] = &[0x55, 0x04, 0x0A];
pub(crate) const OU: &[u8] = &[0x55, 0x04, 0x0B];

pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const UTF8: u8 = 0x0C;
pub(crate) const PRINTABLE: u8 = 0x13;
pub(crate) const T61: u8 = 0x14;
pub(crate) const IA5: u8 = 0x16;
pub(crate) const BMP: u8 = 0x1E;

pub(crate) const EMAIL: u8 = 0x81;
pub(crate) const DNS: u8 = 0x82;
pub(crate) const URI: u8 = 0x86;
pub(crate) const IP: u8 = 0x87;

pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
pub(crate) const ALT_NAMES: &[u8] = &[0x55, 0x1D, 0x11];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x25];

/// A certificate's parts, in DER. Each can be anything.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) serial: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    /// What is at the end of the signed part, where nothing should be.
    pub(crate) tail: Vec<u8>,
}

impl Default for Forged {
    fn default() -> Self {
        let ed25519 = der(0x30, &der(0x06, &[0x2B, 0x65, 0x70]));
        Self {
            serial: der(0x02, &[1]),
            subject: common_name("forged"),
            issuer: common_name("forger"),
            not_before: der(0x17, b"240101000000Z"),
            not_after: der(0x17, b"491231235959Z"),
            key: der(0x30, &[ed25519, der(0x03, &[0; 33])].concat()),
            extensions: vec![],
            tail: vec![],
        }
    }
}

impl Forged {
    pub(crate) fn subject(rdns: &[&[Attribute<'_>]]) -> Self {
        Self { subject: name(rdns), ..Self::default() }
    }

    pub(crate) fn alt_names(names: &[(u8, &[u8])]) -> Self {
        Self::default().with(ALT_NAMES, &alt_names(names))
    }

    pub(crate) fn with(mut self, oid: &[u8], value: &[u8]) -> Self {
        self.extensions.push(der(0x30, &[der(0x06, oid), der(OCTETS, value)].concat()));
        self
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let algorithm = der(0x30, &der(0x06, &[0x2B, 0x65, 0x70]));
        let mut signed = vec![
            der(0xA0, &der(0x02, &[2])),
            self.serial.clone(),
            algorithm.clone(),
            self.issuer.clone(),
            der(0x30, &[&self.not_before[..], &self.not_after].concat()),
            self.subject.clone(),
            self.key.clone(),
        ];
        if !self.extensions.is_empty() {
            signed.push(der(0xA3, &der(0x30, &self.extensions.concat())));
        }
        signed.push(self.tail.clone());
        der(0x30, &[der(0x30, &signed.concat()), algorithm, der(0x03, &[0; 65])].concat())
    }
}

/// A type, the tag of the value, and the value.
pub(crate) type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

pub(crate) fn name(rdns: &[&[Attribute<'_>]]) -> Vec<u8> {
    let rdn = |attributes: &&[Attribute<'_>]| {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(oid, tag, value)| der(0x30, &[der(0x06, oid), der(*tag, value)].concat()))
            .collect();
        der(0x31, &attributes.concat())
    };
    der(0x30, &rdns.iter().map(rdn).collect::<Vec<_>>().concat())
}

fn common_name(text: &str) -> Vec<u8> {
    name(&[&[(CN, UTF8, text.as_bytes())]])
}

pub(crate) fn alt_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<_> = names.iter().map(|(tag, value)| der(*tag, value)).collect();
    der(0x30, &names.concat())
}
