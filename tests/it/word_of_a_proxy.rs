//! What a proxy says of a certificate, in every dialect: verified is only what is called so.

use std::collections::BTreeSet;

use http::HeaderMap;
use tower_client_cert::dialect::{AnyDialect, Dialect as _, Outgoing, VerifyStatus};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies,
};

use crate::pki::Authority;

/// What comes out of a dialect that went in with this verdict.
fn told(
    name: &str,
    status: VerifyStatus,
    forwarded: bool,
) -> Result<ForwardedClientCert<AnyDialect>, ForwardedClientCertError> {
    let dialect: AnyDialect = name.parse().unwrap();
    let alice = Authority::root("CA").client("alice").chain;
    let mut headers = HeaderMap::new();
    dialect.encode(&Outgoing::new(if forwarded { &alice } else { &[] }, status), &mut headers);
    let everybody = TrustedProxies::none().trust_whoever_can_connect();
    ForwardedClientCertLayer::new(dialect, everybody).read(&Hop::unknown(), &headers)
}

#[test]
fn a_certificate_is_verified_by_the_proxy_only_if_it_says_success() {
    let mut with_a_verdict = BTreeSet::new();
    for name in AnyDialect::NAMES {
        if let Ok(client) = told(name, VerifyStatus::Success, true) {
            let says_so = client.status() == Some(&VerifyStatus::Success);
            assert_eq!(client.is_verified_by_proxy(), says_so, "{name}: {client:?}");
            if says_so {
                with_a_verdict.insert(*name);
            }
        }
        for status in [VerifyStatus::Failed("certificate has expired".into()), VerifyStatus::None] {
            let verified = told(name, status.clone(), true).is_ok_and(|client| client.is_verified_by_proxy());
            assert!(!verified, "{name} {status:?}");
        }
        for status in [
            VerifyStatus::Success,
            VerifyStatus::Failed("certificate has expired".into()),
            VerifyStatus::None,
        ] {
            let client = told(name, status.clone(), false);
            assert!(
                client.is_err(),
                "{name} {status:?}: without a certificate there is no client: {client:?}"
            );
        }
    }
    // Skipper's clients write its verdict themselves, so it is none. Others have no word for one.
    for name in [
        "tower-client-cert",
        "nginx",
        "ingress-nginx",
        "apache",
        "haproxy",
        "google-cloud",
        "cloudflare-rfc9440",
        "azure-app-gateway",
        "puppet",
        "nginx-variables",
    ] {
        assert!(with_a_verdict.contains(name), "{name} is not among {with_a_verdict:?}");
    }
    for name in ["skipper", "traefik", "rfc9440", "envoy", "cloudfront", "kong", "linkerd"] {
        assert!(!with_a_verdict.contains(name), "{name} is among {with_a_verdict:?}");
    }
}
