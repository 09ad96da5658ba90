//! Which certificates of its issuer a CRL covers: distribution points (RFC 5280 sections 4.2.1.13 and 5.2.5).

use super::fault::Limit;
use crate::x509::Certificate;
use crate::x509::der::{Der, SEQUENCE, Value};
use crate::x509::extension::{CRL_DISTRIBUTION_POINTS, boolean};

const DISTRIBUTION_POINT: u8 = 0xA0;
const FULL_NAME: u8 = 0xA0;
const RELATIVE_NAME: u8 = 0xA1;
const ONLY_USER_CERTS: u8 = 0x81;
const ONLY_CA_CERTS: u8 = 0x82;
const ONLY_SOME_REASONS: u8 = 0x83;
const INDIRECT: u8 = 0x84;
const ONLY_ATTRIBUTE_CERTS: u8 = 0x85;

const REASONS: u8 = 0x81;
const CRL_ISSUER: u8 = 0xA2;

/// Which certificates a list covers. The default is all certificates of its issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    only: Option<Kind>,
    /// The names of the list's distribution point. If there is one, the list covers certificates that name the same
    /// point.
    point: Option<Vec<Vec<u8>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Ca,
}

impl Scope {
    /// Reads an `IssuingDistributionPoint`. It may also limit what the list can say about the certificates it covers.
    pub(super) fn read(value: &[u8]) -> Option<(Self, Option<Limit>)> {
        let mut outer = Der::new(value);
        let mut fields = Der::new(outer.take(SEQUENCE)?);
        outer.end()?;
        let mut scope = Self::default();
        let mut limit = None;
        while !fields.is_empty() {
            let Value { tag, contents, .. } = fields.value()?;
            match tag {
                DISTRIBUTION_POINT if scope.point.is_none() => {
                    scope.point = Some(names(contents)?.into_iter().map(<[u8]>::to_vec).collect());
                }
                ONLY_USER_CERTS | ONLY_CA_CERTS => {
                    let kind = if tag == ONLY_USER_CERTS { Kind::User } else { Kind::Ca };
                    if boolean(contents)? && scope.only.replace(kind).is_some() {
                        return None;
                    }
                }
                ONLY_SOME_REASONS => limit = Limit::worse(limit, Some(Limit::SomeReasons)),
                INDIRECT | ONLY_ATTRIBUTE_CERTS => {
                    let what = if tag == INDIRECT { Limit::Indirect } else { Limit::AttributeCertificates };
                    limit = Limit::worse(limit, boolean(contents)?.then_some(what));
                }
                _ => return None,
            }
        }
        // A list is for at most one kind of certificate.
        if limit == Some(Limit::AttributeCertificates) && scope.only.is_some() {
            return None;
        }
        Some((scope, limit))
    }

    pub(super) fn covers(&self, kind: Kind, points: &Points<'_>) -> bool {
        self.only.is_none_or(|only| only == kind)
            && match (&self.point, points) {
                // Nobody can tell which reasons of revocation are still missing.
                (_, Points::Unclear) => false,
                (None, _) => true,
                (Some(_), Points::None) => false,
                (Some(own), Points::Named(names)) => {
                    names.iter().any(|name| own.iter().any(|own| own == name))
                }
            }
    }

    /// Whether this scope covers every certificate that `other` covers.
    pub(super) fn contains(&self, other: &Self) -> bool {
        (self.only.is_none() || self.only == other.only)
            && match (&self.point, &other.point) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(own), Some(other)) => other.iter().all(|name| own.contains(name)),
            }
    }
}

/// Where a certificate says that its CRLs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Points<'a> {
    None,
    /// The names of the certificate's distribution points, without those of other CRL issuers.
    Named(Vec<&'a [u8]>),
    /// The distribution points are for some reasons of revocation only, or can't be read.
    Unclear,
}

impl<'a> Points<'a> {
    pub(super) fn of(certificate: &Certificate<'a>) -> Self {
        match certificate.extension(CRL_DISTRIBUTION_POINTS) {
            Ok(None) => Self::None,
            Ok(Some(value)) => Self::read(value).map_or(Self::Unclear, Self::Named),
            Err(_) => Self::Unclear,
        }
    }

    /// `SEQUENCE OF SEQUENCE { distributionPoint [0], reasons [1], cRLIssuer [2] }`
    fn read(value: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let mut outer = Der::new(value);
        let mut points = Der::new(outer.take(SEQUENCE)?);
        outer.end()?;
        let mut all = Vec::new();
        while !points.is_empty() {
            let mut point = Der::new(points.take(SEQUENCE)?);
            let name = point.take_optional(DISTRIBUTION_POINT);
            if point.take_optional(REASONS).is_some() {
                return None;
            }
            let elsewhere = point.take_optional(CRL_ISSUER).is_some();
            point.end()?;
            match name {
                Some(name) if !elsewhere => all.extend(names(name)?),
                _ => {}
            }
        }
        Some(all)
    }
}

/// Reads the names in a `DistributionPointName`, each with its tag. A relative name is kept as it is, since it is
/// compared only with names of the same issuer.
fn names(name: &[u8]) -> Option<Vec<&[u8]>> {
    let choice = Value::only(name)?;
    let mut names = Vec::new();
    match choice.tag {
        FULL_NAME => {
            let mut general = Der::new(choice.contents);
            while !general.is_empty() {
                names.push(general.value()?.der);
            }
        }
        RELATIVE_NAME => names.push(choice.der),
        _ => return None,
    }
    Some(names)
}
