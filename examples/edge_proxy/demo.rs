//! The demonstration: three kinds of clients, and what the backend receives of each.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use rustls::AlertDescription;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use tower_client_cert::dialect::{AnyDialect, Dialect as _, Outgoing, VerifyStatus};
use tower_client_cert::{ClientAuthPolicy, UnverifiedReason};

use crate::client::{self, Client};
use crate::echo;
use crate::forwarding::Forwarding;
use crate::pki::{Identity, Pki};

/// What every client claims, under the names that only the proxy may use.
const FORGED: &str = "forged";

/// A proxy in front of an echo backend.
pub(crate) struct Demonstration<'a> {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) address: SocketAddr,
    pub(crate) server: CertificateDer<'static>,
    pub(crate) policy: ClientAuthPolicy,
    pub(crate) dialects: &'a [AnyDialect],
    pub(crate) forwarding: &'a Forwarding,
    pub(crate) max_certificate_size: Option<usize>,
    pub(crate) pki: &'a Pki,
}

/// A client of the demonstration.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    name: &'static str,
    identity: Option<&'a Identity>,
    trusted: bool,
}

/// What became of a request.
enum Outcome {
    /// The backend answered, and told its headers.
    Answered(StatusCode, HeaderMap),
    /// The proxy ended the handshake.
    Refused(AlertDescription),
    Failed(String),
}

/// What the policy and the dialect promise.
enum Promise {
    /// The backend receives these headers, and no others that are the dialect's.
    Headers(HeaderMap),
    Refused(AlertDescription),
}

impl Demonstration<'_> {
    /// Sends a request as each kind of client.
    pub(crate) async fn run(&self) -> Result<Table, rustls::Error> {
        let visitors = [
            Visitor { name: "none", identity: None, trusted: false },
            Visitor { name: "trusted", identity: Some(&self.pki.trusted), trusted: true },
            Visitor { name: "untrusted", identity: Some(&self.pki.untrusted), trusted: false },
        ];
        let mut table = Table { rows: Vec::new() };
        for visitor in visitors {
            let outcome = self.visit(visitor).await?;
            for dialect in self.dialects {
                table.rows.push(self.row(visitor, &outcome, dialect));
            }
        }
        Ok(table)
    }

    async fn visit(&self, visitor: Visitor<'_>) -> Result<Outcome, rustls::Error> {
        let names = self.dialects.iter().flat_map(|dialect| dialect.header_names());
        let forged: Vec<String> = names
            .flat_map(|name| [name.to_string(), name.as_str().replace('-', "_")])
            .map(|name| format!("{name}: {FORGED}"))
            .collect();
        let client = Client::new(Arc::clone(&self.provider), &self.server, visitor.identity)?;
        Ok(match client.get(self.address, "/demonstration", &forged).await {
            Ok(reply) => Outcome::Answered(reply.status, echo::headers(&reply.body)),
            Err(error) => match client::alert(&error) {
                Some(alert) => Outcome::Refused(alert),
                None => Outcome::Failed(error.to_string()),
            },
        })
    }

    fn row(&self, visitor: Visitor<'_>, outcome: &Outcome, dialect: &AnyDialect) -> Row {
        let promise = self.promise(visitor, dialect);
        let mut row = Row {
            policy: self.policy,
            client: visitor.name,
            http: "-".to_owned(),
            dialect: dialect.name(),
            header: "-".to_owned(),
            certificate: "-".to_owned(),
            verify: "-".to_owned(),
            right: false,
        };
        match outcome {
            Outcome::Failed(error) => row.verify.clone_from(error),
            Outcome::Refused(alert) => {
                row.http = "refused".to_owned();
                row.verify = format!("TLS alert {alert:?}");
                row.right = matches!(promise, Promise::Refused(promised) if promised == *alert);
            }
            Outcome::Answered(status, headers) => {
                let received = owned(dialect, headers);
                row.http = status.as_str().to_owned();
                if let Some(value) = dialect.header_names().first().and_then(|name| received.get(name)) {
                    row.header = shortened(&String::from_utf8_lossy(value.as_bytes()));
                }
                match reader(dialect).decode(&received) {
                    Ok(said) => {
                        let said = said.as_ref();
                        if let Some(certificate) = said.and_then(|said| said.end_entity()) {
                            row.certificate = self.file_of(certificate);
                        }
                        if let Some(verify) = said.and_then(|said| said.status.as_ref()) {
                            row.verify = verify.to_string();
                        }
                    }
                    Err(error) => row.verify = error.to_string(),
                }
                row.right = *status == StatusCode::OK
                    && headers.values().all(|value| value != FORGED)
                    && matches!(promise, Promise::Headers(promised) if promised == received);
            }
        }
        row
    }

    fn promise(&self, visitor: Visitor<'_>, dialect: &AnyDialect) -> Promise {
        let policy = self.policy;
        let written = |certificates: &[CertificateDer<'static>], status| {
            let mut headers = HeaderMap::new();
            dialect.encode(&Outgoing::new(certificates, status), &mut headers);
            if !certificates.is_empty()
                && headers.values().any(|value| self.forwarding.too_large(value.len()))
            {
                headers.clear();
                let status = VerifyStatus::Failed("certificate too large to forward".into());
                dialect.encode(&Outgoing::new(&[], status), &mut headers);
            }
            Promise::Headers(headers)
        };
        let too_large = |identity: &Identity| {
            self.max_certificate_size.is_some_and(|max| identity.certificate.len() > max)
        };
        match visitor.identity.filter(|_| policy.requests()) {
            Some(identity) if too_large(identity) => Promise::Refused(AlertDescription::CertificateUnknown),
            None if policy.requires() => Promise::Refused(AlertDescription::CertificateRequired),
            None => written(&[], VerifyStatus::None),
            Some(Identity { certificate, .. }) if visitor.trusted => {
                written(std::slice::from_ref(certificate), VerifyStatus::Success)
            }
            Some(_) if policy.verifies() => Promise::Refused(AlertDescription::UnknownCA),
            Some(Identity { certificate, .. }) => {
                let certificates = std::slice::from_ref(certificate);
                let forwarded = if self.forwarding.forwards_unverified(dialect) { certificates } else { &[] };
                written(forwarded, VerifyStatus::Failed(UnverifiedReason::UnknownIssuer.as_str().into()))
            }
        }
    }

    /// Whose certificate the backend received, by the name of its file.
    fn file_of(&self, certificate: &CertificateDer<'_>) -> String {
        let identities = [&self.pki.trusted, &self.pki.untrusted];
        let identity = identities.into_iter().find(|identity| identity.certificate == *certificate);
        let name = identity.and_then(|identity| identity.cert_file.file_name());
        name.map_or_else(|| "another".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// Who reads the dialect behind this proxy. The reader called `skipper` is for Skipper's own headers, and believes no
/// verdict.
fn reader(dialect: &AnyDialect) -> AnyDialect {
    match dialect.name() {
        "skipper" => "tower-client-cert".parse().expect("every build has it"),
        _ => dialect.clone(),
    }
}

/// Those of the headers that are the dialect's.
fn owned(dialect: &AnyDialect, headers: &HeaderMap) -> HeaderMap {
    let mut owned = HeaderMap::new();
    for name in dialect.header_names() {
        for value in headers.get_all(name) {
            owned.append(name, value.clone());
        }
    }
    owned
}

/// Both ends of a long value.
fn shortened(value: &str) -> String {
    match (value.get(..12), value.get(value.len().saturating_sub(6)..)) {
        (Some(start), Some(end)) if value.len() > 32 => format!("{start}…{end} ({} bytes)", value.len()),
        _ => value.to_owned(),
    }
}

/// What the backend received, client by client.
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    policy: ClientAuthPolicy,
    client: &'static str,
    http: String,
    dialect: &'static str,
    header: String,
    certificate: String,
    verify: String,
    right: bool,
}

impl Table {
    /// Whether every request showed what the policy and the dialect promise.
    pub(crate) fn is_right(&self) -> bool {
        self.rows.iter().all(|row| row.right)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 7], end: &str| {
            let [policy, client, http, dialect, header, certificate, verify] = cells;
            writeln!(
                f,
                "{policy:<26}  {client:<9}  {http:<7}  {dialect:<14}  {header:<31}  {certificate:<13}  {verify}{end}"
            )
        };
        let titles =
            ["policy", "client", "HTTP", "dialect", "certificate header", "which is", "verify header"];
        line(f, titles, "")?;
        line(f, titles.map(|title| &"------------------"[..title.len()]), "")?;
        for row in &self.rows {
            let cells = [
                row.policy.as_str(),
                row.client,
                &row.http,
                row.dialect,
                &row.header,
                &row.certificate,
                &row.verify,
            ];
            line(f, cells, if row.right { "" } else { "  <- WRONG" })?;
        }
        Ok(())
    }
}

/// Commands that show the same again, to paste into a shell.
pub(crate) fn curl_lines(pki: &Pki, address: SocketAddr) -> String {
    let curl = format!("curl --cacert {}", quoted(&pki.ca_file));
    let identity = |identity: &Identity| {
        format!("--cert {} --key {}", quoted(&identity.cert_file), quoted(&identity.key_file))
    };
    let url = format!("https://{address}/");
    format!(
        "  {curl} {trusted} {url}\n  {curl} {untrusted} {url}\n  {curl} {url}\n  {curl} {forged} {url}\n",
        trusted = identity(&pki.trusted),
        untrusted = identity(&pki.untrusted),
        forged = "-H 'X-Forwarded-Tls-Client-Cert: forged'",
    )
}

/// As a POSIX shell reads it.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
