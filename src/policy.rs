//! Whether a server asks its clients for a certificate, and what it does with the answer.

use std::fmt;
use std::str::FromStr;

/// Go's five client authentication policies, under Go's names.
///
/// They are the values of Go's [`tls.ClientAuthType`] in `crypto/tls`, and of Skipper's `-tls-client-auth` flag.
///
/// | policy | asks | must answer | chain checked | in nginx |
/// |---|---|---|---|---|
/// | [`NoClientCert`](Self::NoClientCert) | no | – | – | `ssl_verify_client off` |
/// | [`RequestClientCert`](Self::RequestClientCert) | yes | no | no | `optional_no_ca` |
/// | [`RequireAnyClientCert`](Self::RequireAnyClientCert) | yes | yes | no | – |
/// | [`VerifyClientCertIfGiven`](Self::VerifyClientCertIfGiven) | yes | no | yes | `optional` |
/// | [`RequireAndVerifyClientCert`](Self::RequireAndVerifyClientCert) | yes | yes | yes | `on` |
///
/// Every policy that asks also demands proof that the client holds the certificate's private key.
///
/// The default is [`RequestClientCert`](Self::RequestClientCert), unlike Go's: a library whose purpose is to forward
/// certificates must ask for them. Under this policy a certificate says who the client *claims* to be; check
/// [`PeerCertificates::verification`](crate::PeerCertificates::verification) before you believe it.
///
/// ```
/// use tower_client_cert::ClientAuthPolicy;
///
/// let policy: ClientAuthPolicy = "VerifyClientCertIfGiven".parse()?;
/// assert_eq!(policy, "verify-client-cert-if-given".parse()?);
/// assert_eq!(policy.to_string(), "VerifyClientCertIfGiven");
/// assert!(policy.requests() && policy.verifies() && !policy.requires());
///
/// let error = "Optional".parse::<ClientAuthPolicy>().unwrap_err();
/// assert!(error.to_string().contains("RequestClientCert"));
/// # Ok::<(), tower_client_cert::ParsePolicyError>(())
/// ```
///
/// [`tls.ClientAuthType`]: https://pkg.go.dev/crypto/tls#ClientAuthType
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
// Not `non_exhaustive`: Go has five, and promises not to change them.
pub enum ClientAuthPolicy {
    /// The server does not ask, so no client ever presents a certificate.
    NoClientCert,
    /// The server asks, and accepts any certificate, or none. Whether the certificate verifies makes no difference.
    #[default]
    RequestClientCert,
    /// The server asks, refuses clients without a certificate, and accepts any certificate.
    RequireAnyClientCert,
    /// The server asks, accepts clients without a certificate, and refuses certificates that do not verify.
    VerifyClientCertIfGiven,
    /// The server asks, and refuses every client without a certificate that verifies.
    RequireAndVerifyClientCert,
}

impl ClientAuthPolicy {
    /// All five policies, in Go's order.
    pub const ALL: [Self; 5] = [
        Self::NoClientCert,
        Self::RequestClientCert,
        Self::RequireAnyClientCert,
        Self::VerifyClientCertIfGiven,
        Self::RequireAndVerifyClientCert,
    ];

    /// Returns Go's name, as [`Display`](fmt::Display) prints it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoClientCert => "NoClientCert",
            Self::RequestClientCert => "RequestClientCert",
            Self::RequireAnyClientCert => "RequireAnyClientCert",
            Self::VerifyClientCertIfGiven => "VerifyClientCertIfGiven",
            Self::RequireAndVerifyClientCert => "RequireAndVerifyClientCert",
        }
    }

    /// Whether the server sends a `CertificateRequest`.
    #[must_use]
    pub const fn requests(self) -> bool {
        !matches!(self, Self::NoClientCert)
    }

    /// Whether a client without a certificate is refused.
    #[must_use]
    pub const fn requires(self) -> bool {
        matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert)
    }

    /// Whether a client whose certificate does not verify is refused.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    const fn kebab_case(self) -> &'static str {
        match self {
            Self::NoClientCert => "no-client-cert",
            Self::RequestClientCert => "request-client-cert",
            Self::RequireAnyClientCert => "require-any-client-cert",
            Self::VerifyClientCertIfGiven => "verify-client-cert-if-given",
            Self::RequireAndVerifyClientCert => "require-and-verify-client-cert",
        }
    }
}

impl fmt::Display for ClientAuthPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Accepts Go's names exactly, as Skipper's `-tls-client-auth` does, and the same words in kebab-case.
impl FromStr for ClientAuthPolicy {
    type Err = ParsePolicyError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|policy| name == policy.as_str() || name == policy.kebab_case())
            .ok_or_else(|| ParsePolicyError { given: name.to_owned() })
    }
}

/// The error for a name that is not one of the five policies. Its message lists them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown client authentication policy {given:?}: expected NoClientCert, RequestClientCert, \
     RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"
)]
pub struct ParsePolicyError {
    given: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_both_spellings() {
        for policy in ClientAuthPolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
            assert_eq!(policy.kebab_case().parse(), Ok(policy));
        }
    }

    #[test]
    fn only_the_exact_names_are_taken() {
        for wrong in ["", "requestclientcert", "RequestClientCert ", "Request", "request_client_cert", "1"] {
            let error = wrong.parse::<ClientAuthPolicy>().unwrap_err().to_string();
            for policy in ClientAuthPolicy::ALL {
                assert!(error.contains(policy.as_str()), "{error}");
            }
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn display_honours_the_width_of_a_table() {
        assert_eq!(format!("{:<14}|", ClientAuthPolicy::NoClientCert), "NoClientCert  |");
    }
}
