use std::borrow::Cow;

use http::Extensions;

use super::denied::Reason;
use crate::identity::{ClientIdentity, IdentityError};
use crate::peer::{PROXIED_ADVICE, Proxied, TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;

/// A client certificate that came with a request, and what it is worth.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// Who the certificate says the client is, or why it can't be read.
    pub identity: Result<ClientIdentity, IdentityError>,
    /// Whether somebody that is trusted here has verified the certificate.
    pub verification: Verification,
    pub(super) notes: Notes,
}

/// What the log is told if a request is denied.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) setup_hint: Option<Cow<'static, str>>,
}

impl Evidence {
    /// This identity, worth that much.
    #[must_use]
    pub fn new(identity: Result<ClientIdentity, IdentityError>, verification: Verification) -> Self {
        Self { identity, verification, notes: Notes::default() }
    }

    /// What else the log is told if the certificate is not enough: see [`NoEvidence::with_detail`].
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.notes.detail = Some(detail.into());
        self
    }

    /// What is missing from the server that the certificate can't be enough: see [`NoEvidence::with_setup_hint`].
    #[must_use]
    pub fn with_setup_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.notes.setup_hint = Some(hint.into());
        self
    }
}

/// Why there is no certificate to look at. A [`Reason`] becomes one by `?`.
#[derive(Clone, Debug)]
#[must_use]
pub struct NoEvidence {
    pub(super) reason: Reason,
    pub(super) notes: Notes,
}

impl NoEvidence {
    /// For this reason.
    pub fn new(reason: Reason) -> Self {
        Self { reason, notes: Notes::default() }
    }

    /// What else there is to say of this request: the field `detail` of the event.
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.notes.detail = Some(detail.into());
        self
    }

    /// What is missing from the server that there could be a certificate, and how to add it. A layer logs the first it
    /// gets, as a warning.
    pub fn with_setup_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.notes.setup_hint = Some(hint.into());
        self
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<Reason> for NoEvidence {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// Where [`RequireClientCertLayer`](super::RequireClientCertLayer) gets the client's certificate from.
///
/// Behind a proxy there may be two: that of the proxy on the TLS connection, and that of its client in a header. So a
/// layer looks in one place, and which it is, is said when it is made: [`FromConnection`], or
/// [`FromForwarded`](crate::forwarded::FromForwarded) for a header that a
/// [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) has read.
///
/// A closure is a source too, for what neither knows. What it calls verified is taken for verified: whoever made the
/// certificate wrote the name in it.
///
/// ```
/// use http::Extensions;
/// use tower_client_cert::authorize::{Evidence, Reason, RequireClientCertLayer, Rule};
/// use tower_client_cert::{ClientIdentity, UnverifiedReason, Verification};
///
/// /// What a TLS stack of one's own has put on the request.
/// #[derive(Clone)]
/// struct OurTls { der: Vec<u8>, chain_is_valid: bool }
///
/// let layer = RequireClientCertLayer::new(Rule::any_certificate()).from_source(|extensions: &Extensions| {
///     let tls: &OurTls = extensions.get().ok_or(Reason::MissingCert)?;
///     let verification = match tls.chain_is_valid {
///         true => Verification::Verified,
///         false => Verification::Unverified(UnverifiedReason::Invalid),
///     };
///     Ok(Evidence::new(ClientIdentity::from_der(&tls.der), verification))
/// });
/// ```
pub trait CertificateSource {
    /// The certificate, from what other layers have put on the request.
    ///
    /// # Errors
    ///
    /// Why there is none: [`MissingCert`](Reason::MissingCert) for example.
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, NoEvidence>;
}

impl<F> CertificateSource for F
where
    F: Fn(&Extensions) -> Result<Evidence, Reason>,
{
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, NoEvidence> {
        self(extensions).map_err(Into::into)
    }
}

/// The certificate of this TLS connection, from its [`TlsConnectInfo`]. The default.
///
/// Behind a [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) that is the proxy's and not the
/// client's, so there it lets nobody in, and says what to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct FromConnection;

impl CertificateSource for FromConnection {
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, NoEvidence> {
        if Proxied::marks(extensions) {
            return Err(NoEvidence::new(Reason::ProxyConnection).with_setup_hint(PROXIED_ADVICE));
        }
        let Some(info) = extensions.get::<TlsConnectInfo>() else {
            return Err(NoEvidence::new(Reason::MissingTls).with_setup_hint(
                "the request carries no TlsConnectInfo. Serve it with `axum::serve(TlsListener::new(listener, \
                 acceptor), tower_client_cert::make_service(app))`, or, in a server of your own, wrap the service of \
                 each connection with `info.layer(service)`, where `let (stream, info) = acceptor.accept(io).await?`. \
                 Behind a proxy that ends TLS, put this layer inside of a `ForwardedClientCertLayer`, with \
                 `.from_source(FromForwarded::<Dialect>::new())`",
            ));
        };
        match (info.peer_certificates(), info.policy()) {
            (Some(peer), _) => Ok(Evidence::new(peer.identity().cloned(), peer.verification())),
            (None, Some(ClientAuthPolicy::NoClientCert)) => {
                Err(NoEvidence::new(Reason::MissingCert).with_setup_hint(
                    "the policy is NoClientCert, so no client is ever asked for a certificate. Build the verifier with \
                     `ClientAuthPolicy::VerifyClientCertIfGiven.verifier()`, or another policy that verifies",
                ))
            }
            (None, _) => Err(Reason::MissingCert.into()),
        }
    }
}
