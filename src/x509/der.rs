//! A reader of values in DER, one after the other (X.690 sections 8 and 10).

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0C;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const VISIBLE_STRING: u8 = 0x1A;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1C;
pub(crate) const BMP_STRING: u8 = 0x1E;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The bytes that are left to read. The methods return `None` for a value that is not what they expect.
#[derive(Clone, Debug)]
pub(crate) struct Der<'a>(&'a [u8]);

/// A value whose tag is one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// The whole value: tag, length and contents.
    pub(crate) der: &'a [u8],
}

impl<'a> Value<'a> {
    /// Reads `der` as exactly one value.
    pub(crate) fn only(der: &'a [u8]) -> Option<Self> {
        let mut rest = Der(der);
        rest.value().filter(|_| rest.is_empty())
    }
}

impl<'a> Der<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Self {
        Self(der)
    }

    /// Reads `der` as exactly one value, and returns a reader of its contents if the value has this tag.
    pub(crate) fn only(der: &'a [u8], tag: u8) -> Option<Self> {
        Value::only(der).filter(|value| value.tag == tag).map(|value| Self(value.contents))
    }

    /// Takes the next value.
    pub(crate) fn value(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // These bits say that the tag goes on in the next bytes. No certificate needs such a tag, and neither Go nor
        // webpki reads it.
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            0..=0x7F => (usize::from(length), rest),
            // A length of more than four bytes is more than TLS can carry. 0x80 is BER's indefinite length.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
                let length = bytes
                    .iter()
                    .try_fold(0_usize, |all, byte| all.checked_mul(256)?.checked_add(usize::from(*byte)))?;
                // DER has one form for each length: the shortest.
                if bytes.first() == Some(&0) || length < 0x80 {
                    return None;
                }
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let der = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(Value { tag, contents, der })
    }

    /// Takes the next value if it has this tag, and returns its contents.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.whole(tag).map(|value| value.contents)
    }

    /// Does the same for an optional value. A damaged value is left in place, so that the next step fails on it.
    pub(crate) fn take_optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.take(tag)
    }

    /// Takes the next value if it has this tag.
    pub(crate) fn whole(&mut self, tag: u8) -> Option<Value<'a>> {
        if self.tag() == Some(tag) { self.value() } else { None }
    }

    /// Takes an object identifier, and returns its contents: whole arcs, each in its shortest form (X.690 section
    /// 8.19).
    pub(crate) fn oid(&mut self) -> Option<&'a [u8]> {
        self.take(OBJECT_IDENTIFIER).filter(|oid| super::oid::is_well_formed(oid))
    }

    /// Takes an integer in its shortest form, and returns its contents (X.690 section 8.3.2).
    pub(crate) fn integer(&mut self) -> Option<&'a [u8]> {
        self.take(INTEGER).filter(|bytes| !matches!(bytes, [] | [0, 0..=0x7F, ..] | [0xFF, 0x80..=0xFF, ..]))
    }

    /// Takes a bit string of whole bytes.
    pub(crate) fn bits(&mut self) -> Option<&'a [u8]> {
        match bit_string(self.take(BIT_STRING)?)? {
            (0, bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the tag of the next value. `None` at the end.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

/// Reads the contents of a bit string: the number of unused bits in the last byte, which must be zero, and the bytes.
pub(super) fn bit_string(contents: &[u8]) -> Option<(u8, &[u8])> {
    let (&missing, bytes) = contents.split_first()?;
    let mask = 1_u8.checked_shl(u32::from(missing))?.wrapping_sub(1);
    let in_order = bytes.last().map_or(missing == 0, |last| last & mask == 0);
    in_order.then_some((missing, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_length_and_a_tag_of_one_byte() {
        let long = [&[0x04, 0x81, 0x80][..], &[7; 0x80]].concat();
        assert_eq!(Value::only(&long).map(|value| value.contents), Some(&[7; 0x80][..]));
        assert_eq!(Value::only(&[0x04, 1, 7]), Some(Value { tag: 4, contents: &[7], der: &[4, 1, 7] }));
        let wrong: [&[u8]; 11] = [
            &[],
            &[0x04],
            &[0x04, 1],
            &[0x04, 1, 7, 7],
            &[0x04, 0x80, 7, 0, 0],
            &[0x04, 0x81],
            &[0x04, 0x81, 1, 7],
            &[0x04, 0x82, 0, 1, 7],
            &[0x04, 0x85, 0, 0, 0, 0, 1, 7],
            &[0x1F, 0x04, 1, 7],
            &[0xBF, 0x81, 0x01, 1],
        ];
        for der in wrong {
            assert_eq!(Value::only(der), None, "{der:x?}");
        }
        assert_eq!(Value::only(&[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]), None);
    }

    #[test]
    fn what_is_not_read_is_left() {
        let mut der = Der::new(&[0x04, 1, 7, 0x05, 0]);
        assert_eq!(der.take(0x05), None);
        assert_eq!((der.take(0x04), der.len()), (Some(&[7][..]), 2));
        assert_eq!(der.end(), None);
        assert_eq!((der.take(0x05), der.tag(), der.end()), (Some(&[][..]), None, Some(())));
    }

    #[test]
    fn an_integer_has_one_form() {
        let read = |contents: &[u8]| {
            let der = [&[INTEGER, u8::try_from(contents.len()).unwrap()], contents].concat();
            Der::new(&der).integer().is_some()
        };
        for good in [&[0][..], &[1], &[0x80], &[0, 0x80], &[0xFF], &[0xFF, 0x7F], &[1, 0]] {
            assert!(read(good), "{good:x?}");
        }
        for wrong in [&[][..], &[0, 0], &[0, 0x7F, 1], &[0xFF, 0x80], &[0xFF, 0xFF, 1]] {
            assert!(!read(wrong), "{wrong:x?}");
        }
    }

    #[test]
    fn bits_are_whole_bytes() {
        assert_eq!(Der::new(&[BIT_STRING, 2, 0, 7]).bits(), Some(&[7][..]));
        assert_eq!(Der::new(&[BIT_STRING, 1, 0]).bits(), Some(&[][..]));
        for wrong in [&[BIT_STRING, 0][..], &[BIT_STRING, 2, 1, 6], &[OCTET_STRING, 2, 0, 7]] {
            assert_eq!(Der::new(wrong).bits(), None, "{wrong:x?}");
        }
    }
}
