//! Whether the backend's answer shows the client's certificate.

use percent_encoding::percent_decode_str;

use crate::certificate::Identity;
use crate::reply::Reply;
use crate::text::shortened;
use crate::told::Told;

/// How much of what an echo says is repeated, in characters.
const MAX_SUMMARY: usize = 500;

/// What the answer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The certificate is there. What a `doctor echo` says of it, if that is what answered.
    Arrived(Option<Box<Told>>),
    /// A `doctor echo` says that it is not.
    Missing(Box<Told>),
    /// The backend does not show what it receives.
    Unknown,
}

impl Arrival {
    pub(crate) fn of(reply: &Reply, identity: &Identity) -> Self {
        if let Some(told) = told(reply) {
            let told = Box::new(told);
            let is_ours = |sha256: &String| sha256.eq_ignore_ascii_case(&identity.sha256);
            let mut clients = told.fits.iter().filter_map(|fit| fit.client.as_ref());
            // A dialect that has only names says no more than that.
            let ours = clients.any(|client| {
                client.sha256.as_ref().map_or(client.who.as_ref() == Some(&identity.subject), is_ours)
            });
            return if ours { Self::Arrived(Some(told)) } else { Self::Missing(told) };
        }
        if shows(&reply.text(), identity) { Self::Arrived(None) } else { Self::Unknown }
    }

    /// What is said of it, to compare two answers by.
    pub(crate) fn essence(&self) -> (u8, Option<&str>) {
        match self {
            Self::Arrived(told) => (2, told.as_ref().map(|told| told.summary.as_str())),
            Self::Missing(told) => (1, Some(told.summary.as_str())),
            Self::Unknown => (0, None),
        }
    }
}

/// What a `doctor echo` says.
fn told(reply: &Reply) -> Option<Told> {
    let answer: serde_json::Value = serde_json::from_str(&reply.body).ok()?;
    if answer.get("doctor")? != "echo" {
        return None;
    }
    let mut told: Told = serde_json::from_value(answer.get("told")?.clone()).ok()?;
    told.summary = shortened(&told.summary, MAX_SUMMARY);
    Some(told)
}

/// Whether the certificate, or its SHA-256, is in the text, percent-encoded or not, with JSON's escapes or without.
fn shows(text: &str, identity: &Identity) -> bool {
    let plain = text.replace('\\', "");
    let decoded = percent_decode_str(&plain).decode_utf8_lossy();
    [plain.as_str(), &decoded].iter().any(|text| {
        text.contains(&identity.base64_start) || text.to_ascii_lowercase().contains(&identity.sha256)
    })
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::certificate::tests::identity;
    use crate::told::{Client, Fit};

    fn reply(body: &str) -> Reply {
        Reply::parse(format!("HTTP/1.1 200 OK\r\n\r\n{body}").as_bytes()).unwrap()
    }

    fn echo(sha256: Option<&str>, who: &str) -> Reply {
        let (sha256, who) = (sha256.map(str::to_owned), Some(who.to_owned()));
        let client = Some(Client { sha256, who, ..Client::default() });
        let fits = vec![Fit { client, ..Fit::default() }];
        let told = Told { fits, ..Told::default() };
        reply(&serde_json::json!({"doctor": "echo", "told": told}).to_string())
    }

    #[test]
    fn a_doctors_echo_is_asked_whose_certificate_arrived() {
        let alice = identity("alice", |_| {});
        let arrived = |reply| matches!(Arrival::of(&reply, &alice), Arrival::Arrived(Some(_)));
        assert!(arrived(echo(Some(&alice.sha256.to_uppercase()), "")));
        assert!(arrived(echo(None, &alice.subject)));
        assert!(!arrived(echo(Some("00"), &alice.subject)));
        let nothing = reply(&serde_json::json!({"doctor": "echo", "told": Told::default()}).to_string());
        assert!(matches!(Arrival::of(&nothing, &alice), Arrival::Missing(_)));
    }

    #[test]
    fn any_other_echo_is_searched_for_it() {
        // With every character that somebody might encode.
        let mut alice = identity("alice", |_| {});
        alice.base64_start = "MIIB+a/b".to_owned();
        let start = alice.base64_start.as_str();
        let encoded = utf8_percent_encode(start, NON_ALPHANUMERIC).to_string();
        for shown in [start, &encoded, &start.replace('/', "\\/"), &alice.sha256] {
            assert_eq!(
                Arrival::of(&reply(&format!("x: {shown}…")), &alice),
                Arrival::Arrived(None),
                "{shown}"
            );
        }
        assert_eq!(Arrival::of(&reply("hello"), &alice), Arrival::Unknown);
    }
}
