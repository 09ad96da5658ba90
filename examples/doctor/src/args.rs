//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use http::Uri;

use crate::advice::ServerKind;

/// Where did the client certificate get lost?
///
/// `probe` is the client's end: whether the server asks for a certificate, what it makes of yours, and whether forged
/// headers get past it. `echo` stands in for the backend: it tells what arrived. Exit status: 0 all is well, 1 the
/// certificate does not arrive or a forged header does, 2 it could not be found out.
#[derive(Debug, Parser)]
#[command(name = "doctor")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect to a server, with a certificate or without, and tell where it gets lost
    Probe(ProbeArgs),
    /// Stand in for the backend, and tell which client certificate arrived, in which dialect
    Echo(EchoArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProbeArgs {
    /// The server: https://host[:port][/path]
    #[arg(value_name = "URL")]
    pub(crate) url: Target,

    /// The client's certificate and its intermediates, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// The CAs of the server's own certificate, PEM. Without it, those of this machine
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,

    /// Take whatever certificate the server has
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Send forged headers of every name that some reader believes, in every spelling, and look whether they reach the
    /// backend, which must answer with what it received, as `doctor echo` does
    #[arg(long)]
    pub(crate) header_check: bool,

    /// What the server is, for the line that cures it. Without it, what its `server:` header says
    #[arg(long, value_name = "KIND")]
    pub(crate) server: Option<ServerKind>,

    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// Where to listen, over HTTP/1.1 and HTTP/2 without TLS; port 0 takes a free one. Whoever connects is answered with
    /// all that it sent
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,

    /// Print each request as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where to connect, and what to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it goes into `Host`.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected https://host[:port][/path]";
        let uri: Uri = text.parse().map_err(|_| EXPECTED.to_owned())?;
        let authority =
            uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(EXPECTED)?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") => {
                return Err("without TLS there is no client certificate; expected https://".to_owned());
            }
            _ => return Err(EXPECTED.to_owned()),
        }
        Ok(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(443),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_https_address() {
        let target: Target = "https://[::1]:8443/a?b".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("::1", 8443, "/a?b"));
        let target: Target = "https://example.com".parse().unwrap();
        assert_eq!((target.port, target.path.as_str(), target.authority.as_str()), (443, "/", "example.com"));
        for wrong in ["example.com", "http://example.com", "https://a@example.com", "ftp://example.com", ""] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
