//! Distinguished names as text (RFC 4514, and RFC 2253 as OpenSSL prints it), with everything escaped.
//!
//! Whoever makes a certificate chooses the text of its names. A common name of `x,O=Bank` that is printed unescaped
//! reads as two attributes.

use std::fmt::Write as _;

use super::name::{Attribute, Name};
use super::oid::dotted;

impl Name<'_> {
    /// Returns the name as RFC 4514 text: the last RDN first, UTF-8 unescaped, attribute types by their registered
    /// names.
    ///
    /// Control characters, which the RFC allows, are escaped too. So the text fits into a log, and but for its UTF-8
    /// into a header's value.
    pub(crate) fn rfc4514(&self) -> String {
        self.join(|attributes, text| separated(attributes.iter(), '+', text, write_rfc4514))
    }

    /// Returns the name as RFC 2253 text in printable ASCII, as OpenSSL's `XN_FLAG_RFC2253` prints it, and so nginx,
    /// Apache and Envoy.
    ///
    /// Each byte outside of ASCII is escaped (`\C3\AB`), and the attributes of a multi-valued RDN are reversed as the
    /// RDNs are. There is one difference: a value that is a lone `#` is escaped, as in BoringSSL and unlike in OpenSSL.
    pub(crate) fn rfc2253(&self) -> String {
        self.join(|attributes, text| separated(attributes.iter().rev(), '+', text, write_rfc2253))
    }

    /// OpenSSL's old form, `/C=US/CN=alice`: the first RDN first, and what is not printable ASCII as `\xC3`. `None` if a
    /// value is no text.
    ///
    /// A `/` in a value is not escaped, so two names may have one text.
    pub(crate) fn slashes(&self) -> Option<String> {
        let mut text = String::new();
        for attribute in self.attributes() {
            let value = attribute.value.text()?;
            match short_name(attribute.oid) {
                Some((name, _)) => drop(write!(text, "/{name}=")),
                None => drop(write!(text, "/{}=", dotted(attribute.oid))),
            }
            for byte in value.bytes() {
                match byte {
                    b' '..=b'~' => text.push(char::from(byte)),
                    _ => drop(write!(text, "\\x{byte:02X}")),
                }
            }
        }
        Some(text)
    }

    fn join(&self, write: impl Fn(&[Attribute<'_>], &mut String)) -> String {
        let mut text = String::new();
        separated(self.rdns.iter().rev(), ',', &mut text, |rdn, text| write(rdn, text));
        text
    }
}

fn separated<T>(
    items: impl Iterator<Item = T>,
    separator: char,
    text: &mut String,
    write: impl Fn(T, &mut String),
) {
    for (position, item) in items.enumerate() {
        if position > 0 {
            text.push(separator);
        }
        write(item, text);
    }
}

fn write_rfc4514(attribute: &Attribute<'_>, out: &mut String) {
    let name = short_name(attribute.oid).map(|(_, registered)| registered).filter(|name| !name.is_empty());
    let Some((name, value)) = name.zip(attribute.value.text()) else {
        return write_hex(attribute, name, out);
    };
    out.push_str(name);
    out.push('=');
    let last = value.chars().count().saturating_sub(1);
    for (position, char) in value.chars().enumerate() {
        match char {
            char if char.is_control() => {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\{byte:02X}");
                }
            }
            char => {
                if needs_backslash(char, position == 0, position == last) {
                    out.push('\\');
                }
                out.push(char);
            }
        }
    }
}

fn write_rfc2253(attribute: &Attribute<'_>, out: &mut String) {
    let name = short_name(attribute.oid).map(|(openssl, _)| openssl);
    let Some((name, value)) = name.zip(attribute.value.text()) else {
        return write_hex(attribute, name, out);
    };
    out.push_str(name);
    out.push('=');
    let last = value.len().saturating_sub(1);
    for (position, byte) in value.bytes().enumerate() {
        match byte {
            b' '..=b'~' => {
                let char = char::from(byte);
                if needs_backslash(char, position == 0, position == last) {
                    out.push('\\');
                }
                out.push(char);
            }
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
}

/// Returns whether a character must be escaped, by RFC 4514 section 2.4. RFC 2253 has the same list.
fn needs_backslash(char: char, first: bool, last: bool) -> bool {
    match char {
        ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
        ' ' => first || last,
        '#' => first,
        _ => false,
    }
}

/// Writes `#` and the value's DER in hexadecimal, for a type without a name or a value that is not text.
fn write_hex(attribute: &Attribute<'_>, name: Option<&str>, out: &mut String) {
    match name {
        Some(name) => out.push_str(name),
        None => out.push_str(&dotted(attribute.oid)),
    }
    out.push_str("=#");
    for byte in attribute.value.der {
        let _ = write!(out, "{byte:02X}");
    }
}

/// Returns OpenSSL's short name of a type, and its descriptor that is registered for LDAP (RFC 4520), empty if there is
/// none.
#[rustfmt::skip]
fn short_name(oid: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match oid {
        [0x55, 0x04, number] => match number {
            3 => ("CN", "CN"),
            4 => ("SN", "sn"),
            5 => ("serialNumber", "serialNumber"),
            6 => ("C", "C"),
            7 => ("L", "L"),
            8 => ("ST", "ST"),
            9 => ("street", "STREET"),
            10 => ("O", "O"),
            11 => ("OU", "OU"),
            12 => ("title", "title"),
            13 => ("description", "description"),
            15 => ("businessCategory", "businessCategory"),
            17 => ("postalCode", "postalCode"),
            18 => ("postOfficeBox", "postOfficeBox"),
            20 => ("telephoneNumber", "telephoneNumber"),
            41 => ("name", "name"),
            42 => ("GN", "givenName"),
            43 => ("initials", "initials"),
            44 => ("generationQualifier", "generationQualifier"),
            46 => ("dnQualifier", "dnQualifier"),
            51 => ("houseIdentifier", "houseIdentifier"),
            65 => ("pseudonym", "pseudonym"),
            97 => ("organizationIdentifier", ""),
            _ => return None,
        },
        // 0.9.2342.19200300.100.1, RFC 4524
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, number] => match number {
            1 => ("UID", "UID"),
            3 => ("mail", "mail"),
            25 => ("DC", "DC"),
            _ => return None,
        },
        // 1.2.840.113549.1.9, PKCS #9
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, number] => match number {
            1 => ("emailAddress", "emailAddress"),
            2 => ("unstructuredName", "unstructuredName"),
            8 => ("unstructuredAddress", "unstructuredAddress"),
            _ => return None,
        },
        // 1.3.6.1.4.1.311.60.2.1, the CA/Browser Forum's
        [0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3C, 0x02, 0x01, number] => match number {
            1 => ("jurisdictionL", ""),
            2 => ("jurisdictionST", ""),
            3 => ("jurisdictionC", ""),
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::der::Value;
    use super::*;

    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u8::try_from(contents.len()).unwrap();
        let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [&header, contents].concat()
    }

    /// An attribute: its type, the tag of its value, and the contents of its value.
    type Attribute = (&'static [u8], u8, &'static [u8]);

    fn name(rdns: &[&[Attribute]]) -> Vec<u8> {
        let rdn = |attributes: &[Attribute]| {
            let attributes: Vec<_> = attributes
                .iter()
                .map(|(oid, tag, value)| der(0x30, &[der(0x06, oid), der(*tag, value)].concat()))
                .collect();
            der(0x31, &attributes.concat())
        };
        der(0x30, &rdns.iter().map(|attributes| rdn(attributes)).collect::<Vec<_>>().concat())
    }

    fn read(der: &[u8]) -> Name<'_> {
        Name::read(Value::only(der).unwrap().contents).unwrap()
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const C: &[u8] = &[0x55, 4, 6];
    const O: &[u8] = &[0x55, 4, 10];
    const OU: &[u8] = &[0x55, 4, 11];
    const SN: &[u8] = &[0x55, 4, 4];
    const ORGANIZATION_IDENTIFIER: &[u8] = &[0x55, 4, 97];
    const EMAIL: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x01];
    const UID: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x01];
    const DC: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 0x01, 0x19];
    const UNKNOWN: &[u8] = &[0x2A, 0x03, 0x04];
    const LARGE: &[u8] = &[0x88, 0x37, 0x83, 0xFF, 0xFF, 0x7F]; // 2.999.8388607

    const UTF8: u8 = 0x0C;
    const PRINTABLE: u8 = 0x13;
    const T61: u8 = 0x14;
    const IA5: u8 = 0x16;
    const UNIVERSAL: u8 = 0x1C;
    const BMP: u8 = 0x1E;

    /// A name, the text that `openssl x509 -noout -subject -nameopt RFC2253` (3.0.19) prints for it, and its RFC 4514
    /// text.
    const NAMES: &[(&[&[Attribute]], &str, &str)] = &[
        (&[], "", ""),
        (
            &[&[(C, PRINTABLE, b"DE")], &[(O, UTF8, b"Example")], &[(CN, UTF8, b"alice")]],
            "CN=alice,O=Example,C=DE",
            "CN=alice,O=Example,C=DE",
        ),
        (
            &[&[(CN, UTF8, br#"A, "B"; <C>+D\ = #e"#)]],
            r#"CN=A\, \"B\"\; \<C\>\+D\\ = #e"#,
            r#"CN=A\, \"B\"\; \<C\>\+D\\ = #e"#,
        ),
        (&[&[(CN, UTF8, b"# a ")]], r"CN=\# a\ ", r"CN=\# a\ "),
        (&[&[(CN, UTF8, b" ")]], r"CN=\ ", r"CN=\ "),
        (&[&[(CN, UTF8, b"")]], "CN=", "CN="),
        (&[&[(CN, UTF8, b"a\r\n\0\x7F")]], r"CN=a\0D\0A\00\7F", r"CN=a\0D\0A\00\7F"),
        (&[&[(CN, UTF8, "ë漢\u{85}".as_bytes())]], r"CN=\C3\AB\E6\BC\A2\C2\85", r"CN=ë漢\C2\85"),
        (&[&[(CN, T61, b"\xEB")]], r"CN=\C3\AB", "CN=ë"),
        (&[&[(CN, BMP, b"\0a\x6F\x22")]], r"CN=a\E6\BC\A2", "CN=a漢"),
        (&[&[(CN, UNIVERSAL, b"\0\0\0a\0\x01\xF6\0")]], r"CN=a\F0\9F\98\80", "CN=a😀"),
        (&[&[(CN, 0x03, b"\0bit")]], "CN=#030400626974", "CN=#030400626974"),
        (
            &[&[(O, UTF8, b"a"), (OU, UTF8, b"b")], &[(CN, UTF8, b"c"), (SN, UTF8, b"d")]],
            "SN=d+CN=c,OU=b+O=a",
            "CN=c+sn=d,O=a+OU=b",
        ),
        (
            &[&[(DC, IA5, b"test")], &[(UID, UTF8, b"u1")], &[(EMAIL, IA5, b"a@b.test")]],
            "emailAddress=a@b.test,UID=u1,DC=test",
            "emailAddress=a@b.test,UID=u1,DC=test",
        ),
        (
            &[&[(UNKNOWN, UTF8, b"x,y")], &[(LARGE, PRINTABLE, b"z")]],
            "2.999.8388607=#13017A,1.2.3.4=#0C03782C79",
            "2.999.8388607=#13017A,1.2.3.4=#0C03782C79",
        ),
        (&[&[(ORGANIZATION_IDENTIFIER, UTF8, b"V")]], "organizationIdentifier=V", "2.5.4.97=#0C0156"),
    ];

    #[test]
    fn names_read_as_openssl_prints_them_and_as_rfc_4514_has_it() {
        for (rdns, openssl, ldap) in NAMES {
            let der = name(rdns);
            let name = read(&der);
            assert_eq!(name.rfc2253(), *openssl);
            assert_eq!(name.rfc4514(), *ldap);
        }
    }

    #[test]
    fn a_lone_hash_is_escaped_and_what_is_not_in_its_encoding_is_not_text() {
        let text_of = |tag, value| {
            let der = name(&[&[(CN, tag, value)]]);
            read(&der).rfc2253()
        };
        assert_eq!(text_of(UTF8, b"#"), r"CN=\#");
        assert_eq!(text_of(UTF8, b"\xFF!"), "CN=#0C02FF21"); // OpenSSL refuses such certificates
        assert_eq!(text_of(BMP, b"\0a\0"), "CN=#1E03006100");
        assert_eq!(text_of(BMP, b"\xD8\0"), "CN=#1E02D800");
    }

    /// Checks the second column of [`NAMES`] against the `openssl` in the path.
    #[test]
    #[ignore = "needs the openssl command"]
    fn openssl_prints_the_second_column() {
        let directory = tempfile::tempdir().unwrap();
        for (rdns, expected, _) in NAMES {
            let time = der(0x17, b"240101000000Z");
            let algorithm = der(0x30, &der(0x06, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02]));
            let key = [der(0x30, &der(0x06, &[0x2B, 0x65, 0x70])), der(0x03, &[0; 33])].concat();
            let tbs = [
                der(0x02, &[1]),
                algorithm.clone(),
                name(&[]),
                der(0x30, &[time.clone(), time].concat()),
                name(rdns),
                der(0x30, &key),
            ];
            let certificate = der(0x30, &[der(0x30, &tbs.concat()), algorithm, der(0x03, &[0; 3])].concat());
            let file = directory.path().join("certificate.der");
            std::fs::write(&file, certificate).unwrap();
            let output = std::process::Command::new("openssl")
                .args(["x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253", "-in"])
                .arg(&file)
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{expected}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(printed.strip_prefix("subject=").unwrap().strip_suffix('\n').unwrap(), *expected);
        }
    }
}
