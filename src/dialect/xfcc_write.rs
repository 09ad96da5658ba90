//! One element of `x-forwarded-client-cert`, to be written: as text, or as JSON.

use percent_encoding::percent_decode_str;

use super::encoding::percent_encoded;
use super::xfcc::{self, Pair};
use super::xfcc_json::{self, Member, Value};

/// What this hop says of its client, in Envoy's order. A field that is empty is not written.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) by: Vec<String>,
    pub(super) hash: String,
    /// PEM, and so is each of the chain.
    pub(super) cert: String,
    pub(super) chain: Vec<String>,
    /// RFC 4514, with no `"`, no `;` and no `%` in it.
    pub(super) subject: Option<String>,
    /// In text, a list without a URI is `URI=`.
    pub(super) uris: Option<Vec<String>>,
    pub(super) dns_names: Vec<String>,
}

const END: &str = "-----END CERTIFICATE-----\n";

impl Element {
    /// `By=…;Hash=…`, of the names those in which no reader takes anything for a field.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for uri in &self.by {
            xfcc::push(&mut text, "By", uri);
        }
        xfcc::push(&mut text, "Hash", &self.hash);
        if !self.cert.is_empty() {
            xfcc::push_quoted(&mut text, "Cert", &percent_encoded(self.cert.as_bytes()));
        }
        if !self.chain.is_empty() {
            xfcc::push_quoted(&mut text, "Chain", &percent_encoded(self.chain.concat().as_bytes()));
        }
        if let Some(subject) = &self.subject {
            xfcc::push_quoted(&mut text, "Subject", subject);
        }
        let [uris, dns_names] = self.names(xfcc::stays_whole);
        if uris.is_empty() && self.uris.is_some() {
            xfcc::push(&mut text, "URI", "");
        }
        uris.iter().for_each(|uri| xfcc::push(&mut text, "URI", uri));
        dns_names.iter().for_each(|name| xfcc::push(&mut text, "DNS", name));
        text
    }

    /// `{"by":[…],"hash":"…"}`.
    pub(super) fn json(&self) -> String {
        let mut object = String::new();
        xfcc_json::push_names(&mut object, "by", &self.by);
        xfcc_json::push(&mut object, "hash", &self.hash);
        if !self.cert.is_empty() {
            xfcc_json::push(&mut object, "cert", &self.cert);
        }
        xfcc_json::push_list(&mut object, "chain", &self.chain);
        if let Some(subject) = &self.subject {
            xfcc_json::push(&mut object, "subject", subject);
        }
        let [uris, dns_names] =
            self.names(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        xfcc_json::push_names(&mut object, "uri", &uris);
        xfcc_json::push_names(&mut object, "dns", &dns_names);
        object.push('}');
        object
    }

    /// The URIs and the DNS names that are fit to be written. Others are left out, with a line in the log.
    fn names(&self, fit: impl Fn(&str) -> bool) -> [Vec<String>; 2] {
        let all = [self.uris.as_deref().unwrap_or_default(), &self.dns_names];
        let written = all.map(|names| names.iter().filter(|name| fit(name)).cloned().collect::<Vec<_>>());
        let left_out = all.concat().len() - written.concat().len();
        if left_out > 0 {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                left_out,
                "names of a client certificate are left out of `x-forwarded-client-cert`: they are empty or no printable \
                 ASCII, or, in its text format, have one of , ; \" \\ in them, which a reader could take for the start of a \
                 field"
            );
        }
        written
    }

    /// The element that [`text`](Self::text) was written from.
    pub(super) fn from_text(pairs: &[Pair<'_>]) -> Self {
        let mut element = Self::default();
        for pair in pairs {
            let text = pair.text();
            let pem = || percent_decode_str(&text).decode_utf8_lossy().into_owned();
            match pair.key {
                b"By" => element.by.push(text),
                b"Hash" => element.hash = text,
                b"Cert" => element.cert = pem(),
                b"Chain" => element.chain = pem().split_inclusive(END).map(ToOwned::to_owned).collect(),
                b"Subject" => element.subject = Some(pair.raw()),
                b"URI" => {
                    let uris = element.uris.get_or_insert_default();
                    uris.extend(Some(text).filter(|uri| !uri.is_empty()));
                }
                b"DNS" => element.dns_names.push(text),
                _ => {}
            }
        }
        element
    }

    /// The element that [`json`](Self::json) was written from.
    pub(super) fn from_json(object: Vec<Member>) -> Self {
        let mut element = Self::default();
        for member in object {
            match (member.key.as_str(), member.value) {
                ("by", Value::List(uris)) => element.by = uris,
                ("hash", Value::Text(hash)) => element.hash = hash,
                ("cert", Value::Text(pem)) => element.cert = pem,
                ("chain", Value::List(pem)) => element.chain = pem,
                ("subject", Value::Text(subject)) => element.subject = Some(subject),
                ("uri", Value::List(uris)) => element.uris = Some(uris),
                ("dns", Value::List(names)) => element.dns_names = names,
                _ => {}
            }
        }
        element
    }
}
