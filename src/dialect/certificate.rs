//! What a certificate says, in the words of the proxies whose dialects repeat it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use crate::x509::name::rfc2253;

pub(super) struct Certificate<'a>(X509Certificate<'a>);

impl<'a> Certificate<'a> {
    /// `None` for what x509-parser can't read; the policies that take any certificate take such ones too.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => Some(Self(certificate)),
            _ => None,
        }
    }

    /// As OpenSSL prints RFC 2253, printable ASCII, but [without delimiters](hex_escaped) in a value.
    pub(super) fn subject(&self) -> String {
        hex_escaped(&rfc2253(self.0.subject()))
    }

    pub(super) fn issuer(&self) -> String {
        hex_escaped(&rfc2253(self.0.issuer()))
    }

    pub(super) fn subject_name(&self) -> &X509Name<'_> {
        self.0.subject()
    }

    pub(super) fn issuer_name(&self) -> &X509Name<'_> {
        self.0.issuer()
    }

    /// Upper-case hexadecimal by whole bytes, as OpenSSL prints it.
    pub(super) fn serial_number_hex(&self) -> String {
        let bytes = self.0.raw_serial();
        let bytes = match bytes {
            [0, rest @ ..] if !rest.is_empty() => rest,
            bytes => bytes,
        };
        let mut hex = String::new();
        for byte in bytes {
            // `write!` to a string cannot fail.
            let _ = write!(hex, "{byte:02X}");
        }
        hex
    }

    /// RFC 5280 section 4.1.2.2 has at most 20 bytes. A longer one is `0x…`: decimal digits cost the square of their
    /// number, and a client that nobody verified may present as many as it likes.
    pub(super) fn serial_number_decimal(&self) -> String {
        const MAX_BITS: u64 = 20 * 8;
        if self.0.serial.bits() <= MAX_BITS {
            self.0.serial.to_string()
        } else {
            format!("0x{}", self.serial_number_hex())
        }
    }

    pub(super) fn validity(&self) -> [ASN1Time; 2] {
        [self.0.validity().not_before, self.0.validity().not_after]
    }

    /// As AWS writes it.
    pub(super) fn validity_text(&self) -> String {
        let [from, to] = self.validity().map(|time| {
            let time = time.to_datetime();
            let (date, clock) = (time.date(), time.time());
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                date.year(),
                u8::from(date.month()),
                date.day(),
                clock.hour(),
                clock.minute(),
                clock.second()
            )
        });
        format!("NotBefore={from};NotAfter={to}")
    }

    /// Subject alternative names, whatever is in them.
    fn names(&self, pick: impl Fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
        let Ok(Some(extension)) = self.0.subject_alternative_name() else { return Vec::new() };
        extension.value.general_names.iter().filter_map(pick).collect()
    }

    pub(super) fn uris(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
    }

    pub(super) fn dns_names(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    }

    pub(super) fn emails(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::RFC822Name(name) => Some((*name).to_owned()),
            _ => None,
        })
    }

    /// As Go prints them: an IPv4 address mapped into IPv6 is an IPv4 address.
    pub(super) fn ip_addresses(&self) -> Vec<String> {
        self.names(|name| {
            let GeneralName::IPAddress(bytes) = name else { return None };
            let address = match bytes.len() {
                4 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(*bytes).ok()?)),
                _ => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(*bytes).ok()?)),
            };
            Some(address.to_canonical().to_string())
        })
    }
}

/// Whether a subject alternative name is printable ASCII without spaces, as URIs, host names and addresses are. One with
/// anything else in it names nothing.
pub(super) fn printable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 2253's `\,`, `\;`, `\"` and `\\` as `\2C`, `\3B`, `\22` and `\5C`: the same name to every reader of RFC 2253 or
/// 4514, and no delimiter for a reader that splits first and asks afterwards.
///
/// What is left are the commas between the parts of the name, and what follows one of those is the type of an attribute.
fn hex_escaped(rfc2253: &str) -> String {
    let mut text = String::with_capacity(rfc2253.len());
    let mut chars = rfc2253.chars();
    while let Some(char) = chars.next() {
        text.push(char);
        match (char, chars.clone().next()) {
            ('\\', Some(escaped @ (',' | ';' | '"' | '\\'))) => {
                chars.next();
                // `write!` to a string cannot fail.
                let _ = write!(text, "{:02X}", u32::from(escaped));
            }
            ('\\', Some(escaped)) => {
                chars.next();
                text.push(escaped);
            }
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_keeps_a_delimiter_and_each_is_read_back() {
        for (escaped, expected) in [
            (r#"CN=a\,b\;c\"d\\,O=e"#, r"CN=a\2Cb\3Bc\22d\5C,O=e"),
            (r"CN=\# a\+\<\>\ ,O=\C3\AB", r"CN=\# a\+\<\>\ ,O=\C3\AB"),
            (r"CN=\\\,,O=\\", r"CN=\5C\2C,O=\5C"),
            ("", ""),
        ] {
            assert_eq!(hex_escaped(escaped), expected);
            let read = |text: &str| text.parse::<crate::identity::DistinguishedName>().unwrap();
            assert_eq!(read(expected), read(escaped));
        }
    }

    /// A length, in the shortest form.
    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
        let length = match &length[..] {
            [0, 0, 0, short @ 0..0x80] => vec![*short],
            [0, 0, 0, byte] => vec![0x81, *byte],
            [0, 0, bytes @ ..] => [&[0x82], bytes].concat(),
            bytes => [&[0x84], bytes].concat(),
        };
        [&[tag][..], &length, contents].concat()
    }

    fn certificate(serial: &[u8]) -> Vec<u8> {
        let algorithm = der(0x30, &[0x06, 0x03, 0x2B, 0x65, 0x70]);
        let times = [der(0x17, b"240101000000Z"), der(0x17, b"491231235959Z")].concat();
        let key = der(0x30, &[algorithm.clone(), der(0x03, &[0; 33])].concat());
        let tbs =
            [der(0x02, serial), algorithm.clone(), der(0x30, &[]), der(0x30, &times), der(0x30, &[]), key]
                .concat();
        der(0x30, &[der(0x30, &tbs), algorithm, der(0x03, &[0; 65])].concat())
    }

    #[test]
    fn a_serial_number_of_31_kb_costs_no_quadratic_time() {
        let decimal =
            |serial: &[u8]| Certificate::parse(&certificate(serial)).unwrap().serial_number_decimal();
        assert_eq!(decimal(&[0]), "0");
        assert_eq!(decimal(&[0x01, 0x00]), "256");
        assert_eq!(
            decimal(&[&[0][..], &[0xFF; 20]].concat()),
            "1461501637330902918203684832716283019655932542975"
        );
        // No more digits than there are in the certificate: nobody has divided anything.
        assert_eq!(decimal(&[0x01; 21]), format!("0x{}", "01".repeat(21)));
        let long = [&[0][..], &[0xFF; 31_000]].concat();
        assert_eq!(decimal(&long), format!("0x{}", "FF".repeat(31_000)));
    }
}
