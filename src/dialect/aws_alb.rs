//! AWS Application Load Balancer's headers, in its passthrough and in its verify mode.

use http::{HeaderMap, HeaderName};

use super::certificate::Certificate;
use super::decode::{DecodeErrorKind, Field, Limits, Shape};
use super::encoding::{decode_percent_pem, insert, insert_text, percent_pem};
use super::{DecodeError, Dialect, ForwardedCert, Outgoing};

/// The load balancer's two modes, which write two sets of headers.
///
/// ```text
/// x-amzn-mtls-clientcert: -----BEGIN%20CERTIFICATE-----%0AMIIB…
/// ```
///
/// [`passthrough`](Self::passthrough) writes the client's certificate and its chain under that name. The load
/// balancer itself verifies nothing then and says nothing; this crate's layer still writes verified certificates only,
/// unless told to [`forward_unverified`](crate::ClientCertLayer::forward_unverified).
///
/// ```text
/// x-amzn-mtls-clientcert-leaf: -----BEGIN%20CERTIFICATE-----%0AMIIB…
/// x-amzn-mtls-clientcert-serial-number: 03A5B1
/// x-amzn-mtls-clientcert-issuer: CN=rootcamtls.com,O=mTLS,C=US
/// x-amzn-mtls-clientcert-subject: CN=client_.com,O=mTLS,C=US
/// x-amzn-mtls-clientcert-validity: NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z
/// ```
///
/// [`verify`](Self::verify) writes all of these, and reads the first: [`details`](ForwardedCert::details) are the
/// certificate's own, and a request without it is one without a certificate.
/// In the names a delimiter that is part of a value is written as `\2C`, where AWS may write `\,`: the same name.
///
/// Neither mode sends an empty value, so one is an error.
///
/// The PEM is percent-encoded. AWS may leave `+`, `=` and `/` as they are, and both are read; `+`, `=` and `/` are
/// written escaped, which every reader takes. Either mode strips the headers of both. Source: AWS, [Mutual
/// authentication with TLS in Application Load Balancer].
///
/// [Mutual authentication with TLS in Application Load Balancer]:
///     https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsAlb {
    mode: Mode,
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Passthrough,
    Verify,
}

static NAMES: [HeaderName; 6] = [
    HeaderName::from_static("x-amzn-mtls-clientcert"),
    HeaderName::from_static("x-amzn-mtls-clientcert-leaf"),
    HeaderName::from_static("x-amzn-mtls-clientcert-serial-number"),
    HeaderName::from_static("x-amzn-mtls-clientcert-issuer"),
    HeaderName::from_static("x-amzn-mtls-clientcert-subject"),
    HeaderName::from_static("x-amzn-mtls-clientcert-validity"),
];

impl AwsAlb {
    /// `X-Amzn-Mtls-Clientcert`.
    #[must_use]
    pub const fn passthrough() -> Self {
        Self { mode: Mode::Passthrough, limits: Limits::new() }
    }

    /// `X-Amzn-Mtls-Clientcert-Leaf` and its companions.
    #[must_use]
    pub const fn verify() -> Self {
        Self { mode: Mode::Verify, limits: Limits::new() }
    }

    /// How much to read.
    #[must_use]
    pub const fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Dialect for AwsAlb {
    fn header_names(&self) -> &[HeaderName] {
        &NAMES
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let [chain, leaf, names @ ..] = &NAMES;
        let Some(first) = client.certificates.get(..1) else { return };
        match self.mode {
            Mode::Passthrough => insert(headers, chain, percent_pem(client.certificates)),
            Mode::Verify => {
                insert(headers, leaf, percent_pem(first));
                if let Some(leaf) = first.first().and_then(|der| Certificate::parse(der)) {
                    let [serial_number, issuer, subject, validity] = names;
                    insert(headers, serial_number, leaf.serial.to_string());
                    insert_text(headers, issuer, leaf.issuer_text());
                    insert_text(headers, subject, leaf.subject_text());
                    insert(headers, validity, leaf.validity_text());
                }
            }
        }
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        let [chain, leaf, ..] = &NAMES;
        let name = match self.mode {
            Mode::Passthrough => chain,
            Mode::Verify => leaf,
        };
        let Some(field) = Field::single(headers, name, Shape::PercentPem, self.limits)? else {
            return Ok(None);
        };
        let certificates = decode_percent_pem(&field)?;
        match self.mode {
            Mode::Passthrough => Ok(Some(ForwardedCert::new(certificates))),
            Mode::Verify if certificates.len() > 1 => {
                Err(field.error(0, DecodeErrorKind::Pem("more than one certificate")))
            }
            Mode::Verify => Ok(Some(ForwardedCert::described(certificates))),
        }
    }
}
