//! Session tickets under keys from a file, which all replicas of a server share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rustls::crypto::SecureRandom;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use crate::tls::digest::Hasher;
use crate::tls::files::Lines;

/// Encrypts session tickets under keys from a file, so that a client can resume its session on any replica that has the
/// same file, and after a restart.
///
/// The file has one key on each line: 32 random bytes in base64 (RFC 4648 section 4), such as `openssl rand -base64 32`
/// prints. Empty lines and lines that begin with `#` are skipped. The first key encrypts; every key decrypts. (nginx
/// keeps each key in a file of its own, with one directive `ssl_session_ticket_key` per file.)
///
/// To rotate the keys, take three steps, each on every replica and followed by a call to [`reload`](Self::reload): add
/// a new key below the first; once all replicas have it, move it to the top; and remove the old key when no session is
/// left that it encrypted, which is after [`session_lifetime`](crate::ClientVerifierBuilder::session_lifetime).
///
/// **Whoever can read the file can impersonate any client.** A ticket holds the client's certificate and the secret
/// that stands for the proof that the client has its key, so somebody with a ticket key can make a ticket for a
/// certificate that is not theirs. They can also decrypt recorded connections of TLS 1.2. Guard the file like the
/// private key of a CA, and rotate its keys.
///
/// Tickets are encrypted with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Its nonces are long enough to be drawn
/// at random for any number of tickets. The acceptor binds the session in a ticket to its verifier: see
/// [`ClientCertAcceptor`](crate::ClientCertAcceptor#trust-over-time).
///
/// ```no_run
/// use rustls::server::NoServerSessionStorage;
/// use std::sync::Arc;
/// use tower_client_cert::{ClientAuthPolicy, ClientCertAcceptor, SharedTicketer};
///
/// # fn serve(chain: Vec<rustls::pki_types::CertificateDer<'static>>, key: rustls::pki_types::PrivateKeyDer<'static>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = ClientAuthPolicy::VerifyClientCertIfGiven.verifier().roots_from_file("ca.pem").build()?;
/// let ticketer = SharedTicketer::from_file("ticket.keys", rustls::crypto::aws_lc_rs::default_provider().secure_random)?;
/// let acceptor = ClientCertAcceptor::from_der(chain, key, verifier, |config| {
///     config.ticketer = ticketer.clone();
///     config.session_storage = Arc::new(NoServerSessionStorage {}); // tickets only
/// })?;
///
/// // Every hour, or when the file changes. If the file is broken, the old keys stay in use.
/// if let Err(error) = ticketer.reload() {
///     eprintln!("ticket keys not rotated: {error}");
/// }
/// # Ok(())
/// # }
/// ```
pub struct SharedTicketer {
    path: PathBuf,
    random: &'static dyn SecureRandom,
    /// Never empty.
    keys: RwLock<Vec<TicketKey>>,
}

impl SharedTicketer {
    /// Reads the keys from a file. `random` is the crypto provider's source of randomness, a field of
    /// [`CryptoProvider`](rustls::crypto::CryptoProvider).
    ///
    /// # Errors
    ///
    /// Returns an error if the file can't be read, has no key in it, or has anything else in it. See
    /// [`TicketKeyError`].
    pub fn from_file(
        path: impl Into<PathBuf>,
        random: &'static dyn SecureRandom,
    ) -> Result<Arc<Self>, TicketKeyError> {
        let path = path.into();
        let keys = RwLock::new(read(&path)?);
        Ok(Arc::new(Self { path, random, keys }))
    }

    /// Reads the file again. Open connections are not disturbed.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`from_file`](Self::from_file). The old keys then stay in use.
    pub fn reload(&self) -> Result<(), TicketKeyError> {
        let keys = read(&self.path)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }
}

/// A ticket is the name of its key, a nonce, and the ciphertext with its tag.
impl ProducesTickets for SharedTicketer {
    fn enabled(&self) -> bool {
        true
    }

    /// Returns a day, in seconds. The acceptor lowers it if its sessions live for less.
    fn lifetime(&self) -> u32 {
        24 * 60 * 60
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce).ok()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first()?;
        let message = Payload { msg: plain, aad: CONTEXT };
        let ciphertext = key.cipher.encrypt(&XNonce::from(nonce), message).ok()?;
        Some([key.name.as_slice(), &nonce, &ciphertext].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.name == *name)?;
        let message = Payload { msg: ciphertext, aad: CONTEXT };
        key.cipher.decrypt(&XNonce::from(*nonce), message).ok()
    }
}

/// Shows the path of the file and the number of keys, and nothing of a key.
impl fmt::Debug for SharedTicketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("SharedTicketer").field("path", &self.path).field("keys", &keys.len()).finish()
    }
}

const NAME: usize = 16;
const NONCE: usize = 24;
const KEY: usize = 32;

/// Additional data that keeps tickets apart from anything else the keys might have encrypted.
const CONTEXT: &[u8] = b"tower-client-cert ticket 1";

struct TicketKey {
    /// Every ticket begins with the name of its key. The name is public, and does not help to find the key.
    name: [u8; NAME],
    cipher: XChaCha20Poly1305,
}

impl TicketKey {
    fn new(key: &[u8; KEY]) -> Self {
        let hash = Hasher::new("tower-client-cert ticket key name").bytes(key).finish();
        let mut name = [0; NAME];
        name.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
        Self { name, cipher: XChaCha20Poly1305::new(<&Key>::from(key)) }
    }
}

fn read(path: &Path) -> Result<Vec<TicketKey>, TicketKeyError> {
    let contents = match std::fs::read(path) {
        Ok(contents) => Zeroizing::new(contents),
        Err(source) => return Err(TicketKeyError::Read { path: path.to_owned(), source }),
    };
    let mut keys = Vec::new();
    for (line, text) in Lines::new(&contents).map(|(line, text)| (line, text.trim_ascii())) {
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let bad = |reason| TicketKeyError::BadKey { path: path.to_owned(), line, reason };
        let bytes = STANDARD.decode(text).map_err(|_| bad("it is not base64".to_owned()))?;
        let bytes = Zeroizing::new(bytes);
        let key: &[u8; KEY] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| bad(format!("it has {} bytes, not {KEY}", bytes.len())))?;
        keys.push(TicketKey::new(key));
    }
    if keys.is_empty() {
        return Err(TicketKeyError::NoKey { path: path.to_owned() });
    }
    Ok(keys)
}

/// Explains why a file of ticket keys can't be used. No part of a key is in the error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TicketKeyError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// There is no key in the file.
    #[error("{} has no key in it: add one with `openssl rand -base64 32 >> {}`", path.display(), path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a key. No other line of the file is used either.
    #[error("{}, line {line}: not a key, since {reason}. Expected the output of `openssl rand -base64 32`", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why it is not a key.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;

    fn file(keys: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        write(&file, keys);
        file
    }

    fn write(file: &tempfile::NamedTempFile, keys: &[u8]) {
        let lines: Vec<_> = keys.iter().map(|key| STANDARD.encode([*key; KEY]) + "\n").collect();
        std::fs::write(file.path(), lines.concat()).unwrap();
    }

    fn ticketer(file: &tempfile::NamedTempFile) -> Arc<SharedTicketer> {
        SharedTicketer::from_file(file.path(), default_provider().secure_random).unwrap()
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let file = file(&[1]);
        let (old, rotated) = (ticketer(&file), ticketer(&file));
        write(&file, &[2, 1]);
        rotated.reload().unwrap();
        let (by_old, by_rotated) = (old.encrypt(b"old").unwrap(), rotated.encrypt(b"new").unwrap());
        assert_eq!(rotated.decrypt(&by_old).unwrap(), b"old");
        assert_eq!(rotated.decrypt(&by_rotated).unwrap(), b"new");
        assert!(old.decrypt(&by_rotated).is_none());
        write(&file, &[2]);
        rotated.reload().unwrap();
        assert!(rotated.decrypt(&by_old).is_none());
        assert_eq!(rotated.decrypt(&by_rotated).unwrap(), b"new");
    }

    #[test]
    fn i10_a_broken_file_leaves_the_keys_as_they_are() {
        let file = file(&[1]);
        let ticketer = ticketer(&file);
        let ticket = ticketer.encrypt(b"session").unwrap();
        for broken in ["", "AAAA", "half a l"] {
            std::fs::write(file.path(), broken).unwrap();
            ticketer.reload().unwrap_err();
            assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session", "{broken:?}");
        }
    }

    #[test]
    fn a_bad_file_is_an_error_that_names_file_and_line_and_tells_no_key() {
        let good = STANDARD.encode([7; KEY]);
        let cases = [
            ("", "no key in it"),
            ("# only a comment\n\n", "no key in it"),
            (
                &format!("# keys\r\n{good}\r\n{}\n", &good[..20]),
                "line 3: not a key, since it has 15 bytes, not 32",
            ),
            (&format!("{good}\n{}", &good[..43]), "line 2: not a key, since it is not base64"),
            (&format!("{good}{good}"), "line 1: not a key, since it is not base64"),
            ("\u{fffd}", "line 1: not a key, since it is not base64"),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        let random = default_provider().secure_random;
        for (text, expected) in cases {
            std::fs::write(file.path(), text).unwrap();
            let error = SharedTicketer::from_file(file.path(), random).unwrap_err().to_string();
            assert!(error.contains(&file.path().display().to_string()), "{error}");
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(&good[..8]), "{error}");
        }
        let error = SharedTicketer::from_file("/nowhere/ticket.keys", random).unwrap_err();
        assert!(matches!(error, TicketKeyError::Read { .. }), "{error}");
        std::fs::write(file.path(), format!("# first\r\n\r\n  {good}\r\n")).unwrap();
        assert_eq!(format!("{:?}", ticketer(&file)).matches("keys: 1").count(), 1);
    }

    #[test]
    fn no_two_tickets_have_one_nonce() {
        let file = file(&[1]);
        let ticketer = ticketer(&file);
        let tickets: std::collections::HashSet<_> =
            (0..1000).map(|_| ticketer.encrypt(b"same").unwrap()[NAME..NAME + NONCE].to_vec()).collect();
        assert_eq!(tickets.len(), 1000);
    }

    #[test]
    fn what_was_encrypted_comes_back() {
        let ticketer = ticketer(&file(&[1, 2]));
        for length in (0..70).chain([1_000, 4_096]) {
            let plain = random_bytes(length);
            assert_eq!(ticketer.decrypt(&ticketer.encrypt(&plain).unwrap()), Some(plain));
        }
    }

    #[test]
    fn noise_is_no_ticket() {
        let ticketer = ticketer(&file(&[1]));
        for length in 0..512 {
            let noise = random_bytes(length);
            let named = [&TicketKey::new(&[1; KEY]).name[..], &noise].concat();
            assert_eq!(ticketer.decrypt(&noise), None, "{noise:?}");
            assert_eq!(ticketer.decrypt(&named), None, "{named:?}");
        }
    }

    #[test]
    fn a_ticket_with_any_one_bit_changed_or_cut_anywhere_is_no_ticket() {
        let ticketer = ticketer(&file(&[1]));
        let ticket = ticketer.encrypt(&random_bytes(64)).unwrap();
        for place in 0..ticket.len() {
            assert_eq!(ticketer.decrypt(&ticket[..place]), None, "cut at {place}");
            for bit in 0..8 {
                let mut changed = ticket.clone();
                changed[place] ^= 1_u8 << bit;
                assert_eq!(ticketer.decrypt(&changed), None, "bit {bit} of {place}");
            }
        }
    }

    fn random_bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        default_provider().secure_random.fill(&mut bytes).unwrap();
        bytes
    }
}
