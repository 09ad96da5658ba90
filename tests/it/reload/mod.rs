//! What is served changes while it is served: by call and by files, good ones and bad ones.

mod bad_files;
mod told;
mod under_traffic;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, Reloader};

use crate::harness::{ServerPki, verifier};
use crate::pki::{Authority, Identity};

use ClientAuthPolicy::RequireAndVerifyClientCert;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A server's files.
pub(crate) struct Files {
    dir: TempDir,
}

impl Files {
    pub(crate) fn new(server: &Identity, ca: &Authority) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        files.write_server(server);
        files.write("ca.crt", ca.pem());
        files.write("ca.crl", ca.crl_pem(&[], time::Duration::days(7)));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// In place, as an editor or a script does.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    fn write_server(&self, server: &Identity) {
        self.write("tls.crt", server.chain_pem());
        self.write("tls.key", server.key_pem());
    }

    pub(crate) fn reloader(&self) -> Reloader {
        self.reloader_with(RequireAndVerifyClientCert, |_| {})
    }

    fn reloader_with(
        &self,
        policy: ClientAuthPolicy,
        configure: impl Fn(&mut ServerConfig) + Send + Sync + 'static,
    ) -> Reloader {
        Reloader::new(self.load(policy, configure)).unwrap()
    }

    pub(crate) fn load(
        &self,
        policy: ClientAuthPolicy,
        configure: impl Fn(&mut ServerConfig) + Send + Sync + 'static,
    ) -> impl Fn() -> Result<ClientCertAcceptor, Error> + Send + Sync + 'static {
        let [ca, crl, cert, key] = ["ca.crt", "ca.crl", "tls.crt", "tls.key"].map(|name| self.path(name));
        move || {
            let verifier = verifier(policy).roots_from_file(&ca).crls_from_file(&crl).build()?;
            Ok(ClientCertAcceptor::from_files(&cert, &key, verifier, |config| {
                config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                configure(config);
            })?)
        }
    }
}

/// A watch that ends with the test.
struct Watching(JoinHandle<std::convert::Infallible>);

impl Watching {
    fn start(reloader: &Reloader) -> Self {
        Self(tokio::spawn(reloader.clone().watch(Duration::from_millis(2))))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) struct Pki {
    pub(crate) server: ServerPki,
    pub(crate) ca: Authority,
    pub(crate) alice: Identity,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let ca = Authority::root("client CA");
        let alice = ca.client("alice");
        Self { server: ServerPki::new(), ca, alice }
    }

    pub(crate) fn files(&self) -> Files {
        Files::new(&self.server.server, &self.ca)
    }

    fn another_server_cert(&self) -> Identity {
        self.server_cert(|_| {})
    }

    fn server_cert(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        self.server.ca.issue("localhost", |params| {
            params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            change(params);
        })
    }

    pub(crate) fn client(&self) -> ClientConfig {
        self.server.client(Some(&self.alice), &[&TLS13])
    }
}
