//! Signatures under names that no client was offered. The judge is rustls' own verifier.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConnection, Error, PeerMisbehaved, RootCertStore, ServerConfig, ServerConnection,
    SignatureAlgorithm, SignatureScheme, SupportedProtocolVersion,
};
use tower_client_cert::ClientAuthPolicy;

use crate::harness::{ServerPki, verifier};
use crate::pki::{Authority, Identity};
use crate::provider::provider;

/// Signs as it can, and calls it what it likes.
#[derive(Debug)]
struct Mislabelled {
    key: Arc<dyn SigningKey>,
    offered: SignatureScheme,
    label: SignatureScheme,
}

#[derive(Debug)]
struct MislabelledSigner(Box<dyn Signer>, SignatureScheme);

impl SigningKey for Mislabelled {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(&[self.offered])?;
        Some(Box::new(MislabelledSigner(signer, self.label)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl Signer for MislabelledSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.1
    }
}

/// What a server makes of a client that signs with `offered` and says `label`.
fn outcome(
    pki: &ServerPki,
    verifier: Arc<dyn ClientCertVerifier>,
    client: &Identity,
    version: &'static SupportedProtocolVersion,
    (offered, label): (SignatureScheme, SignatureScheme),
) -> Result<(), Error> {
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(pki.server.chain.clone(), pki.server.key.clone_key())
        .unwrap();
    let key = provider().key_provider.load_private_key(client.key.clone_key()).unwrap();
    let certified = CertifiedKey::new(client.chain.clone(), Arc::new(Mislabelled { key, offered, label }));
    let mut config = pki.client(None, &[version]);
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    let mut client =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    for _ in 0..10 {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        server.read_tls(&mut &flight[..]).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        client.read_tls(&mut &flight[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    assert!(!server.is_handshaking());
    Ok(())
}

#[test]
fn a_scheme_that_was_not_offered_is_refused_as_rustls_refuses_it() {
    use SignatureScheme as S;
    let not_offered = Err(Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme));
    let ca = Authority::root("CA");
    let pki = ServerPki::new();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der()).unwrap();
    let theirs = WebPkiClientVerifier::builder_with_provider(roots.into(), provider()).build().unwrap();
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let clients = [
        (ca.client("alice"), S::ECDSA_NISTP256_SHA256),
        (ca.issue_for("alice", &rsa, |_| {}), S::RSA_PSS_SHA256),
    ];
    // Every pair of a hash and an algorithm that TLS 1.2 had, and all that came later, ML-DSA too.
    let labels = (0x0000..0x0A00).filter(|scheme| scheme & 0xFF < 9).chain([0x081A, 0x0E01, 0xFEFE, 0xFFFF]);
    let labels: Vec<S> = labels.map(S::from).collect();
    // The signature is all that this policy looks at.
    let ours = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
    for (client, offered) in &clients {
        for version in [&TLS12, &TLS13] {
            for label in &labels {
                let schemes = (*offered, *label);
                let theirs = outcome(&pki, Arc::clone(&theirs) as _, client, version, schemes);
                let ours = outcome(&pki, Arc::clone(&ours) as _, client, version, schemes);
                let case = format!("{:?}, {offered:?} as {label:?}", version.version);
                assert_eq!(ours == not_offered, theirs == not_offered, "{case}: {ours:?}, not {theirs:?}");
                assert_eq!(ours.is_ok(), theirs.is_ok(), "{case}: {ours:?}, not {theirs:?}");
                assert!(label == offered || ours.is_err(), "{case}");
            }
        }
    }
}
