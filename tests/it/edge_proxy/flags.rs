//! The flags for what the layer and the verifier can do, each as a backend or a client notices it.

use std::process::Stdio;

use http::HeaderMap;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Backend, EdgeProxy, Files, example, output, received, text};
use crate::harness::{connect, get, skipper_value};
use crate::pki::Identity;

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

async fn headers(proxy: &EdgeProxy, identity: &Identity) -> HeaderMap {
    let response = proxy.client(Some(identity), true).send(proxy.address, get(proxy.address, "/")).await;
    received(response.body())
}

#[tokio::test]
async fn leaf_only_leaves_the_issuers_out_and_max_value_size_what_does_not_fit() {
    let backend = Backend::start().await;
    let alice = |proxy: &EdgeProxy| {
        let intermediate = proxy.files.client_ca.intermediate("intermediate");
        intermediate.client("alice").with([intermediate.der()])
    };
    for (flags, certificates) in [
        (&[][..], 2),
        (&["--leaf-only"], 1),
        (&["--max-value-size", "700"], 1),
        (&["--max-value-size", "100"], 0),
    ] {
        let proxy = EdgeProxy::start(backend.address, flags).await;
        let alice = alice(&proxy);
        let headers = headers(&proxy, &alice).await;
        let value = headers.get(CERT).map(|value| value.to_str().unwrap().to_owned());
        let expected = Some(skipper_value(&alice.chain[..certificates])).filter(|value| !value.is_empty());
        assert_eq!(value, expected, "{flags:?}");
    }
}

#[tokio::test]
async fn each_dialect_forwards_unverified_certificates_as_told() {
    let backend = Backend::start().await;
    let dialects = ["--dialect", "skipper", "--dialect", "rfc9440"];
    for (flags, skipper, rfc9440) in [
        (&[][..], true, false),
        (&["--only-verified"], false, false),
        (&["--verified-path"], false, false),
        (&["--forward-unverified"], true, true),
    ] {
        let proxy = EdgeProxy::start(backend.address, &[&dialects, flags].concat()).await;
        let mallory = headers(&proxy, &proxy.files.mallory).await;
        assert_eq!(mallory.contains_key(CERT), skipper, "{flags:?}");
        assert_eq!(mallory.contains_key("client-cert"), rfc9440, "{flags:?}");
        assert_eq!(mallory[VERIFY], "FAILED:unable to get local issuer certificate", "{flags:?}");
        let alice = headers(&proxy, &proxy.files.alice).await;
        assert!(alice.contains_key(CERT) && alice.contains_key("client-cert"), "{flags:?}");
    }
    // What the client sent along is not in the path.
    for (flag, certificates) in [(&[][..], 2), (&["--verified-path"], 1)] {
        let proxy = EdgeProxy::start(backend.address, flag).await;
        let alice = proxy.files.alice.clone().with([proxy.files.server.ca.der()]);
        let headers = headers(&proxy, &alice).await;
        assert_eq!(headers[CERT], skipper_value(&alice.chain[..certificates]), "{flag:?}");
    }
}

#[tokio::test]
async fn limits_refuse_what_is_larger() {
    let backend = Backend::start().await;
    for (flags, taken) in [
        (["--max-certificates", "2"], true),
        (["--max-certificates", "1"], false),
        (["--max-certificate-size", "2000"], true),
        (["--max-certificate-size", "200"], false),
    ] {
        let proxy = EdgeProxy::start(backend.address, &flags).await;
        let alice = proxy.files.alice.clone().with([proxy.files.client_ca.der()]);
        let config = proxy.files.server.client(Some(&alice), &[&rustls::version::TLS12]);
        assert_eq!(connect(proxy.address, &config).await.is_ok(), taken, "{flags:?}");
    }
}

#[tokio::test]
async fn without_root_hints_no_ca_is_named() {
    let backend = Backend::start().await;
    for (flags, named) in [(&[][..], true), (&["--without-root-hints"], false)] {
        let proxy = EdgeProxy::start(backend.address, flags).await;
        let mut command = tokio::process::Command::new("openssl");
        command.args(["s_client", "-connect", &proxy.address.to_string()]).stdin(Stdio::null());
        let (_, stdout, _) = output(&mut command).await;
        assert_eq!(stdout.contains("Acceptable client certificate CA names"), named, "{stdout}");
        assert_eq!(stdout.contains("No client certificate CA names sent"), !named, "{stdout}");
    }
}

/// A refused client leaves a line in the log as it is by default, with its names or without.
#[tokio::test]
async fn a_refused_client_is_in_the_log_by_default() {
    let backend = Backend::start().await;
    for flags in [&[][..], &["--without-names-in-log"]] {
        let files = Files::new();
        let path = |name| text(&files.path(name));
        let mut command = example("edge_proxy");
        command
            .args(["--listen", "127.0.0.1:0", "--backend", &backend.address.to_string()])
            .args([
                "--cert",
                &path("server.pem"),
                "--key",
                &path("server.key"),
                "--client-ca",
                &path("ca.pem"),
            ])
            .args(["--client-auth", "RequireAndVerifyClientCert"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = stdout.next_line().await.unwrap().unwrap();
        let address = line.strip_prefix("listening on https://").expect("where it listens").parse().unwrap();
        let config = files.server.client(Some(&files.mallory), &[&rustls::version::TLS12]);
        connect(address, &config).await.unwrap_err();
        let line = loop {
            let line = stderr.next_line().await.unwrap().expect("a line about the refusal");
            if line.contains("client certificate refused") {
                break line;
            }
        };
        assert!(line.contains("INFO") && line.contains("peer=127.0.0.1:"), "{line}");
        assert!(line.contains("reason=unable to get local issuer certificate"), "{line}");
        assert!(line.contains("sha256="), "{line}");
        assert_eq!(line.contains("mallory"), flags.is_empty(), "{line}");
    }
}

#[tokio::test]
async fn the_demonstration_keeps_the_promises_of_the_flags() {
    for flags in [
        &["--leaf-only"][..],
        &["--only-verified"],
        &["--verified-path"],
        &["--forward-unverified", "--dialect", "rfc9440", "--dialect", "nginx"],
        &["--max-value-size", "100"],
        &["--max-certificate-size", "100"],
        &["--max-certificates", "1", "--without-root-hints", "--without-names-in-log"],
    ] {
        let mut command = example("edge_proxy");
        command.args(["--listen", "127.0.0.1:0", "--demo-once"]).args(flags);
        let (result, stdout, stderr) = output(&mut command).await;
        assert_eq!(result.status.code(), Some(0), "{flags:?}: {stdout}{stderr}");
    }
}

#[tokio::test]
async fn flags_that_make_no_sense_together_are_refused_by_name() {
    let files = Files::new();
    let (cert, key) = (text(&files.path("server.pem")), text(&files.path("server.key")));
    let proxy = ["--backend", "127.0.0.1:1", "--cert", &cert, "--key", &key];
    let never = ["--client-auth", "NoClientCert"];
    let cases: &[(&[&str], &[&str])] = &[
        (&["--forward-unverified", "--only-verified"], &["--forward-unverified", "--only-verified"]),
        (&["--forward-unverified", "--verified-path"], &["--forward-unverified", "--verified-path"]),
        (&["--max-certificates", "0"], &["--max-certificates"]),
        (&["--max-certificate-size", "0"], &["--max-certificate-size"]),
        (&["--max-value-size", "0"], &["--max-value-size"]),
        (&["--max-value-size", "64k"], &["--max-value-size"]),
        (&[&never[..], &["--leaf-only"]].concat(), &["NoClientCert", "--leaf-only"]),
        (&[&never[..], &["--only-verified"]].concat(), &["NoClientCert", "--only-verified"]),
        (&[&never[..], &["--forward-unverified"]].concat(), &["NoClientCert", "--forward-unverified"]),
        (&[&never[..], &["--max-certificates", "3"]].concat(), &["NoClientCert", "--max-certificates"]),
        (&[&never[..], &["--without-root-hints"]].concat(), &["NoClientCert", "--without-root-hints"]),
        (&[&proxy[..], &["--only-verified"]].concat(), &["--only-verified", "--client-ca"]),
        (&[&proxy[..], &["--verified-path"]].concat(), &["--verified-path", "--client-ca"]),
        (&[&proxy[..], &["--without-root-hints"]].concat(), &["--without-root-hints", "--client-ca"]),
    ];
    for (arguments, named) in cases {
        let (result, stdout, stderr) = output(example("edge_proxy").args(*arguments)).await;
        assert_eq!(result.status.code(), Some(2), "{arguments:?}: {stdout}{stderr}");
        for name in *named {
            assert!(stderr.contains(name), "{arguments:?} should name {name}: {stderr}");
        }
    }
}

/// A CDN's header for the backend, which nobody else may send.
#[tokio::test]
async fn named_headers_pass_from_a_trusted_proxy_only() {
    let backend = Backend::start().await;
    let pass = ["--pass-header", "Cf-Client-Cert-Sha256"];
    for (trusted, expected) in [(Some("127.0.0.0/8"), true), (Some("192.0.2.7"), false), (None, false)] {
        let flags = trusted.map(|trusted| [&pass[..], &["--trusted-proxy", trusted]].concat());
        let proxy = EdgeProxy::start(backend.address, &flags.unwrap_or_default()).await;
        let mut request = get(proxy.address, "/");
        for name in ["cf-client-cert-sha256", "cf_client_cert_sha256", "cf-client-cert-der-base64"] {
            request.headers_mut().insert(name, http::HeaderValue::from_static("the CDN's"));
        }
        let response = proxy.client(None, true).send(proxy.address, request).await;
        let headers = received(response.body());
        let names: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("cf")).collect();
        assert_eq!(names.len(), usize::from(expected), "{names:?}");
        assert_eq!(headers.contains_key("cf-client-cert-sha256"), expected, "{trusted:?}");
    }
    for alone in [
        &pass[..],
        &["--trusted-proxy", "127.0.0.1"],
        &["--pass-header", "a b", "--trusted-proxy", "127.0.0.1"],
    ] {
        let (result, _, _) = output(example("edge_proxy").arg("--demo-once").args(alone)).await;
        assert_eq!(result.status.code(), Some(2), "{alone:?}");
    }
}
