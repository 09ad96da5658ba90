//! A fast check of a header's name, which rules out most headers that are not in a set.

/// A filter over a set of names: for each combination of the third and the fifth byte, the lengths that a name can
/// have.
///
/// Bytes are folded first, which keeps the length of a name. The filter has no false negatives. It has false positives,
/// so a name that passes is then compared with the set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    by_bytes: [u64; SLOTS],
    /// The lengths of names with fewer than [`SHORT`] bytes.
    short: u64,
}

const SLOTS: usize = 64;

/// Every family's name is at least this long. Most of the headers that every request has are shorter.
pub(super) const SHORT: usize = 10;

impl Filter {
    pub(super) const EMPTY: Self = Self { by_bytes: [0; SLOTS], short: 0 };

    /// Adds a name, or with `family` every name that begins with it. A family's name must have at least [`SHORT`]
    /// bytes.
    #[allow(clippy::indexing_slicing)] // `slot` is less than SLOTS
    pub(super) const fn add(&mut self, name: &[u8], family: bool) {
        let length = length_bit(name.len());
        match name.first_chunk() {
            // Sets this bit and all above it: a member of a family is at least as long as the family's name.
            Some(start) => self.by_bytes[slot(start)] |= if family { !(length - 1) } else { length },
            None => self.short |= length,
        }
    }

    #[inline]
    #[allow(clippy::indexing_slicing)] // `slot` is less than SLOTS
    pub(super) const fn may_contain(&self, name: &[u8]) -> bool {
        let lengths = match name.first_chunk() {
            Some(start) => self.by_bytes[slot(start)],
            None => self.short,
        };
        lengths & length_bit(name.len()) != 0
    }
}

/// Most header names in requests differ from the table's names in these two bytes. `benches/layer` shows whether a
/// change makes this worse.
#[inline]
const fn slot(start: &[u8; SHORT]) -> usize {
    (fold(start[2]) as usize * 3 + fold(start[4]) as usize) % SLOTS
}

#[inline]
const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// Folds a byte as backends do. CGI, WSGI, Rack and PHP pass the headers of a request to the application as
/// `HTTP_X_FORWARDED_…`: they map `-` to `_`, and some of them also map `.` or any other punctuation. So two bytes are
/// equal here if they are equal in lower case, or if both are outside `[a-z0-9]`.
#[inline]
#[allow(clippy::indexing_slicing)] // there are 256 bytes
pub(super) const fn fold(byte: u8) -> u8 {
    FOLDED[byte as usize]
}

static FOLDED: [u8; 256] = {
    let mut folded = [b'-'; 256];
    let mut byte = 0;
    #[allow(clippy::indexing_slicing)] // at compile time
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// Whether `name` is a spelling of `other`.
pub(crate) fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && name.iter().zip(other).all(|(a, b)| fold(*a) == fold(*b))
}
