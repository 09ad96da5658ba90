//! Envoy's header as JSON: read as real Envoys write it, written so that they would read the same, and nothing laxer.

use std::convert::Infallible;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response};
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_client_cert::dialect::{
    DecodeError, DecodeErrorKind, Dialect as _, Envoy, ForwardedCert, Limits, VerifyStatus, XfccMode,
};
use tower_client_cert::{ClientAuthPolicy, ClientCertLayer, PeerCertificates, TlsConnectInfo};

use crate::harness::verifier;
use crate::pki::Authority;
use crate::vectors::{chain, encode, map};

const XFCC: &str = "x-forwarded-client-cert";
/// Of the leaf in `rfc9440-chain.pem`.
const HASH: &str = "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb";

fn decode(envoy: &Envoy, value: impl AsRef<[u8]>) -> Result<ForwardedCert, DecodeError> {
    let mut headers = HeaderMap::new();
    headers.insert(XFCC, HeaderValue::from_bytes(value.as_ref()).unwrap());
    envoy.decode(&headers).map(Option::unwrap)
}

fn pem(file: &str) -> Vec<String> {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let blocks = chain(file).into_iter().map(|der| pem::Pem::new("CERTIFICATE", &*der));
    blocks.map(|block| pem::encode_config(&block, config)).collect()
}

/// What Envoy 1.40 sent with `format: JSON` and every detail but the certificate: recorded by hand.
const ENVOY: &str = concat!(
    r#"[{"by":["spiffe://a/edge","spiffe://a/edge2"],"#,
    r#""hash":"5ebc09b03d625547e78eb0f9c266b4a4c46972d99008cee38502dcbaf6b12dfc","subject":"CN=alice,O=B\\C3\\A4nk","#,
    r#""uri":["spiffe://a/alice","spiffe://b/alice"],"dns":["alice.test"],"issuer":"CN=client CA"}]"#
);

#[test]
fn what_envoy_writes_is_read() {
    let told = decode(&Envoy::new(), ENVOY).unwrap();
    assert_eq!((told.certificates, told.status), (vec![], None));
    let details = told.details;
    assert_eq!(details.hash.unwrap().as_bytes()[..3], [0x5e, 0xbc, 0x09]);
    assert_eq!(details.by, ["spiffe://a/edge", "spiffe://a/edge2"]);
    assert_eq!(details.subject.as_deref(), Some(r"CN=alice,O=B\C3\A4nk"));
    assert_eq!(details.issuer.as_deref(), Some("CN=client CA"));
    assert_eq!(details.uris, ["spiffe://a/alice", "spiffe://b/alice"]);
    assert_eq!(details.dns_names, ["alice.test"]);
    // Envoy's text format for the same client.
    let text = "By=spiffe://a/edge;By=spiffe://a/edge2;Hash=5ebc09b03d625547e78eb0f9c266b4a4c46972d99008cee38502dcbaf6b12dfc;\
                Subject=\"CN=alice,O=B\\C3\\A4nk\";URI=spiffe://a/alice;URI=spiffe://b/alice;DNS=alice.test;Issuer=\"CN=client CA\"";
    assert_eq!(decode(&Envoy::new(), text).unwrap().details, details);
}

#[test]
fn it_is_written_as_envoy_writes_it() {
    let (certificates, pem) = (chain("rfc9440-chain.pem"), pem("rfc9440-chain.pem"));
    let envoy = Envoy::new().json().chain(true).by("spiffe://test/edge");
    let headers = encode(&envoy, &certificates[..2], VerifyStatus::Success);
    let written: Vec<Value> = serde_json::from_slice(headers[XFCC].as_bytes()).unwrap();
    let [element] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!(element["by"], json!(["spiffe://test/edge"]));
    assert_eq!(element["hash"], json!(HASH));
    assert_eq!(element["cert"], json!(pem[0]));
    assert_eq!(element["chain"], json!(pem[..2]));
    let start = format!(
        "[{{\"by\":[\"spiffe://test/edge\"],\"hash\":\"{HASH}\",\"cert\":\"{}\",\"chain\":[\"",
        pem[0].replace('\n', "\\n")
    );
    assert!(headers[XFCC].to_str().unwrap().starts_with(&start), "{headers:?}");
    assert_eq!(decode(&Envoy::new(), headers[XFCC].as_bytes()).unwrap().certificates, certificates[..2]);
    assert!(encode(&envoy, &[], VerifyStatus::None).is_empty());
}

#[test]
fn i8_what_is_no_json_of_envoys_is_refused_where_it_is_wrong() {
    let with = |member: &str| format!(r#"[{{"hash":"{HASH}",{member}}}]"#);
    let certificate = serde_json::to_string(&pem("rfc9440-chain.pem")[0]).unwrap();
    let another = serde_json::to_string(&pem("rfc9440-chain.pem")[1]).unwrap();
    for (bad, what) in [
        ("[".to_owned(), "expected an object"),
        ("[]".to_owned(), "expected an object"),
        ("[{}]".to_owned(), "expected a string"),
        ("[1]".to_owned(), "expected an object"),
        ("[[]]".to_owned(), "expected an object"),
        (format!(r#"[{{"hash":"{HASH}"}}"#), "expected `,` or `]`"),
        (format!(r#"[{{"hash":"{HASH}"}},]"#), "expected an object"),
        (format!(r#"[{{"hash":"{HASH}"}}]]"#), "text behind"),
        (format!(r#"[{{"hash":"{HASH}"}}],Hash={HASH}"#), "text behind"),
        (format!(r#"[ {{"hash":"{HASH}"}}]"#), "expected an object"),
        (format!(r#"[{{"hash" :"{HASH}"}}]"#), "expected `:`"),
        (format!(r#"[{{"hash":"{HASH}",}}]"#), "expected a string"),
        (format!(r#"[{{"hash":["{HASH}"]}}]"#), "a list where"),
        (format!(r#"[{{"hash":"{}"}}]"#, HASH.to_uppercase()), "not SHA-256"),
        (with(&format!(r#""hash":"{HASH}""#)), "a field twice"),
        (with(&format!(r#""\u0068ash":"{HASH}""#)), "a field twice"),
        (with(r#""a":"","a":"""#), "a field twice"),
        (with(r#""uri":"spiffe://a""#), "a text where"),
        (with(r#""uri":[]"#), "expected a string"),
        (with(r#""uri":["a""#), "expected `,` or `]`"),
        (with(r#""uri":["a]"#), "does not close"),
        (with(r#""uri":[["a"]]"#), "expected a string"),
        (with(r#""new":1"#), "expected a string"),
        (with(r#""new":null"#), "expected a string"),
        (with(r#""new":{}"#), "expected a string"),
        (with(r#""subject":"\x""#), "escapes nothing"),
        (with(r#""subject":"\u12""#), "escapes nothing"),
        (with(r#""subject":"\ud800""#), "escapes nothing"),
        (with(r#""subject":"\ud800\u0041""#), "escapes nothing"),
        (with(r#""subject":"\udc00""#), "escapes nothing"),
        (with("\"subject\":\"a\tb\""), "a control character"),
        (with(r#""subject":"a\u0000b""#), "not printable ASCII"),
        (with(r#""uri":["spiffe://a\nb"]"#), "not printable ASCII"),
        (with(r#""dns":["\ud83d\ude00"]"#), "not printable ASCII"),
        (with(r#""dns":["é"]"#), "not printable ASCII"),
        (with(r#""subject":"\"#), "escapes nothing"),
        (with(r#""subject":"a"#), "does not close"),
        (with(r#""cert":"""#), "empty"),
        (with(r#""cert":"x""#), "not PEM"),
        (with(&format!(r#""cert":{another}"#)), "Hash does not fit"),
        (with(&format!(r#""cert":{certificate},"chain":[{another}]"#)), "Chain does not begin with Cert"),
        (
            with(&format!(r#""cert":"{}{}""#, certificate.trim_matches('"'), certificate.trim_matches('"'))),
            "more than one",
        ),
        (format!(r#"[{{"cert":{certificate}}}]"#), "no Hash"),
        (r#"[{"by":["spiffe://a"]}]"#.to_owned(), "neither Hash nor URI"),
        (r#"[{"Hash":"a"}]"#.to_owned(), "neither Hash nor URI"),
        (with(&(0..40).map(|n| format!("\"{n}\":\"\"")).collect::<Vec<_>>().join(",")), "more fields than"),
    ] {
        let error = decode(&Envoy::new(), &bad).expect_err(&bad);
        assert!(error.to_string().contains(what), "{bad}: {error}");
        assert!(error.offset() <= bad.len(), "{bad}: {error}");
        assert_eq!(error.looks_like(), None, "{bad}");
        // A second element changes nothing about it, where Envoy would have appended to it.
        if let Some(open) = bad.strip_suffix(']').filter(|_| !what.contains("behind")) {
            let appended = format!("{open},{}", &ENVOY[1..]);
            let read = decode(&Envoy::new().mode(XfccMode::AppendForward).hops(1), &appended);
            let grammar = matches!(&read, Err(error) if matches!(error.kind(), DecodeErrorKind::Xfcc(_)));
            assert!(grammar || read.unwrap().details.uris.len() == 2, "{appended}");
        }
    }
    let mut latin = with(r#""dns":["?"]"#).into_bytes();
    let at = latin.iter().position(|byte| *byte == b'?').unwrap();
    latin[at] = 0xE9;
    assert!(decode(&Envoy::new(), latin).unwrap_err().to_string().contains("not UTF-8"));

    // Beside the certificate, names are the certificate's own, whatever text stands there.
    let odd = with(&format!(r#""uri":["x:é\t"],"cert":{certificate},"new":["x"]"#));
    let told = decode(&Envoy::new(), odd).unwrap();
    assert_eq!(told.certificates, chain("rfc9440-chain.pem")[..1]);
    assert_eq!(told.details.uris, [""; 0]);
    // Every way to write a character.
    let escaped = with(r#""uri":["\u0061\/\"\\b"]"#);
    assert_eq!(decode(&Envoy::new(), escaped).unwrap().details.uris, ["a/\"\\b"]);

    let limits = Limits::new().max_certificates(2);
    let headers =
        encode(&Envoy::new().json().chain(true), &chain("rfc9440-chain.pem"), VerifyStatus::Success);
    let error = decode(&Envoy::new().with_limits(limits), headers[XFCC].as_bytes()).unwrap_err();
    assert_eq!(error.kind(), &DecodeErrorKind::TooManyCertificates { max: 2 });
    // Another reader's hint.
    let cloud_foundry = "cloud-foundry".parse::<tower_client_cert::dialect::AnyDialect>().unwrap();
    assert_eq!(cloud_foundry.decode(&map(&[(XFCC, ENVOY)])).unwrap_err().looks_like(), Some("envoy"));
}

/// What leaves a layer that appends, for a client with a certificate and a request with this value.
async fn appended(envoy: Envoy, peer: &PeerCertificates, received: &str) -> String {
    let layer = ClientCertLayer::with_dialect(envoy.mode(XfccMode::AppendForward));
    let service = layer.layer(service_fn(|request: Request<_>| async move {
        Ok::<_, Infallible>(Response::new(request.headers().clone()))
    }));
    let mut request = Request::get("/").header(XFCC, received).body(Body::empty()).unwrap();
    request.extensions_mut().insert(TlsConnectInfo::new(Some(peer.clone())));
    let headers: HeaderMap = service.oneshot(request).await.unwrap().into_body();
    let values: Vec<_> = headers.get_all(XFCC).iter().collect();
    assert_eq!(values.len(), 1);
    assert!(values[0].is_sensitive());
    values[0].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_appended_follows_the_format_of_what_came_in() {
    let ca = Authority::root("client CA");
    let verifier = verifier(ClientAuthPolicy::RequestClientCert).roots([ca.der()]).build().unwrap();
    let peer = verifier.judge(ca.client("alice").chain.clone(), UnixTime::now()).unwrap().unwrap();
    let text = |envoy: Envoy| envoy.chain(true).by("spiffe://test/edge");
    let json = |envoy: Envoy| text(envoy).json();
    let before = "Hash=1;URI=spiffe://a/before";
    let own = |envoy| {
        let headers = encode(&envoy, peer.presented(), VerifyStatus::Success);
        headers[XFCC].to_str().unwrap().to_owned()
    };
    let (own_text, own_json) = (own(text(Envoy::new())), own(json(Envoy::new())));
    for envoy in [text(Envoy::new()), json(Envoy::new())] {
        let after = appended(envoy.clone(), &peer, before).await;
        assert_eq!(after, format!("{before},{own_text}"));
        let after = appended(envoy, &peer, ENVOY).await;
        let open = ENVOY.strip_suffix(']').unwrap();
        assert_eq!(after, format!("{open},{}", own_json.strip_prefix('[').unwrap()));
        let told = decode(&Envoy::new().mode(XfccMode::AppendForward).hops(1), &after).unwrap();
        assert_eq!(told.certificates, peer.presented());
        assert_eq!(decode(&Envoy::new().hops(2), &after).unwrap().details.uris[0], "spiffe://a/alice");
    }
    // What is malformed is not kept, and then the format is this hop's own.
    for bad in ["[]", "[{\"a\":\"]", "[{\"uri\":[\"a\"]}] ,", "[{\"a\":1}]"] {
        assert_eq!(appended(json(Envoy::new()), &peer, bad).await, own_json, "{bad}");
        assert_eq!(appended(text(Envoy::new()), &peer, bad).await, own_text, "{bad}");
    }
    // A layer that writes more than a reader of this dialect would take appends in either format too.
    let small = Limits::new().max_value_size(ENVOY.len());
    let after = appended(text(Envoy::new()).with_limits(small), &peer, ENVOY).await;
    assert!(after.ends_with(own_json.strip_prefix('[').unwrap()), "{after}");
}
mod names {
    use super::*;
    use proptest::prelude::*;
    use rcgen::SanType;
    use rcgen::string::Ia5String;

    use crate::naive_readers::{FIELDS, READERS};
    use crate::properties::hostile_certificate;

    #[test]
    fn a_name_that_text_leaves_out_is_there_and_no_reader_of_text_finds_a_field_in_it() {
        let names = ["spiffe://a,By=x;Hash=0", "x:a\",;=\\", "x:50%3BCert=b", "x:Cert=b", "x:a?b=c"];
        let leaf = Authority::root("CA").issue("alice", |params| {
            let uri = |uri: &str| SanType::URI(Ia5String::try_from(uri).unwrap());
            params.subject_alt_names = names.iter().map(|name| uri(name)).collect();
        });
        let headers = encode(&Envoy::new().json().cert(false), &leaf.chain, VerifyStatus::Success);
        let value = headers[XFCC].to_str().unwrap();
        let written: Value = serde_json::from_str(value).unwrap();
        assert_eq!(written[0]["uri"], json!(names));
        assert_eq!(decode(&Envoy::new(), value).unwrap().details.uris, names);
        // A name that needs no escape is Envoy's byte for byte.
        let plain = Authority::root("CA").client("bob");
        let headers = encode(&Envoy::new().json().cert(false), &plain.chain, VerifyStatus::Success);
        assert!(headers[XFCC].to_str().unwrap().contains(r#","subject":"CN=bob","#), "{headers:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn i7_no_reader_of_the_text_format_finds_a_field_in_json(leaf in hostile_certificate()) {
            let envoy = Envoy::new().json().chain(true).by("spiffe://test/edge?a=b");
            let headers = encode(&envoy, std::slice::from_ref(&leaf), VerifyStatus::Success);
            let value = headers[XFCC].to_str().unwrap();
            for (reader, read) in READERS {
                let fields = read(value);
                prop_assert!(fields.iter().all(|(key, _)| !FIELDS.contains(&key.as_str())), "{}: {}", reader, value);
            }
            let parsed: Vec<Value> = serde_json::from_str(value).unwrap();
            prop_assert_eq!(parsed.len(), 1);
            let limits = Limits::new().max_value_size(1 << 20);
            let told = decode(&Envoy::new().with_limits(limits), value).unwrap();
            prop_assert_eq!(&told.certificates[0], &leaf);
            // Names that are told are those that the certificate's own reader finds.
            let without = encode(&Envoy::new().json().cert(false), std::slice::from_ref(&leaf), VerifyStatus::Success);
            let named = decode(&Envoy::new().with_limits(limits), without[XFCC].as_bytes()).unwrap().details;
            let full = |names: &[String]| names.iter().filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
            prop_assert_eq!(named.uris, full(&told.details.uris));
            prop_assert_eq!(named.dns_names, full(&told.details.dns_names));
        }
    }
}

#[test]
fn i7_the_proxys_own_names_are_printable_beside_a_certificate_too() {
    let own = chain("rfc9440-chain.pem");
    let headers = encode(&Envoy::new().json(), &own, VerifyStatus::Success);
    let value = headers["x-forwarded-client-cert"].to_str().unwrap();
    for (by, good) in [("spiffe://test/edge", true), ("a\\nFORGED", false)] {
        let with_by = value.replacen("[{", &format!(r#"[{{"by":["{by}"],"#), 1);
        assert_eq!(decode(&Envoy::new(), &with_by).is_ok(), good, "{with_by}");
    }
}
