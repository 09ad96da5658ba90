//! A quick look at a header's name, which tells that most of them are none of ours.

/// For each pair of third and fifth byte, after folding, which lengths a name in the set can have.
///
/// It has false positives, whose names are then compared, and no false negatives. Folding keeps the length of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    by_bytes: [u64; SLOTS],
    /// Names of fewer than [`SHORT`] bytes, by their lengths alone.
    short: u64,
}

const SLOTS: usize = 64;

/// No family's name is shorter, and most of the headers that every request has are.
pub(super) const SHORT: usize = 10;

impl Filter {
    pub(super) const EMPTY: Self = Self { by_bytes: [0; SLOTS], short: 0 };

    /// Adds a name, or with `family`, if it is not [`SHORT`], every name that begins so.
    #[allow(clippy::indexing_slicing)] // `slot` is less than SLOTS
    pub(super) const fn add(&mut self, name: &[u8], family: bool) {
        let length = length_bit(name.len());
        match name.first_chunk() {
            // All bits from this one up: a member of a family is no shorter than what it begins with.
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

/// Most of the names that requests have differ from the table's in these bytes: `benches/layer` tells if a change makes
/// that worse.
#[inline]
const fn slot(start: &[u8; SHORT]) -> usize {
    (fold(start[2]) as usize * 3 + fold(start[4]) as usize) % SLOTS
}

#[inline]
const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// CGI, WSGI, Rack and PHP hand a request's headers to the application as `HTTP_X_FORWARDED_…`, and map `-`, and some
/// of them `.` or any other punctuation, to `_`. So bytes are equal here if they are equal in lower case, and all of
/// those outside `[a-z0-9]` are equal.
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

/// Whether `name` is `other` in some spelling.
pub(crate) fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && name.iter().zip(other).all(|(a, b)| fold(*a) == fold(*b))
}
