//! curl and `openssl s_client`, against the program.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Backend, EdgeProxy, curl, output, received};
use crate::harness::skipper_value;

const CERT: &str = "x-forwarded-tls-client-cert";
const VERIFY: &str = "x-forwarded-tls-client-cert-verify";

/// What a client of any kind may try in order to be somebody else.
const FORGERIES: [&str; 8] = [
    "X-Forwarded-Tls-Client-Cert: forged",
    "x-forwarded-tls-client-cert: forged",
    "X_Forwarded_Tls_Client_Cert: forged",
    "X-Forwarded.Tls!Client-Cert: forged",
    "X-Forwarded-Tls-Client-Cert-Verify: SUCCESS-forged",
    "X-Forwarded_Tls-Client-Cert_Verify: forged",
    "Connection: X-Forwarded-Tls-Client-Cert, X-Forwarded-Tls-Client-Cert-Verify",
    "TE: trailers, x-forwarded-tls-client-cert",
];

#[tokio::test]
async fn curl_reaches_the_backend_with_its_certificate() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let alice = skipper_value(&proxy.files.alice.chain);
    let mallory = skipper_value(&proxy.files.mallory.chain);
    let clients = [
        (None, None, "NONE"),
        (Some("alice"), Some(alice.as_str()), "SUCCESS"),
        (Some("mallory"), Some(mallory.as_str()), "FAILED:unable to get local issuer certificate"),
    ];
    for version in ["--http1.1", "--http2"] {
        for (identity, certificate, verify) in clients {
            for forgeries in [&[][..], &FORGERIES] {
                let mut command = curl(&proxy, identity);
                command.arg(version).arg(format!("https://{}/", proxy.address));
                command.args(forgeries.iter().flat_map(|forgery| ["--header", forgery]));
                let (_, stdout, stderr) = output(&mut command).await;
                let headers = received(&stdout);
                let case = format!("{version} {identity:?} {forgeries:?}: {stdout}{stderr}");
                assert_eq!(headers.get(CERT).map(|value| value.to_str().unwrap()), certificate, "{case}");
                assert_eq!(headers[VERIFY], verify, "{case}");
                assert!(!stdout.contains("forged"), "{case}");
                let written = 1 + usize::from(certificate.is_some());
                let owned = headers.keys().filter(|name| name.as_str().contains("client"));
                assert_eq!(owned.count(), written, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn curl_gets_in_only_as_the_policy_says() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &["--client-auth", "RequireAndVerifyClientCert"]).await;
    for (identity, admitted) in [(None, false), (Some("alice"), true), (Some("mallory"), false)] {
        for version in ["--tlsv1.3", "--tls-max 1.2"] {
            let mut command = curl(&proxy, identity);
            command.args(version.split(' ')).arg(format!("https://{}/", proxy.address));
            let (result, stdout, stderr) = output(&mut command).await;
            assert_eq!(result.status.success(), admitted, "{identity:?} {version}: {stdout}{stderr}");
            assert_eq!(stdout.contains(VERIFY), admitted, "{identity:?} {version}: {stdout}{stderr}");
        }
    }
}

#[tokio::test]
async fn openssl_reaches_the_backend_with_its_certificate() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                version,
                "-connect",
                &proxy.address.to_string(),
                "-servername",
                "localhost",
            ])
            .args([
                "-verify_return_error".as_ref(),
                "-CAfile".as_ref(),
                proxy.files.path("server-ca.pem").as_os_str(),
            ])
            .args(["-cert".as_ref(), proxy.files.path("alice.pem").as_os_str()])
            .args(["-key".as_ref(), proxy.files.path("alice.key").as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let request = format!(
            "GET /from-openssl HTTP/1.1\r\nHost: localhost\r\nConnection: close, {CERT}\r\n{CERT}: forged\r\n\r\n"
        );
        stdin.write_all(request.as_bytes()).await.unwrap();
        // `stdin` stays open: `s_client` would leave before the answer.
        let output = child.wait_with_output().await.unwrap();
        drop(stdin);
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{version}: {answer}");
        let headers = received(&answer);
        assert_eq!(headers[CERT], skipper_value(&proxy.files.alice.chain), "{version}");
        assert_eq!(headers.get_all(CERT).iter().count(), 1, "{version}");
        assert_eq!(headers[VERIFY], "SUCCESS", "{version}");
    }
}

#[tokio::test]
async fn trailers_arrive_without_forged_ones() {
    let backend = Backend::start().await;
    let proxy = EdgeProxy::start(backend.address, &[]).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Checksum, {CERT}\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Checksum: 1\r\n{CERT}: forged\r\nX_Forwarded_Tls_Client_Cert: forged\r\n\r\n"
    );
    let answer = proxy.raw(Some(&proxy.files.alice), &request).await;
    assert!(answer.contains("\nhello\ntrailer x-checksum: 1"), "{answer}");
    assert!(!answer.contains("forged"), "{answer}");
    assert_eq!(received(&answer)[CERT], skipper_value(&proxy.files.alice.chain));
}
