use http::Extensions;

use super::denied::Reason;
use crate::identity::{ClientIdentity, IdentityError};
use crate::peer::{TlsConnectInfo, Verification};
use crate::policy::ClientAuthPolicy;

/// A client certificate that came with a request, and what it is worth.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// Who the certificate says the client is, or why it can't be read.
    pub identity: Result<ClientIdentity, IdentityError>,
    /// Whether somebody that is trusted here has verified the certificate.
    pub verification: Verification,
}

impl Evidence {
    /// This identity, worth that much.
    #[must_use]
    pub fn new(identity: Result<ClientIdentity, IdentityError>, verification: Verification) -> Self {
        Self { identity, verification }
    }
}

/// Where [`RequireClientCertLayer`](super::RequireClientCertLayer) gets the client's certificate from.
///
/// Behind a proxy there may be two: that of the proxy on the TLS connection, and that of its client in a header. So a
/// layer looks in one place, and which it is, is said when it is made. A closure is a source too.
///
/// ```
/// use http::Extensions;
/// use tower_client_cert::authorize::{Evidence, Reason, RequireClientCertLayer, Rule};
/// use tower_client_cert::{ClientIdentity, Verification};
///
/// /// What a layer further out has made of a header by a proxy that it trusts.
/// #[derive(Clone)]
/// struct FromProxy(Vec<u8>);
///
/// let layer = RequireClientCertLayer::new(Rule::any_certificate()).from_source(|extensions: &Extensions| {
///     let FromProxy(der) = extensions.get().ok_or(Reason::MissingCert)?;
///     Ok(Evidence::new(ClientIdentity::from_der(der), Verification::Verified))
/// });
/// ```
pub trait CertificateSource {
    /// The certificate, from what other layers have put on the request.
    ///
    /// # Errors
    ///
    /// Why there is none: [`MissingCert`](Reason::MissingCert) for example.
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, Reason>;

    /// If there is no certificate: what is missing from the server that there could be one, and how to add it. The
    /// layer logs it once, as a warning. `None`, unless said otherwise.
    fn setup_hint(&self, _extensions: &Extensions) -> Option<&'static str> {
        None
    }
}

impl<F> CertificateSource for F
where
    F: Fn(&Extensions) -> Result<Evidence, Reason>,
{
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, Reason> {
        self(extensions)
    }
}

/// The certificate of this TLS connection, from its [`TlsConnectInfo`]. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct FromConnection;

impl CertificateSource for FromConnection {
    fn evidence(&self, extensions: &Extensions) -> Result<Evidence, Reason> {
        let info: &TlsConnectInfo = extensions.get().ok_or(Reason::MissingTls)?;
        let peer = info.peer_certificates().ok_or(Reason::MissingCert)?;
        Ok(Evidence::new(peer.identity().cloned(), peer.verification()))
    }

    fn setup_hint(&self, extensions: &Extensions) -> Option<&'static str> {
        match extensions.get().map(TlsConnectInfo::policy) {
            None => Some(
                "the request carries no TlsConnectInfo. Serve it with `axum::serve(TlsListener::new(listener, \
                 acceptor), tower_client_cert::make_service(app))`, or, in a server of your own, wrap the service of \
                 each connection with `info.layer(service)`, where `let (stream, info) = acceptor.accept(io).await?`",
            ),
            Some(Some(ClientAuthPolicy::NoClientCert)) => Some(
                "the policy is NoClientCert, so no client is ever asked for a certificate. Build the verifier with \
                 `ClientAuthPolicy::VerifyClientCertIfGiven.verifier()`, or another policy that verifies",
            ),
            Some(_) => None,
        }
    }
}
