//! SHA-256 over lists of values. Two different lists never feed the hash the same bytes.

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash. Replicas with the same configuration compute the same one.
pub(super) type Digest = [u8; 32];

/// Collects the values that make up a [`Digest`]. Each value is hashed with its length in front.
pub(super) struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash for one purpose. Hashes for different purposes differ even if the same values go into them.
    pub(super) fn new(purpose: &str) -> Self {
        Self(Sha256::new()).bytes(purpose.as_bytes())
    }

    #[must_use]
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    #[must_use]
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.update(number.to_be_bytes());
        self
    }

    /// Adds a set of hashes: neither their order nor repetitions make a difference.
    #[must_use]
    pub(super) fn set(self, hashes: impl Iterator<Item = Digest>) -> Self {
        let hashes: std::collections::BTreeSet<_> = hashes.collect();
        let count = hashes.len() as u64;
        hashes.iter().fold(self.number(count), |hasher, hash| hasher.bytes(hash))
    }

    pub(super) fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(values: &[&[u8]]) -> Digest {
        values.iter().fold(Hasher::new("test"), |hasher, value| hasher.bytes(value)).finish()
    }

    #[test]
    fn where_one_value_ends_and_the_next_begins_counts() {
        assert_eq!(hash(&[b"ab", b"c"]), hash(&[b"ab", b"c"]));
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"abc"]), hash(&[b"abc", b""]));
        assert_ne!(Hasher::new("one").finish(), Hasher::new("other").finish());
    }

    #[test]
    fn a_set_has_neither_order_nor_repetition() {
        let (a, b) = (hash(&[b"a"]), hash(&[b"b"]));
        let set = |hashes: &[Digest]| Hasher::new("test").set(hashes.iter().copied()).finish();
        assert_eq!(set(&[a, b]), set(&[b, a, a]));
        assert_ne!(set(&[a, b]), set(&[a]));
        assert_ne!(set(&[a]), set(&[]));
    }
}
