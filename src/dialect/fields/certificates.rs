//! The fields that hold certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use rustls_pki_types::CertificateDer;

use super::field::CertEncoding;
use crate::dialect::decode::{DecodeError, DecodeErrorKind, Field as Value, Limits, Shape};
use crate::dialect::encoding::{
    base64_item, base64_list, concatenated, decode_base64, decode_percent_pem, decode_spaced_pem,
    percent_pem, spaced_pem,
};
use crate::dialect::structured;

type Certificates = Vec<CertificateDer<'static>>;

/// One certificate at least.
pub(super) fn write(encoding: CertEncoding, certificates: &[CertificateDer<'_>]) -> String {
    match encoding {
        CertEncoding::Base64 => base64_list(certificates, ","),
        CertEncoding::ConcatenatedBase64 => {
            let der: Vec<u8> = certificates.iter().flat_map(|der| der.iter().copied()).collect();
            STANDARD.encode(der)
        }
        CertEncoding::PercentPem => percent_pem(certificates),
        // A builder refuses it for several.
        CertEncoding::SpacedPem => certificates.iter().map(|der| spaced_pem(der)).collect(),
        CertEncoding::Rfc9440 => format!(":{}:", base64_list(certificates, ":, :")),
    }
}

/// The client's own certificate alone.
pub(super) fn read_one(
    encoding: CertEncoding,
    header: &HeaderName,
    value: &[u8],
    limits: Limits,
) -> Result<Certificates, DecodeError> {
    let value = Value::new(header, value, shape(encoding, false), limits)?;
    value.check_count(0, 0)?;
    Ok(match encoding {
        CertEncoding::Base64 | CertEncoding::ConcatenatedBase64 => vec![decode_base64(&value)?],
        CertEncoding::SpacedPem => vec![decode_spaced_pem(&value)?],
        CertEncoding::Rfc9440 => vec![structured::item(&value)?],
        CertEncoding::PercentPem => {
            let certificates = decode_percent_pem(&value)?;
            if let [_, another, ..] = certificates.as_slice() {
                let offset =
                    value.value.len().saturating_sub(percent_pem(std::slice::from_ref(another)).len());
                return Err(value.error(offset, DecodeErrorKind::Pem("more than one certificate")));
            }
            certificates
        }
    })
}

/// Several, to be added to those that are there.
pub(super) fn read_chain(
    encoding: CertEncoding,
    header: &HeaderName,
    value: &[u8],
    limits: Limits,
    certificates: &mut Certificates,
) -> Result<(), DecodeError> {
    let value = Value::new(header, value, shape(encoding, true), limits)?;
    match encoding {
        CertEncoding::Base64 => {
            let mut start = 0;
            for item in value.value.split(|&byte| byte == b',') {
                value.check_count(certificates.len(), start)?;
                certificates.push(base64_item(&value, start, item)?);
                start += item.len() + 1;
            }
            Ok(())
        }
        CertEncoding::ConcatenatedBase64 => {
            let der = STANDARD.decode(value.value).map_err(|error| value.base64_error(0, error))?;
            concatenated(&value, &der, certificates)
        }
        CertEncoding::PercentPem => {
            certificates.extend(decode_percent_pem(&value)?);
            value.check_count(certificates.len().saturating_sub(1), 0)
        }
        CertEncoding::SpacedPem => {
            value.check_count(certificates.len(), 0)?;
            certificates.push(decode_spaced_pem(&value)?);
            Ok(())
        }
        CertEncoding::Rfc9440 => structured::list(&value, certificates),
    }
}

const fn shape(encoding: CertEncoding, list: bool) -> Shape {
    match encoding {
        CertEncoding::Base64 if list => Shape::Base64List,
        CertEncoding::Base64 | CertEncoding::ConcatenatedBase64 => Shape::Base64,
        CertEncoding::PercentPem => Shape::PercentPem,
        CertEncoding::SpacedPem => Shape::SpacedPem,
        CertEncoding::Rfc9440 => Shape::StructuredField,
    }
}
