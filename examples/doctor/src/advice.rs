//! The line to write, for each server that the doctor knows.

use clap::ValueEnum;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServerKind {
    Nginx,
    Haproxy,
    Envoy,
    Caddy,
    /// This crate: edge_proxy, or the layer in a program of yours.
    TowerClientCert,
    /// net/http, and what is built on it
    Go,
    Skipper,
}

/// What there is a cure for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It does not ask for a certificate.
    NeverAsks,
    /// It asks, and does not take this one.
    Refuses,
    /// It takes the certificate, and does not pass it on.
    NotForwarded,
    /// It passes these headers of its clients on.
    Forged(Vec<String>),
}

impl ServerKind {
    /// What an answer's `server` and `via` headers say; both are a guess.
    pub(crate) fn guess(server: Option<&str>, via: Option<&str>) -> Option<Self> {
        let words = [server, via].into_iter().flatten().map(str::to_ascii_lowercase);
        let told =
            |word: &str| Self::value_variants().iter().find(|kind| word.contains(kind.word())).copied();
        words.filter_map(|word| told(&word)).next()
    }

    /// The word in a `server` header. Go and this crate write none.
    const fn word(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::TowerClientCert => "tower-client-cert",
            Self::Go => "golang",
            Self::Skipper => "skipper",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::Caddy => "Caddy",
            Self::TowerClientCert => "this crate",
            Self::Go => "Go",
            Self::Skipper => "Skipper",
        }
    }

    /// Lines of this server's configuration.
    pub(crate) fn cure(self, problem: &Problem) -> Vec<String> {
        let lines: &[&str] = match problem {
            Problem::NeverAsks => match self {
                Self::Nginx => &["ssl_verify_client optional;", "ssl_client_certificate client-ca.pem;"],
                Self::Haproxy => &["bind :443 ssl crt server.pem ca-file client-ca.pem verify optional"],
                Self::Envoy => &[
                    "# in the DownstreamTlsContext",
                    "common_tls_context: { validation_context: { trusted_ca: { filename: client-ca.pem } } }",
                ],
                Self::Caddy => &[
                    "tls {",
                    "    client_auth {",
                    "        mode verify_if_given",
                    "        trust_pool file client-ca.pem",
                    "    }",
                    "}",
                ],
                Self::TowerClientCert => &[
                    "--client-auth RequestClientCert",
                    "ClientAuthPolicy::RequestClientCert.verifier() // in a program of yours",
                ],
                Self::Go => &["server.TLSConfig = &tls.Config{ClientAuth: tls.RequestClientCert}"],
                Self::Skipper => &["-tls-client-auth=RequestClientCert"],
            },
            Problem::Refuses => match self {
                Self::Nginx => &["ssl_client_certificate client-ca.pem; # with the CA of this certificate"],
                Self::Haproxy => {
                    &["ca-file client-ca.pem # on the bind line, with the CA of this certificate"]
                }
                Self::Envoy => &["trusted_ca: { filename: client-ca.pem } # with the CA of this certificate"],
                Self::Caddy => &["trust_pool file client-ca.pem # with the CA of this certificate"],
                Self::TowerClientCert => &["--client-ca client-ca.pem # with the CA of this certificate"],
                Self::Go => &["ClientCAs: pool // an x509.CertPool with the CA of this certificate"],
                Self::Skipper => &["-tls-client-auth=RequestClientCert # the backend judges the certificate"],
            },
            Problem::NotForwarded => match self {
                Self::Nginx => &[
                    "proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;",
                    "proxy_set_header X-SSL-Client-Verify $ssl_client_verify;",
                ],
                Self::Haproxy => &[
                    "http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]",
                    "http-request set-header X-SSL-Client-Verify %[ssl_c_verify]",
                ],
                Self::Envoy => &[
                    "forward_client_cert_details: SANITIZE_SET",
                    "set_current_client_cert_details: { cert: true }",
                ],
                Self::Caddy => &["header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}"],
                Self::TowerClientCert => {
                    &["let app = ClientCertLayer::new().layer(app); // around the whole app"]
                }
                Self::Go => &[
                    "r.Out.Header.Del(\"X-Client-Cert\")",
                    "if tls := r.In.TLS; tls != nil && len(tls.PeerCertificates) > 0 {",
                    "    r.Out.Header.Set(\"X-Client-Cert\", \
                     base64.StdEncoding.EncodeToString(tls.PeerCertificates[0].Raw))",
                    "}",
                ],
                Self::Skipper => &["dropRequestHeader(\"X-Forwarded-Tls-Client-Cert\") -> \
                     dropRequestHeader(\"X-Forwarded-Tls-Client-Cert-Verify\") -> tlsPassClientCertificates()"],
            },
            Problem::Forged(names) => {
                let list = (self == Self::Envoy).then(|| "request_headers_to_remove:".to_owned());
                return list.into_iter().chain(names.iter().map(|name| self.drop(name))).collect();
            }
        };
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// The line that takes a header off every request.
    fn drop(self, name: &str) -> String {
        match self {
            Self::Nginx => format!("proxy_set_header {name} \"\";"),
            Self::Haproxy => format!("http-request del-header {name}"),
            Self::Envoy => format!("- {name:?}"),
            Self::Caddy => format!("header_up -{name}"),
            Self::TowerClientCert => {
                format!(
                    "take --pass-header {name} away; in a program of yours, put ClientCertLayer around the whole app"
                )
            }
            Self::Go => format!("r.Out.Header.Del({name:?})"),
            Self::Skipper => format!("dropRequestHeader({name:?}) ->"),
        }
    }
}

/// The cure for the server that it is, or for each that it could be.
pub(crate) fn cures(kind: Option<ServerKind>, problem: &Problem) -> Vec<(ServerKind, Vec<String>)> {
    let kinds = match &kind {
        Some(kind) => std::slice::from_ref(kind),
        None => ServerKind::value_variants(),
    };
    kinds.iter().map(|kind| (*kind, kind.cure(problem))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_what_it_says_of_itself() {
        for (server, via, kind) in [
            (Some("nginx/1.22.1"), None, Some(ServerKind::Nginx)),
            (Some("envoy"), None, Some(ServerKind::Envoy)),
            (Some("Skipper"), None, Some(ServerKind::Skipper)),
            (Some("gunicorn"), Some("1.1 Caddy"), Some(ServerKind::Caddy)),
            (Some("gunicorn"), None, None),
            (None, None, None),
        ] {
            assert_eq!(ServerKind::guess(server, via), kind, "{server:?}");
        }
    }

    #[test]
    fn every_server_has_a_cure_for_everything() {
        let forged = Problem::Forged(vec!["client_cert".to_owned()]);
        for problem in [Problem::NeverAsks, Problem::Refuses, Problem::NotForwarded, forged] {
            let cures = cures(None, &problem);
            assert_eq!(cures.len(), 7);
            assert!(cures.iter().all(|(_, lines)| !lines.is_empty()));
        }
        let [(_, lines)] = &cures(Some(ServerKind::TowerClientCert), &Problem::NeverAsks)[..] else {
            panic!()
        };
        assert_eq!(lines[0], "--client-auth RequestClientCert");
    }
}
