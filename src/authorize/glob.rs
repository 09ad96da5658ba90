use std::fmt;

/// A pattern in the syntax of Go's [`path.Match`], which Skipper uses. `*` is any run of characters other than `/`, `?`
/// is any one character other than `/`, `[a-z]` and `[^a-z]` are sets of characters, and a character after a backslash
/// stands for itself. A pattern is always matched with the whole text.
///
/// Unlike in Go, a set never matches `/` either: only a `/` in the pattern matches a `/` in the text.
///
/// [`path.Match`]: https://pkg.go.dev/path#Match
#[derive(Clone)]
pub(super) struct Glob {
    tokens: Box<[Token]>,
    text: Box<str>,
}

#[derive(Clone)]
pub(super) enum Token {
    Text(Box<str>),
    AnyChar,
    AnyRun,
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Result<Self, GlobError> {
        let mut tokens = Vec::new();
        let mut literal = String::new();
        let mut chars = pattern.chars();
        while let Some(token) = next(&mut chars)? {
            match token {
                Next::Char(char) => literal.push(char),
                Next::Wild(token) => {
                    if !literal.is_empty() {
                        tokens.push(Token::Text(std::mem::take(&mut literal).into()));
                    }
                    tokens.push(token);
                }
            }
        }
        if !literal.is_empty() {
            tokens.push(Token::Text(literal.into()));
        }
        Ok(Self { tokens: tokens.into(), text: pattern.into() })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let mut rest = text;
        let mut tokens = &self.tokens[..];
        // If what follows the last `*` does not fit, matching goes on from here, with one more character in the run.
        let mut retry: Option<(&[Token], &str)> = None;
        loop {
            match tokens.split_first() {
                Some((Token::AnyRun, after)) => {
                    (tokens, retry) = (after, Some((after, rest)));
                    continue;
                }
                Some((token, after)) => {
                    if let Some(unmatched) = token.strip_from(rest) {
                        (tokens, rest) = (after, unmatched);
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            let Some((after_run, run)) = retry else { return false };
            let mut chars = run.chars();
            match chars.next() {
                None | Some('/') => return false,
                Some(_) => {
                    (tokens, rest) = (after_run, chars.as_str());
                    retry = Some((tokens, rest));
                }
            }
        }
    }
}

impl Token {
    /// Returns the rest of a text that starts with this token.
    fn strip_from<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            // Most texts already differ in their first byte.
            Self::Text(expected) if text.as_bytes().first() != expected.as_bytes().first() => None,
            Self::Text(expected) => text.strip_prefix(&**expected),
            Self::AnyChar => text.strip_prefix(|char| char != '/'),
            Self::AnyRun => None,
            Self::Class { negated, ranges } => text.strip_prefix(|char| {
                char != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *negated
            }),
        }
    }
}

/// One step of a pattern.
pub(super) enum Next {
    /// A character that stands for itself.
    Char(char),
    /// A wildcard, which stands for other characters.
    Wild(Token),
}

pub(super) fn next(pattern: &mut std::str::Chars<'_>) -> Result<Option<Next>, GlobError> {
    Ok(Some(match pattern.next() {
        None => return Ok(None),
        Some('*') => Next::Wild(Token::AnyRun),
        Some('?') => Next::Wild(Token::AnyChar),
        Some('[') => Next::Wild(class(pattern)?),
        Some('\\') => Next::Char(pattern.next().ok_or(GlobError::TrailingBackslash)?),
        Some(char) => Next::Char(char),
    }))
}

/// Reads a set of characters after its `[`, up to and with its `]`.
fn class(chars: &mut std::str::Chars<'_>) -> Result<Token, GlobError> {
    let negated = chars.as_str().starts_with('^');
    if negated {
        chars.next();
    }
    let mut ranges = Vec::new();
    while ranges.is_empty() || !chars.as_str().starts_with(']') {
        let low = class_char(chars)?;
        let mut high = low;
        if chars.as_str().starts_with('-') {
            chars.next();
            high = class_char(chars)?;
        }
        if high < low {
            return Err(GlobError::Class);
        }
        ranges.push((low, high));
    }
    chars.next();
    // A negated set never matches `/` anyway, so `[^/]` says nothing wrong.
    if !negated && ranges.iter().any(|(low, high)| [*low, *high].contains(&'/')) {
        return Err(GlobError::Slash);
    }
    Ok(Token::Class { negated, ranges: ranges.into() })
}

fn class_char(chars: &mut std::str::Chars<'_>) -> Result<char, GlobError> {
    match chars.next() {
        None | Some('-' | ']') => Err(GlobError::Class),
        Some('\\') => chars.next().ok_or(GlobError::Class),
        Some(char) => Ok(char),
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// The reason why a pattern can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// A set of characters has no `]`, no characters, or a range that goes backwards.
    #[error("a `[` without a set of characters and `]`")]
    Class,
    /// A set of characters has a `/`, which it could never match.
    #[error("a set of characters never matches `/`: write it outside of the brackets")]
    Slash,
    /// A backslash is the last character.
    #[error("a backslash with nothing after it")]
    TrailingBackslash,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of Go's `path.Match`, in the cases that its documentation is about.
    #[test]
    fn globs_match_as_go_does() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/c", false),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("**", "abc", true),
            ("**", "a/b", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a\u{263a}b", true),
            ("a[^a]b", "a\u{263a}b", true),
            ("a???b", "a\u{263a}b", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("a[.-9]c", "a5c", true),
            ("a[^/]c", "abc", true),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "z", false),
            ("[\\-x]", "a", false),
            ("*x", "xxx", true),
            ("spiffe://*.test/ns/*/sa/web", "spiffe://a.test/ns/b/sa/web", true),
            ("spiffe://*.test/ns/*/sa/web", "spiffe://a.test/ns/b/c/sa/web", false),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(text), expected, "{pattern:?} on {text:?}");
        }
    }

    /// In Go, a set can match a `/`.
    #[test]
    fn a_set_never_matches_a_slash() {
        for (pattern, text) in [
            ("a[^b]c", "a/c"),
            ("a[^/]c", "a/c"),
            ("a[.-9]c", "a/c"),
            ("a[^b-y]c", "a/c"),
            ("[^a]", "/"),
            ("*[^a]", "a/"),
            ("[^a]*", "/a"),
        ] {
            assert!(!Glob::new(pattern).unwrap().matches(text), "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn a_broken_pattern_is_an_error_wherever_it_is_broken() {
        use GlobError::{Class, Slash, TrailingBackslash};
        for (pattern, error) in [
            ("a\\", TrailingBackslash),
            ("[]a]", Class),
            ("[-]", Class),
            ("[x-]", Class),
            ("[-x]", Class),
            ("[a-b-c]", Class),
            ("[", Class),
            ("[^", Class),
            ("[^bc", Class),
            ("a[", Class),
            ("a*[", Class),
            ("[a\\", Class),
            ("[b-a]", Class),
            ("[/]", Slash),
            ("[a\\/]", Slash),
            ("[/-9]", Slash),
            ("[!-/]", Slash),
        ] {
            assert_eq!(Glob::new(pattern).err(), Some(error), "{pattern:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_than_its_product() {
        let glob = Glob::new(&"*a".repeat(100)).unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(10_000))));
    }
}
