use std::fmt;
use std::str::FromStr;

use super::keyword;
use crate::x509::der::Value;
use crate::x509::oid::dotted;
use crate::x509::{self, Name};

/// A distinguished name: who a certificate is for, or who issued it (RFC 5280 section 4.1.2.4).
///
/// It prints as RFC 4514 text, the last part first, with everything escaped: a common name of `x,O=Bank` prints as
/// `CN=x\,O=Bank`. But text is for people. To decide on a name, compare names or their attributes, which are kept as
/// parsed:
///
/// ```
/// use tower_client_cert::identity::DistinguishedName;
///
/// let name: DistinguishedName = r"CN=alice\, the first,OU=a+OU=b,O=Example,DC=example,DC=org".parse()?;
/// assert_eq!(name.common_name(), Ok("alice, the first"));
/// assert_eq!(name.values("DC").collect::<Vec<_>>(), ["org", "example"]);
/// assert_eq!(name, r"2.5.4.3=alice\2C the first, OU=b+OU=a, O=Example, DC=example, DC=org".parse()?);
/// # Ok::<(), tower_client_cert::identity::ParseNameError>(())
/// ```
///
/// Two names are equal if they have the same attributes with the same values in the same order. How a certificate
/// encodes a text makes no difference, capitals and spaces do: a CA writes its own name one way.
#[derive(Clone)]
pub struct DistinguishedName {
    /// First part first, as in the certificate. The attributes of one part are a set, and sorted.
    rdns: Box<[Box<[Attribute]>]>,
    text: Box<str>,
}

/// One attribute of a [`DistinguishedName`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    oid: Box<str>,
    value: AttributeValue,
}

/// What an [`Attribute`] says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums)] // text or not
pub enum AttributeValue {
    /// A string, decoded from whichever of ASN.1's encodings it is in. It can hold any character, NUL too.
    Text(Box<str>),
    /// Something else, or a string that is not in its own encoding: its DER.
    Der(Box<[u8]>),
}

impl DistinguishedName {
    pub(super) fn from_x509(name: &Name<'_>) -> Self {
        let attribute = |attribute: &x509::Attribute<'_>| Attribute {
            oid: dotted(attribute.oid).into(),
            value: AttributeValue::from_x509(&attribute.value),
        };
        let rdns = name.rdns.iter().map(|rdn| rdn.iter().map(attribute).collect());
        Self::new(rdns.collect(), name.rfc4514())
    }

    fn new(rdns: Vec<Vec<Attribute>>, text: String) -> Self {
        let sorted = rdns.into_iter().map(|mut attributes| {
            attributes.sort_unstable();
            attributes.into()
        });
        Self { rdns: sorted.collect(), text: text.into() }
    }

    /// RFC 4514 text; a name that was parsed from text keeps that text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it says nothing, as the subject of a certificate may that has alternative names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// Every attribute, in the order of the certificate.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }

    /// The text of each attribute of this type, in the order of the certificate. The type is a keyword of RFC 4514
    /// (`O`, `OU`, `DC`, `UID`, `emailAddress`, …, in any case) or an object identifier in dotted decimals; anything
    /// else finds nothing.
    ///
    /// Attributes that are no text are left out; [`attributes`](Self::attributes) has them.
    pub fn values(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.of_type(kind).filter_map(Attribute::text)
    }

    /// The text of the one attribute of this type, as for [`values`](Self::values).
    ///
    /// # Errors
    ///
    /// If there is none, or more than one, or it is no text. Software disagrees on which of two is meant, and the
    /// one that is asked about last should not have to find out.
    pub fn single(&self, kind: &str) -> Result<&str, AttributeError> {
        single(self.of_type(kind))
    }

    /// The common name, `CN`.
    ///
    /// # Errors
    ///
    /// As for [`single`](Self::single).
    pub fn common_name(&self) -> Result<&str, AttributeError> {
        single(self.attributes().filter(|attribute| attribute.oid() == keyword::COMMON_NAME))
    }

    fn of_type(&self, kind: &str) -> impl Iterator<Item = &Attribute> {
        let oid = keyword::oid(kind);
        self.attributes().filter(move |attribute| Some(attribute.oid()) == oid)
    }
}

fn single<'a>(mut found: impl Iterator<Item = &'a Attribute>) -> Result<&'a str, AttributeError> {
    match (found.next(), found.next()) {
        (None, _) => Err(AttributeError::Missing),
        (Some(_), Some(_)) => Err(AttributeError::Repeated),
        (Some(attribute), None) => attribute.text().ok_or(AttributeError::NotText),
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.rdns == other.rdns
    }
}

impl Eq for DistinguishedName {}

impl PartialOrd for DistinguishedName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DistinguishedName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rdns.cmp(&other.rdns)
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({self})")
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Attribute {
    /// The type, in dotted decimals: `2.5.4.3` is a common name.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Der(_) => None,
        }
    }
}

impl AttributeValue {
    fn from_x509(value: &Value<'_>) -> Self {
        match value.text() {
            Some(text) => Self::Text(text.into()),
            None => Self::Der(value.der.into()),
        }
    }
}

/// Why there is no one text for a type of attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The name has no such attribute.
    #[error("the name has no such attribute")]
    Missing,
    /// The name has more than one.
    #[error("the name has more than one such attribute")]
    Repeated,
    /// The value is no text, or is not in its own encoding.
    #[error("the attribute is not text")]
    NotText,
}

/// Reads RFC 4514 text. Spaces after a comma are allowed, as many programs print them, and so is `;` for the comma,
/// as in RFC 1779. Empty text is the empty name.
impl FromStr for DistinguishedName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader { text, offset: 0 };
        let mut rdns = Vec::new();
        if !text.is_empty() {
            loop {
                let mut attributes = vec![reader.attribute()?];
                while reader.take('+') {
                    attributes.push(reader.attribute()?);
                }
                rdns.push(attributes);
                if !reader.take(',') && !reader.take(';') {
                    break;
                }
            }
            if !reader.rest().is_empty() {
                return Err(reader.error(ParseNameErrorKind::Unescaped));
            }
        }
        rdns.reverse();
        Ok(Self::new(rdns, text.to_owned()))
    }
}

/// What is left to read of a name's text.
struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn error(&self, kind: ParseNameErrorKind) -> ParseNameError {
        ParseNameError { offset: self.offset, kind }
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.offset = self.offset.saturating_add(expected.len_utf8());
        }
        found
    }

    fn attribute(&mut self) -> Result<Attribute, ParseNameError> {
        while self.take(' ') {}
        let end = self.rest().find(['=', ',', '+', ';']).unwrap_or(self.rest().len());
        let (kind, after) = self.rest().split_at_checked(end).unwrap_or_default();
        if !after.starts_with('=') {
            return Err(self.error(ParseNameErrorKind::NoValue));
        }
        let oid = keyword::oid(kind.trim_end()).ok_or_else(|| self.error(ParseNameErrorKind::UnknownType))?;
        self.offset = self.offset.saturating_add(end).saturating_add(1);
        let value = if self.take('#') { self.hex_value()? } else { self.text_value()? };
        Ok(Attribute { oid: oid.into(), value })
    }

    /// `#` and the DER of the value.
    fn hex_value(&mut self) -> Result<AttributeValue, ParseNameError> {
        let bad = self.error(ParseNameErrorKind::Hex);
        let mut der = Vec::new();
        while let Some(byte) = self.hex_pair() {
            der.push(byte);
        }
        Value::only(&der).map(|value| AttributeValue::from_x509(&value)).ok_or(bad)
    }

    fn hex_pair(&mut self) -> Option<u8> {
        let pair = self.rest().get(..2)?;
        let byte = pair
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(pair, 16).ok())??;
        self.offset = self.offset.saturating_add(2);
        Some(byte)
    }

    /// A value up to the next separator, with what is escaped in it.
    fn text_value(&mut self) -> Result<AttributeValue, ParseNameError> {
        while self.take(' ') {}
        let start = self.offset;
        let mut value = Vec::new();
        // Spaces at the end do not count, unless they are escaped.
        let mut end = 0;
        while let Some(char) = self.rest().chars().next() {
            match char {
                ',' | '+' | ';' => break,
                '"' | '<' | '>' | '\0' => return Err(self.error(ParseNameErrorKind::Unescaped)),
                '\\' => {
                    self.offset = self.offset.saturating_add(1);
                    value.extend(self.escaped()?);
                    end = value.len();
                }
                _ => {
                    self.offset = self.offset.saturating_add(char.len_utf8());
                    value.extend(char.encode_utf8(&mut [0; 4]).bytes());
                    if char != ' ' {
                        end = value.len();
                    }
                }
            }
        }
        value.truncate(end);
        let text = String::from_utf8(value)
            .map_err(|_| ParseNameError { offset: start, kind: ParseNameErrorKind::Escape })?;
        Ok(AttributeValue::Text(text.into()))
    }

    /// What follows a backslash: two hexadecimal digits, or a character that would mean something else.
    fn escaped(&mut self) -> Result<Vec<u8>, ParseNameError> {
        if let Some(byte) = self.hex_pair() {
            return Ok(vec![byte]);
        }
        let special = self.rest().chars().next().filter(|char| " \"#+,;<=>\\".contains(*char));
        let char = special.ok_or_else(|| self.error(ParseNameErrorKind::Escape))?;
        self.offset = self.offset.saturating_add(1);
        Ok(vec![char as u8])
    }
}

/// A text that is no distinguished name: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {kind}")]
pub struct ParseNameError {
    offset: usize,
    kind: ParseNameErrorKind,
}

impl ParseNameError {
    /// The byte of the text at which reading stopped, from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ParseNameErrorKind {
        self.kind
    }
}

/// What is wrong with the text of a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseNameErrorKind {
    /// An attribute has no `=` and value.
    #[error("expected an attribute like CN=name")]
    NoValue,
    /// The type is no keyword that is known here; write its object identifier.
    #[error("unknown attribute type: write its object identifier, as in 2.5.4.3=name")]
    UnknownType,
    /// A character that must be escaped with a backslash.
    #[error("a character that must be escaped with a backslash")]
    Unescaped,
    /// A backslash before something that needs none, or bytes that are not UTF-8.
    #[error("a backslash must be followed by a special character or two hexadecimal digits of UTF-8")]
    Escape,
    /// After `=#` there is not the DER of one value in hexadecimal.
    #[error("expected the DER of one value in hexadecimal after `#`")]
    Hex,
}
