//! The command line, which is a contract: what it takes, what it refuses, and what it shows.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use time::Duration;
use tokio::net::TcpListener;
use tokio::process::Command;
use tower_client_cert::ClientAuthPolicy;
use tower_client_cert::dialect::AnyDialect;

use super::{EdgeProxy, Files, example, output, text};

#[tokio::test]
async fn the_demonstration_succeeds_under_every_policy() {
    use ClientAuthPolicy as P;
    const FAILED: &str = "FAILED:unable to get local issuer certificate";
    for policy in P::ALL {
        let rows = match policy {
            P::NoClientCert => ["NONE", "NONE", "NONE"],
            P::RequestClientCert => ["NONE", "SUCCESS", FAILED],
            P::RequireAnyClientCert => ["TLS alert CertificateRequired", "SUCCESS", FAILED],
            P::VerifyClientCertIfGiven => ["NONE", "SUCCESS", "TLS alert UnknownCA"],
            P::RequireAndVerifyClientCert => {
                ["TLS alert CertificateRequired", "SUCCESS", "TLS alert UnknownCA"]
            }
        };
        let mut command = example("edge_proxy");
        command.args(["--listen", "127.0.0.1:0", "--client-auth", policy.as_str(), "--demo-once"]);
        let (result, stdout, stderr) = output(&mut command).await;
        assert_eq!(result.status.code(), Some(0), "{policy}: {stdout}{stderr}");
        let shown: Vec<&str> = stdout.lines().filter(|line| line.starts_with(policy.as_str())).collect();
        assert_eq!(shown.len(), rows.len(), "{policy}: {stdout}");
        for (shown, expected) in shown.iter().zip(rows) {
            assert!(shown.ends_with(expected), "{policy}: {stdout}");
        }
        // Each of the three clients forges it, and the log has it once.
        assert_eq!(stderr.matches("x-forwarded-tls-client-cert*").count(), 1, "{policy}: {stderr}");
        let warned = stderr.contains("never asks for a certificate");
        assert_eq!(warned, policy == P::NoClientCert, "{policy}: {stderr}");
    }
}

#[tokio::test]
async fn the_demonstration_succeeds_in_every_dialect() {
    let run = async |names: &[&str]| {
        let mut command = example("edge_proxy");
        command.args(["--listen", "127.0.0.1:0", "--demo-once"]);
        command.args(names.iter().flat_map(|name| ["--dialect", name]));
        let (result, stdout, stderr) = output(&mut command).await;
        assert_eq!(result.status.code(), Some(0), "{names:?}: {stdout}{stderr}");
        let shown = stdout.lines().filter(|line| line.starts_with("RequestClientCert ")).count();
        assert_eq!(shown, 3 * names.len(), "{names:?}: {stdout}");
    };
    for name in AnyDialect::NAMES {
        run(&[name]).await;
    }
    run(&["skipper", "rfc9440", "envoy", "nginx"]).await;
}

#[tokio::test]
async fn the_demonstration_tries_out_the_files_of_a_real_proxy() {
    let files = Files::new();
    files.write("crl.pem", &files.client_ca.crl_pem(&[], Duration::days(1)));
    let path = |name| text(&files.path(name));
    let mut command = example("edge_proxy");
    command
        .args(["--listen", "127.0.0.1:0", "--backend", "127.0.0.1:1"])
        .args(["--cert", &path("server.pem"), "--key", &path("server.key")])
        .args(["--client-auth", "require-and-verify-client-cert", "--client-ca", &path("ca.pem")])
        .args(["--client-ca", &path("server-ca.pem"), "--client-crl", &path("crl.pem")])
        .args(["--dialect", "skipper", "--demo-once"]);
    let (result, stdout, stderr) = output(&mut command).await;
    assert_eq!(result.status.code(), Some(0), "{stdout}{stderr}");
}

#[tokio::test]
async fn what_is_wrong_is_named_in_a_line() {
    let files = Files::new();
    files.write("empty.pem", "");
    files.write("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let path = |name| text(&files.path(name));
    let (cert, key, other_key) = (path("server.pem"), path("server.key"), path("alice.key"));
    let (empty, torn, missing) = (path("empty.pem"), path("torn.pem"), path("missing.pem"));

    let cases: &[(&[&str], &[&str])] = &[
        (&["--client-auth", "Optional"], &["--client-auth", "RequireAndVerifyClientCert"]),
        (&["--dialect", "smoke-signals"], &["--dialect", "skipper"]),
        (
            &["--dialect", "skipper", "--dialect", "traefik"],
            &["skipper", "traefik", "x-forwarded-tls-client-cert"],
        ),
        (&["--listen", "8443"], &["--listen"]),
        (&["--listen", &taken, "--demo-once"], &["cannot listen on", &taken, "--listen"]),
        (&["--backend", "https://127.0.0.1:1"], &["--backend", "HOST:PORT"]),
        (&["--backend", "nowhere"], &["--backend", "HOST:PORT"]),
        (&["--backend-timeout", "0"], &["--backend-timeout", "seconds"]),
        (&["--cert", &cert], &["--cert", "--key"]),
        (&["--key", &key], &["--key", "--cert"]),
        (&["--reload"], &["--reload", "--cert", "--backend"]),
        (&["--reload=0"], &["--reload", "seconds"]),
        (&["--cert", &cert, "--key", &key], &["--backend"]),
        (
            &["--backend", "a:1", "--cert", &cert, "--key", &key, "--client-auth", "VerifyClientCertIfGiven"],
            &["--client-ca"],
        ),
        (&["--demo-once", "--cert", &missing, "--key", &key], &["--cert", &missing, "No such file"]),
        (&["--demo-once", "--cert", &empty, "--key", &key], &["--cert", &empty, "no certificate"]),
        (&["--demo-once", "--cert", &cert, "--key", &torn], &["--key", &torn]),
        (&["--demo-once", "--cert", &cert, "--key", &cert], &["--key", &cert, "no private key"]),
        (
            &["--demo-once", "--cert", &cert, "--key", &other_key],
            &["--key", &other_key, "does not belong", &cert],
        ),
        (&["--client-ca", &missing], &["--client-ca", &missing, "No such file"]),
        (&["--client-ca", &empty], &["--client-ca", &empty]),
        (&["--client-ca", &torn], &["--client-ca", &torn]),
        (&["--client-crl", &cert], &["--client-crl", &cert]),
    ];
    for (arguments, named) in cases {
        let (result, stdout, stderr) = output(example("edge_proxy").args(*arguments)).await;
        assert_eq!(result.status.code(), Some(2), "{arguments:?}: {stdout}{stderr}");
        for name in *named {
            assert!(stderr.contains(name), "{arguments:?} should name {name}: {stderr}");
        }
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[tokio::test]
async fn the_curl_lines_work_as_they_are_printed() {
    let mut command = example("edge_proxy");
    command.args(["--listen", "127.0.0.1:0"]);
    let mut proxy = EdgeProxy::spawn(command, Files::new()).await;
    let mut lines = Vec::new();
    while lines.len() < 4 {
        let line = proxy.stdout.next_line().await.unwrap().expect("curl lines");
        lines.extend(line.trim().starts_with("curl ").then_some(line));
    }
    let expected = ["SUCCESS", "FAILED:unable to get local issuer certificate", "NONE", "NONE"];
    for (line, verify) in lines.iter().zip(expected) {
        let (result, stdout, stderr) = output(Command::new("sh").args(["-c", line])).await;
        assert!(result.status.success(), "{line}: {stderr}");
        assert!(
            stdout.contains(&format!("x-forwarded-tls-client-cert-verify: {verify}\n")),
            "{line}: {stdout}"
        );
        assert!(!stdout.contains("forged"), "{line}: {stdout}");
    }

    let ca = lines[0].split_whitespace().skip_while(|word| *word != "--cacert").nth(1).unwrap();
    let folder = Path::new(ca).parent().unwrap().to_owned();
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    proxy.signal("-INT").await;
    assert_eq!(proxy.child.wait().await.unwrap().code(), Some(0));
    assert!(!folder.exists(), "{folder:?} should be gone with the process");
}

#[tokio::test]
async fn the_small_examples_check_themselves() {
    for name in ["axum", "hyper"] {
        let (result, stdout, stderr) = output(example(name).arg("--demo-once")).await;
        assert!(result.status.success(), "{name}: {stdout}{stderr}");
    }
}

#[tokio::test]
async fn headers_are_logged_when_asked_for_and_their_values_are_not() {
    for logs in [false, true] {
        let mut command = example("edge_proxy");
        command.args(["--listen", "127.0.0.1:0", "--demo-once"]).args(logs.then_some("--log-headers"));
        let (result, _, stderr) = output(&mut command).await;
        assert!(result.status.success(), "{stderr}");
        assert_eq!(stderr.contains("written=x-forwarded-tls-client-cert ("), logs, "{stderr}");
        assert_eq!(stderr.contains("certificate=sha256:"), logs, "{stderr}");
        assert!(!stderr.contains("MII"), "{stderr}");
    }
}
