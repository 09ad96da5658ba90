use std::fmt;

use http::StatusCode;

use crate::identity::IdentityError;
use crate::peer::UnverifiedReason;

/// The reason why a request was denied. It prints as the word that the log has, which is Skipper's where Skipper has
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `missing-tls`: the request carries no [`TlsConnectInfo`](crate::TlsConnectInfo).
    MissingTls,
    /// `missing-cert`: there is no client certificate.
    MissingCert,
    /// `unreadable-cert`: the certificate can't be read.
    Unreadable(IdentityError),
    /// `wrong-auth`: the certificate was not verified, and no rule for unverified ones matched it.
    Unverified(UnverifiedReason),
    /// `wrong-cn`: the subject's common name is not on the list, or the subject does not have exactly one.
    WrongCn,
    /// `wrong-dn`: the issuer's distinguished name is not on the list.
    WrongDn,
    /// `wrong-san`: no alternative name is on the list, or the alternative names can't be read.
    WrongSan,
    /// `wrong-fingerprint`: the certificate's SHA-256 is not on the list.
    WrongFingerprint,
    /// `wrong-spki`: the SHA-256 of the certificate's key is not on the list.
    WrongSpki,
    /// `excluded`: a [`not`](super::Rule::not) keeps this client out.
    Excluded,
    /// `no-match`: none of several rules matched, and not all for the same reason.
    NoMatch,
    /// `untrusted-proxy`: the request does not come from a proxy that is trusted to forward certificates.
    UntrustedProxy,
    /// `malformed-header`: a trusted proxy forwarded headers that can't be read.
    MalformedHeader,
    /// `header-too-large`: a trusted proxy forwarded a header that exceeds the dialect's
    /// [`Limits`](crate::dialect::Limits).
    HeaderTooLarge,
    /// `proxy-connection`: the layer takes the certificate from the connection, but behind a
    /// [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) that certificate is the proxy's.
    ProxyConnection,
    /// `misconfigured`: the server is not set up to find out whether there is a certificate.
    Misconfigured,
    /// The name of a [custom rule](super::Rule::custom) whose closure said no.
    Custom(&'static str),
}

impl Reason {
    /// Returns the reason's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingTls => "missing-tls",
            Self::MissingCert => "missing-cert",
            Self::Unreadable(_) => "unreadable-cert",
            Self::Unverified(_) => "wrong-auth",
            Self::WrongCn => "wrong-cn",
            Self::WrongDn => "wrong-dn",
            Self::WrongSan => "wrong-san",
            Self::WrongFingerprint => "wrong-fingerprint",
            Self::WrongSpki => "wrong-spki",
            Self::Excluded => "excluded",
            Self::NoMatch => "no-match",
            Self::UntrustedProxy => "untrusted-proxy",
            Self::MalformedHeader => "malformed-header",
            Self::HeaderTooLarge => "header-too-large",
            Self::ProxyConnection => "proxy-connection",
            Self::Misconfigured => "misconfigured",
            Self::Custom(name) => name,
        }
    }

    /// Returns the status of the response: 401 if there is no certificate, 403 if the certificate is not the right one,
    /// 400 for a header that can't be read, 431 for a header that is too large, and 500 if the server is not set up for
    /// its own rule.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MissingTls | Self::MissingCert => StatusCode::UNAUTHORIZED,
            Self::MalformedHeader => StatusCode::BAD_REQUEST,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::ProxyConnection | Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Marks the response to a denied request, in its extensions, for layers further out.
///
/// The client does not see it. A layer for access logs, for example, can read it:
///
/// ```
/// use http::Response;
/// use tower_client_cert::authorize::Denied;
///
/// fn log<B>(response: &Response<B>) {
///     if let Some(denied) = response.extensions().get::<Denied>() {
///         println!("{} {}", response.status(), denied.reason());
///     }
/// }
/// # log(&Response::new(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    reason: Reason,
}

impl Denied {
    pub(super) fn new(reason: Reason) -> Self {
        Self { reason }
    }

    /// Returns why the request was denied.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the reason's [status](Reason::status), which the response has unless the response was replaced.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.reason.status()
    }
}
