//! A backend for demonstrations: it answers with what it received.

use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use tokio::net::TcpListener;

/// The largest body it repeats, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Starts it on a free port of the loopback interface.
pub(crate) async fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().fallback(echo);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn echo(request: Request<Body>) -> Result<Vec<u8>, (StatusCode, String)> {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text.push('\n');
    let body = to_bytes(request.into_body(), MAX_BODY).await;
    let body = body.map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    Ok([text.as_bytes(), &body].concat())
}

/// The headers in an answer of [`echo`].
pub(crate) fn headers(answer: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in answer.lines().skip(1).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers
}
