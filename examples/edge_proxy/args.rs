//! The command line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use http::HeaderName;
use http::uri::Authority;
use ipnet::IpNet;
use tower_client_cert::ClientAuthPolicy;
use tower_client_cert::dialect::{AnyDialect, Dialect as _};
use tower_client_cert::forwarded::{PassHeadersLayer, TrustedProxies};

use crate::forwarding::Forwarding;

/// A TLS-terminating reverse proxy that tells its backend which client certificate stood behind a request.
///
/// Without --cert and --key it makes a throw-away PKI. Without --backend, or with --demo-once, it starts an echo
/// backend inside itself and shows what that receives from three kinds of clients.
#[derive(Clone, Debug, Parser)]
#[command(name = "edge_proxy", version)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one. Without it 127.0.0.1:8443, and if that is taken, a free port for a
    /// demonstration and an error otherwise
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where requests go, over HTTP/1.1 without TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) backend: Option<BackendAddress>,

    /// The server's certificate and its issuers, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key, PEM, not encrypted
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// Whether clients are asked for a certificate, and what is done with it: NoClientCert, RequestClientCert,
    /// RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert
    #[arg(long, value_name = "POLICY", default_value_t)]
    pub(crate) client_auth: ClientAuthPolicy,

    /// CAs of the clients, PEM, any number in a file; may be repeated. Under the policies that do not verify, the
    /// backend is still told whether a certificate verifies
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Vec<PathBuf>,

    /// CAs between these and the clients, PEM, any number in a file, for clients that do not send their certificates;
    /// may be repeated. Nothing is trusted by being in it
    #[arg(long, value_name = "FILE")]
    pub(crate) client_intermediates: Vec<PathBuf>,

    /// Revocation lists of these CAs, PEM; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) client_crl: Vec<PathBuf>,

    // The names depend on the features of the build.
    #[arg(long, value_name = "NAME[;OPTION[=VALUE]]...", default_value = "skipper", help = format!(
        "How the certificate is spelt in headers; may be repeated for several spellings at once: {}. With options, such as \
         'envoy;mode=append-forward;chain'; one that there is not lists those there are",
        AnyDialect::NAMES.join(", ")
    ))]
    pub(crate) dialect: Vec<AnyDialect>,

    /// Look at all these files this often, in seconds, and when they have changed, serve new connections with them.
    /// Connections whose certificate would not be taken any more are drained
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "5",
          value_parser = seconds)]
    pub(crate) reload: Option<Duration>,

    #[command(flatten)]
    pub(crate) forwarding: Forwarding,

    /// Let this header through to the backend, from the addresses of --trusted-proxy only. Otherwise every header that
    /// some reader of client certificates might believe is taken off a request. May be given several times
    #[arg(long, value_name = "NAME", requires = "trusted_proxy")]
    pub(crate) pass_header: Vec<HeaderName>,

    /// A proxy in front of this one, by its address or network: whose --pass-header is let through. May be given several
    /// times
    #[arg(long, value_name = "IP[/BITS]", value_parser = network, requires = "pass_header")]
    pub(crate) trusted_proxy: Vec<IpNet>,

    /// The most certificates a client may present, its own included; 5 unless set
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_certificates: Option<NonZeroUsize>,

    /// The largest certificate a client may present, in bytes of DER; 32768 unless set
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_certificate_size: Option<NonZeroUsize>,

    /// Do not send the names of the client CAs to the client. Browsers then offer all certificates they have
    #[arg(long)]
    pub(crate) without_root_hints: bool,

    /// Do not log whose certificates are refused, only their SHA-256
    #[arg(long)]
    pub(crate) without_names_in_log: bool,

    /// Show what the echo backend receives, and end: with status 0 only if that was right for each client
    #[arg(long)]
    pub(crate) demo_once: bool,

    /// How long the backend may neither take a piece of a request nor begin its answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) backend_timeout: Duration,

    /// How long a client may take to send the head of a request, or leave a connection idle, in seconds. Over HTTP/2
    /// the first request must come in time, and then a connection on which for so long nothing was under way is closed
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) header_timeout: Duration,

    /// How long requests under way may go on after SIGTERM or Ctrl-C, and on a connection whose certificate is not
    /// taken any more, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) drain_timeout: Duration,
}

impl Args {
    /// What no single argument can tell: whether they make sense together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let problem = match (&self.cert, &self.key) {
            (Some(_), None) => "--cert also needs --key, the file with the certificate's private key",
            (None, Some(_)) => "--key also needs --cert, the file with the certificate of that key",
            (Some(_), Some(_)) if self.backend.is_none() && !self.demo_once => {
                "--cert and --key also need --backend HOST:PORT, or --demo-once to try them out"
            }
            (cert, _) if self.reload.is_some() && (cert.is_none() || self.demonstrates()) => {
                "--reload also needs --cert, --key and --backend: what a demonstration is made of does not change"
            }
            // With a throw-away PKI there is always a client CA.
            (Some(_), _) if self.client_auth.verifies() && self.client_ca.is_empty() && !self.demo_once => {
                "this --client-auth verifies certificates, so it also needs --client-ca, \
                 the file with the CAs to verify them with"
            }
            _ => return self.check_forwarding().and_then(|()| self.check_dialects()),
        };
        Err(problem.to_owned())
    }

    /// A flag that can have no effect is a misunderstanding.
    fn check_forwarding(&self) -> Result<(), String> {
        let (of_certificates, of_verified) = self.forwarding.given();
        let limits = [
            (self.max_certificates.is_some(), "--max-certificates"),
            (self.max_certificate_size.is_some(), "--max-certificate-size"),
            (self.without_root_hints, "--without-root-hints"),
            (self.without_names_in_log, "--without-names-in-log"),
        ];
        let limit = limits.iter().find(|(given, _)| *given).map(|(_, flag)| *flag);
        if let Some(flag) = of_certificates.or(limit).filter(|_| !self.client_auth.requests()) {
            return Err(format!(
                "--client-auth {} never asks for a certificate, so {flag} has nothing to do",
                self.client_auth
            ));
        }
        // With a throw-away PKI there is always a client CA.
        let no_ca = self.cert.is_some() && !self.demonstrates() && self.client_ca.is_empty();
        let of_cas = of_verified.or(self.without_root_hints.then_some("--without-root-hints"));
        match of_cas.filter(|_| no_ca) {
            Some(flag) => Err(format!("{flag} also needs --client-ca, the file with the CAs of the clients")),
            None => Ok(()),
        }
    }

    /// Two dialects that write the same header would take it from each other.
    fn check_dialects(&self) -> Result<(), String> {
        for (index, one) in self.dialect.iter().enumerate() {
            for other in &self.dialect[..index] {
                let contested = one.header_names().iter().find(|name| other.header_names().contains(name));
                if let Some(name) = contested {
                    return Err(format!(
                        "--dialect {other} and --dialect {one} both write {name}: choose one"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What lets headers of proxies in front through.
    pub(crate) fn pass_headers(&self) -> PassHeadersLayer {
        let none = TrustedProxies::none();
        let trusted = self.trusted_proxy.iter().fold(none, |trusted, range| trusted.ip_range(*range));
        PassHeadersLayer::new(self.pass_header.iter().cloned(), trusted)
    }

    /// Whether to show what the echo backend receives: another one can't tell us.
    pub(crate) fn demonstrates(&self) -> bool {
        self.demo_once || self.backend.is_none()
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse())
        .map_err(|_| "neither an IP address nor a network, as in 192.0.2.0/24".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 => {
            Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
        }
        _ => Err("expected a number of seconds greater than 0".to_owned()),
    }
}

/// `host:port`, also written `http://host:port`.
#[derive(Clone, Debug)]
pub(crate) struct BackendAddress(pub(crate) Authority);

impl From<SocketAddr> for BackendAddress {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().parse().expect("every socket address is an authority"))
    }
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BackendAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("https://") {
            return Err("backends are reached without TLS; expected HOST:PORT".to_owned());
        }
        let address = text.strip_prefix("http://").unwrap_or(text);
        match address.trim_end_matches('/').parse::<Authority>() {
            Ok(authority) if authority.port_u16().is_some() && !authority.as_str().contains('@') => {
                Ok(Self(authority))
            }
            _ => Err("expected HOST:PORT, such as 127.0.0.1:8080".to_owned()),
        }
    }
}
