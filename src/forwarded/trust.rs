//! The proxies whose headers are believed, and the decision whether a hop is one of them.

use std::net::IpAddr;

use http::Extensions;
use ipnet::{IpNet, Ipv4Net};
use rustls_pki_types::CertificateDer;

#[cfg(feature = "tracing")]
use crate::peer::PeerCertificates;
use crate::peer::TlsConnectInfo;
use crate::x509::{Certificate, Fingerprint, GeneralName};

/// The proxies whose headers are believed. By default there are none.
///
/// A proxy is known by the address that it connects from, or by the client certificate that it connects with. If
/// several addresses and certificates are named, a proxy is trusted that matches any one of them.
///
/// ```
/// use ipnet::IpNet;
/// use tower_client_cert::forwarded::TrustedProxies;
///
/// let network: IpNet = "10.1.0.0/16".parse()?;
/// let sidecar: std::net::IpAddr = "127.0.0.1".parse()?;
/// let trusted = TrustedProxies::none().ip_range(network).ip_range(sidecar);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it is for a `ForwardedClientCertLayer`"]
pub struct TrustedProxies {
    whoever_can_connect: bool,
    ranges: Vec<IpNet>,
    fingerprints: Vec<Fingerprint>,
    names: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Dns(String),
    Uri(String),
}

/// Whether a hop is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Trusted,
    Untrusted,
    /// Proxies are named, but nothing is known of the hop that could identify it as one of them.
    Unknown,
}

impl TrustedProxies {
    /// Trusts nobody: every header is removed, and none is read.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts the proxies that connect from these addresses: an `IpNet`, or a single `IpAddr`.
    ///
    /// Anything else at these addresses is trusted too, so name the proxies instead of the whole network where you can.
    /// IPv4-mapped IPv6 addresses (`::ffff:10.0.0.1`) count as IPv4, in the range and on the connection.
    pub fn ip_range(mut self, range: impl Into<IpNet>) -> Self {
        self.ranges.push(unmapped(range.into()));
        self
    }

    /// Trusts the proxy that connects with this client certificate.
    ///
    /// As with the names below, the certificate counts only if this server verified it on this very connection.
    pub fn client_cert_fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprints.push(fingerprint);
        self
    }

    /// Trusts the proxies that connect with a client certificate for this DNS name, which must be one of its subject
    /// alternative names, in any case. The name is no pattern: `*.example.com` matches only a certificate for
    /// `*.example.com`.
    pub fn client_cert_dns_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(Name::Dns(name.into()));
        self
    }

    /// Trusts the proxies that connect with a client certificate for this URI, for example a SPIFFE ID. It must be one
    /// of the certificate's subject alternative names, byte for byte.
    pub fn client_cert_uri(mut self, uri: impl Into<String>) -> Self {
        self.names.push(Name::Uri(uri.into()));
        self
    }

    /// Trusts **anybody who can open a connection to this server**, so that anybody can claim to be any client.
    ///
    /// This is for a server that nobody but the proxy can reach, because it listens on a Unix socket for example.
    pub fn trust_whoever_can_connect(mut self) -> Self {
        self.whoever_can_connect = true;
        self
    }

    pub(super) fn judge(&self, hop: &Hop<'_>) -> Trust {
        if self.whoever_can_connect {
            return Trust::Trusted;
        }
        let by_address = hop.ip.filter(|_| !self.ranges.is_empty()).map(|ip| self.has_address(ip));
        if by_address == Some(true) {
            return Trust::Trusted;
        }
        let by_certificate =
            hop.tls.filter(|_| self.names_a_certificate()).map(|tls| self.has_certificate(tls));
        match (by_address, by_certificate) {
            (_, Some(true)) => Trust::Trusted,
            (None, None) if !self.ranges.is_empty() || self.names_a_certificate() => Trust::Unknown,
            _ => Trust::Untrusted,
        }
    }

    fn has_address(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.ranges.iter().any(|range| range.contains(&ip))
    }

    fn names_a_certificate(&self) -> bool {
        !self.names.is_empty() || !self.fingerprints.is_empty()
    }

    fn has_certificate(&self, tls: &TlsConnectInfo) -> bool {
        let Some(peer) = tls.peer_certificates().filter(|peer| peer.is_verified()) else { return false };
        let by_fingerprint =
            !self.fingerprints.is_empty() && self.fingerprints.contains(&Fingerprint::of(peer.end_entity()));
        let by_name = !self.names.is_empty() && self.has_name_of(peer.end_entity());
        by_fingerprint || by_name
    }

    /// Returns whether a certificate has one of the names. A certificate whose names can't be read has none of them.
    fn has_name_of(&self, certificate: &CertificateDer<'_>) -> bool {
        let Ok(certificate) = Certificate::read(certificate) else { return false };
        let Ok(alt_names) = certificate.alt_names() else { return false };
        alt_names.iter().any(|san| {
            self.names.iter().any(|name| match (name, san) {
                (Name::Dns(name), GeneralName::Dns(san)) => name.eq_ignore_ascii_case(san),
                (Name::Uri(uri), GeneralName::Uri(san)) => uri == san,
                _ => false,
            })
        })
    }
}

/// Turns an IPv4-mapped range into an IPv4 range: `::ffff:10.0.0.0/104` becomes `10.0.0.0/8`.
fn unmapped(range: IpNet) -> IpNet {
    let IpNet::V6(v6) = range else { return range };
    v6.addr()
        .to_ipv4_mapped()
        .zip(v6.prefix_len().checked_sub(96))
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(range, IpNet::V4)
}

/// The hop that sent a request: the other end of the connection, as far as it is known.
///
/// Take its address from the connection, never from a header such as `X-Forwarded-For`.
///
/// ```
/// use tower_client_cert::forwarded::Hop;
///
/// # fn with(stream: &std::net::TcpStream, tls: &tower_client_cert::TlsConnectInfo) -> std::io::Result<()> {
/// let hop = Hop::unknown().at(stream.peer_addr()?.ip()).with_tls(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    ip: Option<IpAddr>,
    tls: Option<&'a TlsConnectInfo>,
}

impl<'a> Hop<'a> {
    /// Returns a hop of which nothing is known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self { ip: None, tls: None }
    }

    /// Adds the address that the hop connected from.
    #[must_use]
    pub fn at(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// Adds what the TLS handshake with the hop found out.
    #[must_use]
    pub fn with_tls(self, tls: &'a TlsConnectInfo) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Returns the hop of a request. Without an `ip`, the address is the one that axum has put into the extensions.
    pub(super) fn of(extensions: &Extensions, ip: Option<IpAddr>, tls: Option<&'a TlsConnectInfo>) -> Self {
        Self { ip: ip.or_else(|| connected_from(extensions)), tls }
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    #[cfg(feature = "tracing")]
    pub(super) fn peer_certificates(&self) -> Option<&PeerCertificates> {
        self.tls.and_then(TlsConnectInfo::peer_certificates)
    }
}

#[cfg(feature = "axum")]
fn connected_from(extensions: &Extensions) -> Option<IpAddr> {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;

    extensions.get().map(|ConnectInfo::<SocketAddr>(address)| address.ip())
}

#[cfg(not(feature = "axum"))]
fn connected_from(_: &Extensions) -> Option<IpAddr> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerCertificates;
    use rustls_pki_types::CertificateDer;

    fn der() -> CertificateDer<'static> {
        CertificateDer::from(vec![0x30, 0x00])
    }

    fn range(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn at(ip: &str) -> Hop<'static> {
        Hop::unknown().at(ip.parse().unwrap())
    }

    fn tls(verified: bool) -> TlsConnectInfo {
        TlsConnectInfo::new(if verified {
            PeerCertificates::judged(vec![der()], Ok(vec![der()]))
        } else {
            PeerCertificates::unverified(vec![der()])
        })
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        let tls = tls(true);
        for hop in [Hop::unknown(), at("127.0.0.1"), at("::1").with_tls(&tls)] {
            assert_eq!(TrustedProxies::none().judge(&hop), Trust::Untrusted);
            assert_eq!(TrustedProxies::default().judge(&hop), Trust::Untrusted);
            let everybody = TrustedProxies::none().trust_whoever_can_connect();
            assert_eq!(everybody.judge(&hop), Trust::Trusted);
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4_addresses() {
        for written in ["10.0.0.0/8", "::ffff:10.0.0.0/104"] {
            let trusted = TrustedProxies::none().ip_range(range(written));
            for ip in ["10.255.0.1", "::ffff:10.255.0.1"] {
                assert_eq!(trusted.judge(&at(ip)), Trust::Trusted, "{written} {ip}");
            }
            for ip in ["11.0.0.1", "::ffff:11.0.0.1", "::10.0.0.1", "a00::1"] {
                assert_eq!(trusted.judge(&at(ip)), Trust::Untrusted, "{written} {ip}");
            }
        }
        let wide = TrustedProxies::none().ip_range(range("::/0"));
        assert_eq!(wide.judge(&at("::ffff:10.0.0.1")), Trust::Untrusted);
        assert_eq!(wide.judge(&at("2001:db8::1")), Trust::Trusted);
    }

    #[test]
    fn a_range_is_no_wider_than_it_says() {
        let one = TrustedProxies::none().ip_range("192.0.2.7".parse::<IpAddr>().unwrap());
        assert_eq!(one.judge(&at("192.0.2.7")), Trust::Trusted);
        assert_eq!(one.judge(&at("192.0.2.6")), Trust::Untrusted);
        // The host bits of a range are ignored.
        let net = TrustedProxies::none().ip_range(range("192.0.2.7/31"));
        assert_eq!(net.judge(&at("192.0.2.6")), Trust::Trusted);
        assert_eq!(net.judge(&at("192.0.2.8")), Trust::Untrusted);
    }

    #[test]
    fn a_certificate_counts_only_if_it_was_verified() {
        let trusted = TrustedProxies::none().client_cert_fingerprint(Fingerprint::of(&der()));
        assert_eq!(trusted.judge(&Hop::unknown().with_tls(&tls(true))), Trust::Trusted);
        assert_eq!(trusted.judge(&Hop::unknown().with_tls(&tls(false))), Trust::Untrusted);
        assert_eq!(trusted.judge(&Hop::unknown().with_tls(&TlsConnectInfo::new(None))), Trust::Untrusted);
        let other = TrustedProxies::none().client_cert_fingerprint([0; 32].into());
        assert_eq!(other.judge(&Hop::unknown().with_tls(&tls(true))), Trust::Untrusted);
    }

    #[test]
    fn one_answer_is_enough_and_no_answer_is_a_third_thing() {
        let certificate = Fingerprint::of(&der());
        let both = TrustedProxies::none().ip_range(range("10.0.0.0/8")).client_cert_fingerprint(certificate);
        let (verified, unverified) = (tls(true), tls(false));
        assert_eq!(both.judge(&Hop::unknown()), Trust::Unknown);
        assert_eq!(both.judge(&at("10.0.0.1")), Trust::Trusted);
        assert_eq!(both.judge(&at("10.0.0.1").with_tls(&unverified)), Trust::Trusted);
        assert_eq!(both.judge(&at("11.0.0.1").with_tls(&verified)), Trust::Trusted);
        assert_eq!(both.judge(&at("11.0.0.1")), Trust::Untrusted);
        assert_eq!(both.judge(&Hop::unknown().with_tls(&unverified)), Trust::Untrusted);
        let by_address = TrustedProxies::none().ip_range(range("10.0.0.0/8"));
        assert_eq!(by_address.judge(&Hop::unknown().with_tls(&verified)), Trust::Unknown);
    }
}
