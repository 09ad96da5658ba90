//! The text of `x-forwarded-client-cert`: elements of pairs, with quotes.
//!
//! ```text
//! XFCC    = element *("," element)
//! element = pair *(";" pair)
//! pair    = key "=" (value | DQUOTE *(byte | "\" byte) DQUOTE)
//! ```
//!
//! A quote opens right after `=` and closes right before a delimiter, or the value is refused. Anything laxer lets a
//! subject with a `;` in it pass for fields of its own. Envoy writes some values as they are, quotes or not, so what is
//! odd in one that has no quotes around it is noted, and whoever reads the value decides.

use percent_encoding::percent_decode_str;

use super::DecodeError;
use super::decode::{DecodeErrorKind, Field};

/// `key=value`, the quotes taken off and what is escaped between them left as it is.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    /// Where it begins in the header's value.
    pub(super) at: usize,
    /// Empty if there is no `=`.
    pub(super) key: &'a [u8],
    /// Where the value begins, behind the quote if there is one.
    pub(super) value_at: usize,
    pub(super) value: &'a [u8],
    pub(super) quoted: bool,
    /// What is odd about its text, if anything is, and where.
    odd: Option<Fault>,
}

/// What is wrong, and at which byte.
type Fault = (usize, &'static str);

impl Pair<'_> {
    pub(super) fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key.as_bytes())
    }

    /// An error if its text is not a key and a value of printable ASCII, in quotes if need be.
    pub(super) fn check(&self, field: &Field<'_>) -> Result<(), DecodeError> {
        match self.odd {
            Some((at, what)) => Err(field.error(at, DecodeErrorKind::Xfcc(what))),
            None => Ok(()),
        }
    }

    /// The value as it stands: of a distinguished name the backslashes are RFC 2253's own.
    pub(super) fn raw(&self) -> String {
        self.value.iter().copied().map(char::from).collect()
    }

    /// The value as text, `\"` and `\\` unescaped. It is printable ASCII if [`check`](Self::check) has found it so.
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
fn pair(value: &[u8], at: usize) -> Result<(Pair<'_>, usize), Fault> {
    let from = |start: usize| value.get(start..).unwrap_or_default();
    let key_length = from(at).iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let equals = at + key_length;
    let has_key = key_length > 0 && value.get(equals) == Some(&b'=');
    let quoted = has_key && value.get(equals + 1) == Some(&b'"');
    let value_at = if has_key { equals + 1 + usize::from(quoted) } else { at };
    let text = if quoted { quoted_text(from(value_at)) } else { Ok(bare_text(from(value_at))) };
    let within = |(offset, what): Fault| (value_at + offset, what);
    let (length, odd) = text.map_err(within)?;
    let pair = Pair {
        at,
        key: if has_key { value.get(at..equals).unwrap_or_default() } else { &[] },
        value_at,
        value: value.get(value_at..value_at + length).unwrap_or_default(),
        quoted,
        odd: if has_key { odd.map(within) } else { Some((at, "expected `key=value`")) },
    };
    Ok((pair, value_at + length + usize::from(quoted)))
}

/// How far the text goes up to the quote that closes, and what is odd in it.
fn quoted_text(rest: &[u8]) -> Result<(usize, Option<Fault>), Fault> {
    let mut odd = None;
    let mut bytes = rest.iter().enumerate();
    while let Some((offset, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok((offset, odd)),
            // Two bytes that belong together: the byte after `\\` may be a quote that closes.
            b'\\' => match bytes.next() {
                Some((_, b' '..=b'~')) => {}
                _ => return Err((offset, "`\\` escapes nothing")),
            },
            b' '..=b'~' => {}
            _ => odd = odd.or(Some((offset, "not printable ASCII"))),
        }
    }
    Err((rest.len(), "a quote that does not close"))
}

/// How far the text goes up to the next delimiter, and what is odd in it.
fn bare_text(rest: &[u8]) -> (usize, Option<Fault>) {
    let mut odd = None;
    for (offset, byte) in rest.iter().enumerate() {
        let what = match byte {
            b',' | b';' => return (offset, odd),
            b'"' => "a quote in the middle of a value",
            b'!'..=b'~' => continue,
            _ => "not printable ASCII, or a space without quotes",
        };
        odd = odd.or(Some((offset, what)));
    }
    (rest.len(), odd)
}

/// Whether a value that somebody else has chosen can be written without quotes or in them, so that no reader takes a
/// part of it for a field: neither one that knows quotes and escapes in its own way, nor one that knows none, nor one
/// that percent-decodes the header before it splits it.
pub(super) fn stays_whole(value: &str) -> bool {
    !value.is_empty()
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && percent_decode_str(value).all(|byte| !b",;\"\\".contains(&byte))
}

/// Adds a pair whose value [stays whole](stays_whole): in quotes if there is a `=` in it, as Envoy's documentation
/// demands.
pub(super) fn push(element: &mut String, key: &str, value: &str) {
    if value.contains('=') {
        return push_quoted(element, key, value);
    }
    push_key(element, key);
    element.push_str(value);
}

/// Adds a pair in quotes. The value has no `"` in it, and none of its own `\` at the end.
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
