use std::borrow::Cow;

use http::Extensions;

use super::denied::Reason;
use crate::identity::{ClientIdentity, IdentityError};
use crate::peer::{PROXIED_ADVICE, Proxied, TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;

/// A client certificate that came with a request, and whether it was verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// The identity that the certificate claims, or the reason why it can't be read.
    pub identity: Result<ClientIdentity, IdentityError>,
    /// Whether somebody that this server trusts has verified the certificate.
    pub verification: Verification,
    pub(super) notes: Notes,
}

/// Notes for the log, for the case that the request is denied.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) setup_hint: Option<Cow<'static, str>>,
}

impl Evidence {
    /// Returns evidence of this identity, verified or not.
    #[must_use]
    pub fn new(identity: Result<ClientIdentity, IdentityError>, verification: Verification) -> Self {
        Self { identity, verification, notes: Notes::default() }
    }

    /// Adds a detail, which is logged if the request is denied: see [`NoEvidence::with_detail`].
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.notes.detail = Some(detail.into());
        self
    }

    /// Adds a hint at what the server's setup lacks, which is logged if the request is denied: see
    /// [`NoEvidence::with_setup_hint`].
    #[must_use]
    pub fn with_setup_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.notes.setup_hint = Some(hint.into());
        self
    }
}

/// The reason why there is no certificate to check. The operator `?` turns a [`Reason`] into this type.
#[derive(Clone, Debug)]
#[must_use]
pub struct NoEvidence {
    pub(super) reason: Reason,
    pub(super) notes: Notes,
}

impl NoEvidence {
    /// Returns a value with this reason.
    pub fn new(reason: Reason) -> Self {
        Self { reason, notes: Notes::default() }
    }

    /// Adds a detail about this request, which becomes the field `detail` of the event in the log.
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.notes.detail = Some(detail.into());
        self
    }

    /// Adds a hint at what the server's setup lacks for there to be a certificate, and how to add it. A layer logs the
    /// first hint that it gets, as a warning.
    pub fn with_setup_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.notes.setup_hint = Some(hint.into());
        self
    }

    /// Returns the reason.
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

/// A source from which [`RequireClientCertLayer`](super::RequireClientCertLayer) takes the client's certificate.
///
/// Behind a proxy there may be two certificates: the proxy's on the TLS connection, and its client's in a header. So a
/// layer looks in one place only, and its maker chooses it: [`FromConnection`], or
/// [`FromForwarded`](crate::forwarded::FromForwarded) for a header that a
/// [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) has read.
///
/// For any other place, write a closure, which is a source too. The layer believes its word on whether the certificate
/// is verified. Be careful with it, since anybody can make a certificate with any name in it.
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
    /// Returns the certificate, from the extensions that other layers have put on the request.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no certificate, [`MissingCert`](Reason::MissingCert) for example.
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

/// The default source: the certificate of the TLS connection, from its [`TlsConnectInfo`].
///
/// Behind a [`ForwardedClientCertLayer`](crate::forwarded::ForwardedClientCertLayer) the connection is the proxy's and
/// not the client's. There this source returns an error with a hint at the line to write, and nobody is let in.
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
