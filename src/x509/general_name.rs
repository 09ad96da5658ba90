//! Subject alternative names (RFC 5280 section 4.2.1.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::der::{Der, SEQUENCE, Value};
use super::name::Name;

/// The numbers of kinds, by which [`GeneralName::Malformed`] tells the kind that a name claims to be.
pub(crate) const EMAIL: u8 = 1;
pub(crate) const DNS: u8 = 2;
pub(crate) const URI: u8 = 6;
pub(crate) const IP: u8 = 7;

const OTHER_NAME: u8 = 0;
const X400_ADDRESS: u8 = 3;
const DIRECTORY_NAME: u8 = 4;
const EDI_PARTY_NAME: u8 = 5;
const REGISTERED_ID: u8 = 8;

/// The tag `[0] EXPLICIT` around the value of an `otherName`.
const VALUE: u8 = 0xA0;

/// A general name. Its texts are checked for UTF-8 only, though RFC 5280 allows ASCII only, and each kind has a
/// grammar.
#[derive(Clone, Debug)]
pub(crate) enum GeneralName<'a> {
    Email(&'a str),
    Dns(&'a str),
    Uri(&'a str),
    /// An IPv4 address mapped into IPv6 is an IPv4 address, as Go prints it.
    Ip(IpAddr),
    Directory(Name<'a>),
    Other {
        /// The contents of the type's identifier.
        oid: &'a [u8],
        /// The DER that follows the type, with its `[0]` tag.
        value: &'a [u8],
    },
    /// A name of a kind that nothing in this crate reads.
    Unsupported {
        number: u8,
    },
    /// A name that breaks the rules of its kind.
    Malformed {
        number: u8,
        value: &'a [u8],
    },
}

impl<'a> GeneralName<'a> {
    /// Reads every name in the extension's value, in order. The list may be empty: RFC 5280 forbids that, but Go and
    /// OpenSSL accept it.
    pub(super) fn all(extension: &'a [u8]) -> Option<Vec<Self>> {
        let mut rest = Der::only(extension, SEQUENCE)?;
        let mut names = Vec::new();
        while !rest.is_empty() {
            names.push(Self::read(rest.value()?)?);
        }
        Some(names)
    }

    /// Reads one name. `None` if its tag is not context-specific, as the tags of all kinds are.
    fn read(value: Value<'a>) -> Option<Self> {
        const CLASS: u8 = 0xC0;
        const CONTEXT_SPECIFIC: u8 = 0x80;
        const CONSTRUCTED: u8 = 0x20;
        let Value { tag, contents, .. } = value;
        if tag & CLASS != CONTEXT_SPECIFIC {
            return None;
        }
        let number = tag & 0x1F;
        let text = || std::str::from_utf8(contents).ok();
        let name = match (number, tag & CONSTRUCTED != 0) {
            (OTHER_NAME, true) => other_name(contents),
            (EMAIL, false) => text().map(Self::Email),
            (DNS, false) => text().map(Self::Dns),
            (URI, false) => text().map(Self::Uri),
            (IP, false) => ip(contents).map(Self::Ip),
            (DIRECTORY_NAME, true) => directory_name(contents).map(Self::Directory),
            (X400_ADDRESS | EDI_PARTY_NAME, true) | (REGISTERED_ID, false) => {
                Some(Self::Unsupported { number })
            }
            _ => None,
        };
        Some(name.unwrap_or(Self::Malformed { number, value: contents }))
    }
}

/// Reads the contents of `SEQUENCE { type-id, value [0] EXPLICIT ANY }`.
fn other_name(contents: &[u8]) -> Option<GeneralName<'_>> {
    let mut rest = Der::new(contents);
    let oid = rest.oid()?;
    let value = rest.whole(VALUE)?;
    Value::only(value.contents)?;
    rest.end()?;
    Some(GeneralName::Other { oid, value: value.der })
}

fn directory_name(contents: &[u8]) -> Option<Name<'_>> {
    let name = Value::only(contents).filter(|name| name.tag == SEQUENCE)?;
    Name::read(name.contents)
}

fn ip(contents: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(contents).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = || <[u8; 16]>::try_from(contents).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    v4.or_else(|_| v6()).ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[u8]) -> Option<Vec<String>> {
        let value = [&[0x30, u8::try_from(names.len()).unwrap()], names].concat();
        let names = GeneralName::all(&value)?;
        Some(
            names
                .iter()
                .map(|name| match name {
                    GeneralName::Email(text) => format!("mail {text}"),
                    GeneralName::Dns(text) => format!("dns {text}"),
                    GeneralName::Uri(text) => format!("uri {text}"),
                    GeneralName::Ip(ip) => format!("ip {ip}"),
                    GeneralName::Directory(name) => format!("name {}", name.rfc4514()),
                    GeneralName::Other { oid, value } => {
                        format!("{} {value:02x?}", super::super::oid::dotted(oid))
                    }
                    GeneralName::Unsupported { number } => format!("kind {number}"),
                    GeneralName::Malformed { number, value } => format!("no {number} {value:02x?}"),
                })
                .collect(),
        )
    }

    #[test]
    fn each_kind_is_read_in_its_one_form() {
        for (name, expected) in [
            (&[0x81, 1, b'a'][..], "mail a"),
            (&[0x82, 1, b'a'], "dns a"),
            (&[0x86, 1, b'a'], "uri a"),
            (&[0x87, 4, 10, 0, 0, 1], "ip 10.0.0.1"),
            (&[0x87, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 1], "ip 10.0.0.1"),
            (&[0x87, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "ip ::1"),
            (&[0xA4, 2, 0x30, 0], "name "),
            (&[0xA4, 14, 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0C, 1, b'a'], "name CN=a"),
            (&[0xA0, 7, 6, 1, 0x2A, 0xA0, 2, 5, 0], "1.2 [a0, 02, 05, 00]"),
            (&[0xA3, 0], "kind 3"),
            (&[0xA5, 0], "kind 5"),
            (&[0x88, 1, 0x2A], "kind 8"),
            // Bytes that are not text, addresses of wrong lengths, and names with bytes after them.
            (&[0x82, 1, 0xFF], "no 2 [ff]"),
            (&[0x87, 3, 10, 0, 0], "no 7 [0a, 00, 00]"),
            (&[0xA4, 4, 0x30, 0, 5, 0], "no 4 [30, 00, 05, 00]"),
            (&[0xA4, 0], "no 4 []"),
            (&[0xA4, 2, 0x31, 0], "no 4 [31, 00]"),
            (&[0xA0, 3, 6, 1, 0x2A], "no 0 [06, 01, 2a]"),
            (&[0xA0, 5, 6, 1, 0x2A, 0xA0, 0], "no 0 [06, 01, 2a, a0, 00]"),
            (&[0xA0, 9, 6, 1, 0x2A, 0xA0, 2, 5, 0, 5, 0], "no 0 [06, 01, 2a, a0, 02, 05, 00, 05, 00]"),
            // A primitive value where a constructed one is due, and the other way round.
            (&[0xA2, 1, b'a'], "no 2 [61]"),
            (&[0x84, 2, 0x30, 0], "no 4 [30, 00]"),
            (&[0xA7, 4, 10, 0, 0, 1], "no 7 [0a, 00, 00, 01]"),
            (&[0x83, 0], "no 3 []"),
            (&[0xA8, 0], "no 8 []"),
            (&[0x89, 0], "no 9 []"),
        ] {
            assert_eq!(read(name), Some(vec![expected.to_owned()]), "{name:x?}");
        }
    }

    #[test]
    fn what_is_no_list_of_names_is_none() {
        assert_eq!(read(&[]), Some(vec![]));
        for wrong in
            [&[0x02, 1, 1][..], &[0x82, 2, b'a'], &[0x42, 1, b'a'], &[0xC2, 1, b'a'], &[0x9F, 2, 1, 0]]
        {
            assert_eq!(read(wrong), None, "{wrong:x?}");
        }
        for wrong in [&[][..], &[0x31, 0], &[0x30, 0, 0], &[0x30, 1]] {
            assert!(GeneralName::all(wrong).is_none(), "{wrong:x?}");
        }
    }
}
