//! Reads a file, in PEM or DER, into certificates, CRLs or a key. Nothing in the file is lost on the way.
//!
//! `scan` finds the blocks of a PEM file and accounts for every other line with the help of `suspect`. `kind`
//! recognizes what a block or a DER file holds. This module decides what happens to it, by the file's [`Role`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::fault::PemFault;
use super::kind::Kind;
use super::origin::Origin;
use super::role::{Role, Treatment};
use super::scan::{self, Block};
use super::suspect;
use super::verifier_error::VerifierError;
use crate::x509::der::{Der, SEQUENCE};

/// A value that was read, and the line on which it begins, counted from 1. `None` for DER.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) der: Vec<u8>,
    pub(super) line: Option<usize>,
}

/// Reads the certificates of a file, at least one, each with its line.
pub(super) fn certificates(
    origin: &Origin,
    role: Role,
    bytes: Vec<u8>,
) -> Result<Vec<(CertificateDer<'static>, Option<usize>)>, VerifierError> {
    let items = items(origin, role, bytes).map_err(|unread| match unread {
        Unread::Nothing { instead } => VerifierError::NoCertificate { origin: origin.clone(), instead },
        Unread::Refused(error) => error,
    })?;
    Ok(items.into_iter().map(|item| (item.der.into(), item.line)).collect())
}

/// Reads the CRLs of a file, at least one.
pub(super) fn crls(
    origin: &Origin,
    bytes: Vec<u8>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, VerifierError> {
    let items = items(origin, Role::Crls, bytes).map_err(|unread| match unread {
        Unread::Nothing { instead } => VerifierError::NoCrl { origin: origin.clone(), instead },
        Unread::Refused(error) => error,
    })?;
    Ok(items.into_iter().map(|item| item.der.into()).collect())
}

pub(super) enum Unread {
    /// The file holds nothing of the kind that was looked for. `instead` describes what it holds, if anything.
    Nothing {
        instead: Option<String>,
    },
    Refused(VerifierError),
}

impl From<VerifierError> for Unread {
    fn from(error: VerifierError) -> Self {
        Self::Refused(error)
    }
}

pub(super) fn items(origin: &Origin, role: Role, bytes: Vec<u8>) -> Result<Vec<Item>, Unread> {
    let file = File { origin, role };
    if let [0xFE, 0xED, 0xFE, 0xED, ..] | [0xCE, 0xCE, 0xCE, 0xCE, ..] = *bytes {
        return Err(Unread::Nothing { instead: Some(file.instead(Kind::JavaKeyStore, None)) });
    }
    if is_der(&bytes) { Ok(vec![file.der(bytes)?]) } else { file.pem(&bytes) }
}

/// Whether a file is DER. The byte `0` begins both DER and many a text. In DER, a length follows it: either a byte
/// above 127, which is not ASCII, or the length of the rest of the file.
fn is_der(bytes: &[u8]) -> bool {
    match bytes {
        [SEQUENCE, 0x80..=0x84, ..] => true,
        [SEQUENCE, length, rest @ ..] => {
            usize::from(*length) == rest.len() && rest.iter().any(u8::is_ascii_control)
        }
        _ => false,
    }
}

struct File<'a> {
    origin: &'a Origin,
    role: Role,
}

impl File<'_> {
    /// Reads a file that is one value in DER.
    fn der(&self, der: Vec<u8>) -> Result<Item, Unread> {
        let kind = Kind::of_der(&der);
        match kind {
            Some(kind) if self.role.treatment(kind) != Treatment::Take => {
                return Err(Unread::Nothing { instead: Some(self.instead(kind, None)) });
            }
            _ => {}
        }
        let mut rest = Der::new(&der);
        let problem = match rest.take(SEQUENCE) {
            None => Some("it is cut off or damaged"),
            Some(_) if rest.tag().is_some() => Some("something follows its end"),
            Some(_) => None,
        };
        match problem {
            Some(problem) => Err(VerifierError::Der { origin: self.origin.clone(), problem }.into()),
            None => Ok(Item { der, line: None }),
        }
    }

    fn pem(&self, text: &[u8]) -> Result<Vec<Item>, Unread> {
        let blocks = scan::blocks(text).map_err(|(line, fault)| self.misread(line, fault))?;
        let mut items = Vec::new();
        let mut instead = None;
        let mut refused = None;
        let mut misplaced = Vec::new();
        for block in &blocks {
            let kind = match Kind::of_label(block.label) {
                Kind::PrivateKey if is_encrypted(block) => Kind::EncryptedKey,
                kind => kind,
            };
            match self.role.treatment(kind) {
                Treatment::Take => {
                    let der = self.decode(block, kind)?;
                    items.push(Item { der, line: Some(block.line) });
                    continue;
                }
                Treatment::Pass => {}
                Treatment::Warn => misplaced.push((block, kind)),
                Treatment::Refuse => {
                    refused.get_or_insert((block, kind));
                }
            }
            instead.get_or_insert((block, kind));
        }
        match (items.is_empty(), refused) {
            // Something that is refused explains better why nothing was found than something that is ignored.
            (true, refused) => Err(Unread::Nothing {
                instead: refused.or(instead).map(|(block, kind)| self.instead(kind, Some(block))),
            }),
            (false, Some((block, kind))) => Err(self.unexpected(block, kind).into()),
            (false, None) => {
                misplaced.into_iter().for_each(|(block, kind)| self.warn(block, kind));
                Ok(items)
            }
        }
    }

    fn decode(&self, block: &Block<'_>, kind: Kind) -> Result<Vec<u8>, VerifierError> {
        let label = || block.label.to_owned();
        let mut base64 = Vec::with_capacity(block.body.len());
        for (number, line) in block.lines() {
            if line.contains(&b':') {
                return Err(self.misread(number, PemFault::Header { label: label() }));
            }
            if !line.is_ascii() {
                return Err(self.misread(number, PemFault::NotAscii));
            }
            let characters = line.iter().filter(|byte| !byte.is_ascii_whitespace());
            for character in characters {
                if !suspect::is_base64(character) {
                    return Err(self.misread(number, PemFault::NotBase64 { label: label() }));
                }
                base64.push(*character);
            }
        }
        if base64.is_empty() {
            return Err(self.misread(block.line, PemFault::Empty { label: label() }));
        }
        let der = STANDARD
            .decode(base64)
            .map_err(|_| self.misread(block.line, PemFault::BadBase64 { label: label() }))?;
        match (kind, Kind::of_der(&der)) {
            (Kind::TrustedCertificate, _) => self.without_trust_settings(block, &der),
            (_, Some(held)) if held != kind => Err(self.unexpected(block, held)),
            _ => Ok(der),
        }
    }

    /// Reads a certificate in OpenSSL's own format, in which the purposes it is trusted or rejected for may follow it.
    fn without_trust_settings(&self, block: &Block<'_>, der: &[u8]) -> Result<Vec<u8>, VerifierError> {
        let settings = || VerifierError::TrustSettings {
            origin: self.origin.clone(),
            line: block.line,
            command: format!("openssl x509 -in {} -out plain.pem", self.name()),
        };
        let mut rest = Der::new(der);
        rest.take(SEQUENCE).ok_or_else(settings)?;
        let length = der.len() - rest.len();
        if let Some(settings_der) = rest.take_optional(SEQUENCE) {
            // The fields `trust` and `reject` come first. An alias and a key identifier may follow, and change nothing.
            if matches!(Der::new(settings_der).tag(), Some(SEQUENCE | 0xA0)) {
                return Err(settings());
            }
        }
        if rest.tag().is_some() {
            return Err(settings());
        }
        Ok(der.get(..length).unwrap_or_default().to_vec())
    }

    fn misread(&self, line: usize, fault: PemFault) -> VerifierError {
        VerifierError::Pem { origin: self.origin.clone(), line, fault }
    }

    fn unexpected(&self, block: &Block<'_>, kind: Kind) -> VerifierError {
        VerifierError::Unexpected {
            origin: self.origin.clone(),
            line: block.line,
            found: found(block, kind),
            expected: self.role.expects(),
            cure: self.role.cure(kind, false, &self.name()),
        }
    }

    /// Describes what the file has instead of what was looked for, with the cure.
    fn instead(&self, kind: Kind, block: Option<&Block<'_>>) -> String {
        let (found, is_der) = match block {
            Some(block) => (format!("{} on line {}", found(block, kind), block.line), false),
            None => (kind.to_string(), true),
        };
        format!("{found}: {}", self.role.cure(kind, is_der, &self.name()))
    }

    /// The name of the file, for commands in error messages.
    fn name(&self) -> String {
        self.origin.path().map_or("FILE".to_owned(), |path| path.display().to_string())
    }

    #[cfg_attr(not(feature = "tracing"), allow(clippy::unused_self, unused_variables))]
    fn warn(&self, block: &Block<'_>, kind: Kind) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            file = %self.origin,
            line = block.line,
            "{kind} among {}: it is not used; whoever may read those must not read it, so move it away",
            self.role.expects()
        );
    }
}

fn found(block: &Block<'_>, kind: Kind) -> String {
    match kind {
        Kind::Unknown => format!("a block `{}`", block.label),
        kind => kind.to_string(),
    }
}

/// Whether a block has the header of RFC 1421 with which OpenSSL marks the older of its two encrypted formats.
fn is_encrypted(block: &Block<'_>) -> bool {
    block.lines().next().is_some_and(|(_, line)| {
        line.strip_prefix(b"Proc-Type:").is_some_and(|value| value.trim_ascii().ends_with(b"ENCRYPTED"))
    })
}
