//! From what happened to what is wrong.

use rustls::AlertDescription as Alert;

use crate::advice::Problem;
use crate::alert::{is_about_certificate, meaning};
use crate::arrival::Arrival;
use crate::certificate::Identity;
use crate::finding::{Finding, Severity};
use crate::forged::Check;
use crate::hello::{Failure, Visit};
use crate::probe::Version;
use crate::reply::Reply;
use crate::text::and;

/// What came of forged headers.
#[derive(Debug)]
pub(crate) struct Forgery {
    pub(crate) with_certificate: bool,
    pub(crate) check: Check,
}

pub(crate) fn diagnose(
    identity: Option<&Identity>,
    versions: &[Version],
    forgeries: &[Forgery],
) -> Vec<Finding> {
    let mut findings = asking(versions);
    if let Some(identity) = identity {
        let defects = identity.defects.iter();
        findings.extend(defects.map(|defect| {
            Finding::new("defect", Severity::Note, format!("the certificate itself has a fault: {defect}"))
        }));
    }
    findings.extend(merged(versions, |version| of_version(identity, version)));
    findings.extend(forged(forgeries));
    findings
}

/// Whether the server asks at all.
fn asking(versions: &[Version]) -> Vec<Finding> {
    let told: Vec<&Version> = versions.iter().filter(|version| version.first.tells()).collect();
    let mut findings = merged(versions, |version| match &version.first.result {
        // That a version is not spoken is no failure where the other is.
        Err(Failure::NotSpoken) if !told.is_empty() => Vec::new(),
        Err(failure) if !version.first.tells() => {
            let text = format!("{failure}{}", hint(failure));
            vec![Finding::new("no-handshake", Severity::Unknown, text)]
        }
        _ => Vec::new(),
    });
    let (asking, silent): (Vec<&Version>, Vec<&Version>) =
        told.into_iter().partition(|version| version.first.asked.is_some());
    match (asking.is_empty(), silent.is_empty()) {
        (true, true) => {}
        (true, false) => findings.push(
            Finding::new(
                "never-asks",
                Severity::Fault,
                format!("the server never asks for a certificate ({}), so none can arrive.", names(&silent)),
            )
            .cured_by(Problem::NeverAsks),
        ),
        (false, true) => findings.push(Finding::new(
            "asks",
            Severity::Fine,
            format!("the server asks for a certificate ({})", names(&asking)),
        )),
        (false, false) => findings.push(
            Finding::new(
                "asks-sometimes",
                Severity::Fault,
                format!(
                    "the server asks for a certificate under {} and not under {}, where none can arrive.",
                    names(&asking),
                    names(&silent)
                ),
            )
            .cured_by(Problem::NeverAsks),
        ),
    }
    findings
}

/// `TLS 1.2 and 1.3`.
fn names(versions: &[&Version]) -> String {
    let numbers: Vec<&str> = versions.iter().map(|version| version.name.trim_start_matches("TLS ")).collect();
    format!("TLS {}", and(&numbers))
}

/// What is found under several versions is said once.
fn merged(versions: &[Version], find: impl Fn(&Version) -> Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<(Finding, Vec<&Version>)> = Vec::new();
    for version in versions {
        for finding in find(version) {
            match merged.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, versions)) => versions.push(version),
                None => merged.push((finding, vec![version])),
            }
        }
    }
    let with_versions = |(finding, versions): (Finding, Vec<&Version>)| Finding {
        text: format!("{} ({})", finding.text, names(&versions)),
        ..finding
    };
    merged.into_iter().map(with_versions).collect()
}

/// What became of the certificate.
fn of_version(identity: Option<&Identity>, version: &Version) -> Vec<Finding> {
    // Nothing to add where nobody was asked.
    let Some(asked) = &version.first.asked else { return Vec::new() };
    let mut findings = Vec::new();
    let unpresentable = identity.and_then(|identity| identity.misfit_scheme(asked));
    let presented = identity.is_some() && unpresentable.is_none();
    findings.extend(unpresentable.map(|text| Finding::new("no-scheme", Severity::Fault, text)));
    let misfit = identity.and_then(|identity| identity.misfit_ca(asked));
    findings.extend(misfit.map(|text| Finding::new("ca-not-named", Severity::Note, text)));

    match (&version.first.result, identity.filter(|_| presented)) {
        (Err(failure), _) => findings.push(refusal(failure, presented)),
        (Ok(reply), identity) => match refused_by_nginx(reply) {
            Some(finding) => findings.push(finding),
            None => {
                if let Some(identity) = identity {
                    findings.extend(arrival(reply, identity));
                    findings
                        .extend(version.second.as_ref().map(|second| resumption(reply, second, identity)));
                }
            }
        },
    }
    findings
}

fn refusal(failure: &Failure, presented: bool) -> Finding {
    match failure {
        Failure::Alert(alert) if is_about_certificate(*alert) => {
            let (means, cure) = meaning(*alert, presented);
            if presented {
                let text = format!(
                    "the server refuses the certificate, with the alert {alert:?}: {means}. Cure: {cure}"
                );
                Finding::new("refused", Severity::Fault, text).cured_by(Problem::Refuses)
            } else {
                Finding::new("insists", Severity::Note, format!("alert {alert:?}: {means}. Cure: {cure}"))
            }
        }
        Failure::Silent(_) if presented => Finding::new(
            "refused",
            Severity::Fault,
            format!(
                "asked for the certificate and most likely refused it, since {failure}; its log may say why"
            ),
        )
        .cured_by(Problem::Refuses),
        Failure::Silent(_) => Finding::new(
            "insists",
            Severity::Note,
            format!("the server most likely insists on a certificate, since {failure}"),
        ),
        _ => Finding::new("no-answer", Severity::Unknown, format!("{failure}{}", hint(failure))),
    }
}

/// What to do where the certificate is not what failed.
fn hint(failure: &Failure) -> &'static str {
    match failure {
        Failure::Ours(_) => {
            ". --ca FILE names the CA of the server's own certificate, and --insecure takes any"
        }
        Failure::Alert(Alert::UnrecognisedName) => ". It has no host of this name: use one of its names",
        Failure::Alert(Alert::NoApplicationProtocol) => ". It has to speak HTTP/1.1 while the doctor looks",
        _ => "",
    }
}

/// nginx completes the handshake whatever it was presented, and then answers 400.
fn refused_by_nginx(reply: &Reply) -> Option<Finding> {
    if reply.status != 400 {
        return None;
    }
    if reply.body.contains("The SSL certificate error") {
        let text = "the server refuses the certificate, with status 400 instead of an alert, as nginx does: it does not \
                    verify. Most often its CA is not among the client CAs of the server, or an intermediate is missing, or \
                    it has expired; nginx's log at level info says which";
        Some(Finding::new("refused", Severity::Fault, text).cured_by(Problem::Refuses))
    } else if reply.body.contains("No required SSL certificate was sent") {
        let text = "the server insists on a certificate, and none was presented: give the client one; for the doctor that \
                    is --cert FILE --key FILE";
        Some(Finding::new("insists", Severity::Note, text))
    } else {
        None
    }
}

fn arrival(reply: &Reply, identity: &Identity) -> Vec<Finding> {
    match Arrival::of(reply, identity) {
        Arrival::Arrived(None) => {
            vec![Finding::new(
                "arrives",
                Severity::Fine,
                "the certificate arrives: the backend's answer shows it",
            )]
        }
        Arrival::Arrived(Some(told)) => {
            let arrives = format!("the certificate arrives at the backend. {}", told.summary);
            let mut findings = vec![Finding::new("arrives", Severity::Fine, arrives)];
            let denied = told
                .best()
                .and_then(|(_, client)| client.verdict.as_ref().filter(|_| client.verified == Some(false)));
            findings.extend(denied.map(|verdict| {
                let text = format!("the server did not verify the certificate, and says so: {verdict}. The backend must look at that");
                Finding::new("unverified", Severity::Note, text)
            }));
            findings
        }
        Arrival::Missing(told) => vec![
            Finding::new(
                "not-forwarded",
                Severity::Fault,
                format!("the server takes the certificate and does not pass it on. {}", told.summary),
            )
            .cured_by(Problem::NotForwarded),
        ],
        Arrival::Unknown => {
            let text = format!(
                "the server takes the certificate; whether it arrives is not known, since the backend's answer (status {}) \
                 does not show it. Put `doctor echo` in the backend's place",
                reply.status
            );
            vec![Finding::new("arrival-unknown", Severity::Note, text)]
        }
    }
}

fn resumption(first: &Reply, second: &Visit, identity: &Identity) -> Finding {
    let again = match &second.result {
        Ok(again) => again,
        Err(failure) => {
            return Finding::new(
                "second-differs",
                Severity::Fault,
                format!("the second connection fails: {failure}"),
            );
        }
    };
    let how = if second.resumed() { "a resumed session" } else { "a second connection" };
    let (one, other) = (Arrival::of(first, identity), Arrival::of(again, identity));
    if (first.status, one.essence()) != (again.status, other.essence()) {
        let said = other.essence().1.unwrap_or("there is no certificate in it");
        let text = format!(
            "the answer changes with {how}: first status {}, then {}. {said}",
            first.status, again.status
        );
        return Finding::new("second-differs", Severity::Fault, text);
    }
    if second.resumed() {
        Finding::new("resumed", Severity::Fine, "the session is resumed, and the answer does not change")
    } else {
        Finding::new(
            "not-resumed",
            Severity::Fine,
            "the session is not resumed: every connection is a full handshake",
        )
    }
}

fn forged(forgeries: &[Forgery]) -> Option<Finding> {
    let mut tried = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for forgery in forgeries {
        if let Check::Arrived { tried: all, arrived } = &forgery.check {
            let whose =
                if forgery.with_certificate { "with the certificate" } else { "without a certificate" };
            tried.push(format!("{} of {all} from a client {whose}", arrived.len()));
            let new: Vec<String> = arrived.iter().filter(|name| !names.contains(name)).cloned().collect();
            names.extend(new);
        }
    }
    if !names.is_empty() {
        let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        let text = format!("forged headers reach the backend: {} ({}{more}).", and(&tried), shown.join(", "));
        return Some(Finding::new("forged", Severity::Fault, text).cured_by(Problem::Forged(names)));
    }
    if !tried.is_empty() {
        let text = format!("no forged header reaches the backend: {}", and(&tried));
        return Some(Finding::new("none-forged", Severity::Fine, text));
    }
    let reason = match &forgeries.last()?.check {
        Check::NoAnswer(failure) => format!("{failure}"),
        _ => "the backend does not answer with what it receives. Put `doctor echo` in its place".to_owned(),
    };
    Some(Finding::new(
        "forged-unknown",
        Severity::Unknown,
        format!("forged headers could not be checked: {reason}"),
    ))
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
