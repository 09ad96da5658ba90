//! Which dialect a value looks like, for the text of an error. Nothing is decided by it.

use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;

use crate::dialect::{DecodeError, Dialect, Outgoing, VerifyStatus};

/// The shapes in which certificates travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Null,
    ByteSequence,
    Base64,
    Base64List,
    EscapedBase64,
    EscapedPem,
    SpacedPem,
    Elements,
    Info,
}

impl Shape {
    fn of(value: &[u8]) -> Option<Self> {
        let starts_with =
            |prefix: &[u8]| value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let has = |byte| value.contains(&byte);
        let keys: [&[u8]; 8] =
            [b"by=", b"hash=", b"cert=", b"chain=", b"subject=", b"uri=", b"dns=", b"issuer="];
        // The base64 of a DER SEQUENCE longer than 127 bytes.
        let certificate = value.starts_with(b"MI");
        match value {
            b"(null)" => Some(Self::Null),
            [b':', ..] => Some(Self::ByteSequence),
            _ if starts_with(b"-----BEGIN%20") => Some(Self::EscapedPem),
            _ if starts_with(b"-----BEGIN ") => Some(Self::SpacedPem),
            _ if keys.into_iter().any(starts_with) => Some(Self::Elements),
            _ if starts_with(b"subject%3D%22") || starts_with(b"issuer%3D%22") => Some(Self::Info),
            _ if certificate && has(b'%') => Some(Self::EscapedBase64),
            _ if certificate && has(b',') => Some(Self::Base64List),
            _ if certificate => Some(Self::Base64),
            _ => None,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Null => "Apache's text for a variable that has no value",
            Self::ByteSequence => "a byte sequence of RFC 9440 (Client-Cert)",
            Self::Base64 => {
                "a single certificate in base64 DER, as HAProxy, Caddy, ASP.NET Core and Azure write it"
            }
            Self::Base64List => "a list of certificates in base64 DER, as Skipper and Traefik write it",
            Self::EscapedBase64 => "percent-encoded base64, as Traefik up to 2.9.1 writes it",
            Self::EscapedPem => "percent-encoded PEM, as nginx and AWS ALB write it",
            Self::SpacedPem => "PEM with spaces for line ends, as Apache writes it",
            Self::Elements => "an element of Envoy's x-forwarded-client-cert",
            Self::Info => "Traefik's X-Forwarded-Tls-Client-Cert-Info, which has no certificate in it",
        }
    }
}

/// What the value that could not be decoded looks like, unless that is what the dialect itself writes.
pub(super) fn looks_like(
    dialect: &impl Dialect,
    headers: &HeaderMap,
    error: &DecodeError,
) -> Option<&'static str> {
    let found = Shape::of(headers.get(error.header())?.as_bytes())?;
    (!writes(dialect, error.header(), found)).then(|| found.description())
}

/// Whether a dialect writes values of this shape under this name: seen from what it does.
fn writes(dialect: &impl Dialect, header: &HeaderName, shape: Shape) -> bool {
    // As long as a certificate must be to begin with `MI`, and no certificate.
    let sample = CertificateDer::from([&[0x30, 0x82, 0x01, 0x00][..], &[0; 256]].concat());
    let chain = [sample.clone(), sample];
    [&chain[..1], &chain[..]].into_iter().any(|certificates| {
        let mut headers = HeaderMap::new();
        dialect.encode(&Outgoing::new(certificates, VerifyStatus::Success), &mut headers);
        headers.get_all(header).iter().any(|value| Shape::of(value.as_bytes()) == Some(shape))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Skipper;

    #[test]
    fn every_shape_is_told_from_the_others() {
        let cases = [
            ("(null)", Shape::Null),
            (":MIIB:", Shape::ByteSequence),
            ("MIIB/+==", Shape::Base64),
            ("MIIB==,MIIC", Shape::Base64List),
            ("MIIB%2B%3D%3D,MIIC", Shape::EscapedBase64),
            ("-----BEGIN%20CERTIFICATE-----%0AMIIB", Shape::EscapedPem),
            ("-----BEGIN CERTIFICATE----- MIIB", Shape::SpacedPem),
            ("By=spiffe://a;Hash=00", Shape::Elements),
            ("hash=00;Cert=\"x\"", Shape::Elements),
            ("Subject%3D%22CN%3Da%22", Shape::Info),
        ];
        for (value, shape) in cases {
            assert_eq!(Shape::of(value.as_bytes()), Some(shape), "{value}");
        }
        for value in ["", "hello", "SUCCESS", "byte", "-----", "\"MIIB\""] {
            assert_eq!(Shape::of(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_dialect_writes_its_own_shapes_and_no_others() {
        let skipper = Skipper::new();
        let certificate = &skipper.header_names()[0];
        for (shape, writes_it) in [
            (Shape::Base64, true),
            (Shape::Base64List, true),
            (Shape::ByteSequence, false),
            (Shape::Null, false),
        ] {
            assert_eq!(writes(&skipper, certificate, shape), writes_it, "{shape:?}");
        }
    }
}
