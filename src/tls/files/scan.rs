//! Scans a PEM file (RFC 7468) once, and accounts for every line.
//!
//! A line belongs to a block, or is explanatory text around one; otherwise the file is refused. A line outside of any
//! block that looks like a BEGIN or END line, or like base64, is something that somebody meant to be read. The readers
//! of OpenSSL and rustls skip such lines silently.

use super::armour::{Armour, armour};
use super::fault::PemFault;
use super::suspect;

/// A block, with its contents not yet interpreted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    /// The line of its BEGIN line, counted from 1.
    pub(super) line: usize,
    /// The bytes between its BEGIN line and its END line.
    pub(super) body: &'a [u8],
}

impl<'a> Block<'a> {
    /// Returns the lines of the body that are not blank, trimmed, each with its number.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        Lines { rest: self.body, number: self.line + 1 }
            .map(|(number, line)| (number, line.trim_ascii()))
            .filter(|(_, line)| !line.is_empty())
    }
}

/// What is wrong, after the number of the line.
pub(super) type Misread = (usize, PemFault);

/// Returns all blocks of a file, in order.
pub(super) fn blocks(file: &[u8]) -> Result<Vec<Block<'_>>, Misread> {
    if file.starts_with(b"\xFF\xFE") || file.starts_with(b"\xFE\xFF") {
        return Err((1, PemFault::Utf16));
    }
    let mut blocks = Vec::new();
    let mut lines = Lines { rest: file, number: 1 };
    while let Some((number, line)) = lines.next() {
        let line = without_mark(line);
        match armour(line) {
            Some(Armour::Begin(label)) => blocks.push(block(label, number, &mut lines)?),
            Some(Armour::End(_)) => return Err((number, PemFault::NoBegin)),
            None => match suspect::text(line) {
                Some(fault) => return Err((number, fault)),
                // A file that is only half written may end within a BEGIN line.
                None if lines.rest.is_empty() && is_cut(file, line) => {
                    return Err((number, PemFault::CutOff));
                }
                None => {}
            },
        }
    }
    Ok(blocks)
}

/// Reads a block up to its END line. Its BEGIN line has just been read.
fn block<'a>(label: &'a str, begin: usize, lines: &mut Lines<'a>) -> Result<Block<'a>, Misread> {
    let from_here = lines.rest;
    let mut left = from_here.len();
    while let Some((number, line)) = lines.next() {
        match armour(line) {
            Some(Armour::End(end)) if end == label => {
                let body = from_here.get(..from_here.len() - left).unwrap_or_default();
                return Ok(Block { label, line: begin, body });
            }
            Some(Armour::End(end)) => {
                return Err((number, PemFault::OtherEnd { begin: label.to_owned(), end: end.to_owned() }));
            }
            Some(Armour::Begin(_)) => break,
            None => {
                if let Some(fault) = suspect::body(line) {
                    return Err((number, fault));
                }
            }
        }
        left = lines.rest.len();
    }
    Err((begin, PemFault::NoEnd { label: label.to_owned() }))
}

/// Iterates over lines that end in LF, CR LF or, as on old Macs, CR.
pub(in crate::tls) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    #[cfg(feature = "ticket-keys")]
    pub(in crate::tls) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, number: 1 }
    }
}

impl<'a> Iterator for Lines<'a> {
    /// The number of a line, and the line without its end.
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = match rest {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => rest,
        };
        let number = self.number;
        self.number += 1;
        Some((number, line))
    }
}

/// Strips a byte order mark, which Windows' editors write, and which `cat` can move into the middle of a file.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// Whether the file ends within a BEGIN line.
fn is_cut(file: &[u8], last: &[u8]) -> bool {
    !last.is_empty() && file.ends_with(last) && b"-----BEGIN ".starts_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Vec<(String, usize, String)>, Misread> {
        let block = |block: &Block<'_>| {
            let lines = block.lines().map(|(_, line)| String::from_utf8_lossy(line).into_owned());
            (block.label.to_owned(), block.line, lines.collect::<Vec<_>>().join(","))
        };
        blocks(text.as_bytes()).map(|blocks| blocks.iter().map(block).collect())
    }

    #[test]
    fn blocks_have_their_labels_lines_and_bodies_under_every_line_end() {
        let text = "# a comment\n-----BEGIN A-----\nAAAA\n\nBB==\n-----END A-----\n\nsubject=b\n-----BEGIN B C-----\n-----END B C-----";
        let expected =
            vec![("A".to_owned(), 2, "AAAA,BB==".to_owned()), ("B C".to_owned(), 9, String::new())];
        for end in ["\n", "\r\n", "\r", " \t\n"] {
            assert_eq!(scan(&text.replace('\n', end)).unwrap(), expected, "{end:?}");
        }
        assert_eq!(scan(&format!("\u{FEFF}{text}")).unwrap(), expected);
        let twice = scan(&format!("{text}\n\u{FEFF}{text}\n")).unwrap();
        assert_eq!(twice.iter().map(|(_, line, _)| *line).collect::<Vec<_>>(), [2, 9, 12, 19]);
        assert_eq!(scan("").unwrap(), []);
        assert_eq!(scan("\r\n \n").unwrap(), []);
    }

    #[test]
    fn a_fault_has_the_line_it_is_on() {
        for (text, line, fault) in [
            ("x\n-----END A-----\n", 2, PemFault::NoBegin),
            ("x\n-----BEGIN A-----\nAAAA\n", 2, PemFault::NoEnd { label: "A".into() }),
            (
                "-----BEGIN A-----\nAAAA\n-----BEGIN A-----\nAAAA\n-----END A-----\n",
                1,
                PemFault::NoEnd { label: "A".into() },
            ),
            (
                "-----BEGIN A-----\nAAAA\n-----END B-----\n",
                3,
                PemFault::OtherEnd { begin: "A".into(), end: "B".into() },
            ),
            ("-----BEGIN A-----\n-----END A-----\n-----BE", 3, PemFault::CutOff),
            ("-----BEGIN A-----\n-----END A-----\n-", 3, PemFault::CutOff),
            ("\u{FF}\n---\n -----BEGIN A-----\n", 3, PemFault::Indented),
            ("-----BEGIN A-----\n\n  -----END A-----\n", 3, PemFault::Indented),
        ] {
            assert_eq!(scan(text).unwrap_err(), (line, fault), "{text}");
        }
        assert_eq!(blocks(b"\xFF\xFE-\0").unwrap_err(), (1, PemFault::Utf16));
    }
}
