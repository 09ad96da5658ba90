//! Turns the result of a handshake into what is known about the client, or into an error.

use std::io;

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use super::accept_error::AcceptError;
use super::endpoint::Endpoint;
use super::refused::Refusal;
use super::report;
use crate::peer::{PeerCertificates, TlsConnectInfo, TlsVersion, Verification};
use crate::policy::ClientAuthPolicy;
use crate::tls::verifier::RefusalReason;
use crate::tls::verifier::handshake::Observed;

impl Endpoint {
    fn policy(&self) -> ClientAuthPolicy {
        self.verifier.policy()
    }

    /// Explains the error of a handshake that failed.
    pub(super) fn explain(
        &self,
        error: io::Error,
        observed: Observed,
        server_name: Option<String>,
    ) -> AcceptError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let refusal = inner.and_then(|inner| Refusal::within(inner, observed, self.policy(), server_name));
        match refusal {
            Some(refusal) => AcceptError::Refused(Box::new(refusal)),
            None => {
                let error = AcceptError::Handshake(error);
                self.report_own_fault(&error);
                error
            }
        }
    }

    /// Reports an error that is this side's fault: once for each endpoint, since it affects many or all handshakes.
    pub(super) fn report_own_fault(&self, error: &AcceptError) {
        if error.is_own_fault() {
            self.own_fault_reported.call_once(|| report::at_fault(error));
        }
    }

    pub(super) fn connect_info(
        &self,
        connection: &ServerConnection,
        observed: Observed,
    ) -> Result<TlsConnectInfo, AcceptError> {
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if !observed.consulted {
            return Err(AcceptError::ForeignConfig { policy: self.policy() });
        }
        let presented = connection.peer_certificates().unwrap_or_default();
        let peer = match observed.verified {
            Some(verified) => PeerCertificates::judged(presented.to_vec(), Ok(verified.path)),
            None => self.judge(presented, connection.server_name())?,
        };
        let mut info = TlsConnectInfo::new(peer).with_policy(self.policy()).with_resumed(resumed);
        if let Some(name) = connection.server_name() {
            info = info.with_server_name(name);
        }
        if let Some(protocol) = connection.alpn_protocol() {
            info = info.with_alpn_protocol(protocol);
        }
        match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => info = info.with_protocol_version(TlsVersion::Tls12),
            Some(ProtocolVersion::TLSv1_3) => info = info.with_protocol_version(TlsVersion::Tls13),
            _ => {}
        }
        Ok(info)
    }

    /// Judges certificates that the handshake itself did not verify: because the policy does not ask for it, or because
    /// the session was resumed. On resumption rustls checks nothing, so the policy is enforced here.
    fn judge(
        &self,
        presented: &[CertificateDer<'static>],
        server_name: Option<&str>,
    ) -> Result<Option<PeerCertificates>, AcceptError> {
        let policy = self.policy();
        if !policy.requests() {
            return Ok(None);
        }
        let refused = |reason| {
            let name = server_name.map(str::to_owned);
            AcceptError::Refused(Box::new(Refusal::resumed(reason, policy, presented.first(), name)))
        };
        let now = self.now().map_err(|error| AcceptError::Handshake(io::Error::other(error)))?;
        let peer = self.verifier.judge(presented.to_vec(), now).map_err(|error| refused(error.into()))?;
        match peer.as_ref().map(PeerCertificates::verification) {
            None if policy.requires() => Err(refused(RefusalReason::NoCertificate)),
            Some(Verification::Unverified(reason)) if policy.verifies() => {
                Err(refused(RefusalReason::Unverified(reason)))
            }
            _ => Ok(peer),
        }
    }
}
