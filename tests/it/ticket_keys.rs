//! Two replicas of a server, with a file of ticket keys between them.

use std::path::Path;
use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, SharedTicketer, Verification};

use crate::harness::{ServerPki, verifier, visit};
use crate::pki::Authority;

use ClientAuthPolicy::{RequestClientCert, RequireAndVerifyClientCert};

const OLD: &str = "b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIG9sZCE=\n";
const NEW: &str = "bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldyE=\n";

/// A process of its own, as far as sessions go: nothing is shared but files.
struct Replica {
    acceptor: ClientCertAcceptor,
    ticketer: Arc<SharedTicketer>,
}

impl Replica {
    fn new(pki: &ServerPki, ca: &Authority, policy: ClientAuthPolicy, keys: &Path) -> Self {
        let verifier = verifier(policy).roots([ca.der()]).build().unwrap();
        let mut config = pki.config(&verifier);
        let ticketer = SharedTicketer::from_file(keys, config.crypto_provider().secure_random).unwrap();
        config.ticketer = Arc::clone(&ticketer) as Arc<dyn ProducesTickets>;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Self { acceptor: ClientCertAcceptor::new(config, verifier), ticketer }
    }
}

#[tokio::test]
async fn i5_a_client_resumes_on_every_replica_of_the_same_policy_and_on_no_other() {
    let (pki, ca) = (ServerPki::new(), Authority::root("client CA"));
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("ticket.keys");
    std::fs::write(&keys, OLD).unwrap();
    let replica = |policy| Replica::new(&pki, &ca, policy, &keys);
    let (one, two) = (replica(RequireAndVerifyClientCert), replica(RequireAndVerifyClientCert));
    let other_policy = replica(RequestClientCert);
    let other_roots = Replica::new(&pki, &Authority::root("other CA"), RequestClientCert, &keys);
    let alice = ca.client("alice");
    for version in [&TLS12, &TLS13] {
        let client = pki.client(Some(&alice), &[version]);
        assert!(!visit(&one.acceptor, &client).await.unwrap().resumed());
        for replica in [&two, &one, &two] {
            let info = visit(&replica.acceptor, &client).await.unwrap();
            assert!(info.resumed());
            assert_eq!(info.peer_certificates().unwrap().verification(), Verification::Verified);
        }
        assert!(!visit(&other_policy.acceptor, &client).await.unwrap().resumed());
        assert!(!visit(&other_roots.acceptor, &client).await.unwrap().resumed());
    }
}

#[tokio::test]
async fn keys_are_rotated_without_a_full_handshake() {
    let (pki, ca) = (ServerPki::new(), Authority::root("client CA"));
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("ticket.keys");
    let alice = ca.client("alice");
    for version in [&TLS12, &TLS13] {
        std::fs::write(&keys, OLD).unwrap();
        let [one, two] = [(); 2].map(|()| Replica::new(&pki, &ca, RequireAndVerifyClientCert, &keys));
        let client = pki.client(Some(&alice), &[version]);
        assert!(!visit(&one.acceptor, &client).await.unwrap().resumed());

        // Each replica takes each step when it comes to it, the client meanwhile goes to and fro.
        for step in [[OLD, NEW].concat(), [NEW, OLD].concat(), NEW.to_owned()] {
            std::fs::write(&keys, &step).unwrap();
            for changed in [&one, &two] {
                changed.ticketer.reload().unwrap();
                for replica in [&one, &two] {
                    let info = visit(&replica.acceptor, &client).await.unwrap();
                    assert!(info.resumed(), "{version:?}, {step}");
                }
            }
        }

        // A key that nobody has any more costs a full handshake, and nothing else.
        std::fs::write(&keys, OLD).unwrap();
        one.ticketer.reload().unwrap();
        assert!(!visit(&one.acceptor, &client).await.unwrap().resumed());
    }
}
