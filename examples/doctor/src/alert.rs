//! What an alert means when a server ends the connection of a client that it asked for a certificate.

use rustls::AlertDescription as Alert;

/// The alert in plain words, and what to do.
pub(crate) fn meaning(alert: Alert, presented: bool) -> (&'static str, &'static str) {
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => (
            "the server insists on a certificate, and none was presented",
            "give the client one; for the doctor that is --cert FILE --key FILE",
        ),
        // What TLS 1.2 has instead.
        Alert::HandshakeFailure | Alert::BadCertificate if !presented => (
            "the server most likely insists on a certificate, and none was presented",
            "give the client one; for the doctor that is --cert FILE --key FILE",
        ),
        Alert::UnknownCA => (
            "the server does not know the CA that issued the certificate, or was not sent the intermediate between them",
            "add the CA to the client CAs of the server, or the intermediate to the client's file, after its certificate",
        ),
        Alert::CertificateExpired => (
            "the certificate, or one of its issuers, has expired or is not valid yet",
            "renew it, and look at the clocks of both machines",
        ),
        Alert::CertificateRevoked => {
            ("the certificate is on a revocation list of the server", "have a new certificate issued")
        }
        Alert::UnsupportedCertificate => (
            "the certificate is of a kind or for a purpose that the server does not take",
            "issue one whose extended key usage includes clientAuth, with a key that the server's schemes allow",
        ),
        Alert::BadCertificate => (
            "the server does not accept the certificate; some servers, Go's among them, say no more than that of any fault",
            "check that its CA is among the client CAs of the server, that it is version 3 and for clientAuth; the \
             server's log may say more",
        ),
        Alert::CertificateUnknown => (
            "the server does not accept the certificate, for a reason of its own",
            "look at the server's log: a rule on names, a revocation list that is missing or out of date, a plugin",
        ),
        Alert::AccessDenied => (
            "the certificate is valid, and its owner is not let in",
            "look at the rules on names in the server's configuration",
        ),
        Alert::DecryptError => (
            "the server could not verify the client's signature",
            "check that the client's key belongs to its certificate, as in a smart card or an agent",
        ),
        Alert::HandshakeFailure => (
            "the server found nothing in common with the client, or did not accept its certificate",
            "compare the signature schemes, versions and cipher suites; the server's log may say more",
        ),
        Alert::InternalError => {
            ("the server failed while it looked at the certificate", "look at the server's log")
        }
        _ => ("the server did not say what it has against the client", "look at the server's log"),
    }
}

/// Whether the alert is about the client's certificate, and not about the connection.
pub(crate) fn is_about_certificate(alert: Alert) -> bool {
    !matches!(
        alert,
        Alert::UnrecognisedName | Alert::NoApplicationProtocol | Alert::ProtocolVersion | Alert::CloseNotify
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_refusals_name_their_cure() {
        assert!(meaning(Alert::UnknownCA, true).1.contains("client CAs"));
        assert!(meaning(Alert::CertificateRequired, false).0.contains("insists"));
        // TLS 1.2 of OpenSSL and of Go.
        for alert in [Alert::HandshakeFailure, Alert::BadCertificate] {
            assert!(meaning(alert, false).0.contains("insists"));
            assert!(!meaning(alert, true).0.contains("insists"));
        }
        assert!(
            is_about_certificate(Alert::UnknownCA) && !is_about_certificate(Alert::NoApplicationProtocol)
        );
    }
}
