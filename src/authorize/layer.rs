use std::fmt;
use std::sync::{Arc, Once};

use http::{Extensions, Response};
use tower_layer::Layer;

use super::denied::{Denied, Reason};
use super::rule::Rule;
use super::service::RequireClientCert;
use super::source::{CertificateSource, Evidence, FromConnection, NoEvidence, Notes};
use crate::identity::ClientIdentity;

/// Lets in requests whose client certificate a [`Rule`] lets in.
///
/// The others get an empty response: 401 if there is no certificate, 403 if it is the wrong one (see
/// [`Reason::status`] for the rest). Why is in an event
/// (feature `tracing`) and in the [extensions of the response](Denied), and is not told to the client.
///
/// What is let in carries its [`ClientIdentity`] in the request's extensions, for handlers.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_client_cert::authorize::{RequireClientCertLayer, Rule};
///
/// let deployers = RequireClientCertLayer::new(Rule::san_dns(["*.deploy.example.org"])?);
///
/// let app: Router = Router::new()
///     .route("/deploy", get(|| async { "deploying" }).layer(deployers))
///     .route("/health", get(|| async { "well" }));
/// # Ok::<(), tower_client_cert::authorize::RuleError>(())
/// ```
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct RequireClientCertLayer<S = FromConnection, R = EmptyResponse> {
    guard: Arc<Guard<S, R>>,
}

/// What the services of a layer share.
pub(super) struct Guard<S, R> {
    rule: Rule,
    source: S,
    pub(super) response: R,
    warned: Once,
}

impl RequireClientCertLayer {
    /// Lets in whom the rule lets in, by the certificate of the TLS connection.
    pub fn new(rule: Rule) -> Self {
        Self::with(rule, FromConnection, EmptyResponse)
    }
}

impl<S, R> RequireClientCertLayer<S, R> {
    fn with(rule: Rule, source: S, response: R) -> Self {
        Self { guard: Arc::new(Guard { rule, source, response, warned: Once::new() }) }
    }
}

impl<S: Clone, R: Clone> RequireClientCertLayer<S, R> {
    /// Takes the certificate from somewhere else: [`FromForwarded`](crate::forwarded::FromForwarded) from a header of a
    /// trusted proxy.
    pub fn from_source<T: CertificateSource>(self, source: T) -> RequireClientCertLayer<T, R> {
        RequireClientCertLayer::with(self.guard.rule.clone(), source, self.guard.response.clone())
    }

    /// Answers with this response instead. [`Denied::status`] says which status it would be.
    ///
    /// ```
    /// use axum::body::Body;
    /// use http::Response;
    /// use tower_client_cert::authorize::{Denied, RequireClientCertLayer, Rule};
    ///
    /// let layer = RequireClientCertLayer::new(Rule::any_certificate()).with_response(|denied: &Denied| {
    ///     let mut response = Response::new(Body::from("ask operations for a certificate\n"));
    ///     *response.status_mut() = denied.status();
    ///     response
    /// });
    /// ```
    pub fn with_response<T>(self, response: T) -> RequireClientCertLayer<S, T> {
        RequireClientCertLayer::with(self.guard.rule.clone(), self.guard.source.clone(), response)
    }
}

impl<S: CertificateSource, R> Guard<S, R> {
    pub(super) fn check(&self, extensions: &Extensions) -> Result<ClientIdentity, Denied> {
        let Evidence { identity, verification, notes } = self
            .source
            .evidence(extensions)
            .map_err(|NoEvidence { reason, notes }| self.deny(reason, None, &notes))?;
        let client = identity.map_err(|error| self.deny(Reason::Unreadable(error), None, &notes))?;
        match self.rule.check(&client, verification) {
            Ok(()) => Ok(client),
            Err(reason) => Err(self.deny(reason, Some(&client), &notes)),
        }
    }

    /// The event is for those who run the server: it names the client.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    fn deny(&self, reason: Reason, client: Option<&ClientIdentity>, notes: &Notes) -> Denied {
        #[cfg(feature = "tracing")]
        {
            let why: Option<&dyn fmt::Display> = match &reason {
                Reason::Unreadable(error) => Some(error),
                Reason::Unverified(reason) => Some(reason),
                _ => None,
            };
            let detail = notes.detail.as_ref().map(|detail| detail as &dyn fmt::Display).or(why);
            tracing::info!(
                %reason,
                detail = detail.map(crate::telemetry::printable),
                subject = client.map(ClientIdentity::subject).map(crate::telemetry::printable),
                fingerprint = client.map(ClientIdentity::fingerprint).map(tracing::field::display),
                "client certificate denied"
            );
        }
        if let Some(hint) = &notes.setup_hint {
            self.warned.call_once(|| warn(hint));
        }
        Denied::new(reason)
    }
}

#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn warn(hint: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!("RequireClientCertLayer lets nobody in: {hint}");
}

/// Makes the response for a request that is not let in. A closure from [`Denied`] to a response is one.
pub trait DeniedResponse<B> {
    /// The response. [`Denied`] is put into its extensions afterwards.
    fn response(&self, denied: &Denied) -> Response<B>;
}

impl<B, F> DeniedResponse<B> for F
where
    F: Fn(&Denied) -> Response<B>,
{
    fn response(&self, denied: &Denied) -> Response<B> {
        self(denied)
    }
}

/// The status and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyResponse;

impl<B: Default> DeniedResponse<B> for EmptyResponse {
    fn response(&self, denied: &Denied) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = denied.status();
        response
    }
}

impl<I, S, R> Layer<I> for RequireClientCertLayer<S, R> {
    type Service = RequireClientCert<I, S, R>;

    fn layer(&self, inner: I) -> Self::Service {
        RequireClientCert::new(inner, Arc::clone(&self.guard))
    }
}

impl<S, R> Clone for RequireClientCertLayer<S, R> {
    fn clone(&self) -> Self {
        Self { guard: Arc::clone(&self.guard) }
    }
}

impl<S, R> fmt::Debug for RequireClientCertLayer<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequireClientCertLayer").field(&self.guard).finish()
    }
}

impl<S, R> fmt::Debug for Guard<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("rule", &self.rule)
            .field("source", &std::any::type_name::<S>())
            .finish_non_exhaustive()
    }
}
