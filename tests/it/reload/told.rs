//! What is told of a load: when what was loaded expires, and why the old configuration stays.

use std::fs;

use rustls::pki_types::UnixTime;
use time::OffsetDateTime;
use tower_client_cert::ClientAuthPolicy;

use super::Pki;
use crate::harness::verifier;
use crate::log::capture;

use ClientAuthPolicy::NoClientCert;

#[tokio::test]
async fn what_expires_is_told() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let acceptor = reloader.acceptor();
    let near = |time: Option<UnixTime>, days: i64| {
        let expected = (OffsetDateTime::now_utc() + time::Duration::days(days)).unix_timestamp();
        let seconds = i64::try_from(time.unwrap().as_secs()).unwrap();
        assert!((expected - 60..=expected).contains(&seconds), "{seconds}, not {expected}");
    };
    near(acceptor.server_cert_not_after(), 30);
    near(acceptor.crl_next_update(), 7);

    let later = pki.server_cert(|params| {
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(365 * 40);
    });
    files.write_server(&later);
    let crls = [9, 2, 5].map(|days| pki.ca.crl_pem(&[], time::Duration::days(days)));
    files.write("ca.crl", crls.concat());
    reloader.reload().unwrap();
    near(acceptor.server_cert_not_after(), 365 * 40);
    near(acceptor.crl_next_update(), 2);

    let by_hand = pki.server.acceptor(verifier(NoClientCert).build().unwrap());
    assert_eq!((by_hand.server_cert_not_after(), by_hand.crl_next_update()), (None, None));
}

#[test]
fn loads_are_told_and_failures_once() {
    let pki = Pki::new();
    let files = pki.files();
    let mut reloader = None;
    let log = capture(|| reloader = Some(files.reloader()));
    let reloader = reloader.unwrap();
    let seconds = |time: Option<UnixTime>| time.unwrap().as_secs();
    for told in [
        "INFO".to_owned(),
        format!("server_cert_not_after={}", seconds(reloader.acceptor().server_cert_not_after())),
        format!("crl_next_update={}", seconds(reloader.acceptor().crl_next_update())),
    ] {
        assert!(log.contains(&told), "{log}");
    }

    files.write("ca.crl", pki.ca.crl_pem(&[], -time::Duration::days(1)));
    let log = capture(|| reloader.reload().unwrap());
    assert!(log.contains("WARN") && log.contains("has expired"), "{log}");

    fs::remove_file(files.path("tls.key")).unwrap();
    let log = capture(|| {
        for _ in 0..3 {
            reloader.reload().unwrap_err();
        }
        fs::remove_file(files.path("tls.crt")).unwrap();
        reloader.reload().unwrap_err();
    });
    assert_eq!(log.matches("WARN").count(), 2, "each reason once: {log}");
    for told in ["tls.key: No such file", "tls.crt: No such file", "the old TLS configuration stays in use"] {
        assert!(log.contains(told), "{log}");
    }
}
