//! Makes text that a stranger chose safe to log: bounded in length, on one line, and read in one direction.

use std::fmt::{self, Write as _};

/// The most bytes that [`printable`] returns.
pub(crate) const MAX_PRINTABLE: usize = 256;

const ELLIPSIS: char = '…';

/// Returns the text, cut at [`MAX_PRINTABLE`] bytes. An ellipsis at the end shows that it was cut.
///
/// Characters that would break the line or deceive its reader are escaped as in Rust, `\u{202e}`: control characters,
/// separators of lines and paragraphs, and whatever changes the direction of text or is invisible. Backslashes are not
/// escaped, so the text must escape them itself, as distinguished names do, or have none.
pub(crate) fn printable(text: impl fmt::Display) -> String {
    let mut line = Line { text: String::new(), fits: 0 };
    // An error only means that the text was cut.
    let _ = write!(line, "{text}");
    line.text
}

struct Line {
    text: String,
    /// How many bytes of the text leave room for the ellipsis.
    fits: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for char in part.chars() {
            if misleads(char) {
                write!(self.text, "\\u{{{:x}}}", u32::from(char))?;
            } else {
                self.text.push(char);
            }
            if self.text.len() > MAX_PRINTABLE {
                self.text.truncate(self.fits);
                self.text.push(ELLIPSIS);
                return Err(fmt::Error);
            }
            if self.text.len() + ELLIPSIS.len_utf8() <= MAX_PRINTABLE {
                self.fits = self.text.len();
            }
        }
        Ok(())
    }
}

fn misleads(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["", "CN=alice,O=Bank", "CN=ë漢😀", r"CN=a\,b"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_breaks_a_line_or_turns_it_is_escaped() {
        for char in ['\0', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{2029}'] {
            assert_eq!(printable(format!("a{char}b")), format!("a\\u{{{:x}}}b", u32::from(char)));
        }
        let turning =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        assert!(printable(turning).is_ascii());
    }

    #[test]
    fn it_is_cut_between_characters_and_escapes_and_says_so() {
        for piece in ["a", "ë", "漢", "😀", "\n", "\u{202e}", "\u{e0001}"] {
            for before in 0..12 {
                let text = format!("{}{}", "x".repeat(before), piece.repeat(300));
                let line = printable(&text);
                assert!(line.len() <= MAX_PRINTABLE && line.len() > MAX_PRINTABLE - 16, "{piece:?}: {line}");
                let kept = line.strip_suffix(ELLIPSIS).expect("an ellipsis");
                let whole = printable(piece);
                assert_eq!(kept[before..].replace(&whole, ""), "", "{piece:?}");
            }
        }
        let just = "a".repeat(MAX_PRINTABLE);
        assert_eq!(printable(&just), just);
    }
}
