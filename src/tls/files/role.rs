//! What a file is for, which decides what happens to each kind of thing in it.

use super::kind::Kind;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    ClientCas,
    Intermediates,
    Crls,
    Chain,
    Key,
}

/// What happens to something in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    Take,
    /// Ignore it: it is customary in such a file, and for other programs.
    Pass,
    /// Ignore it with a warning: it does no harm to what is read, but should not be in this file.
    Warn,
    Refuse,
}

impl Role {
    pub(super) fn treatment(self, kind: Kind) -> Treatment {
        use Kind as K;
        match (self, kind) {
            (Self::ClientCas | Self::Intermediates | Self::Chain, K::Certificate | K::TrustedCertificate)
            | (Self::Crls, K::Crl)
            | (Self::Key, K::PrivateKey) => Treatment::Take,
            // HAProxy's files hold certificates, key and parameters together; `openssl req -new` can write key and
            // request into one.
            (Self::Chain, K::Parameters)
            | (
                Self::Key,
                K::Certificate | K::TrustedCertificate | K::CertificateRequest | K::PublicKey | K::Parameters,
            ) => Treatment::Pass,
            (Self::Chain, kind) if kind.is_private() => Treatment::Pass,
            (Self::ClientCas | Self::Intermediates | Self::Crls, kind) if kind.is_private() => {
                Treatment::Warn
            }
            _ => Treatment::Refuse,
        }
    }

    pub(super) fn expects(self) -> &'static str {
        match self {
            Self::ClientCas => "certificates of client CAs",
            Self::Intermediates => "certificates of intermediate CAs",
            Self::Crls => "CRLs",
            Self::Chain => "the server's certificate and those of its issuers",
            Self::Key => "the server's private key",
        }
    }

    /// Returns how to get from this kind to what is wanted. `file` is the name of the file, for commands.
    pub(super) fn cure(self, kind: Kind, is_der: bool, file: &str) -> String {
        let inform = if is_der { " -inform DER" } else { "" };
        match (kind, self) {
            (Kind::TrustedCertificate | Kind::Certificate, Self::Crls) => {
                "give CAs with `.roots_from_file(..)` (in `edge_proxy`, --client-ca), and CRLs in a file of their own".into()
            }
            (Kind::Crl, _) => {
                "give CRLs with `.crls_from_file(..)` (in `edge_proxy`, --client-crl), in a file of their own".into()
            }
            (Kind::EncryptedKey, Self::Key) => format!("decrypt it with `openssl pkey{inform} -in {file} -out decrypted.key`"),
            (Kind::OpenSshKey, Self::Key) => {
                format!("convert a copy of it in place with `ssh-keygen -p -N '' -m PKCS8 -f {file}`")
            }
            (Kind::OtherKey, Self::Key) => "make a key that TLS can use with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, and have it certified".into(),
            (Kind::Pkcs7, Self::Key) => "it holds no keys, give the file of the private key".into(),
            (Kind::Pkcs7, _) => format!("unpack it with `openssl pkcs7{inform} -print_certs -in {file} -out unpacked.pem`"),
            (Kind::Pkcs12, Self::Key) => format!("unpack it with `openssl pkcs12 -nodes -nocerts -in {file} -out unpacked.key`"),
            (Kind::Pkcs12 | Kind::JavaKeyStore, Self::Crls) => "give the CRLs that the CA publishes, in PEM or DER".into(),
            (Kind::Pkcs12, _) => format!("unpack it with `openssl pkcs12 -nokeys -in {file} -out unpacked.pem`"),
            (Kind::JavaKeyStore, Self::Key) => format!(
                "unpack it with `keytool -importkeystore -srckeystore {file} -destkeystore store.p12 -deststoretype PKCS12` and `openssl pkcs12 -nodes -nocerts -in store.p12 -out unpacked.key`"
            ),
            (Kind::JavaKeyStore, _) => {
                format!("list it with `keytool -list -rfc -keystore {file}`, which prints its certificates in PEM")
            }
            (_, Self::Crls) => "give the CRLs that the CA publishes, in PEM or DER".into(),
            (Kind::CertificateRequest, Self::Key) => "give the private key that it was made with".into(),
            (Kind::CertificateRequest, _) => "have a CA sign it, and give the certificate that the CA returns".into(),
            (Kind::PublicKey, Self::Key) => "give the private key that belongs to it".into(),
            (Kind::PublicKey, _) => "give the certificate of that key".into(),
            (Kind::Certificate | Kind::TrustedCertificate, Self::Key) => "give the file of its private key".into(),
            (kind, _) if kind.is_private() => "give the file of its certificate".into(),
            _ => "delete it, or convert it to one of those".into(),
        }
    }
}
