//! The client's end: connects under each version of TLS, twice, and with forged headers if told to.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::danger::ServerCertVerifier;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use crate::advice::ServerKind;
use crate::args::ProbeArgs;
use crate::certificate::{Identity, ca_names, scheme_names, some_ca_names};
use crate::diagnosis::{self, Forgery};
use crate::finding::{self, Finding};
use crate::forged;
use crate::hello::{Client, Visit};
use crate::text::{printable, shortened};

/// What happened under one version of TLS.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) name: &'static str,
    pub(crate) first: Visit,
    /// With the session of the first, if there was an answer.
    pub(crate) second: Option<Visit>,
}

/// All that is known in the end.
#[derive(Debug)]
pub(crate) struct Report {
    url: String,
    /// What the server says it is, and what it is taken for.
    server: Option<String>,
    kind: Option<ServerKind>,
    identity: Option<Identity>,
    versions: Vec<Version>,
    findings: Vec<Finding>,
}

/// Looks at a server. An error is one of the command line's: a file that can't be read.
pub(crate) fn probe(args: &ProbeArgs) -> Result<Report, String> {
    let identity = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some(Identity::read(cert, key)?),
        _ => None,
    };
    let server = crate::trust::verifier(args.ca.as_deref(), args.insecure)?;
    let client = |version, identity: Option<&Identity>| {
        let server: Arc<dyn ServerCertVerifier> = Arc::clone(&server);
        Client::new(&args.url, version, server, identity.map(|identity| Arc::clone(&identity.key)))
            .map_err(|error| error.to_string())
    };

    let mut versions = Vec::new();
    for (name, version) in [("TLS 1.2", &TLS12), ("TLS 1.3", &TLS13)] {
        let client = client(version, identity.as_ref())?;
        let first = client.visit(&[]);
        let second = first.result.is_ok().then(|| client.visit(&[]));
        versions.push(Version { name, first, second });
    }

    // Once as nobody, since some proxies take a client's own header only then for theirs, and once with the certificate.
    let mut forgeries = Vec::new();
    if args.header_check {
        let spoken = versions.iter().rev().find(|version| version.first.result.is_ok());
        let version =
            spoken.map_or(&TLS13, |version| if version.name == "TLS 1.2" { &TLS12 } else { &TLS13 });
        let run = run();
        let nobody = forged::check(&client(version, None)?, &run);
        forgeries.push(Forgery { with_certificate: false, check: nobody });
        if let Some(identity) = &identity {
            let check = forged::check(&client(version, Some(identity))?, &run);
            forgeries.push(Forgery { with_certificate: true, check });
        }
    }

    let answers = || versions.iter().filter_map(|version| version.first.result.as_ref().ok());
    let header = |name: &str| answers().find_map(|reply| reply.header(name));
    let guess = ServerKind::guess(header("server"), header("via"));
    Ok(Report {
        url: format!("https://{}{}", args.url.authority, args.url.path),
        server: header("server").map(|server| shortened(&printable(server), 60)),
        kind: args.server.or(guess),
        findings: diagnosis::diagnose(identity.as_ref(), &versions, &forgeries),
        identity,
        versions,
    })
}

/// Tells this run's markers from those of others in a log.
fn run() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_micros())
}

impl Report {
    pub(crate) fn status(&self) -> u8 {
        finding::status(&self.findings)
    }

    pub(crate) fn json(&self) -> Value {
        let versions: Vec<Value> = self.versions.iter().map(Version::json).collect();
        let certificate = self.identity.as_ref().map(|identity| {
            json!({ "subject": identity.subject, "issuer": identity.issuer, "sha256": identity.sha256 })
        });
        let findings: Vec<Value> = self.findings.iter().map(|finding| finding.json(self.kind)).collect();
        json!({
            "doctor": "probe",
            "url": self.url,
            "server": self.server,
            "taken_for": self.kind.map(ServerKind::name),
            "certificate": certificate,
            "versions": versions,
            "findings": findings,
            "status": self.status(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = self.url.clone();
        match (&self.server, self.kind) {
            (Some(server), Some(kind)) => text.push_str(&format!(" ({server}, taken for {})", kind.name())),
            (Some(server), None) => text.push_str(&format!(" ({server})")),
            (None, Some(kind)) => text.push_str(&format!(" (taken for {})", kind.name())),
            (None, None) => {}
        }
        text.push('\n');
        if let Some(identity) = &self.identity {
            text.push_str(&format!("presenting {}, issued by {}\n", identity.subject, identity.issuer));
        }
        text.push('\n');
        for version in &self.versions {
            text.push_str(&version.text());
        }
        text.push('\n');
        for finding in &self.findings {
            text.push_str(&finding.text(self.kind));
        }
        text
    }
}

impl Version {
    fn json(&self) -> Value {
        json!({
            "version": self.name,
            // Nothing is known of a version in which there was no handshake.
            "asks": self.first.tells().then_some(self.first.asked.is_some()),
            "cas": self.first.asked.as_ref().map(ca_names),
            "schemes": self.first.asked.as_ref().map(scheme_names),
            "status": self.first.result.as_ref().ok().map(|reply| reply.status),
            "failure": self.first.result.as_ref().err().map(ToString::to_string),
            "resumed": self.second.as_ref().map(Visit::resumed),
        })
    }

    fn text(&self) -> String {
        let mut text = format!("{}  ", self.name);
        match (&self.first.asked, self.first.tells()) {
            (None, true) => text.push_str("asks for no certificate"),
            (None, false) => {}
            (Some(asked), _) => {
                let named = match asked.cas.is_empty() {
                    true => "of any CA: it names none".to_owned(),
                    false => format!("of {}", some_ca_names(asked, "or")),
                };
                text.push_str(&format!(
                    "asks for a certificate {named}\n         signed with {}",
                    scheme_names(asked).join(", ")
                ));
            }
        }
        match &self.first.result {
            Ok(reply) => text.push_str(&format!("\n         answers with {}", reply.status)),
            Err(failure) if text.ends_with("  ") => text.push_str(&printable(&failure.to_string())),
            Err(failure) => text.push_str(&format!("\n         {}", printable(&failure.to_string()))),
        }
        text.push('\n');
        text
    }
}
