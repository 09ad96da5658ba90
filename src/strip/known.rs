//! The one table of header names that some reader takes for information about a client's certificate.
//!
//! A dialect's names must be in the table, and a test checks that. The table has the names that this crate's dialects
//! write or read, and those that other programs read, in their default configuration or as their documentation
//! suggests.

use super::filter::{Filter, SHORT, fold, folds_to};

/// A header name, or the beginning of a family of names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    text: &'static str,
    family: bool,
}

const fn name(text: &'static str) -> Known {
    Known { text, family: false }
}

/// Makes the entry for every name that begins with this text.
const fn family(text: &'static str) -> Known {
    Known { text, family: true }
}

/// Comments name the programs. An entry without one belongs to a dialect of this crate.
pub(super) static KNOWN: [Known; 37] = [
    // Skipper, Traefik (and `-Info`), and what Traefik 1 called them.
    family("x-forwarded-tls-client-cert"),
    family("x-forwarded-ssl-client-cert"),
    // Envoy, Cloud Foundry; HAProxy before Cloud Foundry.
    family("x-forwarded-client-cert"),
    name("x-forwarded-client-chain"),
    // RFC 9440; Google Cloud's `client_cert_…` variables.
    family("client-cert"),
    // nginx and HAProxy by custom: certificate, chain, verdict, DN, CN, serial, dates; GitLab's `-Certificate`.
    family("x-ssl-client-"),
    name("x-ssl-cert"),
    name("x-ssl-issuer"),
    // Apache's variables, numbered chains among them, as Tomcat, Undertow and WildFly read them; ingress-nginx.
    family("ssl-client-"),
    // Undertow and Tomcat: what goes with the certificate.
    name("ssl-cipher"),
    name("ssl-cipher-usekeysize"),
    name("ssl-session-id"),
    name("secure-protocol"),
    // AWS ALB; CloudFront.
    family("x-amzn-mtls-"),
    family("cloudfront-viewer-cert-"),
    // ASP.NET Core and Caddy; Google Cloud's sample names, Kong's and Puppet's, which all begin so.
    family("x-client-cert"),
    name("x-client-verify"),
    name("x-client-dn"),
    // Azure App Service; Janssen.
    name("x-arr-clientcert"),
    name("x-clientcert"),
    // Cloudflare; its managed transform "Add TLS client auth headers".
    family("cf-client-cert"),
    name("cf-cert-presented"),
    name("cf-cert-verified"),
    name("cf-cert-revoked"),
    name("cf-cert-serial"),
    family("cf-cert-issuer-"),
    family("cf-cert-subject-"),
    family("cf-cert-fingerprint-"),
    family("cf-cert-not-"),
    // Jetty's ForwardedRequestCustomizer.
    name("proxy-ssl-id"),
    name("proxy-auth-cert"),
    // linkerd: the identity in the certificate, without it.
    name("l5d-client-id"),
    // authentik's outpost.
    name("x-authentik-outpost-certificate"),
    // Kubernetes' API server and those it aggregates: the user whom a front proxy's certificate vouches for.
    name("x-remote-user"),
    name("x-remote-uid"),
    name("x-remote-group"),
    family("x-remote-extra-"),
];

pub(super) static FILTER: Filter = {
    let mut filter = Filter::EMPTY;
    let mut known: &[Known] = &KNOWN;
    while let [first, rest @ ..] = known {
        filter.add(first.text.as_bytes(), first.family);
        known = rest;
    }
    filter
};

/// Returns the position of a name in the table, whatever its spelling.
pub(super) fn position(name: &[u8]) -> Option<usize> {
    if !FILTER.may_contain(name) {
        return None;
    }
    KNOWN.iter().position(|known| known.matches(name))
}

impl Known {
    fn matches(self, name: &[u8]) -> bool {
        let text = self.text.as_bytes();
        if self.family {
            name.get(..text.len()).is_some_and(|start| folds_to(start, text))
        } else {
            folds_to(name, text)
        }
    }
}

/// Displays the name as the documentation does.
impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.text, if self.family { "*" } else { "" })
    }
}

const _: () = {
    // A family's name must cover the bytes that the filter looks at, and names in the table must be folded already.
    let mut known: &[Known] = &KNOWN;
    while let [first, rest @ ..] = known {
        assert!(!first.family || first.text.len() >= SHORT);
        let mut text = first.text.as_bytes();
        while let [byte, after @ ..] = text {
            assert!(fold(*byte) == *byte);
            text = after;
        }
        known = rest;
    }
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{AnyDialect, Apache, Dialect, HaProxy};

    fn known(name: &str) -> bool {
        position(name.as_bytes()).is_some()
    }

    /// Fails if a dialect is added without its names in the table.
    #[test]
    fn i1_every_name_of_every_dialect_is_in_the_table() {
        let mut dialects: Vec<Box<dyn Dialect>> = AnyDialect::NAMES
            .iter()
            .map(|name| Box::new(name.parse::<AnyDialect>().unwrap()) as Box<dyn Dialect>)
            .collect();
        dialects.push(Box::new(Apache::new()));
        dialects.push(Box::new(HaProxy::new()));
        for dialect in dialects {
            for name in dialect.header_names() {
                assert!(known(name.as_str()), "{name}");
            }
        }
    }

    /// The documentation has the same table, in the same order, with the readers of each name.
    #[test]
    fn i1_the_documentation_has_the_table_as_it_is() {
        let page = include_str!("../docs/stripped.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let table: Vec<String> = KNOWN.iter().map(Known::to_string).collect();
        assert_eq!(rows.collect::<Vec<_>>(), table);
    }

    /// The names that other programs read, in the spelling of those programs.
    #[test]
    fn i1_every_name_that_a_documented_reader_looks_at_is_in_the_table() {
        let readers = [
            (
                "Tomcat SSLValve",
                "ssl_client_escaped_cert ssl_client_cert ssl_cipher ssl_session_id ssl_cipher_usekeysize",
            ),
            ("Undertow", "SSL_CLIENT_CERT SSL_CIPHER SSL_SESSION_ID SSL_CIPHER_USEKEYSIZE SECURE_PROTOCOL"),
            ("Jetty", "Proxy-ssl-id Proxy-auth-cert"),
            ("Keycloak apache", "SSL_CLIENT_CERT SSL_CLIENT_CERT_CHAIN_0 SSL_CLIENT_CERT_CHAIN_17"),
            (
                "Keycloak haproxy",
                "X-SSL-Client-Cert X-SSL-Client-Chain X-SSL-Client-Chain-0 X-SSL-Client-Chain_3",
            ),
            ("Keycloak nginx", "ssl-client-cert ssl-client-verify"),
            ("Keycloak rfc9440", "Client-Cert Client-Cert-Chain"),
            ("Keycloak traefik, Vault", "X-Forwarded-Tls-Client-Cert"),
            ("Keycloak envoy, Spring, SAP", "x-forwarded-client-cert"),
            (
                "AWS",
                "X-Amzn-Mtls-Clientcert X-Amzn-Mtls-Clientcert-Leaf X-Amzn-Mtls-Clientcert-Serial-Number",
            ),
            ("ASP.NET Core", "X-Client-Cert X-ARR-ClientCert"),
            ("Kong", "X-Client-Cert X-Client-Cert-Serial X-Client-Cert-Issuer-DN X-Client-Cert-Fingerprint"),
            ("Puppet Server", "X-Client-Verify X-Client-DN X-Client-Cert"),
            (
                "Google Cloud",
                "X-Client-Cert-Present X-Client-Cert-Chain-Verified X-Client-Cert-Leaf X-Client-Cert-SPIFFE",
            ),
            ("CloudFront", "CloudFront-Viewer-Cert-Pem CloudFront-Viewer-Cert-Serial-Number"),
            ("Cloudflare", "Cf-Client-Cert-Der-Base64 Cf-Client-Cert-Sha256"),
            (
                "Cloudflare's managed transform",
                "Cf-Cert-Revoked Cf-Cert-Verified Cf-Cert-Presented Cf-Cert-Issuer-DN-RFC2253 Cf-Cert-Subject-DN",
            ),
            ("linkerd", "l5d-client-id"),
            ("GitLab", "X-SSL-Client-Certificate"),
            ("Janssen", "X-ClientCert"),
            ("HAProxy's examples", "X-SSL-Client-DN X-SSL-Client-CN X-SSL-Issuer X-SSL-Client-NotBefore"),
            ("nginx's users", "X-SSL-CERT X-SSL-Client-S-DN SSL_CLIENT_S_DN ssl-client-subject-dn"),
            ("Traefik", "X-Forwarded-Tls-Client-Cert-Info X-Forwarded-Ssl-Client-Cert-Infos"),
            ("Kubernetes", "X-Remote-User X-Remote-Uid X-Remote-Group X-Remote-Extra-Scopes"),
        ];
        for (reader, names) in readers {
            for name in names.split(' ') {
                for spelling in
                    [name.to_owned(), name.to_lowercase(), name.replace(['-', '_'], "."), name.to_uppercase()]
                {
                    assert!(known(&spelling), "{reader} believes {spelling}");
                }
            }
        }
    }

    #[test]
    fn names_that_are_nobodys_pass() {
        for name in [
            "host",
            "te",
            "x",
            "",
            "cookie",
            "client",
            "client-ip",
            "client-cer",
            "x-ssl-client",
            "x-ssl-certs",
            "ssl-client",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-client-id",
            "x-request-id",
            "x-real-ip",
            "xssl-client-cert",
            "x-x-ssl-client-cert",
            "proxy-authorization",
            "x-remote-addr",
            "cf-connecting-ip",
            "x-amzn-trace-id",
            "ssl-cipher-x",
        ] {
            assert!(!known(name), "{name}");
        }
    }
}
