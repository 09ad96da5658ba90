//! `examples/backend.rs`, as a program.

use std::net::SocketAddr;
use std::process::Stdio;

use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tower_client_cert::Fingerprint;
use tower_client_cert::dialect::{AnyDialect, Dialect as _, Outgoing, VerifyStatus};

use crate::forwarded::{request, send};
use crate::harness::example;
use crate::pki::Authority;
use crate::vectors::WITHOUT_CERTIFICATE;

/// Until dropped.
struct Backend {
    _child: Child,
    address: SocketAddr,
}

impl Backend {
    async fn start(arguments: &[&str]) -> Self {
        let mut command = example("backend");
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
        Self { _child: child, address: address.parse().unwrap() }
    }

    async fn ask(&self, http2: bool, headers: &HeaderMap) -> (StatusCode, Value) {
        let mut request = request(self.address, "/", &[]);
        request.headers_mut().extend(headers.clone());
        let response = send(self.address, http2, request).await;
        (response.status(), serde_json::from_str(response.body()).unwrap())
    }
}

#[tokio::test]
async fn it_reads_every_dialect_by_its_name() {
    let alice = Authority::root("CA").client("alice");
    let fingerprint = Fingerprint::of(&alice.chain[0]).to_string();
    for name in AnyDialect::NAMES.iter().filter(|name| !WITHOUT_CERTIFICATE.contains(name)) {
        let backend = Backend::start(&["--dialect", name, "--trusted-proxy", "127.0.0.1"]).await;
        let dialect: AnyDialect = name.parse().unwrap();
        let mut headers = HeaderMap::new();
        dialect.encode(&Outgoing::new(&alice.chain, VerifyStatus::Success), &mut headers);
        for http2 in [false, true] {
            let (status, answer) = backend.ask(http2, &headers).await;
            assert_eq!(status, StatusCode::OK, "{name}: {answer}");
            assert_eq!(answer["client"]["certificates"][0]["sha256"], fingerprint, "{name}: {answer}");
            assert_eq!(answer["protocol"], if http2 { "HTTP/2.0" } else { "HTTP/1.1" });

            let (status, answer) = backend.ask(http2, &HeaderMap::new()).await;
            assert_eq!(status, StatusCode::OK, "{name}: {answer}");
            assert_eq!(answer["client"]["anonymous"], "no client certificate: the proxy forwarded none");
        }
    }
}

#[tokio::test]
async fn it_believes_nobody_who_was_not_named() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-tls-client-cert", "MAA=".parse().unwrap());
    for (arguments, status) in [
        (&[][..], StatusCode::FORBIDDEN),
        (&["--trusted-proxy", "192.0.2.0/24"], StatusCode::FORBIDDEN),
        (&["--trusted-proxy", "192.0.2.0/24", "--trusted-proxy", "127.0.0.0/8"], StatusCode::OK),
    ] {
        let (answered, answer) = Backend::start(arguments).await.ask(false, &headers).await;
        assert_eq!(answered, status, "{answer}");
        let seen =
            answer["headers"].as_array().unwrap().iter().any(|name| name == "x-forwarded-tls-client-cert");
        assert_eq!(seen, status != StatusCode::FORBIDDEN, "{answer}");
    }
}

#[tokio::test]
async fn a_wrong_flag_says_what_is_expected() {
    for (flag, value, says) in [
        ("--dialect", "rfc9441", "expected one of skipper, traefik"),
        ("--trusted-proxy", "10.0.0.0/33", "such as 10.0.0.0/8"),
        ("--listen", "8080", "invalid socket address"),
    ] {
        let output = example("backend").args([flag, value]).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(says) && text.contains(value), "{text}");
    }
}
