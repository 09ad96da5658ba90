#![doc = include_str!("../../docs/fields.md")]

mod builder;
mod certificates;
mod field;
mod name;
mod presets;
mod text;
mod time;
mod verdict;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;

pub use builder::{FieldsBuilder, FieldsError};
pub use field::{
    CertEncoding, Field, HashEncoding, ListEncoding, NameEncoding, SerialEncoding, TimeEncoding, Verdict,
};
pub(super) use presets::named;

use self::text::Told;
use self::verdict::Said;
use super::certificate::Certificate;
use super::decode::{DecodeErrorKind, only};
use super::encoding::insert;
use super::{CertDetails, DecodeError, Dialect, ForwardedCert, Limits, Outgoing, VerifyStatus};

/// A dialect that is a list of headers and of what each holds. See the [module's documentation](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    names: Vec<HeaderName>,
    /// What each of these headers holds.
    fields: Vec<Field>,
    /// Whether an empty value is as good as none.
    empty: bool,
    forwards_unverified: bool,
    limits: Limits,
}

/// A header, what it holds, and its value.
type Held<'a> = (&'a HeaderName, Field, &'a [u8]);

impl Fields {
    /// A dialect of your own, without any header yet.
    #[must_use]
    pub const fn builder() -> FieldsBuilder {
        FieldsBuilder::new()
    }

    fn headers(&self) -> impl Iterator<Item = (&HeaderName, Field)> {
        self.names.iter().zip(self.fields.iter().copied())
    }

    /// The values that say something, no larger than allowed, each of a header that is there once.
    fn values<'a>(&'a self, headers: &'a HeaderMap) -> Result<Vec<Held<'a>>, DecodeError> {
        let mut values = Vec::new();
        let max = self.limits.value_size();
        for (name, field) in self.headers().filter(|(_, field)| *field != Field::Stripped) {
            let value = match only(headers, name)? {
                None => continue,
                Some(b"") if self.empty => continue,
                Some(b"") => return Err(DecodeError::new(name, 0, DecodeErrorKind::Empty)),
                Some(b"(null)") => return Err(DecodeError::new(name, 0, DecodeErrorKind::Null)),
                Some(value) => value,
            };
            if value.len() > max {
                return Err(DecodeError::new(name, max, DecodeErrorKind::TooLarge { max }));
            }
            values.push((name, field, value));
        }
        Ok(values)
    }
}

/// In this crate's words, and OpenSSL's.
const REVOKED: &str = "certificate revoked";

impl Dialect for Fields {
    fn header_names(&self) -> &[HeaderName] {
        &self.names
    }

    fn forwards_unverified(&self) -> bool {
        self.forwards_unverified
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        let chain = client.certificates.get(1..).unwrap_or_default();
        let der = client.certificates.first();
        let leaf = der.and_then(|der| Certificate::parse(der));
        for (name, field) in self.headers() {
            match (field, der, &client.status) {
                (Field::Verdict(verdict), ..) => verdict::write(verdict, name, &client.status, headers),
                (Field::Reason, _, VerifyStatus::Failed(reason)) if !reason.is_empty() => {
                    insert(headers, name, reason.replace(|c| !matches!(c, ' '..='~'), "?"));
                }
                (Field::Present { no, .. }, _, VerifyStatus::None) => insert(headers, name, no),
                (Field::Present { yes, .. }, ..) => insert(headers, name, yes),
                (Field::Revoked { yes, no }, ..) => {
                    let revoked = matches!(&client.status, VerifyStatus::Failed(reason) if reason == REVOKED);
                    insert(headers, name, if revoked { yes } else { no });
                }
                (Field::Certificate(encoding), Some(_), _) => {
                    insert(
                        headers,
                        name,
                        certificates::write(encoding, client.certificates.get(..1).unwrap_or_default()),
                    );
                }
                (Field::FullChain(encoding), Some(_), _) => {
                    insert(headers, name, certificates::write(encoding, client.certificates));
                }
                (Field::Chain(encoding), ..) if !chain.is_empty() => {
                    insert(headers, name, certificates::write(encoding, chain));
                }
                (Field::Sha256(encoding), Some(der), _) => insert(headers, name, text::hash(encoding, der)),
                (_, Some(_), _) => {
                    if let Some(text) = leaf.as_ref().and_then(|leaf| text::write(field, name, leaf)) {
                        insert(headers, name, text);
                    }
                }
                _ => {}
            }
        }
    }

    fn reads(&self, name: &HeaderName) -> bool {
        self.headers().any(|(own, field)| own == name && field != Field::Stripped)
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        if !self.headers().any(|(name, field)| field != Field::Stripped && headers.contains_key(name)) {
            return Ok(None);
        }
        let values = self.values(headers)?;
        let certificates = self.certificates(&values)?;
        let mut told = Vec::new();
        let mut judge = Judge::default();
        if self.fields.iter().any(|field| matches!(field, Field::Revoked { .. })) {
            judge.revoked = Some(Revocation::Unsaid);
        }
        for (name, field, value) in &values {
            match field {
                Field::Certificate(_) | Field::Chain(_) | Field::FullChain(_) => {}
                Field::Verdict(words) => judge.verdict = Some((name, verdict::read(*words, name, value)?)),
                Field::Reason => judge.reason = Some(text::reason(name, value)?),
                Field::Present { yes, no } => judge.present = Some((name, text::word(name, value, yes, no)?)),
                Field::Revoked { yes, no } => {
                    judge.revoked = Some(Revocation::Said(text::word(name, value, yes, no)?));
                }
                _ => told.push(text::read(*field, name, value)?),
            }
        }
        self.check_verdict(headers, &certificates)?;
        judge.status(&certificates, &told).and_then(|status| {
            let words = self.fields.iter().any(|field| field.is_text());
            let details = details(&certificates, told, words)?;
            let mut forwarded = ForwardedCert::judged(certificates, status);
            forwarded.details = details;
            Ok(Some(forwarded))
        })
    }
}

impl Fields {
    fn certificates(&self, values: &[Held<'_>]) -> Result<Vec<CertificateDer<'static>>, DecodeError> {
        let mut certificates = Vec::new();
        // The client's own first, in whatever order the headers were named.
        for (name, field, value) in values {
            if let Field::Certificate(encoding) = field {
                certificates = certificates::read_one(*encoding, name, value, self.limits)?;
            }
        }
        for (name, field, value) in values {
            if let Field::FullChain(encoding) = field {
                let mut all = Vec::new();
                certificates::read_chain(*encoding, name, value, self.limits, &mut all)?;
                if certificates.first().is_some_and(|own| all.first() != Some(own)) {
                    let kind =
                        DecodeErrorKind::Contradiction("does not begin with the client's own certificate");
                    return Err(DecodeError::new(name, 0, kind));
                }
                certificates = all;
            }
        }
        for (name, field, value) in values {
            if let Field::Chain(encoding) = field {
                if certificates.is_empty() {
                    let kind = DecodeErrorKind::Contradiction("a chain, but no certificate");
                    return Err(DecodeError::new(name, 0, kind));
                }
                let full = certificates.len() > 1;
                let mut all = certificates.get(..1).unwrap_or_default().to_vec();
                certificates::read_chain(*encoding, name, value, self.limits, &mut all)?;
                if full && all != certificates {
                    return Err(DecodeError::new(name, 0, DecodeErrorKind::Contradiction("two chains")));
                }
                certificates = all;
            }
        }
        Ok(certificates)
    }

    /// A verdict that is there and empty says nothing, which is no verdict on a certificate.
    fn check_verdict(
        &self,
        headers: &HeaderMap,
        certificates: &[CertificateDer<'_>],
    ) -> Result<(), DecodeError> {
        let mut verdicts = self.headers().filter(|(_, field)| matches!(field, Field::Verdict(_)));
        match verdicts.next() {
            Some((name, _)) if !certificates.is_empty() && only(headers, name)? == Some(b"") => {
                Err(DecodeError::new(name, 0, DecodeErrorKind::Empty))
            }
            _ => Ok(()),
        }
    }
}

/// What the proxy says of the certificate, put together from several headers.
#[derive(Default)]
struct Judge<'a> {
    verdict: Option<(&'a HeaderName, Said)>,
    reason: Option<String>,
    present: Option<(&'a HeaderName, bool)>,
    /// Of a dialect that has a word on it.
    revoked: Option<Revocation>,
}

enum Revocation {
    Unsaid,
    Said(bool),
}

impl Judge<'_> {
    fn status(
        self,
        certificates: &[CertificateDer<'_>],
        told: &[Told<'_>],
    ) -> Result<Option<VerifyStatus>, DecodeError> {
        let contradiction =
            |name: &HeaderName, what| Err(DecodeError::new(name, 0, DecodeErrorKind::Contradiction(what)));
        let anything = !certificates.is_empty() || !told.is_empty();
        if let Some((name, false)) = self.present {
            if anything {
                return contradiction(
                    name,
                    "no certificate is said to be there, and something is said of it",
                );
            }
        }
        let Some((name, said)) = self.verdict else {
            return Ok(match (self.present, self.revoked) {
                (Some((_, false)), _) => Some(VerifyStatus::None),
                (_, Some(Revocation::Said(true))) if anything => Some(VerifyStatus::Failed(REVOKED.into())),
                (Some((_, true)), _) if !anything => {
                    Some(VerifyStatus::Failed("the proxy says only that there is a certificate".into()))
                }
                _ => None,
            });
        };
        let present = self.present.map(|(_, present)| present);
        let status = match said {
            Said::IfPresent(status) if present.unwrap_or(anything) => status,
            Said::IfPresent(_) => VerifyStatus::None,
            Said::Clearly(VerifyStatus::None) if anything => {
                return contradiction(name, "no certificate, says the verdict, and something is said of it");
            }
            Said::Clearly(VerifyStatus::None) if present == Some(true) => {
                return contradiction(
                    name,
                    "no certificate, says the verdict, and another header that there is one",
                );
            }
            Said::Clearly(status) if status != VerifyStatus::None && present == Some(false) => {
                return contradiction(name, "a verdict on a certificate that is said not to be there");
            }
            Said::Clearly(status) => status,
        };
        let failed = |or: Cow<'static, str>| VerifyStatus::Failed(self.reason.map_or(or, Into::into));
        Ok(Some(match (status, self.revoked) {
            (VerifyStatus::None, _) => VerifyStatus::None,
            (_, Some(Revocation::Said(true))) => failed(REVOKED.into()),
            // Whoever has this header dropped on the way is not verified by that.
            (VerifyStatus::Success, Some(Revocation::Unsaid)) => {
                VerifyStatus::Failed("nothing is said of revocation".into())
            }
            (VerifyStatus::Failed(said), _) => failed(said),
            (status, _) => status,
        }))
    }
}

/// The certificate in its own words, with which those of the proxy must agree, or in the proxy's words alone. `words` tells
/// whether the dialect has any.
fn details(
    certificates: &[CertificateDer<'_>],
    told: Vec<Told<'_>>,
    words: bool,
) -> Result<CertDetails, DecodeError> {
    let Some(der) = certificates.first() else {
        let mut details = CertDetails::default();
        let mut times = [None, None];
        for told in told {
            told.add_to(&mut details, &mut times);
        }
        let [from, to] = times;
        let parts = [
            from.as_ref().map(|(_, from)| format!("NotBefore={from}")),
            to.as_ref().map(|(_, to)| format!("NotAfter={to}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match (&details.validity, from.or(to)) {
            (_, None) => {}
            (None, Some(_)) => details.validity = Some(parts.join(";")),
            (Some(both), Some((header, _))) => {
                if !parts.iter().all(|part| both.split(';').any(|other| other == part)) {
                    let kind = DecodeErrorKind::Contradiction("two times at which the certificate is valid");
                    return Err(DecodeError::new(header, 0, kind));
                }
            }
        }
        return Ok(details);
    };
    let leaf = Certificate::parse(der);
    for told in &told {
        told.check(der, leaf.as_ref())?;
    }
    let mut details = if words { CertDetails::of(der) } else { CertDetails::default() };
    details.hash = told.iter().find_map(Told::hash);
    Ok(details)
}
