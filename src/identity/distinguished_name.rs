use std::fmt;
use std::str::FromStr;

use super::keyword;
use crate::x509::der::Value;
use crate::x509::oid::dotted;
use crate::x509::{self, Name};

/// A distinguished name, as certificates have it for their subject and their issuer (RFC 5280 section 4.1.2.4).
///
/// A name prints as RFC 4514 text, the last part first and with everything escaped: a common name of `x,O=Bank` prints
/// as `CN=x\,O=Bank`. But this text is for people. To decide on a name, compare names or their attributes, which are
/// kept as parsed:
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
/// Two names are equal if they have the same attributes with the same values in the same order. It makes no difference
/// in which of ASN.1's string types a certificate encodes a text. Capitals and spaces do make a difference, since a CA
/// writes its own name in one way.
#[derive(Clone)]
pub struct DistinguishedName {
    /// The parts in the order of the certificate. The attributes of one part are a set, and sorted here.
    rdns: Box<[Box<[Attribute]>]>,
    text: Box<str>,
}

/// One attribute of a [`DistinguishedName`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attribute {
    oid: Box<str>,
    value: AttributeValue,
}

/// The value of an [`Attribute`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
// Not `non_exhaustive`: text or not
pub enum AttributeValue {
    /// A string, decoded from whichever of ASN.1's string types it has. It can hold any character, even NUL.
    Text(Box<str>),
    /// The DER of a value that is no string, or is a string that breaks the encoding of its own type.
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

    /// Returns the name as RFC 4514 text. A name that was parsed from text keeps that text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the name has no attributes. The subject of a certificate that has alternative names may be
    /// empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// Returns every attribute, in the order of the certificate; those of one multi-valued part are sorted.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }

    /// Returns the text of each attribute of this type, in the order of [`attributes`](Self::attributes).
    ///
    /// The type is a keyword, as of RFC 4514 and OpenSSL (`O`, `OU`, `DC`, `UID`, `emailAddress`, …, in any case), or
    /// an object identifier in dotted decimals. For any other type, the iterator is empty.
    ///
    /// Attributes whose value is not text are left out.
    pub fn values(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.of_type(kind).filter_map(Attribute::text)
    }

    /// Returns the text of the only attribute of this type, written as for [`values`](Self::values).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such attribute, or more than one, or if its value is not text. Programs disagree
    /// on which one of two attributes counts, so this method picks neither.
    pub fn single(&self, kind: &str) -> Result<&str, AttributeError> {
        single(self.of_type(kind))
    }

    /// Returns the common name, `CN`.
    ///
    /// # Errors
    ///
    /// Returns an error in the same cases as [`single`](Self::single).
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
    /// Returns the type in dotted decimals: `2.5.4.3` is a common name.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// Returns the value.
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

/// The reason why a name has no single text for a type of attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The name has no such attribute.
    #[error("the name has no such attribute")]
    Missing,
    /// The name has more than one such attribute.
    #[error("the name has more than one such attribute")]
    Repeated,
    /// The attribute's value is no string, or breaks the encoding of its own type.
    #[error("the attribute is not text")]
    NotText,
}

/// Reads RFC 4514 text. Spaces after a comma are allowed, because many programs print them. So is `;` in place of a
/// comma, as in RFC 1779. Empty text is the empty name.
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

/// A reader of a name's text, and its position.
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

    /// Reads the value's DER in hexadecimal, after the `#`.
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

    /// Reads a value up to the next separator that is not escaped.
    fn text_value(&mut self) -> Result<AttributeValue, ParseNameError> {
        while self.take(' ') {}
        let start = self.offset;
        let mut value = Vec::new();
        // Spaces at the end are not part of the value, unless they are escaped.
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

    /// Reads what follows a backslash: two hexadecimal digits, or a special character that stands for itself.
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

/// An error from reading a distinguished name: what is wrong with the text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {kind}")]
pub struct ParseNameError {
    offset: usize,
    kind: ParseNameErrorKind,
}

impl ParseNameError {
    /// Returns the byte of the text at which reading stopped, from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn kind(&self) -> ParseNameErrorKind {
        self.kind
    }
}

/// The kinds of [`ParseNameError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseNameErrorKind {
    /// An attribute has no `=` with a value after it.
    #[error("expected an attribute like CN=name")]
    NoValue,
    /// The type of an attribute is not a known keyword. Write its object identifier instead.
    #[error("unknown attribute type: write its object identifier, as in 2.5.4.3=name")]
    UnknownType,
    /// A character is not escaped that must be, with a backslash.
    #[error("a character that must be escaped with a backslash")]
    Unescaped,
    /// A backslash stands before something that can't be escaped, or the escaped bytes are not UTF-8.
    #[error("a backslash must be followed by a special character or two hexadecimal digits of UTF-8")]
    Escape,
    /// The text after `=#` is not the DER of one value in hexadecimal.
    #[error("expected the DER of one value in hexadecimal after `#`")]
    Hex,
}
