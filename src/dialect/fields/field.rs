//! What a header may hold, and in which encoding.

/// What one header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The client's own certificate.
    Certificate(CertEncoding),
    /// The certificates after the client's own.
    Chain(CertEncoding),
    /// All certificates, the client's own first.
    FullChain(CertEncoding),
    /// What the proxy says of the certificate.
    Verdict(Verdict),
    /// Why the certificate was not verified: text beside a verdict that has no place for it.
    Reason,
    /// Whether there is a certificate, in two words: `1` and `0`, `true` and `false`.
    Present {
        /// There is one.
        yes: &'static str,
        /// There is none.
        no: &'static str,
    },
    /// Whether a certificate that was verified is revoked, in two words. One that is was not verified.
    Revoked {
        /// It is.
        yes: &'static str,
        /// It is not, or there is none.
        no: &'static str,
    },
    /// The subject.
    Subject(NameEncoding),
    /// The issuer.
    Issuer(NameEncoding),
    /// The serial number.
    SerialNumber(SerialEncoding),
    /// The SHA-256 of the certificate's DER.
    Sha256(HashEncoding),
    /// The subject alternative names that are URIs.
    Uris(ListEncoding),
    /// The subject alternative names that are DNS names.
    DnsNames(ListEncoding),
    /// The one subject alternative name that is a SPIFFE ID. A certificate with several has none.
    SpiffeId,
    /// The name by which linkerd knows its clients: the first DNS name, or the first URI where there is none.
    Identity,
    /// From when the certificate is valid.
    NotBefore(TimeEncoding),
    /// Until when it is valid.
    NotAfter(TimeEncoding),
    /// Both, as AWS writes them: `NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z`.
    Validity,
    /// Something of the proxy's that this crate neither writes nor reads, and that no client may send.
    Stripped,
}

impl Field {
    /// Whether it says in words what the certificate says itself.
    pub(super) const fn is_text(self) -> bool {
        !matches!(
            self,
            Self::Certificate(_)
                | Self::Chain(_)
                | Self::FullChain(_)
                | Self::Verdict(_)
                | Self::Reason
                | Self::Present { .. }
                | Self::Revoked { .. }
                | Self::Stripped
        )
    }
}

/// How certificates are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertEncoding {
    /// DER in base64. Several are joined by `,`.
    Base64,
    /// The same, but of several certificates the base64 of all their DER, one after the other: HAProxy's
    /// `ssl_c_chain_der`.
    ConcatenatedBase64,
    /// Percent-encoded PEM: nginx's `$ssl_client_escaped_cert`. Several are one after the other.
    PercentPem,
    /// PEM with spaces for line feeds, as Apache's `%{SSL_CLIENT_CERT}s`. For one certificate only.
    SpacedPem,
    /// `:base64:`, as RFC 9440 has it. Several are joined by `, `.
    Rfc9440,
}

/// In which words the verdict comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// nginx's and Apache's: `SUCCESS`, `FAILED:reason`, `NONE`. `FAILED` alone and Azure's `PASSTHROUGH` are read as
    /// failures.
    Nginx,
    /// OpenSSL's number, 0 for success, as HAProxy's `ssl_c_verify`. It is 0 without a certificate too, so none is
    /// written then, and 0 alone is read as no certificate.
    OpenSsl,
    /// Two or three words. Where `none` is one of the other two, the other headers tell whether there is a certificate.
    /// Without a `none`, either word says that there is one.
    Words {
        /// It was verified.
        verified: &'static str,
        /// It was not.
        failed: &'static str,
        /// There is none.
        none: Option<&'static str>,
    },
}

/// How a distinguished name is spelt.
///
/// What is written has no delimiter in a value but as `\2C` and the like, which is the same name to every reader of
/// either RFC. Read, a name that begins with `/` is taken for one in slashes under the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameEncoding {
    /// As OpenSSL prints RFC 2253: `CN=alice,O=Example,C=US`, printable ASCII.
    Rfc2253,
    /// RFC 4514: the same, but UTF-8 as it is, and some attributes by other names.
    Rfc4514,
    /// OpenSSL's old form, `/C=US/O=Example/CN=alice`. It has no escape for a `/` in a value, so a name with one, or with
    /// anything but printable ASCII, is not written.
    Slashes,
    /// The base64 of the name's DER.
    Base64Der,
}

/// How a serial number is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SerialEncoding {
    /// Upper-case hexadecimal: nginx's `$ssl_client_serial`. Read in either case, and with colons.
    Hex,
    /// Lower-case hexadecimal with colons: `4a:3f:5c`. Read as the former.
    HexColons,
    /// Decimal.
    Decimal,
}

/// How a hash is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashEncoding {
    /// 64 lower-case hexadecimal digits. Read in either case, and with colons.
    Hex,
    /// Base64. Read with or without padding.
    Base64,
}

/// How a list of names is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListEncoding {
    /// The names themselves, joined by `,`. A name with one of `,` `;` `"` `\` in it, or with anything but printable
    /// ASCII, is left out.
    Commas,
    /// The base64 of each, joined by `,`. A name with anything but printable ASCII in it is left out.
    Base64Commas,
}

/// How a time is spelt. It is UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeEncoding {
    /// RFC 3339: `2022-07-01T18:05:09+00:00`. Read with `Z` too.
    Rfc3339,
    /// As OpenSSL prints it, and nginx: `Jul  1 18:05:09 2022 GMT`.
    OpenSsl,
}
