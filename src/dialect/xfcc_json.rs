//! The JSON of `x-forwarded-client-cert`, Envoy's from 1.38 on: an array of flat objects, the nearest proxy's last.
//!
//! ```text
//! [{"by":["spiffe://test/edge"],"hash":"bfaf…","cert":"-----BEGIN CERTIFICATE-----\nMIIB…","dns":["alice.test"]}]
//! ```
//!
//! Envoy puts its object in front of the last `]` of whatever it received, so a stranger may have written all that is
//! before. That is why nothing is read but strings and lists of strings, without a space between them, as Envoy writes,
//! to the last byte; and no name may occur twice, of which readers take the first or the last. A reader of JSON in
//! general would be four crates more, and would have to be told all of this.

use std::fmt::Write as _;

use super::DecodeError;
use super::decode::{DecodeErrorKind, Field};

/// `"key":"text"` or `"key":["text",…]`.
#[derive(Debug)]
pub(super) struct Member {
    /// Where it begins in the header's value.
    pub(super) at: usize,
    pub(super) key: String,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

/// What is wrong, and at which byte.
type Fault = (usize, &'static str);

/// Envoy has eight.
const MAX_MEMBERS: usize = 32;

/// Whether a value is JSON, if it is anything: no element of the text format begins like this.
pub(super) fn is(value: &[u8]) -> bool {
    value.first() == Some(&b'[')
}

/// All objects, the nearest proxy's last. There is at least one, and at least one member in each.
pub(super) fn objects(field: &Field<'_>) -> Result<Vec<Vec<Member>>, DecodeError> {
    let mut reader = Reader { value: field.value, at: 0 };
    let all = reader.list(Reader::object).and_then(|objects| match reader.peek() {
        None => Ok(objects),
        Some(_) => Err((reader.at, "text behind the JSON")),
    });
    all.map_err(|(at, what)| field.error(at.min(field.value.len()), DecodeErrorKind::Xfcc(what)))
}

struct Reader<'a> {
    value: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        let at = self.at;
        if self.next() == Some(byte) { Ok(()) } else { Err((at, what)) }
    }

    /// `[…,…]`, with at least one item.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        self.expect(b'[', "expected a list in JSON")?;
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            let at = self.at;
            match self.next() {
                Some(b',') => {}
                Some(b']') => return Ok(items),
                _ => return Err((at, "expected `,` or `]` in JSON")),
            }
        }
    }

    /// `{"key":value,…}`.
    fn object(&mut self) -> Result<Vec<Member>, Fault> {
        self.expect(b'{', "expected an object in JSON")?;
        let mut members: Vec<Member> = Vec::new();
        loop {
            let member = self.member()?;
            if members.iter().any(|other| other.key == member.key) {
                return Err((member.at, "a field twice"));
            }
            if members.len() == MAX_MEMBERS {
                return Err((member.at, "more fields than anybody writes"));
            }
            members.push(member);
            let at = self.at;
            match self.next() {
                Some(b',') => {}
                Some(b'}') => return Ok(members),
                _ => return Err((at, "expected `,` or `}` in JSON")),
            }
        }
    }

    fn member(&mut self) -> Result<Member, Fault> {
        let at = self.at;
        let key = self.string()?;
        self.expect(b':', "expected `:` in JSON")?;
        let value = match self.peek() {
            Some(b'[') => Value::List(self.list(Self::string)?),
            _ => Value::Text(self.string()?),
        };
        Ok(Member { at, key, value })
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.expect(b'"', "expected a string in JSON")?;
        let mut text = Vec::new();
        loop {
            let at = self.at;
            match self.next() {
                Some(b'"') => return String::from_utf8(text).map_err(|_| (start, "not UTF-8")),
                Some(b'\\') => {
                    let char = self.escaped().ok_or((at, "`\\` escapes nothing in JSON"))?;
                    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte >= b' ' => text.push(byte),
                Some(_) => return Err((at, "a control character")),
                None => return Err((at, "a string that does not close")),
            }
        }
    }

    /// What stands behind a `\`.
    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => match self.hexadecimal()? {
                // A character beyond U+FFFF is two of these.
                high @ 0xD800..=0xDBFF => {
                    let marked = self.next() == Some(b'\\') && self.next() == Some(b'u');
                    let low = self.hexadecimal().filter(|low| marked && (0xDC00..=0xDFFF).contains(low))?;
                    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))?
                }
                unit => char::from_u32(unit)?,
            },
            _ => return None,
        })
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |number, _| Some(number << 4 | char::from(self.next()?).to_digit(16)?))
    }
}

/// Adds `"key":"text"`.
pub(super) fn push(object: &mut String, key: &str, text: &str) {
    push_key(object, key);
    push_string(object, text, "\"\\");
}

/// Adds `"key":["text",…]`, unless there is nothing to list.
pub(super) fn push_list(object: &mut String, key: &str, texts: &[String]) {
    push_items(object, key, texts, "\"\\");
}

/// The same for text that somebody else has chosen: what could be a delimiter to a reader that does not know JSON is
/// escaped, so that it finds no field in it. To one that knows JSON it is the same text.
pub(super) fn push_names(object: &mut String, key: &str, names: &[String]) {
    push_items(object, key, names, "\"\\,;=%");
}

fn push_items(object: &mut String, key: &str, texts: &[String], escaped: &str) {
    if texts.is_empty() {
        return;
    }
    push_key(object, key);
    for (position, text) in texts.iter().enumerate() {
        object.push(if position == 0 { '[' } else { ',' });
        push_string(object, text, escaped);
    }
    object.push(']');
}

fn push_key(object: &mut String, key: &str) {
    object.push(if object.is_empty() { '{' } else { ',' });
    object.push('"');
    object.push_str(key);
    object.push_str("\":");
}

/// In ASCII, whatever the text.
fn push_string(out: &mut String, text: &str, escaped: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            // As Envoy does, unless a reader of something else than JSON is to be kept from seeing it.
            '"' | '\\' if escaped.len() == 2 => out.extend(['\\', char]),
            ' '..='~' if !escaped.contains(char) => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // `write!` to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}
