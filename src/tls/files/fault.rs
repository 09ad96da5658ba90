//! What can be wrong with a line of a PEM file, and the cure.

/// Why a file is not read as PEM (RFC 7468), although somebody may have meant it so.
///
/// Each prints what is wrong and what to do. Nothing of the file is in it but labels of blocks: it may hold a private
/// key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemFault {
    /// UTF-16, which Windows' editors and PowerShell's `>` write.
    #[error("it is UTF-16: convert the file with `iconv -f UTF-16 -t UTF-8`")]
    Utf16,
    /// Neither text nor DER.
    #[error("there is a NUL byte, so it is neither PEM nor DER: copy the file again, unchanged")]
    NulByte,
    /// The last line is the beginning of a BEGIN line.
    #[error("the file is cut off within a line: write it whole")]
    CutOff,
    /// A block is not ended.
    #[error(
        "the block that begins here does not end with `-----END {label}-----`: the file is cut off, or that line is missing"
    )]
    NoEnd {
        /// The block's.
        label: String,
    },
    /// A block is ended that has not begun.
    #[error("an END line without its BEGIN line: put the block's `-----BEGIN …-----` back")]
    NoBegin,
    /// The two labels of a block differ.
    #[error("a block that begins as `{begin}` ends as `{end}`: make the two labels the same")]
    OtherEnd {
        /// The label it begins with.
        begin: String,
        /// The label it ends with.
        end: String,
    },
    /// Files were joined of which the first did not end in a line break.
    #[error("an END line and a BEGIN line are one line: put a line break between them")]
    RunTogether,
    /// A block without line breaks.
    #[error(
        "something follows the BEGIN line in the same line: put a line break after its dashes, and one before the END line"
    )]
    OneLine,
    /// Something follows the dashes of an END line.
    #[error(
        "something follows the END line in the same line: put a line break after its dashes, or delete it"
    )]
    TextAfterEnd,
    /// As in a YAML file.
    #[error(
        "the line is indented: take the blanks before its dashes away, as with `sed 's/^[[:blank:]]*//'`"
    )]
    Indented,
    /// A comment, a quotation, a value in JSON or YAML.
    #[error(
        "something precedes the dashes of a BEGIN or END line: take it away or, if the block is not wanted, delete the block"
    )]
    Prefixed,
    /// As in JSON, or in a variable of a shell.
    #[error(
        "line breaks are written as `\\n`: turn them into line breaks with `printf '%b'`, or `jq -r` for JSON"
    )]
    EscapedLineBreaks,
    /// Labels are capitals.
    #[error("a BEGIN or END line in lower case: write it in capitals")]
    LowerCase,
    /// Typographic dashes, no-break spaces, characters without width.
    #[error(
        "a character that is not ASCII, such as a typographic dash or a no-break space: type the line anew, with plain hyphens and spaces"
    )]
    NotAscii,
    /// Anything else that resembles an armour line.
    #[error(
        "it resembles a BEGIN or END line and is none: that is five hyphens, BEGIN or END, one space, the label in capitals, five hyphens"
    )]
    Distorted,
    /// The lines around a block are lost.
    #[error(
        "base64 outside of any block: put the lines `-----BEGIN …-----` and `-----END …-----` around it, or delete it"
    )]
    StrayBase64,
    /// As Kubernetes shows a secret.
    #[error("PEM that is once more encoded in base64, as in a Kubernetes secret: decode it with `base64 -d`")]
    EncodedTwice,
    /// RFC 1421's, which RFC 7468 no longer has.
    #[error("the block `{label}` has a header: delete the lines between its BEGIN line and its base64")]
    Header {
        /// The block's.
        label: String,
    },
    /// A character that does not belong into a block.
    #[error("the block `{label}` has a character in it that is not base64: get the file anew")]
    NotBase64 {
        /// The block's.
        label: String,
    },
    /// Characters are missing, or padding is not where it belongs.
    #[error(
        "the block `{label}` that begins here is not whole: its base64 does not decode, get the file anew"
    )]
    BadBase64 {
        /// The block's.
        label: String,
    },
    /// Nothing in it.
    #[error("the block `{label}` that begins here is empty: fill it, or delete it")]
    Empty {
        /// The block's.
        label: String,
    },
}
