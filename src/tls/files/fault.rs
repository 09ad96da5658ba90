//! What can be wrong with a line of a PEM file, with the cure.

/// Explains what is wrong with a PEM file (RFC 7468), and what to do about it.
///
/// Part of any PEM file may be a private key, so nothing of the file is in the error but the labels of blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemFault {
    /// The file is UTF-16, which Windows' editors and PowerShell's `>` write.
    #[error("it is UTF-16: convert the file with `iconv -f UTF-16 -t UTF-8`")]
    Utf16,
    /// The file is neither text nor DER.
    #[error("there is a NUL byte, so it is neither PEM nor DER: copy the file again, unchanged")]
    NulByte,
    /// The file ends within a BEGIN line.
    #[error("the file is cut off within a line: write it whole")]
    CutOff,
    /// A block has no END line.
    #[error(
        "the block that begins here does not end with `-----END {label}-----`: the file is cut off, or that line is missing"
    )]
    NoEnd {
        /// The label of the block.
        label: String,
    },
    /// An END line has no BEGIN line before it.
    #[error("an END line without its BEGIN line: put the block's `-----BEGIN …-----` back")]
    NoBegin,
    /// The two labels of a block differ.
    #[error("a block that begins as `{begin}` ends as `{end}`: make the two labels the same")]
    OtherEnd {
        /// The label of the BEGIN line.
        begin: String,
        /// The label of the END line.
        end: String,
    },
    /// An END line and a BEGIN line share a line: two files were joined, and the first did not end in a line break.
    #[error("an END line and a BEGIN line are one line: put a line break between them")]
    RunTogether,
    /// A whole block stands on one line.
    #[error(
        "something follows the BEGIN line in the same line: put a line break after its dashes, and one before the END line"
    )]
    OneLine,
    /// Something follows the dashes of an END line.
    #[error(
        "something follows the END line in the same line: put a line break after its dashes, or delete it"
    )]
    TextAfterEnd,
    /// A BEGIN or END line is indented, as in a YAML file.
    #[error(
        "the line is indented: take the blanks before its dashes away, as with `sed 's/^[[:blank:]]*//'`"
    )]
    Indented,
    /// Something precedes a BEGIN or END line: the mark of a comment, a quotation, a key in JSON or YAML.
    #[error(
        "something precedes the dashes of a BEGIN or END line: take it away or, if the block is not wanted, delete the block"
    )]
    Prefixed,
    /// Line breaks are escaped, as in JSON or in a variable of a shell.
    #[error(
        "line breaks are written as `\\n`: turn them into line breaks with `printf '%b'`, or `jq -r` for JSON"
    )]
    EscapedLineBreaks,
    /// A BEGIN or END line is not in capitals.
    #[error("a BEGIN or END line in lower case: write it in capitals")]
    LowerCase,
    /// A BEGIN or END line has a typographic dash, a no-break space or an invisible character in it.
    #[error(
        "a character that is not ASCII, such as a typographic dash or a no-break space: type the line anew, with plain hyphens and spaces"
    )]
    NotAscii,
    /// A line resembles a BEGIN or END line in another way.
    #[error(
        "it resembles a BEGIN or END line and is none: that is five hyphens, BEGIN or END, one space, the label in capitals, five hyphens"
    )]
    Distorted,
    /// There is base64 outside of any block: the lines around it are lost.
    #[error(
        "base64 outside of any block: put the lines `-----BEGIN …-----` and `-----END …-----` around it, or delete it"
    )]
    StrayBase64,
    /// The PEM is encoded in base64 once more, as Kubernetes shows a secret.
    #[error("PEM that is once more encoded in base64, as in a Kubernetes secret: decode it with `base64 -d`")]
    EncodedTwice,
    /// A block has headers as in RFC 1421, which RFC 7468 no longer allows.
    #[error("the block `{label}` has a header: delete the lines between its BEGIN line and its base64")]
    Header {
        /// The label of the block.
        label: String,
    },
    /// A block has a character in it that is not base64.
    #[error("the block `{label}` has a character in it that is not base64: get the file anew")]
    NotBase64 {
        /// The label of the block.
        label: String,
    },
    /// The base64 of a block does not decode: characters are missing, or its padding is in the wrong place.
    #[error(
        "the block `{label}` that begins here is not whole: its base64 does not decode, get the file anew"
    )]
    BadBase64 {
        /// The label of the block.
        label: String,
    },
    /// A block has nothing in it.
    #[error("the block `{label}` that begins here is empty: fill it, or delete it")]
    Empty {
        /// The label of the block.
        label: String,
    },
}
