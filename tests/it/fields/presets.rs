//! Each preset's bytes, written and read back, and its words for "not verified" and for "no certificate".

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tower_client_cert::dialect::fields::FieldsBuilder;
use tower_client_cert::dialect::{Dialect as _, Fields, VerifyStatus};

use super::{after, alice, base64, bob, failed, percent_pem};
use crate::forge::{CN, O, UTF8, name};
use crate::vectors::{encode, map};

/// Preset, and what it writes: of a verified certificate, of a failed one that is not passed on, of none.
#[track_caller]
fn writes(
    builder: FieldsBuilder,
    verified: &[(&str, &str)],
    withheld: &[(&str, &str)],
    nothing: &[(&str, &str)],
) {
    let dialect = builder.build().unwrap();
    let chain = [alice(), bob()].concat();
    let sorted = |headers: http::HeaderMap| -> BTreeMap<String, String> {
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    };
    let expired = || VerifyStatus::Failed("certificate has expired".into());
    let headers = encode(&dialect, &chain, VerifyStatus::Success);
    assert_eq!(sorted(headers.clone()), sorted(map(verified)));
    assert_eq!(sorted(encode(&dialect, &[], expired())), sorted(map(withheld)));
    assert_eq!(sorted(encode(&dialect, &[], VerifyStatus::None)), sorted(map(nothing)));

    let read = dialect.decode(&headers).unwrap().unwrap();
    if read.end_entity().is_some() {
        assert!(read.certificates == chain || read.certificates == chain[..1]);
        assert_eq!(read.details.subject.as_deref(), Some(r"CN=alice\2C of wonderland,O=mTLS"));
    }
    assert_ne!(read.status, Some(VerifyStatus::None));
    let read = dialect.decode(&map(nothing)).unwrap();
    assert!(read.is_none_or(|read| read.certificates.is_empty() && read.status == Some(VerifyStatus::None)));
    let read = dialect.decode(&map(withheld)).unwrap();
    assert!(read.is_none_or(|read| matches!(read.status, Some(VerifyStatus::Failed(_)))));
}

#[test]
fn google_cloud() {
    let (alice, bob) = (alice(), bob());
    let subject = name(&[&[(O, UTF8, b"mTLS")], &[(CN, UTF8, b"alice, of wonderland")]]);
    let issuer = name(&[&[(O, UTF8, b"mTLS")], &[(CN, UTF8, b"rootcamtls.com")]]);
    let uris = format!("{},{}", base64(b"spiffe://example/alice"), base64(b"https://example/a,b"));
    writes(
        Fields::google_cloud(),
        &[
            ("x-client-cert-present", "true"),
            ("x-client-cert-chain-verified", "true"),
            ("x-client-cert-hash", &base64(&Sha256::digest(&alice[0]))),
            ("x-client-cert-spiffe", "spiffe://example/alice"),
            ("x-client-cert-uri-sans", &uris),
            ("x-client-cert-dnsname-sans", &base64(b"alice.example")),
            ("x-client-cert-valid-not-before", "2023-09-01T01:50:17+00:00"),
            ("x-client-cert-valid-not-after", "2049-12-20T01:50:17+00:00"),
            ("x-client-cert-issuer-dn", &base64(&issuer)),
            ("x-client-cert-subject-dn", &base64(&subject)),
            ("x-client-cert-leaf", &format!(":{}:", base64(&alice[0]))),
            ("x-client-cert-chain", &format!(":{}:", base64(&bob[0]))),
        ],
        &[
            ("x-client-cert-present", "true"),
            ("x-client-cert-chain-verified", "false"),
            ("x-client-cert-error", "certificate has expired"),
        ],
        &[("x-client-cert-present", "false"), ("x-client-cert-chain-verified", "false")],
    );
}

#[test]
fn google_cloud_in_googles_own_words() {
    let google = Fields::google_cloud().build().unwrap();
    let read = |lines: &[(&str, &str)]| google.decode(&map(lines)).unwrap().unwrap();
    let names = ["leaf", "chain", "hash", "subject-dn", "issuer-dn", "uri-sans", "dnsname-sans", "spiffe"];
    let names = names.map(|name| format!("x-client-cert-{name}"));
    let empty = || names.iter().map(|name| (name.as_str(), ""));
    let of = |words: [(&'static str, &'static str); 3]| empty().chain(words).collect::<Vec<_>>();

    let none = read(&of([
        ("x-client-cert-present", "false"),
        ("x-client-cert-chain-verified", "false"),
        ("x-client-cert-error", "client_cert_not_provided"),
    ]));
    assert_eq!((none.certificates.len(), none.status), (0, Some(VerifyStatus::None)));
    let invalid = read(&of([
        ("x-client-cert-present", "true"),
        ("x-client-cert-chain-verified", "false"),
        ("x-client-cert-error", "client_cert_chain_invalid_eku"),
    ]));
    assert_eq!((invalid.certificates.len(), invalid.status), (0, failed("client_cert_chain_invalid_eku")));

    // The verdict alone, where the others are not configured.
    let alone = read(&[("x-client-cert-chain-verified", "false")]);
    assert_eq!(alone.status, Some(VerifyStatus::None));
    let alone = read(&[("x-client-cert-chain-verified", "false"), ("x-client-cert-spiffe", "spiffe://a/b")]);
    assert_eq!(alone.status, failed("false"));
    // A leaf of more than 16 KB.
    let large = read(&[
        ("x-client-cert-present", "true"),
        ("x-client-cert-chain-verified", "true"),
        ("x-client-cert-error", "client_cert_validated_leaf_exceeded_size_limit"),
        ("x-client-cert-leaf", ""),
        ("x-client-cert-spiffe", "spiffe://a/b"),
        ("x-client-cert-hash", "Afv5T+9VaXU0IMNJ9Jrb/YCvUnU3eBbjqx+zcbKctYY"),
        ("x-client-cert-serial-number", "whatever it is"),
    ]);
    assert_eq!(
        (large.status, large.details.uris),
        (Some(VerifyStatus::Success), vec!["spiffe://a/b".to_owned()])
    );
    let hash = large.details.hash.unwrap().to_string();
    assert_eq!(hash, "01fbf94fef5569753420c349f49adbfd80af5275377816e3ab1fb371b29cb586");
}

#[test]
fn cloudfront() {
    let hash: String = Sha256::digest(&alice()[0]).iter().map(|byte| format!("{byte:02x}")).collect();
    writes(
        Fields::cloudfront(),
        &[
            ("cloudfront-viewer-cert-present", "1"),
            ("cloudfront-viewer-cert-pem", &percent_pem(&alice())),
            ("cloudfront-viewer-cert-serial-number", "4a:3f:5c:92:d1:e8:7b:6c"),
            ("cloudfront-viewer-cert-issuer", "CN=rootcamtls.com,O=mTLS"),
            ("cloudfront-viewer-cert-subject", r"CN=alice\2C of wonderland,O=mTLS"),
            ("cloudfront-viewer-cert-sha256", &hash),
            (
                "cloudfront-viewer-cert-validity",
                "NotBefore=2023-09-01T01:50:17Z;NotAfter=2049-12-20T01:50:17Z",
            ),
        ],
        &[("cloudfront-viewer-cert-present", "1")],
        &[("cloudfront-viewer-cert-present", "0")],
    );
    // The values of AWS's own page, to a function's origin, without the certificate.
    let cloudfront = Fields::cloudfront().build().unwrap();
    let told = cloudfront.decode(&map(&[
        ("cloudfront-viewer-cert-serial-number", "4a:3f:5c:92:d1:e8:7b:6c"),
        ("cloudfront-viewer-cert-issuer", "CN=rootcamtls.com,OU=rootCA,O=mTLS,L=Seattle,ST=Washington,C=US"),
        ("cloudfront-viewer-cert-subject", "CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US"),
        ("cloudfront-viewer-cert-present", "1"),
        ("cloudfront-viewer-cert-sha256", "01fbf94fef5569753420c349f49adbfd80af5275377816e3ab1fb371b29cb586"),
        ("cloudfront-viewer-cert-validity", "NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z"),
    ]));
    let told = told.unwrap().unwrap();
    assert_eq!((told.certificates.len(), told.status), (0, None));
    assert_eq!(told.details.subject.as_deref(), Some("CN=client_.com,OU=client-3,O=mTLS,ST=Washington,C=US"));
    assert_eq!(told.details.serial_number.as_deref(), Some("4a:3f:5c:92:d1:e8:7b:6c"));
    assert!(told.details.hash.is_some() && told.details.validity.is_some());
}

#[test]
fn cloudflare_is_verified_only_if_it_is_verified_and_not_revoked() {
    let builder = Fields::cloudflare_rfc9440();
    let leaf = format!(":{}:", base64(&alice()[0]));
    let dialect = builder.build().unwrap();
    let status = |verified: Option<&str>, revoked: Option<&str>| {
        let headers = map(&[("client-cert", &leaf)]);
        let read = after(&dialect, &headers, &[("cf-cert-verified", verified), ("cf-cert-revoked", revoked)]);
        read.unwrap().unwrap().status
    };
    assert_eq!(status(Some("true"), Some("false")), Some(VerifyStatus::Success));
    assert_eq!(status(Some("true"), Some("true")), failed("certificate revoked"));
    assert_eq!(status(Some("true"), None), failed("nothing is said of revocation"));
    assert_eq!(status(Some("false"), Some("false")), failed("false"));
    assert_eq!(status(None, Some("false")), None);
    assert_eq!(status(None, Some("true")), failed("certificate revoked"));
    assert_eq!(status(None, None), None);
    let none = map(&[("client-cert", ""), ("client-cert-chain", ""), ("cf-cert-verified", "false")]);
    assert_eq!(dialect.decode(&none).unwrap().unwrap().status, Some(VerifyStatus::None));

    let revoked = VerifyStatus::Failed("certificate revoked".into());
    let headers = encode(&dialect, &alice(), revoked.clone());
    assert_eq!(
        (&headers["cf-cert-verified"], &headers["cf-cert-revoked"]),
        (&"false".parse().unwrap(), &"true".parse().unwrap())
    );
    assert_eq!(dialect.decode(&headers).unwrap().unwrap().status, Some(revoked));
}

#[test]
fn azure_app_gateway() {
    writes(
        Fields::azure_app_gateway(),
        &[
            ("x-client-certificate", &percent_pem(&alice())),
            ("x-client-certificate-verification", "SUCCESS"),
            ("x-client-certificate-subject", r"CN=alice\2C of wonderland,O=mTLS"),
            ("x-client-certificate-issuer", "CN=rootcamtls.com,O=mTLS"),
        ],
        &[("x-client-certificate-verification", "FAILED:certificate has expired")],
        &[("x-client-certificate-verification", "NONE")],
    );
    let azure = Fields::azure_app_gateway().build().unwrap();
    let headers = encode(&azure, &alice(), VerifyStatus::Success);
    // nginx's own escapes, and the old form of a name; what is not documented is not read.
    let change = [
        ("x-client-certificate-subject", Some("/O=mTLS/CN=alice, of wonderland")),
        ("x-client-certificate-serial", Some("?")),
        ("x-client-certificate-verification", Some("PASSTHROUGH")),
    ];
    assert_eq!(after(&azure, &headers, &change).unwrap().unwrap().status, failed("PASSTHROUGH"));
    let change = [("x-client-certificate-subject", Some(r"CN=alice\, of wonderland,O=mTLS"))];
    assert_eq!(after(&azure, &headers, &change).unwrap().unwrap().status, Some(VerifyStatus::Success));
}

#[test]
fn puppet() {
    writes(
        Fields::puppet(),
        &[
            ("x-client-verify", "SUCCESS"),
            ("x-client-dn", r"CN=alice\2C of wonderland,O=mTLS"),
            ("x-client-cert", &percent_pem(&alice())),
        ],
        &[("x-client-verify", "FAILED:certificate has expired")],
        &[("x-client-verify", "NONE")],
    );
    // The certificate is only for trusted facts.
    let puppet = Fields::puppet().build().unwrap();
    let told = puppet.decode(&map(&[("x-client-verify", "SUCCESS"), ("x-client-dn", "/CN=agent.example")]));
    let told = told.unwrap().unwrap();
    assert_eq!(told.details.subject.as_deref(), Some("/CN=agent.example"));
    assert_eq!(told.status, Some(VerifyStatus::Success));
}

#[test]
fn kong() {
    let chain = [alice(), bob()].concat();
    writes(
        Fields::kong(),
        &[
            ("x-client-cert", &percent_pem(&alice())),
            ("x-client-cert-chain", &percent_pem(&chain)),
            ("x-client-cert-serial", "4A3F5C92D1E87B6C"),
            ("x-client-cert-issuer-dn", "CN=rootcamtls.com,O=mTLS"),
            ("x-client-cert-subject-dn", r"CN=alice\2C of wonderland,O=mTLS"),
        ],
        &[],
        &[],
    );
    assert!(Fields::kong().build().unwrap().forwards_unverified());
    assert!(!Fields::puppet().build().unwrap().forwards_unverified());
}

#[test]
fn linkerd() {
    writes(Fields::linkerd(), &[("l5d-client-id", "alice.example")], &[], &[]);
    let linkerd = Fields::linkerd().build().unwrap();
    let told = |id| linkerd.decode(&map(&[("l5d-client-id", id)])).unwrap().unwrap();
    let id = "default.emojivoto.serviceaccount.identity.linkerd.cluster.local";
    assert_eq!(told(id).details.dns_names, [id]);
    assert_eq!(told("spiffe://root/ns/a").details.uris, ["spiffe://root/ns/a"]);
    assert_eq!((told(id).status, told(id).certificates.len()), (None, 0));
}

#[test]
fn nginx_variables() {
    writes(
        Fields::nginx_variables(),
        &[
            ("x-ssl-client-cert", &percent_pem(&alice())),
            ("x-ssl-client-verify", "SUCCESS"),
            ("x-ssl-client-s-dn", r"CN=alice\2C of wonderland,O=mTLS"),
            ("x-ssl-client-i-dn", "CN=rootcamtls.com,O=mTLS"),
            ("x-ssl-client-serial", "4A3F5C92D1E87B6C"),
            ("x-ssl-client-v-start", "Sep  1 01:50:17 2023 GMT"),
            ("x-ssl-client-v-end", "Dec 20 01:50:17 2049 GMT"),
        ],
        &[("x-ssl-client-verify", "FAILED:certificate has expired")],
        &[("x-ssl-client-verify", "NONE")],
    );
    let named = Fields::nginx_variables().rename("X-SSL-Client-Cert", "x-a").without("x-ssl-client-serial");
    let headers = encode(&named.build().unwrap(), &alice(), VerifyStatus::Success);
    assert!(headers.contains_key("x-a") && !headers.contains_key("x-ssl-client-serial"));
}
