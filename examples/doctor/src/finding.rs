//! What the doctor found: in words, with its cure, and what it means for the exit status.

use serde_json::{Value, json};

use crate::advice::{Problem, ServerKind, cures};
use crate::text::printable;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Fine,
    /// Worth knowing.
    Note,
    /// It could not be found out.
    Unknown,
    /// The certificate does not arrive, or a forged header does.
    Fault,
}

/// One of them. The name is for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    pub(crate) text: String,
    pub(crate) problem: Option<Problem>,
}

/// Lines of a cure that people are shown; JSON has all.
const SHOWN: usize = 6;

impl Finding {
    pub(crate) fn new(name: &'static str, severity: Severity, text: impl Into<String>) -> Self {
        // Names of a certificate, and words of the server, are in it.
        Self { name, severity, text: printable(&text.into()), problem: None }
    }

    pub(crate) fn cured_by(self, problem: Problem) -> Self {
        Self { problem: Some(problem), ..self }
    }

    pub(crate) fn json(&self, kind: Option<ServerKind>) -> Value {
        let cures: Vec<Value> = self
            .problem
            .iter()
            .flat_map(|problem| cures(kind, problem))
            .map(|(kind, lines)| json!({ "server": kind.name(), "lines": lines }))
            .collect();
        json!({ "name": self.name, "severity": self.severity.name(), "text": self.text, "cures": cures })
    }

    pub(crate) fn text(&self, kind: Option<ServerKind>) -> String {
        let mut text = format!("{:<8}{}\n", self.severity.name(), self.text);
        let cures = self.problem.as_ref().map(|problem| cures(kind, problem)).unwrap_or_default();
        for (kind, lines) in &cures {
            // All servers, with two lines for each, unless it is known which it is.
            let shown =
                if cures.len() > 1 && matches!(self.problem, Some(Problem::Forged(_))) { 2 } else { SHOWN };
            for (index, line) in lines.iter().take(shown).enumerate() {
                let name = if index == 0 { format!("{}:", kind.name()) } else { String::new() };
                text.push_str(&format!("        {name:<12}{line}\n"));
            }
            if lines.len() > shown {
                text.push_str(&format!(
                    "        {:<12}… and {} more such lines (--json has all)\n",
                    "",
                    lines.len() - shown
                ));
            }
        }
        text
    }
}

impl Severity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Fault => "FAULT",
        }
    }
}

/// The exit status: 0 all is well, 1 a fault, 2 something could not be found out.
pub(crate) fn status(findings: &[Finding]) -> u8 {
    let any = |severity| findings.iter().any(|finding| finding.severity == severity);
    if any(Severity::Fault) {
        1
    } else if any(Severity::Unknown) {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity) -> Finding {
        Finding::new("never-asks", severity, "text")
    }

    #[test]
    fn a_fault_counts_for_more_than_what_is_unknown() {
        let [fine, note] = [finding(Severity::Fine), finding(Severity::Note)];
        let [unknown, fault] = [finding(Severity::Unknown), finding(Severity::Fault)];
        assert_eq!(status(&[]), 0);
        assert_eq!(status(&[fine.clone(), note.clone()]), 0);
        assert_eq!(status(&[fine, unknown.clone()]), 2);
        assert_eq!(status(&[unknown, fault, note]), 1);
    }

    /// They come from servers, and from certificates.
    #[test]
    fn no_words_move_the_cursor() {
        assert_eq!(Finding::new("refused", Severity::Fault, "CN=\u{1b}[2J").text, "CN=\\u{1b}[2J");
    }

    #[test]
    fn people_get_some_lines_and_programs_all() {
        let names: Vec<String> = (0..9).map(|number| format!("client-cert-{number}")).collect();
        let finding = finding(Severity::Fault).cured_by(Problem::Forged(names));
        let text = finding.text(Some(ServerKind::Nginx));
        assert!(text.contains("nginx:      proxy_set_header client-cert-0 \"\";"), "{text}");
        assert!(text.contains("… and 3 more such lines") && !text.contains("client-cert-6"), "{text}");
        let json = finding.json(Some(ServerKind::Nginx));
        assert_eq!(json["cures"][0]["lines"].as_array().unwrap().len(), 9);
        assert_eq!(json["severity"], "FAULT");
    }
}
