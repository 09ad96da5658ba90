//! What a request tells of its client: read once in every dialect that the library knows.

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tower_client_cert::dialect::{AnyDialect, Dialect as _};
use tower_client_cert::forwarded::{
    ForwardedClientCert, ForwardedClientCertError, ForwardedClientCertLayer, Hop, TrustedProxies,
};
use tower_client_cert::{ClientIdentity, Fingerprint};

use crate::headers::is_known;
use crate::text::and;

/// With this header the probe names the headers that it has forged. It is no name of the table, so that it arrives.
pub(crate) const ANNOUNCEMENT: &str = "x-doctor-forged";

/// What every value that the probe forges begins with.
pub(crate) const MARKER: &str = "doctor-forged-";

/// What arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// In one sentence.
    pub(crate) summary: String,
    /// The dialects that fit what arrived.
    pub(crate) fits: Vec<Fit>,
    /// What readers of the other dialects say.
    pub(crate) others: Vec<Other>,
    /// Headers that some reader believes, and that belong to no dialect that fits. Those that the probe forged are not
    /// here again.
    pub(crate) unexpected: Vec<String>,
    pub(crate) forged: Forged,
}

/// One dialect, and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fit {
    pub(crate) dialect: String,
    /// `None` if the proxy says in this dialect that there is none, or keeps it to itself.
    pub(crate) client: Option<Client>,
    /// What else the reader says.
    pub(crate) remark: Option<String>,
}

/// A client, as a proxy tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) who: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) certificates: usize,
    /// `None` if the dialect has no word for it.
    pub(crate) verified: Option<bool>,
    pub(crate) verdict: Option<String>,
}

/// A dialect that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) dialect: String,
    pub(crate) reader_says: String,
    /// Whether there are headers of this dialect's, which it would not have written.
    pub(crate) malformed: bool,
}

/// The headers that a probe has forged, as they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forged {
    pub(crate) arrived: Vec<String>,
    pub(crate) stripped: Vec<String>,
}

impl Told {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut told = Self { forged: Forged::of(headers), ..Self::default() };
        let mut expected = Vec::new();
        for name in AnyDialect::NAMES {
            // Each is a name of a dialect.
            let Ok(dialect) = name.parse::<AnyDialect>() else { continue };
            let names = dialect.header_names().to_vec();
            let everybody = TrustedProxies::none().trust_whoever_can_connect();
            let outcome = ForwardedClientCertLayer::new(dialect, everybody).read(&Hop::unknown(), headers);
            match Fit::of(name, outcome) {
                Ok(fit) => {
                    expected.extend(names);
                    told.fits.push(fit);
                }
                Err(error) => told.others.push(Other {
                    dialect: (*name).to_owned(),
                    reader_says: error.to_string(),
                    malformed: matches!(error, ForwardedClientCertError::Malformed(_)),
                }),
            }
        }
        told.others.sort_by_key(|other| !other.malformed);
        let unexpected = headers.keys().filter(|name| is_known(name.as_str()) && !expected.contains(name));
        let unexpected = unexpected.map(ToString::to_string);
        told.unexpected = unexpected.filter(|name| !told.forged.arrived.contains(name)).collect();
        told.summary = told.sum_up();
        told
    }

    /// The fit that says most of the client.
    pub(crate) fn best(&self) -> Option<(&Fit, &Client)> {
        let with_client = self.fits.iter().filter_map(|fit| Some((fit, fit.client.as_ref()?)));
        // The last of those that are equal, so that `tower-client-cert` comes before `skipper`.
        with_client.max_by_key(|(_, client)| (client.verified.is_some(), client.sha256.is_some()))
    }

    fn sum_up(&self) -> String {
        let malformed = self.others.iter().find(|other| other.malformed);
        match (self.best(), self.fits.first(), malformed) {
            (Some((_, client)), ..) => {
                let with_client = self.fits.iter().filter(|fit| fit.client.is_some());
                let dialects: Vec<&str> = with_client.map(|fit| fit.dialect.as_str()).collect();
                let who =
                    client.who.as_deref().or(client.sha256.as_deref()).unwrap_or("a client without a name");
                let verified = match (client.verified, client.verdict.as_deref()) {
                    (Some(true), _) => "the proxy says that it verified the certificate".to_owned(),
                    (Some(false), Some(verdict)) => format!("the proxy says of the certificate: {verdict}"),
                    _ => "the proxy says nothing of whether it verified the certificate".to_owned(),
                };
                format!("A client certificate arrived: {who}; {verified}; fits {}", and(&dialects))
            }
            (None, Some(fit), _) => format!(
                "No client certificate arrived; in {} the proxy says so: {}",
                fit.dialect,
                fit.remark.as_deref().unwrap_or("there is none")
            ),
            (None, None, Some(other)) => {
                format!("What arrived can't be read: as {}, {}", other.dialect, other.reader_says)
            }
            (None, None, None) => {
                "No client certificate arrived: there is no header of any dialect".to_owned()
            }
        }
    }
}

impl Fit {
    /// What a reader of this dialect is told, or why it is told nothing.
    fn of(
        dialect: &str,
        outcome: Result<ForwardedClientCert<AnyDialect>, ForwardedClientCertError>,
    ) -> Result<Self, ForwardedClientCertError> {
        use ForwardedClientCertError as E;
        match outcome {
            Ok(client) => {
                Ok(Self { dialect: dialect.to_owned(), client: Some(Client::of(&client)), remark: None })
            }
            Err(error @ (E::NotPresented | E::Withheld { .. })) => {
                Ok(Self { dialect: dialect.to_owned(), client: None, remark: Some(error.to_string()) })
            }
            Err(error) => Err(error),
        }
    }
}

impl Client {
    fn of(client: &ForwardedClientCert<AnyDialect>) -> Self {
        let details = client.details();
        let seen = client.end_entity().and_then(|der| ClientIdentity::from_der(der).ok());
        let text = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let (who, issuer) = match &seen {
            Some(seen) => (text(seen.subject().as_str()), text(seen.issuer().as_str())),
            None => (details.subject.clone(), details.issuer.clone()),
        };
        let names = match &seen {
            Some(seen) => {
                let uris = seen.uris().map(ToString::to_string);
                uris.chain(seen.dns_names().chain(seen.emails()).map(str::to_owned)).collect()
            }
            None => [details.uris.clone(), details.dns_names.clone()].concat(),
        };
        let hash = client.end_entity().map(|der| Fingerprint::of(der)).or(details.hash);
        Self {
            who: who.or_else(|| names.first().cloned()),
            issuer,
            sha256: hash.map(|hash| hash.to_string()),
            names,
            certificates: client.certificates().len(),
            verified: client.status().map(|_| client.is_verified_by_proxy()),
            verdict: client.status().map(ToString::to_string),
        }
    }
}

impl Forged {
    fn of(headers: &HeaderMap) -> Self {
        let announced = headers.get_all(ANNOUNCEMENT).into_iter();
        let announced = announced.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let is_forged = |value: &http::HeaderValue| {
            value.as_bytes().windows(MARKER.len()).any(|part| part == MARKER.as_bytes())
        };
        let mut arrived: Vec<String> = headers
            .iter()
            .filter(|(name, value)| *name != ANNOUNCEMENT && is_forged(value))
            .map(|(name, _)| name.to_string())
            .collect();
        arrived.dedup();
        let stripped = announced
            .map(str::trim)
            .filter(|name| !name.is_empty() && !arrived.iter().any(|arrived| arrived == name))
            .map(str::to_owned);
        Self { stripped: stripped.collect(), arrived }
    }
}

#[cfg(test)]
mod tests {
    use tower_client_cert::dialect::{Outgoing, VerifyStatus};

    use super::*;
    use crate::certificate::tests::identity;

    fn written(dialect: &str, status: VerifyStatus) -> (HeaderMap, String) {
        let alice = identity("alice", |params| {
            params.subject_alt_names = vec![rcgen::SanType::DnsName("alice.example".try_into().unwrap())];
        });
        let mut headers = HeaderMap::new();
        let none = status == VerifyStatus::None;
        let certificates = if none { &[] } else { alice.key.cert.as_slice() };
        dialect.parse::<AnyDialect>().unwrap().encode(&Outgoing::new(certificates, status), &mut headers);
        (headers, alice.sha256)
    }

    #[test]
    fn every_dialect_is_known_when_it_arrives() {
        for name in AnyDialect::NAMES {
            // Nobody can read these two: the one is for display, the other an old spelling.
            if ["traefik-info", "traefik-2.9.1"].contains(name) {
                continue;
            }
            let (headers, sha256) = written(name, VerifyStatus::Success);
            let told = Told::of(&headers);
            let fit = told.fits.iter().find(|fit| fit.dialect == *name);
            let client = fit.and_then(|fit| fit.client.as_ref());
            let client = client.unwrap_or_else(|| panic!("{name}: {told:?}")).clone();
            assert!(client.who.as_deref().is_some_and(|who| who.contains("alice")), "{name}: {client:?}");
            // linkerd tells the name alone.
            assert_eq!(client.sha256, Some(sha256).filter(|_| *name != "linkerd"), "{name}");
            assert_eq!(told.unexpected, [""; 0], "{name}");
        }
    }

    #[test]
    fn skippers_reader_believes_no_verdict_and_ours_does() {
        let (headers, _) = written("skipper", VerifyStatus::Failed("expired".into()));
        let told = Told::of(&headers);
        let verified = |dialect: &str| {
            let fit = told.fits.iter().find(|fit| fit.dialect == dialect).unwrap();
            fit.client.as_ref().unwrap().verified
        };
        assert_eq!((verified("skipper"), verified("tower-client-cert")), (None, Some(false)));
        assert_eq!(told.best().unwrap().0.dialect, "tower-client-cert");
        assert!(told.summary.contains("FAILED:expired"), "{}", told.summary);
    }

    #[test]
    fn nothing_and_a_word_for_nothing_are_two_answers() {
        let told = Told::of(&HeaderMap::new());
        assert!(told.fits.is_empty() && told.summary.contains("no header of any dialect"), "{told:?}");
        let (headers, _) = written("nginx", VerifyStatus::None);
        let told = Told::of(&headers);
        assert_eq!(told.fits[0].dialect, "nginx");
        assert!(told.summary.contains("the proxy says so"), "{}", told.summary);
    }

    #[test]
    fn what_can_not_be_read_is_said_first() {
        let told =
            Told::of(&HeaderMap::from_iter([("client-cert".parse().unwrap(), "MAA=".parse().unwrap())]));
        assert!(told.summary.starts_with("What arrived can't be read: as rfc9440, "), "{}", told.summary);
        // Those that can't read it come before those that it says nothing to.
        assert!(told.others[0].malformed && !told.others.last().unwrap().malformed);
        assert!(told.others.is_sorted_by_key(|other| !other.malformed));
        assert_eq!(told.unexpected, ["client-cert"]);
    }

    #[test]
    fn forged_headers_are_told_from_stripped_ones() {
        let (mut headers, _) = written("rfc9440", VerifyStatus::Success);
        headers.insert(ANNOUNCEMENT, "ssl_client_cert, x-client-cert".parse().unwrap());
        headers.insert("ssl_client_cert", "doctor-forged-1-2".parse().unwrap());
        headers.insert("x-remote-user", "root".parse().unwrap());
        let told = Told::of(&headers);
        assert_eq!(told.forged.arrived, ["ssl_client_cert"]);
        assert_eq!(told.forged.stripped, ["x-client-cert"]);
        assert_eq!(told.unexpected, ["x-remote-user"]);
    }
}
