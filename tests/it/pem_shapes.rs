//! The shapes in which people hand over PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What becomes of a block in a file, and of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Read,
    Refused(&'static str),
}

use Fate::{Read, Refused};

/// A block, as text of its own, in a shape. `{base64}` is its base64 in lines.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Pem) -> String,
    pub(crate) fate: Fate,
}

/// A block in its plain shape.
pub(crate) struct Pem {
    pub(crate) label: &'static str,
    pub(crate) text: String,
}

impl Pem {
    pub(crate) fn new(label: &'static str, der: &[u8]) -> Self {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Self { label, text: pem::encode_config(&pem::Pem::new(label, der), config) }
    }

    pub(crate) fn relabelled(&self, label: &str) -> String {
        self.text.replace(&format!("{}-----", self.label), &format!("{label}-----"))
    }

    fn lines(&self, change: impl Fn(&str) -> String) -> String {
        self.text.lines().map(|line| change(line) + "\n").collect()
    }

    fn base64(&self) -> String {
        self.text.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect()
    }

    fn wrapped(&self, columns: usize) -> String {
        let base64 = self.base64().replace('\n', "");
        let lines = base64.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap());
        format!(
            "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n",
            self.label,
            lines.collect::<Vec<_>>().join("\n")
        )
    }
}

pub(crate) const SHAPES: &[Shape] = &[
    Shape { name: "plain", make: |pem| pem.text.clone(), fate: Read },
    Shape { name: "CR LF", make: |pem| pem.text.replace('\n', "\r\n"), fate: Read },
    Shape { name: "CR", make: |pem| pem.text.replace('\n', "\r"), fate: Read },
    Shape { name: "a UTF-8 byte order mark", make: |pem| format!("\u{FEFF}{}", pem.text), fate: Read },
    Shape {
        name: "blanks at the ends of lines",
        make: |pem| pem.lines(|line| format!("{line} \t")),
        fate: Read,
    },
    Shape { name: "a blank line in it", make: |pem| pem.text.replacen('\n', "\n\n", 2), fate: Read },
    Shape { name: "one line of base64", make: |pem| pem.wrapped(100_000), fate: Read },
    Shape { name: "lines of 76", make: |pem| pem.wrapped(76), fate: Read },
    Shape { name: "lines of 20", make: |pem| pem.wrapped(20), fate: Read },
    Shape { name: "a comment", make: |pem| format!("# the new one\n{}# ends\n", pem.text), fate: Read },
    Shape { name: "a subject", make: |pem| format!("subject=CN = a\n---\n{}\n", pem.text), fate: Read },
    Shape {
        name: "base64 that is indented",
        make: |pem| {
            pem.lines(|line| match line.starts_with('-') {
                true => line.to_owned(),
                false => format!("  {line}"),
            })
        },
        fate: Read,
    },
    Shape {
        name: "indented as in YAML",
        make: |pem| format!("ca: |\n{}", pem.lines(|line| format!("  {line}"))),
        fate: Refused("indented"),
    },
    Shape {
        name: "an END line that is indented",
        make: |pem| pem.text.replace("-----END", " -----END"),
        fate: Refused("indented"),
    },
    Shape {
        name: "a tab before",
        make: |pem| pem.lines(|line| format!("\t{line}")),
        fate: Refused("indented"),
    },
    Shape {
        name: "lower case",
        make: |pem| pem.relabelled(&pem.label.to_lowercase()),
        fate: Refused("capitals"),
    },
    Shape {
        name: "all in lower case",
        make: |pem| {
            pem.text
                .replace("BEGIN", "begin")
                .replace("END", "end")
                .replace(pem.label, &pem.label.to_lowercase())
        },
        fate: Refused("capitals"),
    },
    Shape {
        name: "four dashes",
        make: |pem| pem.text.replace("-----", "----"),
        fate: Refused("five hyphens"),
    },
    Shape {
        name: "six dashes",
        make: |pem| pem.text.replace("-----", "------"),
        fate: Refused("five hyphens"),
    },
    Shape {
        name: "four dashes after BEGIN",
        make: |pem| pem.text.replacen("-----\n", "----\n", 1),
        fate: Refused("five hyphens"),
    },
    Shape {
        name: "four dashes after END",
        make: |pem| pem.text.replace("-----\n", "----\n").replacen("----\n", "-----\n", 1),
        fate: Refused(""),
    },
    Shape { name: "no dashes", make: |pem| pem.text.replace("-----", ""), fate: Refused("five hyphens") },
    Shape {
        name: "em dashes",
        make: |pem| pem.text.replace("-----", "\u{2014}\u{2014}-"),
        fate: Refused("hyphens"),
    },
    Shape {
        name: "en dashes",
        make: |pem| pem.text.replace("-----", "\u{2013}\u{2013}-"),
        fate: Refused("hyphens"),
    },
    Shape {
        name: "one long dash",
        make: |pem| pem.text.replace("-----", "\u{2014}"),
        fate: Refused("hyphens"),
    },
    Shape {
        name: "no-break spaces",
        make: |pem| pem.text.replace(' ', "\u{A0}"),
        fate: Refused("no-break space"),
    },
    Shape {
        name: "no-break spaces before",
        make: |pem| pem.lines(|line| format!("\u{A0}{line}")),
        fate: Refused("no-break space"),
    },
    Shape {
        name: "a no-break space in the base64",
        make: |pem| pem.text.replacen("MI", "MI\u{A0}", 1),
        fate: Refused("no-break space"),
    },
    Shape {
        name: "two blanks",
        make: |pem| pem.text.replace("BEGIN ", "BEGIN  "),
        fate: Refused("one space"),
    },
    Shape {
        name: "a zero-width space",
        make: |pem| pem.text.replace("BEGIN", "BEGIN\u{200B}"),
        fate: Refused("ASCII"),
    },
    Shape { name: "literal \\n", make: |pem| pem.text.replace('\n', "\\n"), fate: Refused("printf '%b'") },
    Shape {
        name: "JSON",
        make: |pem| format!("{{\"ca\": \"{}\"}}\n", pem.text.replace('\n', "\\n")),
        fate: Refused("jq -r"),
    },
    Shape { name: "all on one line", make: |pem| pem.text.replace('\n', ""), fate: Refused("line break") },
    Shape {
        name: "all on one line with blanks",
        make: |pem| pem.text.replace('\n', " "),
        fate: Refused("line break"),
    },
    Shape {
        name: "no END line",
        make: |pem| pem.text.split("-----END").next().unwrap().to_owned(),
        fate: Refused("does not end"),
    },
    Shape {
        name: "no BEGIN line",
        make: |pem| pem.text.split_once('\n').unwrap().1.to_owned(),
        fate: Refused("BEGIN"),
    },
    Shape { name: "base64 alone", make: |pem| pem.base64(), fate: Refused("outside of any block") },
    Shape {
        name: "base64 alone on one line",
        make: |pem| pem.base64().replace('\n', ""),
        fate: Refused("outside of any block"),
    },
    Shape {
        name: "another label at its end",
        make: |pem| pem.text.replace("END ", "END X"),
        fate: Refused("labels"),
    },
    Shape {
        name: "a header",
        make: |pem| pem.text.replacen('\n', "\nX-Comment: 1\n\n", 1),
        fate: Refused("header"),
    },
    Shape {
        name: "text after END",
        make: |pem| pem.text.trim_end().to_owned() + " # a\n",
        fate: Refused("follows the END line"),
    },
    Shape {
        name: "base64 encoded once more",
        make: |pem| STANDARD.encode(&pem.text) + "\n",
        fate: Refused("base64 -d"),
    },
    Shape {
        name: "a Kubernetes secret",
        make: |pem| format!("  tls.crt: {}\n", STANDARD.encode(format!("#\n{}", pem.text))),
        fate: Refused("base64 -d"),
    },
    Shape {
        name: "commented out",
        make: |pem| pem.lines(|line| format!("# {line}")),
        fate: Refused("precedes the dashes"),
    },
    Shape {
        name: "quoted in a mail",
        make: |pem| pem.lines(|line| format!("> {line}")),
        fate: Refused("precedes the dashes"),
    },
    Shape {
        name: "a string in a program",
        make: |pem| pem.lines(|line| format!("\"{line}\" +")),
        fate: Refused("precedes the dashes"),
    },
    Shape {
        name: "a character too much",
        make: |pem| pem.text.replacen("MI", "MI!", 1),
        fate: Refused("not base64"),
    },
    Shape {
        name: "a hyphen in the base64",
        make: |pem| pem.text.replacen("MI", "MI-", 1),
        fate: Refused("not base64"),
    },
    Shape {
        name: "a character too few",
        make: |pem| pem.text.replacen("MI", "M", 1),
        fate: Refused("not whole"),
    },
    Shape {
        name: "padding in the middle",
        make: |pem| pem.text.replacen("MI", "MI==", 1),
        fate: Refused("not whole"),
    },
    Shape {
        name: "an empty block",
        make: |pem| format!("-----BEGIN {0}-----\n-----END {0}-----\n", pem.label),
        fate: Refused("is empty"),
    },
    Shape { name: "a NUL byte", make: |pem| format!("\0{}", pem.text), fate: Refused("NUL") },
    Shape {
        name: "a NUL byte in the base64",
        make: |pem| pem.text.replacen("MI", "MI\0", 1),
        fate: Refused("NUL"),
    },
    Shape {
        name: "a misspelt label",
        make: |pem| pem.relabelled("CERTFICATE"),
        fate: Refused("`CERTFICATE`"),
    },
    Shape {
        name: "UTF-16",
        make: |pem| pem.text.chars().flat_map(|char| [char, '\0']).collect(),
        fate: Refused("NUL"),
    },
];

/// Shapes of certificates only, in which OpenSSL reads them.
pub(crate) const OLD_LABELS: &[Shape] = &[
    Shape { name: "X509 CERTIFICATE", make: |pem| pem.relabelled("X509 CERTIFICATE"), fate: Read },
    Shape {
        name: "TRUSTED CERTIFICATE without settings",
        make: |pem| pem.relabelled("TRUSTED CERTIFICATE"),
        fate: Read,
    },
];
