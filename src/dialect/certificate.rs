//! What a certificate says, in the words of the proxies whose dialects repeat it.

use std::fmt::Write as _;

use crate::x509::{self, GeneralName, Name, Serial, Time};

/// A certificate that every part of can be put in words.
pub(super) struct Certificate<'a> {
    pub(super) serial: Serial<'a>,
    pub(super) subject: Name<'a>,
    pub(super) issuer: Name<'a>,
    pub(super) validity: [Time; 2],
    /// The contents of the DER of the two names.
    pub(super) subject_contents: &'a [u8],
    pub(super) issuer_contents: &'a [u8],
    alt_names: Vec<GeneralName<'a>>,
}

impl<'a> Certificate<'a> {
    /// `None` for what can't be read; the policies that take any certificate take some of such ones too. Alternative
    /// names that can't be read are none.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let certificate = x509::Certificate::read(der).ok()?;
        Some(Self {
            serial: certificate.serial,
            subject: Name::read(certificate.subject)?,
            issuer: Name::read(certificate.issuer)?,
            validity: certificate.validity?,
            subject_contents: certificate.subject,
            issuer_contents: certificate.issuer,
            alt_names: certificate.alt_names().unwrap_or_default(),
        })
    }

    /// As OpenSSL prints RFC 2253, printable ASCII, but [without delimiters](hex_escaped) in a value.
    pub(super) fn subject_text(&self) -> String {
        hex_escaped(&self.subject.rfc2253())
    }

    pub(super) fn issuer_text(&self) -> String {
        hex_escaped(&self.issuer.rfc2253())
    }

    /// As AWS writes it.
    pub(super) fn validity_text(&self) -> String {
        let [from, to] = &self.validity;
        format!("NotBefore={from};NotAfter={to}")
    }

    /// Subject alternative names, whatever is in them.
    fn names(&self, pick: impl Fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
        self.alt_names.iter().filter_map(pick).collect()
    }

    pub(super) fn uris(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::Uri(uri) => Some((*uri).to_owned()),
            _ => None,
        })
    }

    pub(super) fn dns_names(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::Dns(name) => Some((*name).to_owned()),
            _ => None,
        })
    }

    pub(super) fn emails(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::Email(name) => Some((*name).to_owned()),
            _ => None,
        })
    }

    pub(super) fn ip_addresses(&self) -> Vec<String> {
        self.names(|name| match name {
            GeneralName::Ip(address) => Some(address.to_string()),
            _ => None,
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
pub(super) fn hex_escaped(rfc2253: &str) -> String {
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
    // A space at the end of a header's value is not part of it.
    if text.ends_with("\\ ") {
        text.pop();
        text.push_str("20");
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
