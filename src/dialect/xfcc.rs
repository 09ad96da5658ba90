//! The text of `x-forwarded-client-cert`: elements of pairs, with quotes.
//!
//! ```text
//! XFCC    = element *("," element)
//! element = pair *(";" pair)
//! pair    = key "=" (value | DQUOTE *(byte | "\" byte) DQUOTE)
//! ```
//!
//! A quote opens right after `=` and closes right before a delimiter, or the value is refused. Anything laxer lets a
//! subject with a `;` in it pass for fields of its own.

use super::DecodeError;
use super::decode::{DecodeErrorKind, Field};

/// `key=value`, the quotes taken off and what is escaped between them left as it is.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    /// Where it begins in the header's value.
    pub(super) at: usize,
    pub(super) key: &'a [u8],
    /// Where the value begins, behind the quote if there is one.
    pub(super) value_at: usize,
    pub(super) value: &'a [u8],
    pub(super) quoted: bool,
}

impl Pair<'_> {
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key.as_bytes())
    }

    /// The value as text, `\"` and `\\` unescaped. It is printable ASCII, which [`elements`] has checked.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut bytes = self.value.iter().copied();
        while let Some(byte) = bytes.next() {
            let byte = if self.quoted && byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
            text.push(char::from(byte));
        }
        text
    }
}

/// All elements, the nearest proxy's last. There is at least one, and at least one pair in each.
pub(super) fn elements<'a>(field: &Field<'a>) -> Result<Vec<Vec<Pair<'a>>>, DecodeError> {
    let value = field.value;
    let error = |at, what| field.error(at, DecodeErrorKind::Xfcc(what));
    let mut elements = Vec::new();
    let mut pairs = Vec::new();
    let mut at = 0;
    loop {
        let (pair, end) = pair(value, at).map_err(|(at, what)| error(at, what))?;
        pairs.push(pair);
        match value.get(end) {
            None => {
                elements.push(pairs);
                return Ok(elements);
            }
            Some(b',') => elements.push(std::mem::take(&mut pairs)),
            Some(b';') => {}
            Some(_) => return Err(error(end, "expected `;` or `,` after a quoted value")),
        }
        at = end + 1;
    }
}

/// The pair that begins at `at`, and where it ends.
fn pair(value: &[u8], at: usize) -> Result<(Pair<'_>, usize), (usize, &'static str)> {
    let from = |start: usize| value.get(start..).unwrap_or_default();
    let key_length = from(at).iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let equals = at + key_length;
    if key_length == 0 || value.get(equals) != Some(&b'=') {
        return Err((at, "expected `key=value`"));
    }
    let quoted = value.get(equals + 1) == Some(&b'"');
    let value_at = equals + 1 + usize::from(quoted);
    let length = if quoted { quoted_length(from(value_at)) } else { bare_length(from(value_at)) };
    let length = length.map_err(|(offset, what)| (value_at + offset, what))?;
    let pair = Pair {
        at,
        key: value.get(at..equals).unwrap_or_default(),
        value_at,
        value: value.get(value_at..value_at + length).unwrap_or_default(),
        quoted,
    };
    Ok((pair, value_at + length + usize::from(quoted)))
}

fn quoted_length(rest: &[u8]) -> Result<usize, (usize, &'static str)> {
    let mut bytes = rest.iter().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok(offset),
            // Two bytes that belong together: the byte after `\\` may be a quote that closes.
            b'\\' => match bytes.next() {
                Some((_, b' '..=b'~')) => {}
                _ => return Err((offset, "`\\` escapes nothing")),
            },
            b' '..=b'~' => {}
            _ => return Err((offset, "not printable ASCII")),
        }
    }
    Err((rest.len(), "a quote that does not close"))
}

fn bare_length(rest: &[u8]) -> Result<usize, (usize, &'static str)> {
    for (offset, byte) in rest.iter().enumerate() {
        match byte {
            b',' | b';' => return Ok(offset),
            b'"' => return Err((offset, "a quote in the middle of a value")),
            b'!'..=b'~' => {}
            _ => return Err((offset, "not printable ASCII, or a space without quotes")),
        }
    }
    Ok(rest.len())
}

/// Adds a pair to an element: in quotes if the value has a delimiter in it, as Envoy's documentation demands.
pub(super) fn push(element: &mut String, key: &str, value: &str) {
    push_key(element, key);
    if !value.contains([',', ';', '=', '"', '\\']) {
        element.push_str(value);
        return;
    }
    element.push('"');
    for char in value.chars() {
        if matches!(char, '"' | '\\') {
            element.push('\\');
        }
        element.push(char);
    }
    element.push('"');
}

/// Adds a pair whose value has every `"` and `\` escaped already, or none in it.
pub(super) fn push_quoted(element: &mut String, key: &str, value: &str) {
    push_key(element, key);
    element.push('"');
    element.push_str(value);
    element.push('"');
}

fn push_key(element: &mut String, key: &str) {
    if !element.is_empty() {
        element.push(';');
    }
    element.push_str(key);
    element.push('=');
}
