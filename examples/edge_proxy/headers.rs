//! What of a request's and a response's head goes past the proxy, and what it says of its own.
//!
//! Requests pass here before `ClientCertLayer` writes, so that nothing a client says of `Connection` can take away
//! what the layer wrote.

use std::net::IpAddr;

use axum::body::Body;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    VIA,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

/// Headers that end at this hop, besides those that `Connection` names (RFC 9110 section 7.6.1).
static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What only the edge can know of a client. A backend must not find a client's own word under these names.
static FORWARDED_HEADERS: [HeaderName; 6] = [
    FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_HOST,
    HeaderName::from_static("x-forwarded-port"),
    X_FORWARDED_PROTO,
    HeaderName::from_static("x-real-ip"),
];

/// A request that goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(StatusCode, &'static str);

const NO_TUNNELS: Refusal = Refusal(StatusCode::NOT_IMPLEMENTED, "this proxy opens no tunnels");
const NO_HOST: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request names no host");
const SEVERAL_HOSTS: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request names more than one host");
const BAD_LENGTH: Refusal =
    Refusal(StatusCode::BAD_REQUEST, "the request's content-length is not a number, or several");
const BAD_HOST: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request's host is not HOST or HOST:PORT");

impl From<Refusal> for Response<Body> {
    fn from(Refusal(status, reason): Refusal) -> Self {
        plain_text(status, reason)
    }
}

pub(crate) fn plain_text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{status}: {text}\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}

/// Makes a request fit for the backend, all but its certificate headers and its URI.
pub(crate) fn for_backend<B>(request: &mut Request<B>, client: IpAddr) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(NO_TUNNELS);
    }
    let host = host(request)?;
    unify_content_length(request.headers_mut())?;
    let websocket = asks_for_websocket(request);
    let client_version = std::mem::replace(request.version_mut(), Version::HTTP_11);
    let headers = request.headers_mut();
    let trailers = has_token(headers, &TE, "trailers");

    remove_hop_by_hop(headers);
    remove_forwarded(headers);
    join_cookies(headers);
    if websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    } else if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    let address = client.to_canonical().to_string();
    headers.insert(X_FORWARDED_FOR, HeaderValue::try_from(address).expect("an IP address is printable"));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(HOST, host);
    headers.append(VIA, HeaderValue::from_static(via(client_version)));
    Ok(())
}

/// Takes from a response what was between the backend and the proxy. A WebSocket's `101` keeps its `Upgrade`.
pub(crate) fn for_client<B>(response: &mut Response<B>) {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    remove_hop_by_hop(headers);
    if switches {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// Whether a message has `Upgrade: websocket`, and nothing but that.
pub(crate) fn upgrades_to_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    has_token(headers, &CONNECTION, "upgrade")
        && protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && protocols.next().is_none()
}

/// RFC 6455 section 4.1. Other protocols, `h2c` above all, would let a client past every check made here.
fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && upgrades_to_websocket(request.headers())
}

/// The one host that a request is for: HTTP/2's `:authority`, or the authority of an absolute URI, or `Host`.
fn host<B>(request: &Request<B>) -> Result<HeaderValue, Refusal> {
    let mut lines = request.headers().get_all(HOST).iter();
    let line = lines.next();
    if lines.next().is_some() {
        return Err(SEVERAL_HOSTS);
    }
    let host = match (request.uri().authority(), line) {
        // RFC 9113 section 8.3.1
        (Some(authority), Some(line)) if request.version() == Version::HTTP_2 => {
            if !line.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) {
                return Err(SEVERAL_HOSTS);
            }
            line.clone()
        }
        // RFC 9112 section 3.2.2: an absolute URI makes `Host` void.
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()).map_err(|_| BAD_HOST)?,
        (None, Some(line)) => line.clone(),
        (None, None) => return Err(NO_HOST),
    };
    match Authority::try_from(host.as_bytes()) {
        Ok(authority) if !authority.as_str().contains('@') => Ok(host),
        _ => Err(BAD_HOST),
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Removes what only the edge can know, from headers or trailers: in the spellings that CGI and its like read as the
/// same name, too.
pub(crate) fn remove_forwarded(headers: &mut HeaderMap) {
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let hyphens = name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
            FORWARDED_HEADERS.iter().any(|forwarded| forwarded.as_str() == hyphens)
        })
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
}

/// Makes of what is said of the body's length one line, or none.
///
/// Over HTTP/2 the length is that of the frames, and hyper lets an empty value pass, or the same one twice; over HTTP/1.1
/// the backend would have to guess (RFC 9110 section 8.6: the same value again may be one, and nothing else).
fn unify_content_length(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let mut lengths = Vec::new();
    for line in headers.get_all(CONTENT_LENGTH) {
        let line = line.to_str().map_err(|_| BAD_LENGTH)?;
        lengths.extend(line.split(',').map(|length| length.trim_matches([' ', '\t'])));
    }
    lengths.retain(|length| !length.is_empty());
    let digits = |length: &&str| length.bytes().all(|byte| byte.is_ascii_digit());
    match lengths.as_slice() {
        [] => {
            headers.remove(CONTENT_LENGTH);
        }
        [length, others @ ..] if digits(length) && others.iter().all(|other| other == length) => {
            let length = HeaderValue::from_str(length).map_err(|_| BAD_LENGTH)?;
            headers.insert(CONTENT_LENGTH, length);
        }
        _ => return Err(BAD_LENGTH),
    }
    Ok(())
}

/// HTTP/2 clients may send each cookie in a line of its own, HTTP/1.1 knows only one line (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() > 1 {
        if let Ok(mut joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
            joined.set_sensitive(true);
            headers.insert(COOKIE, joined);
        }
    }
}

/// RFC 9110 section 7.6.3: the version in which the request arrived.
fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2.0 edge_proxy",
        Version::HTTP_10 => "1.0 edge_proxy",
        _ => "1.1 edge_proxy",
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|token| token.trim_matches([' ', '\t']))
        .filter(|t| !t.is_empty())
}
