//! A reload of files that are broken, half written or do not belong together keeps the old configuration.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use tower_client_cert::{ClientAuthPolicy, Reloader, ServerCertError, VerifierError};

use super::{Pki, Watching};
use crate::harness::{Server, presented, until};

use ClientAuthPolicy::RequireAndVerifyClientCert;

#[tokio::test]
async fn i10_a_bad_reload_keeps_the_old_configuration() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new()).await;
    let old = presented(server.address, &pki.client()).await;

    let outer = pki.server.ca.intermediate("outer");
    let inner = outer.intermediate("inner");
    let new = inner.server(&["localhost"]).with([inner.der(), outer.der()]);
    let (chain, key) = (new.chain_pem(), new.key_pem());
    files.write_server(&new);
    let keeps_the_old = |what: &str| match reloader.reload() {
        Ok(()) => panic!("{what} was taken"),
        Err(error) => {
            assert!(reloader.last_error().is_some_and(|last| Arc::ptr_eq(&last, &error)));
            error
        }
    };

    // A file that ends between two certificates is a good file: a writer that stops there for good has written it.
    let whole: Vec<usize> =
        chain.match_indices("-----END CERTIFICATE-----").map(|(at, end)| at + end.len()).collect();
    assert_eq!(whole.len(), 3);
    let is_whole = |length: usize| whole.iter().any(|end| (*end..=end + 2).contains(&length));
    for length in (0..chain.len()).filter(|length| !is_whole(*length)) {
        files.write("tls.crt", &chain[..length]);
        keeps_the_old(&format!("a chain cut after {length} of {} bytes", chain.len()));
    }
    files.write("tls.crt", &chain);
    let end_of_key = key.find("-----END PRIVATE KEY-----").unwrap() + "-----END PRIVATE KEY-----".len();
    for length in 0..end_of_key {
        files.write("tls.key", &key[..length]);
        keeps_the_old(&format!("a key cut after {length} of {} bytes", key.len()));
    }
    files.write("tls.key", &key);

    type Check = fn(&(dyn std::error::Error + 'static)) -> bool;
    let wrong_key: Check = |error| matches!(error.downcast_ref(), Some(ServerCertError::Mismatch { .. }));
    let unreadable: Check = |error| {
        matches!(error.downcast_ref(), Some(ServerCertError::Source(VerifierError::Read { .. })))
            || matches!(error.downcast_ref(), Some(VerifierError::Read { .. }))
    };
    let any: Check = |_| true;
    let roots = [pki.ca.pem(), pki.ca.pem()].concat();
    let one_root_and_a_half = roots[..roots.len() * 3 / 4].to_owned();
    let bad_in_the_middle = chain.replacen("-----END CERTIFICATE-----", "MIIB\n-----END CERTIFICATE-----", 1);
    for (name, contents, check) in [
        ("tls.key", Some(pki.another_server_cert().key_pem()), wrong_key),
        ("tls.crt", Some(pki.another_server_cert().chain_pem()), wrong_key),
        ("tls.crt", None, unreadable),
        ("tls.key", None, unreadable),
        ("ca.crt", None, unreadable),
        ("ca.crl", None, unreadable),
        ("tls.crt", Some(String::new()), any),
        ("tls.key", Some(String::new()), any),
        ("ca.crt", Some(String::new()), any),
        ("ca.crl", Some(String::new()), any),
        ("tls.crt", Some("garbage".repeat(1_000)), any),
        ("tls.key", Some("garbage".repeat(1_000)), any),
        ("tls.crt", Some(key.clone()), any),
        ("tls.key", Some(chain.clone()), any),
        ("tls.crt", Some(bad_in_the_middle), any),
        ("ca.crt", Some(one_root_and_a_half), any),
        ("ca.crt", Some(format!("{}-----BEG", pki.ca.pem())), any),
        ("ca.crl", Some(pki.ca.pem()), any),
    ] {
        let good = fs::read(files.path(name)).unwrap();
        match &contents {
            Some(contents) => files.write(name, contents),
            None => fs::remove_file(files.path(name)).unwrap(),
        }
        let what = format!("{name} with {contents:?}");
        let error = keeps_the_old(&what);
        let source = std::error::Error::source(&*error).unwrap();
        assert!(check(source), "{what}: {error}");
        files.write(name, good);
    }
    assert_eq!(presented(server.address, &pki.client()).await, old);

    reloader.reload().unwrap();
    assert!(reloader.last_error().is_none());
    assert_eq!(presented(server.address, &pki.client()).await, new.chain[0]);
}

#[tokio::test]
async fn i10_a_watch_retries_until_the_files_are_whole() {
    let pki = Pki::new();
    let files = pki.files();
    let reloader = files.reloader();
    let server = Server::start(reloader.acceptor(), Router::new()).await;
    let _watching = Watching::start(&reloader);
    let old = presented(server.address, &pki.client()).await;

    // An editor that stops in the middle, and a key that comes later than its certificate.
    let new = pki.another_server_cert();
    let chain = new.chain_pem();
    let error = async || reloader.last_error().map(|error| error.to_string()).unwrap_or_default();
    files.write("tls.crt", &chain[..chain.len() / 2]);
    until(async || error().await.contains("not valid PEM")).await;
    files.write("tls.crt", &chain);
    until(async || error().await.contains("does not belong to")).await;
    fs::remove_file(files.path("tls.key")).unwrap();
    until(async || error().await.contains("cannot read")).await;
    assert_eq!(presented(server.address, &pki.client()).await, old);

    files.write("tls.key", new.key_pem());
    until(async || presented(server.address, &pki.client()).await == new.chain[0]).await;
    assert!(reloader.last_error().is_none());

    // A file that is broken and put back was never wrong.
    files.write("tls.crt", "broken");
    until(async || reloader.last_error().is_some()).await;
    files.write("tls.crt", &chain);
    until(async || reloader.last_error().is_none()).await;
    assert_eq!(presented(server.address, &pki.client()).await, new.chain[0]);
}

#[tokio::test(start_paused = true)]
async fn i10_a_watch_does_not_read_a_file_that_is_being_written() {
    let pki = Pki::new();
    let files = pki.files();
    let loads = Arc::new(AtomicUsize::new(0));
    let reloader = {
        let (loads, load) = (Arc::clone(&loads), files.load(RequireAndVerifyClientCert, |_| {}));
        Reloader::new(move || {
            loads.fetch_add(1, Ordering::Relaxed);
            load()
        })
        .unwrap()
    };
    let look = Duration::from_secs(3600);
    let _watching = Watching(tokio::spawn(reloader.clone().watch(look)));
    tokio::time::sleep(look / 2).await;

    let new = pki.another_server_cert();
    for part in [new.chain_pem().len() / 2, new.chain_pem().len()] {
        files.write("tls.crt", &new.chain_pem()[..part]);
        files.write("tls.key", new.key_pem());
        tokio::time::sleep(look).await;
        assert_eq!(loads.load(Ordering::Relaxed), 1, "only one look has found it so");
    }
    tokio::time::sleep(look).await;
    assert_eq!(loads.load(Ordering::Relaxed), 2);
    tokio::time::sleep(look * 10).await;
    assert_eq!(loads.load(Ordering::Relaxed), 2, "nothing has changed since");
    assert!(reloader.last_error().is_none());
}
