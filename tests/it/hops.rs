//! Whose element is the client's, where several proxies add one: nobody but the reader knows how many there are.

use tower_client_cert::dialect::{Dialect as _, Envoy, ForwardedCert, XfccMode};

use crate::log::Log;
use crate::vectors::{map, value};

const XFCC: &str = "x-forwarded-client-cert";
const MODES: [XfccMode; 5] = [
    XfccMode::Sanitize,
    XfccMode::ForwardOnly,
    XfccMode::AppendForward,
    XfccMode::SanitizeSet,
    XfccMode::AlwaysForwardOnly,
];

fn read(envoy: &Envoy, value: &str) -> Result<ForwardedCert, String> {
    envoy.decode(&map(&[(XFCC, value)])).map(Option::unwrap).map_err(|error| error.to_string())
}

/// Elements of these clients, the nearest proxy's last, in either format.
fn elements(clients: &[&str]) -> [String; 2] {
    let hash = "0".repeat(64);
    let text = clients.iter().map(|name| format!("Hash={hash};URI=spiffe://test/{name}"));
    let json = clients.iter().map(|name| format!(r#"{{"hash":"{hash}","uri":["spiffe://test/{name}"]}}"#));
    [text.collect::<Vec<_>>().join(","), format!("[{}]", json.collect::<Vec<_>>().join(","))]
}

#[test]
fn a_second_element_is_refused_under_every_mode_unless_it_is_said_how_many_proxies_there_are() {
    for value in elements(&["alice", "edge"]) {
        for mode in MODES {
            let error = read(&Envoy::new().mode(mode), &value).unwrap_err();
            assert!(
                error.contains("a second element") && error.contains("envoy;hops=2"),
                "{mode:?}: {error}"
            );
            // What is written and what is read are two things.
            let told = read(&Envoy::new().mode(mode).hops(2), &value).unwrap();
            assert_eq!(told.details.uris, ["spiffe://test/alice"], "{mode:?}");
        }
    }
}

#[test]
fn an_element_less_than_proxies_is_a_client_without_a_certificate() {
    let more = "more elements than trusted proxies";
    let fewer = "fewer elements than trusted proxies";
    let (set, append) = (Envoy::new(), Envoy::new().mode(XfccMode::AppendForward));
    for (envoy, clients, hops, expected) in [
        (&set, &["edge"][..], 2, Ok(None)),
        (&set, &["alice", "edge"], 2, Ok(Some("alice"))),
        (&set, &["forged", "alice", "edge"], 2, Err(more)),
        (&set, &["forged", "alice"], 1, Err(more)),
        (&set, &["alice"], 1, Ok(Some("alice"))),
        (&set, &["alice"], 0, Ok(Some("alice"))),
        (&set, &["a", "b"], 3, Ok(None)),
        (&set, &["a"], 3, Err(fewer)),
        (&set, &["a"], usize::MAX, Err(fewer)),
        (&append, &["edge"], 2, Ok(None)),
        // Whatever is in front is a stranger's.
        (&append, &["forged", "alice", "edge"], 2, Ok(Some("alice"))),
        (&append, &["forged", "alice"], 1, Ok(Some("alice"))),
    ] {
        for value in elements(clients) {
            match (read(&envoy.clone().hops(hops), &value), expected) {
                (Ok(told), Ok(Some(name))) => {
                    assert_eq!(told.details.uris, [format!("spiffe://test/{name}")], "{value}");
                }
                (Ok(told), Ok(None)) => {
                    assert_eq!((told.certificates, told.details), (vec![], Default::default()), "{value}");
                }
                (Err(error), Err(what)) => assert!(error.contains(what), "{error}"),
                (told, _) => panic!("{value}, {hops}: {told:?}"),
            }
        }
    }
}

#[test]
fn the_example_of_envoys_documentation_is_read_from_either_end() {
    let two = value("envoy-doc-example-2");
    let append = Envoy::new().mode(XfccMode::AppendForward);
    assert_eq!(read(&append.hops(1), &two).unwrap().details.uris, ["http://frontend.lyft.com"]);
    assert_eq!(read(&Envoy::new().hops(2), &two).unwrap().details.uris, ["http://testclient.lyft.com"]);
}

#[test]
fn a_field_that_is_not_known_is_skipped_and_told() {
    let hash = "0".repeat(64);
    let log = Log::with_filter("tower_client_cert=debug");
    for known in [
        format!("Hash={hash};Colour=blue;URI=spiffe://test/a"),
        format!("Hash={hash};URI=spiffe://test/a;Issuer=\"CN=CA\";Colour=\"dark;blue\""),
        format!(r#"[{{"colour":["blue"],"hash":"{hash}","uri":["spiffe://test/a"],"Hash":""}}]"#),
    ] {
        let told = read(&Envoy::new(), &known).unwrap();
        assert_eq!(told.details.uris, ["spiffe://test/a"], "{known}");
        assert_eq!(told.details.hash, Some([0; 32].into()));
    }
    // At most one of them is at level info, and none is dropped in silence.
    let text = log.text();
    let told = |field: &str| {
        text.lines().filter(|line| line.contains("that is not known") && line.contains(field)).count()
    };
    assert_eq!(
        [told("field=\"Colour\""), told("field=\"colour\""), told("field=\"Hash\"")],
        [2, 1, 1],
        "{text}"
    );
}
