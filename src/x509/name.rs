//! The reader of distinguished names (RFC 5280 section 4.1.2.4).

use super::der::{
    BMP_STRING, Der, IA5_STRING, NUMERIC_STRING, PRINTABLE_STRING, SEQUENCE, SET, TELETEX_STRING,
    UNIVERSAL_STRING, UTF8_STRING, VISIBLE_STRING, Value,
};

/// A distinguished name: its relative distinguished names in the order of the certificate, each with at least one
/// attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) rdns: Vec<Vec<Attribute<'a>>>,
}

/// An attribute of a name: its type and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// The contents of the type's identifier.
    pub(crate) oid: &'a [u8],
    pub(crate) value: Value<'a>,
}

impl<'a> Name<'a> {
    /// Reads the contents of a name. Each attribute must have one type, one value and nothing else: of two values,
    /// other readers may take the last.
    ///
    /// The value may be anything. Go refuses a value that is no string or breaks its own encoding, and OpenSSL accepts
    /// it.
    pub(crate) fn read(contents: &'a [u8]) -> Option<Self> {
        let mut rest = Der::new(contents);
        let mut rdns = Vec::new();
        while !rest.is_empty() {
            let mut set = Der::new(rest.take(SET)?);
            let mut attributes = vec![Attribute::read(&mut set)?];
            while !set.is_empty() {
                attributes.push(Attribute::read(&mut set)?);
            }
            rdns.push(attributes);
        }
        Some(Self { rdns })
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute<'a>> {
        self.rdns.iter().flatten()
    }
}

impl<'a> Attribute<'a> {
    fn read(set: &mut Der<'a>) -> Option<Self> {
        let mut attribute = Der::new(set.take(SEQUENCE)?);
        let oid = attribute.oid()?;
        let value = attribute.value()?;
        attribute.end()?;
        Some(Self { oid, value })
    }
}

impl Value<'_> {
    /// Returns the characters of a string. `None` if the value is no string, or breaks the encoding of its own type.
    pub(crate) fn text(&self) -> Option<String> {
        match self.tag {
            UTF8_STRING => std::str::from_utf8(self.contents).ok().map(str::to_owned),
            // A `TeletexString` is T.61 by its definition, but everybody writes and reads Latin-1.
            NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING | TELETEX_STRING => {
                Some(self.contents.iter().copied().map(char::from).collect())
            }
            BMP_STRING => wide::<2>(self.contents),
            UNIVERSAL_STRING => wide::<4>(self.contents),
            _ => None,
        }
    }
}

/// Reads characters of two or four bytes each, without surrogates.
fn wide<const WIDTH: usize>(contents: &[u8]) -> Option<String> {
    let units = contents.chunks_exact(WIDTH);
    if !units.remainder().is_empty() {
        return None;
    }
    units.map(|unit| char::from_u32(unit.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sets_of_pairs_and_nothing_else() {
        let attribute = [0x30, 8, 6, 3, 0x55, 4, 3, 0x0C, 1, b'a'];
        let set = |contents: &[u8]| [&[0x31, u8::try_from(contents.len()).unwrap()], contents].concat();
        let count =
            |contents: &[u8]| Name::read(contents).map(|name| name.rdns.iter().map(Vec::len).collect());
        let one = set(&attribute);
        let two = set(&[&attribute[..], &attribute].concat());
        assert_eq!(count(&[]), Some(vec![]));
        assert_eq!(count(&one), Some(vec![1]));
        assert_eq!(count(&[&two[..], &one].concat()), Some(vec![2, 1]));
        for wrong in [
            [&one[..], &[5, 0]].concat(),
            set(&[]),
            set(&[&attribute[..], &[5, 0]].concat()),
            set(&[0x30, 10, 6, 3, 0x55, 4, 3, 0x0C, 1, b'a', 5, 0]),
            set(&[0x30, 5, 6, 3, 0x55, 4, 3]),
            set(&[0x30, 9, 6, 4, 0x55, 4, 0x80, 3, 0x0C, 1, b'a']),
            attribute.to_vec(),
            one[..one.len() - 1].to_vec(),
        ] {
            assert_eq!(count(&wrong), None, "{wrong:x?}");
        }
    }

    #[test]
    fn a_constructed_string_is_no_text() {
        let text = |tag, contents| Value { tag, contents, der: &[] }.text();
        assert_eq!(text(0x0C, b"a".as_slice()), Some("a".to_owned()));
        assert_eq!(text(0x2C, b"\x0C\x01a"), None);
        assert_eq!(text(0x8C, b"a"), None);
        assert_eq!(text(0x1C, b"\0\x11\0\0"), None);
    }
}
