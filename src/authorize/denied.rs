use std::fmt;

use http::StatusCode;

use crate::identity::IdentityError;
use crate::peer::UnverifiedReason;

/// Why a request was not let in. Prints the word that is in the event, Skipper's where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `missing-tls`: the request did not come over a TLS connection that somebody looked at.
    MissingTls,
    /// `missing-cert`: the client has no certificate.
    MissingCert,
    /// `unreadable-cert`: the certificate is none, or is broken.
    Unreadable(IdentityError),
    /// `wrong-auth`: the certificate was not verified, and no rule for unverified ones matched it.
    Unverified(UnverifiedReason),
    /// `wrong-cn`: the subject's common name is another, or there is not exactly one.
    WrongCn,
    /// `wrong-dn`: the issuer's distinguished name is another.
    WrongDn,
    /// `wrong-san`: no alternative name is on the list, or they can't be read.
    WrongSan,
    /// `wrong-fingerprint`: it is another certificate.
    WrongFingerprint,
    /// `wrong-spki`: it has another key.
    WrongSpki,
    /// `excluded`: the rule says who may *not* come in.
    Excluded,
    /// `no-match`: none of several rules matched, and each for another reason.
    NoMatch,
    /// `untrusted-proxy`: the certificate was forwarded by somebody who is not trusted to.
    UntrustedProxy,
    /// `malformed-header`: a trusted proxy forwarded something that is no certificate.
    MalformedHeader,
    /// `header-too-large`: a trusted proxy forwarded more than is looked at, by the dialect's
    /// [`Limits`](crate::dialect::Limits).
    HeaderTooLarge,
    /// `proxy-connection`: the certificate of this connection was asked for, and behind a
    /// [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) that is the proxy's.
    ProxyConnection,
    /// `misconfigured`: the server is not set up to know whether there is a certificate.
    Misconfigured,
    /// A closure said no: its name.
    Custom(&'static str),
}

impl Reason {
    /// The word.
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

    /// 401 if there is no certificate, 403 if it is not the right one, 400 for a header that can't be read, 431 for one that
    /// is too large, and 500 if the server is not set up for its own rule.
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

/// A request was not let in: in the extensions of the response, for layers further out.
///
/// It is not told to the client. A layer for access logs, for example, can read it:
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

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The status of the response, unless it was replaced: see [`Reason::status`].
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.reason.status()
    }
}
