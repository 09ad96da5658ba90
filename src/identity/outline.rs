//! Whether a certificate holds nothing but what x509-parser read.
//!
//! x509-parser passes over what it does not expect at the end of a sequence: a second value in an attribute, or a
//! second list of extensions. Other readers may take the last, or refuse the certificate as Go does.

use x509_parser::asn1_rs::{Any, Class, FromDer as _, Tag};
use x509_parser::certificate::X509Certificate;

/// `None` if there is something else in it.
pub(super) fn check(certificate: &X509Certificate<'_>) -> Option<()> {
    let signed = certificate.tbs_certificate.as_ref();
    // What was read up to the last value that was understood must be all there is.
    let parts = values(only(signed)?)?;
    for part in &parts {
        // Only the version and the extensions have tags of their own and hold other values.
        match (part.class() == Class::ContextSpecific, part.tag().0) {
            (true, 3) => {
                for extension in values(only(part.data)?)? {
                    match &values(extension.data)?[..] {
                        [_oid, _value] => {}
                        [_oid, critical, _value] if critical.tag() == Tag::Boolean => {}
                        _ => return None,
                    }
                }
            }
            (true, 0) => count(part.data, 1)?,
            _ => {}
        }
    }
    for name in [certificate.subject(), certificate.issuer()] {
        for rdn in values(only(name.as_raw())?)? {
            for attribute in values(rdn.data)? {
                count(attribute.data, 2)?;
            }
        }
    }
    let validity = parts.iter().find(|part| is_validity(part))?;
    count(validity.data, 2)?;
    count(only(certificate.public_key().raw)?, 2)
}

/// The only sequence that starts with a time.
fn is_validity(part: &Any<'_>) -> bool {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    matches!(part.data.first(), Some(&(UTC_TIME | GENERALIZED_TIME))) && part.header.is_constructed()
}

/// The contents of the one value that is here.
fn only(der: &[u8]) -> Option<&[u8]> {
    match Any::from_der(der) {
        Ok(([], value)) => Some(value.data),
        _ => None,
    }
}

/// Every value that is here.
fn values(mut der: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut values = Vec::new();
    while !der.is_empty() {
        let (rest, value) = Any::from_der(der).ok()?;
        values.push(value);
        der = rest;
    }
    Some(values)
}

fn count(der: &[u8], expected: usize) -> Option<()> {
    (values(der)?.len() == expected).then_some(())
}
