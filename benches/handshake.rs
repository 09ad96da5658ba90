//! A full mutual handshake, client and server on one thread and over memory: `cargo bench -p tower-client-cert-benches --bench handshake`.

#[path = "../tests/it/pki.rs"]
#[allow(dead_code)]
mod pki;

use std::sync::Arc;

use divan::Bencher;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor};

use crate::pki::{Authority, Identity};

fn main() {
    divan::main();
}

struct Setting {
    ca: Authority,
    server: Identity,
    connector: TlsConnector,
    runtime: Runtime,
}

impl Setting {
    fn new() -> Self {
        let ca = Authority::root("CA");
        let client = ca.client("alice");
        let mut roots = RootCertStore::empty();
        roots.add(ca.der()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(client.chain, client.key)
            .unwrap();
        config.resumption = rustls::client::Resumption::disabled();
        Self {
            server: ca.server(&["localhost"]),
            ca,
            connector: TlsConnector::from(Arc::new(config)),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn run<T>(&self, bencher: Bencher<'_, '_>, accept: impl AsyncFn(tokio::io::DuplexStream) -> T) {
        bencher.bench_local(|| {
            self.runtime.block_on(async {
                let (client, server) = tokio::io::duplex(16 * 1024);
                let connect = self.connector.connect(ServerName::try_from("localhost").unwrap(), client);
                let (client, server) = tokio::join!(connect, accept(server));
                (client.unwrap(), server)
            })
        });
    }
}

/// rustls' own verifier in tokio-rustls' own acceptor, without sessions as ours is.
#[divan::bench(sample_count = 1_000)]
fn tokio_rustls(bencher: Bencher<'_, '_>) {
    let setting = Setting::new();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(setting.ca.der()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(setting.server.chain.clone(), setting.server.key.clone_key())
        .unwrap();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    setting.run(bencher, async |io| acceptor.accept(io).await.unwrap());
}

#[divan::bench(sample_count = 1_000)]
fn client_cert_acceptor(bencher: Bencher<'_, '_>) {
    let setting = Setting::new();
    let verifier = ClientAuthPolicy::RequireAndVerifyClientCert
        .verifier()
        .provider(aws_lc_rs::default_provider())
        .roots([setting.ca.der()])
        .build()
        .unwrap();
    let config = verifier
        .server_config()
        .unwrap()
        .with_single_cert(setting.server.chain.clone(), setting.server.key.clone_key())
        .unwrap();
    let acceptor = ClientCertAcceptor::new(config, verifier);
    setting.run(bencher, async |io| acceptor.accept(io).await.unwrap());
}
