//! A quick look at a header's name, which tells that most of them are none of ours.

/// For each pair of first and third byte, after folding, which lengths a name in the set can have.
///
/// It has false positives, whose names are then compared, and no false negatives. Folding keeps the length of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter([u64; SLOTS]);

const SLOTS: usize = 64;

impl Filter {
    pub(super) const EMPTY: Self = Self([0; SLOTS]);

    /// Adds a name, or with `family` every name that begins so.
    #[allow(clippy::indexing_slicing)] // `slot` is less than SLOTS
    pub(super) const fn add(&mut self, name: &[u8], family: bool) {
        let length = length_bit(name.len());
        // All bits from this one up: a member of a family is no shorter than what it begins with.
        let lengths = if family { !(length - 1) } else { length };
        self.0[slot(name)] |= lengths;
    }

    #[allow(clippy::indexing_slicing)] // `slot` is less than SLOTS
    pub(super) const fn may_contain(&self, name: &[u8]) -> bool {
        self.0[slot(name)] & length_bit(name.len()) != 0
    }
}

/// Many names begin with `x-`, and few with the same three bytes. A family's name has three at least.
const fn slot(name: &[u8]) -> usize {
    let (first, third) = match name {
        [first, _, third, ..] => (fold(*first), fold(*third)),
        [first, ..] => (fold(*first), 0),
        [] => (0, 0),
    };
    (first as usize * 7 + third as usize) % SLOTS
}

const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

/// CGI, WSGI, Rack and PHP hand a request's headers to the application as `HTTP_X_FORWARDED_…`, and map `-`, and some
/// of them `.` or any other punctuation, to `_`. So bytes are equal here if they are equal in lower case, and all of
/// those outside `[a-z0-9]` are equal.
pub(super) const fn fold(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte | 0x20,
        b'a'..=b'z' | b'0'..=b'9' => byte,
        _ => b'-',
    }
}

/// Whether `name` is `other` in some spelling.
pub(super) fn folds_to(name: &[u8], other: &[u8]) -> bool {
    name.len() == other.len() && name.iter().zip(other).all(|(a, b)| fold(*a) == fold(*b))
}
