//! What a certificate says, in the words of the proxies whose dialects repeat it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use crate::name::rfc2253;

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

    pub(super) fn serial_number_decimal(&self) -> String {
        self.0.serial.to_string()
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
}
