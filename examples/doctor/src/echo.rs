//! The backend's end: answers each request with what it tells of its client, and says the same on the terminal.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::args::EchoArgs;
use crate::page;
use crate::text::{printable, printable_bytes};
use crate::told::Told;

/// One request, as it arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) peer: String,
    pub(crate) protocol: String,
    pub(crate) line: String,
    /// In the order in which they came, with values as text.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) told: Told,
}

impl Arrived {
    pub(crate) fn new(peer: String, request: &http::request::Parts) -> Self {
        let headers = request.headers.iter();
        Self {
            peer,
            protocol: format!("{:?}", request.version),
            line: printable(&format!("{} {}", request.method, request.uri)),
            headers: headers
                .map(|(name, value)| (name.to_string(), printable_bytes(value.as_bytes())))
                .collect(),
            told: Told::of(&request.headers),
        }
    }

    fn json(&self) -> Value {
        json!({
            "doctor": "echo",
            "peer": self.peer,
            "protocol": self.protocol,
            "request": self.line,
            "told": self.told,
            "headers": self.headers,
        })
    }

    fn text(&self) -> String {
        let told = &self.told;
        let mut text = format!("{} from {}: {}\n", self.line, self.peer, printable(&told.summary));
        if !told.forged.arrived.is_empty() {
            text.push_str(&format!("    forged headers arrived: {}\n", told.forged.arrived.join(", ")));
        }
        if !told.unexpected.is_empty() {
            text.push_str(&format!(
                "    headers that some reader believes, and that belong to no dialect that fits: {}\n",
                told.unexpected.join(", ")
            ));
        }
        text
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(args: &EchoArgs) -> std::io::Result<Infallible> {
    let listener = TcpListener::bind(args.listen).await?;
    say(&format!("listening on http://{}\n", listener.local_addr()?));
    let app = Router::new().fallback(answer).with_state(args.json);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Err(std::io::Error::other("the server has ended"))
}

async fn answer(
    State(json): State<bool>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (request, _body) = request.into_parts();
    let arrived = Arrived::new(peer.to_string(), &request);
    say(&if json { format!("{}\n", arrived.json()) } else { arrived.text() });
    let fixed = [(CACHE_CONTROL, "no-store"), (VARY, "accept")];
    if wants_page(&request.headers) {
        let page = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, page::POLICY)];
        (fixed, page, page::page(&arrived)).into_response()
    } else {
        (fixed, [(CONTENT_TYPE, "application/json")], format!("{:#}\n", arrived.json())).into_response()
    }
}

/// Browsers name `text/html` before all else; programs rarely do.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|kind| kind.trim().split(';').next() == Some("text/html"))
}

/// A terminal that is gone is no reason to stop.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use tower_client_cert::dialect::{AnyDialect, Dialect as _, Outgoing, VerifyStatus};

    use super::*;
    use crate::certificate::tests::identity;

    #[test]
    fn browsers_get_a_page_and_programs_json() {
        let wants =
            |accept: &'static str| wants_page(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert!(wants("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(!wants("application/json, */*;q=0.5") && !wants("*/*") && !wants_page(&HeaderMap::new()));
    }

    #[test]
    fn all_that_arrived_is_told_and_nothing_moves_the_cursor() {
        let mallory = identity("mallory\u{202e}", |_| {});
        let mut request = http::Request::get("/a?b").body(()).unwrap();
        let outgoing = Outgoing::new(&mallory.key.cert, VerifyStatus::Success);
        "rfc9440".parse::<AnyDialect>().unwrap().encode(&outgoing, request.headers_mut());
        request.headers_mut().insert("ssl_client_verify", "doctor-forged-1-2-\t".parse().unwrap());
        request.headers_mut().insert("x-remote-user", "root".parse().unwrap());
        let request = Arrived::new("127.0.0.1:1".to_owned(), &request.into_parts().0);
        let json = request.json();
        assert_eq!((&json["doctor"], &json["request"]), (&json!("echo"), &json!("GET /a?b")));
        assert_eq!(json["told"]["forged"]["arrived"], json!(["ssl_client_verify"]));
        assert_eq!(json["headers"][1], json!(["ssl_client_verify", "doctor-forged-1-2-\\u{9}"]));
        let text = request.text();
        assert!(text.contains("CN=mallory\\u{202e}") && !text.contains('\u{202e}'), "{text}");
        assert!(text.contains("forged headers arrived: ssl_client_verify\n"), "{text}");
        assert!(text.contains("no dialect that fits: x-remote-user\n"), "{text}");
    }
}
