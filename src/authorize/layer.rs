use std::fmt;
use std::sync::{Arc, Once};

use http::{Extensions, Response};
use tower_layer::Layer;

use super::denied::{Denied, Reason};
use super::rule::Rule;
use super::service::RequireClientCert;
use super::source::{CertificateSource, Evidence, FromConnection, NoEvidence, Notes};
use crate::identity::ClientIdentity;

/// Lets in only those requests whose client certificate satisfies a [`Rule`].
///
/// Other requests get an empty response, with status 401 if there is no certificate and 403 if it is the wrong one (see
/// [`Reason::status`] for the rest). The reason is in an event (feature `tracing`) and in the [extensions of the
/// response](Denied), but the client does not see it.
///
/// A request that is let in carries the [`ClientIdentity`] in its extensions, for handlers.
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

/// The settings of a layer, shared by the services it makes.
pub(super) struct Guard<S, R> {
    rule: Rule,
    source: S,
    pub(super) response: R,
    warned: Once,
}

impl RequireClientCertLayer {
    /// Creates a layer that checks the certificate of the TLS connection against this rule.
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
    /// Takes the certificate from another source. [`FromForwarded`](crate::forwarded::FromForwarded), for example,
    /// takes it from a header of a trusted proxy.
    pub fn from_source<T: CertificateSource>(self, source: T) -> RequireClientCertLayer<T, R> {
        RequireClientCertLayer::with(self.guard.rule.clone(), source, self.guard.response.clone())
    }

    /// Answers denied requests with this response instead of an empty one. [`Denied::status`] is the status that the
    /// empty one would have.
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

    /// Logs a denial and returns it. The event is for those who run the server, so it names the client.
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

/// Makes the response to a denied request. Closures that take a [`Denied`] and return a response implement this trait.
pub trait DeniedResponse<B> {
    /// Returns the response. The layer puts the [`Denied`] into its extensions afterwards.
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

/// An empty response with the status of the [`Denied`].
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
