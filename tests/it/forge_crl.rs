//! CRLs that rcgen does not make.

use rustls::pki_types::CertificateRevocationListDer;

use crate::pki::{Authority, ECDSA_SHA256, der};

/// A CRL in all its parts.
#[derive(Clone, Debug)]
pub(crate) struct ForgedCrl {
    /// `None` for version 1.
    pub(crate) version: Option<u8>,
    /// In seconds since 1970.
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

/// A certificate that was revoked: its serial number, and extensions.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) serial: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Entry {
    pub(crate) fn new(serial: u64) -> Self {
        Self { serial: integer(serial), extensions: vec![] }
    }

    /// With a reason code.
    pub(crate) fn because(mut self, reason: u8) -> Self {
        self.extensions.push(extension(REASON_CODE, false, &der(0x0A, &[reason])));
        self
    }
}

pub(crate) const CRL_NUMBER: u8 = 20;
const REASON_CODE: u8 = 21;
pub(crate) const DELTA: u8 = 27;
pub(crate) const ISSUING_POINT: u8 = 28;
pub(crate) const CERTIFICATE_ISSUER: u8 = 29;
pub(crate) const AUTHORITY_KEY: u8 = 35;

pub(crate) const USER: u8 = 0x81;
pub(crate) const CA: u8 = 0x82;
pub(crate) const INDIRECT: u8 = 0x84;
pub(crate) const ATTRIBUTE: u8 = 0x85;

impl ForgedCrl {
    pub(crate) fn new(this_update: i64, next_update: i64) -> Self {
        let number = extension(CRL_NUMBER, false, &der(0x02, &[7]));
        Self {
            version: Some(1),
            this_update,
            next_update: Some(next_update),
            entries: vec![],
            extensions: vec![number],
        }
    }

    pub(crate) fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    /// With the key identifier of the CA that signs.
    pub(crate) fn of(self, authority: &Authority) -> CertificateRevocationListDer<'static> {
        self.with(authority_key(authority)).signed_by(authority)
    }

    pub(crate) fn signed_by(&self, authority: &Authority) -> CertificateRevocationListDer<'static> {
        let entries: Vec<u8> = self
            .entries
            .iter()
            .flat_map(|Entry { serial, extensions }| {
                let mut entry = [der(0x02, serial), time(1_700_000_000)].concat();
                if !extensions.is_empty() {
                    entry.extend(der(0x30, &extensions.concat()));
                }
                der(0x30, &entry)
            })
            .collect();
        let mut tbs = Vec::new();
        if let Some(version) = self.version {
            tbs.extend(der(0x02, &[version]));
        }
        tbs.extend(der(0x30, ECDSA_SHA256));
        tbs.extend(authority.subject());
        tbs.extend(time(self.this_update));
        tbs.extend(self.next_update.map(time).unwrap_or_default());
        if !entries.is_empty() {
            tbs.extend(der(0x30, &entries));
        }
        if !self.extensions.is_empty() {
            tbs.extend(der(0xA0, &der(0x30, &self.extensions.concat())));
        }
        authority.sign(&der(0x30, &tbs)).into()
    }
}

pub(crate) fn authority_key(authority: &Authority) -> Vec<u8> {
    extension(AUTHORITY_KEY, false, &der(0x30, &der(0x80, &authority.key_identifier())))
}

/// An `issuingDistributionPoint` at these addresses, with these flags.
pub(crate) fn issuing_point(addresses: &[&str], flags: &[u8]) -> Vec<u8> {
    let mut fields = if addresses.is_empty() { vec![] } else { point_name(addresses) };
    for flag in flags {
        fields.extend(der(*flag, &[0xFF]));
    }
    extension(ISSUING_POINT, true, &der(0x30, &fields))
}

/// An `issuingDistributionPoint` for key compromise only.
pub(crate) fn some_reasons() -> Vec<u8> {
    extension(ISSUING_POINT, true, &der(0x30, &der(0x83, &[6, 0x40])))
}

/// The value of `cRLDistributionPoints` with one point, which may be for some reasons only.
pub(crate) fn distribution_points(addresses: &[&str], reasons: bool) -> Vec<u8> {
    let reasons = if reasons { der(0x81, &[6, 0x40]) } else { vec![] };
    der(0x30, &der(0x30, &[point_name(addresses), reasons].concat()))
}

fn point_name(addresses: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = addresses.iter().flat_map(|address| der(0x86, address.as_bytes())).collect();
    der(0xA0, &der(0xA0, &names))
}

/// An extension of the arc 2.5.29.
pub(crate) fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { der(0x01, &[0xFF]) } else { vec![] };
    der(0x30, &[der(0x06, &[0x55, 0x1D, number]), critical, der(0x04, value)].concat())
}

/// The names of one issuer, as an entry's `certificateIssuer` has them.
pub(crate) fn certificate_issuer(authority: &Authority) -> Vec<u8> {
    extension(CERTIFICATE_ISSUER, true, &der(0x30, &der(0xA4, &authority.subject())))
}

pub(crate) fn integer(number: u64) -> Vec<u8> {
    let bytes = [&[0][..], &number.to_be_bytes()].concat();
    let zeros = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    bytes[zeros..].to_vec()
}

fn time(seconds: i64) -> Vec<u8> {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let text = format!("{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z", year % 100);
    der(0x17, text.as_bytes())
}
