//! Putting a dialect together, and what is wrong with one.

use http::HeaderName;

use super::Fields;
use super::field::{CertEncoding, Field, Verdict};
use crate::dialect::Limits;
use crate::dialect::encoding::printable;
use crate::strip::folds_to;

/// Builds [`Fields`]. A mistake is kept for [`build`](Self::build) to return.
#[derive(Clone, Debug)]
pub struct FieldsBuilder {
    headers: Vec<(HeaderName, Field)>,
    empty: bool,
    forwards_unverified: bool,
    limits: Limits,
    error: Option<FieldsError>,
}

/// A dialect that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldsError {
    /// Not the name of a header.
    #[error("not the name of a header: {given:?}")]
    Name {
        /// What was given.
        given: String,
    },
    /// A header by which HTTP itself works, and that would be removed from every request.
    #[error("`{header}` is HTTP's own, and would be removed from every request")]
    Reserved {
        /// The header.
        header: HeaderName,
    },
    /// A header that is named twice, perhaps in two spellings that some servers take for one.
    #[error("`{header}` is there twice: some servers take `-`, `_` and `.` for the same")]
    HeaderTwice {
        /// The header.
        header: HeaderName,
    },
    /// Two headers for the same.
    #[error("`{header}` holds what another header holds already")]
    FieldTwice {
        /// The second of them.
        header: HeaderName,
    },
    /// No header that says anything of the client.
    #[error("no header says anything of a client")]
    Nothing,
    /// A chain, and no header for the certificate in front of it.
    #[error("a chain without the client's own certificate")]
    ChainWithoutCertificate,
    /// A chain in an encoding for one certificate.
    #[error("`{header}`: PEM with spaces is for one certificate")]
    ChainEncoding {
        /// The header.
        header: HeaderName,
    },
    /// A reason, or a word on revocation, and no verdict beside it.
    #[error("`{header}` belongs to a verdict, and there is none")]
    WithoutVerdict {
        /// The header.
        header: HeaderName,
    },
    /// Words that are empty, not printable ASCII, or the same for "yes" and "no".
    #[error("`{header}`: its words are empty, not printable ASCII, or the same for two answers")]
    Words {
        /// The header.
        header: HeaderName,
    },
    /// A header to rename or to leave out that is not there.
    #[error("there is no `{header}` in this dialect")]
    NotThere {
        /// The header.
        header: String,
    },
}

/// What a request can't do without, and what proxies and servers act upon.
const RESERVED: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "cookie",
    "authorization",
    "forwarded",
    "x-forwarded-for",
];

impl FieldsBuilder {
    pub(super) const fn new() -> Self {
        let limits = Limits::new();
        Self { headers: Vec::new(), empty: false, forwards_unverified: false, limits, error: None }
    }

    /// A header, and what it holds.
    #[must_use]
    pub fn header(mut self, name: &str, holds: Field) -> Self {
        match parse(name) {
            Ok(name) => self.headers.push((name, holds)),
            Err(error) => self.complain(error),
        }
        self
    }

    /// Another name for a header that is there.
    #[must_use]
    pub fn rename(mut self, from: &str, to: &str) -> Self {
        let name = parse(to);
        match (self.position(from), name) {
            (Some(position), Ok(name)) => return self.set_name(position, name),
            (None, _) => self.complain(FieldsError::NotThere { header: from.to_owned() }),
            (_, Err(error)) => self.complain(error),
        }
        self
    }

    /// Without a header that is there: for a proxy that does not write it.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        match self.position(name) {
            Some(position) => drop(self.headers.remove(position)),
            None => self.complain(FieldsError::NotThere { header: name.to_owned() }),
        }
        self
    }

    /// Reads an empty value as if the header were not there: for proxies that always send them all. Otherwise it is
    /// malformed.
    #[must_use]
    pub fn empty_is_absent(mut self) -> Self {
        self.empty = true;
        self
    }

    /// The readers of this dialect expect certificates that nobody verified: see
    /// [`Dialect::forwards_unverified`](crate::dialect::Dialect::forwards_unverified).
    #[must_use]
    pub fn forwards_unverified(mut self) -> Self {
        self.forwards_unverified = true;
        self
    }

    /// How much to read.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The dialect.
    ///
    /// # Errors
    ///
    /// The first mistake that was made.
    pub fn build(self) -> Result<Fields, FieldsError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        check(&self.headers)?;
        let (names, fields) = self.headers.into_iter().unzip();
        let Self { empty, forwards_unverified, limits, .. } = self;
        Ok(Fields { names, fields, empty, forwards_unverified, limits })
    }

    /// Another name for the header at this position, whatever the others are called.
    pub(in crate::dialect) fn set_name(mut self, position: usize, name: HeaderName) -> Self {
        if let Some((header, _)) = self.headers.get_mut(position) {
            *header = name;
        }
        self
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|(header, _)| header.as_str().eq_ignore_ascii_case(name))
    }

    fn complain(&mut self, error: FieldsError) {
        self.error.get_or_insert(error);
    }
}

fn parse(given: &str) -> Result<HeaderName, FieldsError> {
    given.parse().map_err(|_| FieldsError::Name { given: given.to_owned() })
}

fn check(headers: &[(HeaderName, Field)]) -> Result<(), FieldsError> {
    let has = |is: fn(&Field) -> bool| headers.iter().any(|(_, field)| is(field));
    let verdict = has(|field| matches!(field, Field::Verdict(_)));
    for (position, (name, field)) in headers.iter().enumerate() {
        let header = || name.clone();
        let before = headers.get(..position).unwrap_or_default();
        if RESERVED.iter().any(|reserved| folds_to(name.as_str().as_bytes(), reserved.as_bytes())) {
            return Err(FieldsError::Reserved { header: header() });
        }
        if before.iter().any(|(other, _)| folds_to(name.as_str().as_bytes(), other.as_str().as_bytes())) {
            return Err(FieldsError::HeaderTwice { header: header() });
        }
        let same =
            |(_, other): &(HeaderName, Field)| std::mem::discriminant(other) == std::mem::discriminant(field);
        if *field != Field::Stripped && before.iter().any(same) {
            return Err(FieldsError::FieldTwice { header: header() });
        }
        if !words_differ(*field) {
            return Err(FieldsError::Words { header: header() });
        }
        match field {
            Field::Chain(CertEncoding::SpacedPem) | Field::FullChain(CertEncoding::SpacedPem) => {
                return Err(FieldsError::ChainEncoding { header: header() });
            }
            Field::Reason | Field::Revoked { .. } if !verdict => {
                return Err(FieldsError::WithoutVerdict { header: header() });
            }
            _ => {}
        }
    }
    if has(|field| matches!(field, Field::Chain(_)))
        && !has(|field| matches!(field, Field::Certificate(_) | Field::FullChain(_)))
    {
        return Err(FieldsError::ChainWithoutCertificate);
    }
    if has(|field| !matches!(field, Field::Stripped)) { Ok(()) } else { Err(FieldsError::Nothing) }
}

fn words_differ(field: Field) -> bool {
    let word = |word: &str| !word.is_empty() && printable(word.as_bytes()).is_some() && word.trim() == word;
    match field {
        Field::Present { yes, no } | Field::Revoked { yes, no } => word(yes) && word(no) && yes != no,
        Field::Verdict(Verdict::Words { verified, failed, none }) => {
            // "None" may be "failed" and not "verified": then nobody is verified by mistake.
            word(verified)
                && word(failed)
                && verified != failed
                && none.is_none_or(|none| word(none) && none != verified)
        }
        _ => true,
    }
}
