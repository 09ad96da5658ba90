//! Every header that a reader of client certificates might believe: the library's own table of what is stripped.

/// The page of the library's documentation; a test of the library compares it with the code.
const TABLE: &str = include_str!("../../../src/docs/stripped.md");

/// Members of the families in the table, each in a spelling that some program reads. A family without a row here is an
/// error that a test finds.
const MEMBERS: &[(&str, &[&str])] = &[
    ("x-forwarded-tls-client-cert", &["", "-verify", "-info", "-chain"]),
    ("x-forwarded-ssl-client-cert", &["", "-infos"]),
    ("x-forwarded-client-cert", &["", "-chain"]),
    ("client-cert", &["", "-chain", "-leaf", "-present", "-chain-verified", "-subject-dn"]),
    (
        "x-ssl-client-",
        &["cert", "verify", "chain", "chain-0", "certificate", "dn", "cn", "s-dn", "sha1", "notbefore"],
    ),
    (
        "ssl-client-",
        &[
            "cert",
            "escaped-cert",
            "cert-chain-0",
            "cert-chain-9",
            "verify",
            "subject-dn",
            "issuer-dn",
            "s-dn",
            "i-dn",
        ],
    ),
    ("x-amzn-mtls-", &["clientcert", "clientcert-leaf", "clientcert-serial-number", "clientcert-subject"]),
    ("cloudfront-viewer-cert-", &["pem", "present", "sha256", "subject"]),
    ("x-client-cert", &["", "-leaf", "-chain-verified", "-subject-dn", "-fingerprint", "-serial"]),
    ("cf-client-cert", &["", "-der-base64", "-sha256"]),
    ("cf-cert-issuer-", &["dn", "serial", "ski"]),
    ("cf-cert-subject-", &["dn", "dn-rfc2253"]),
    ("cf-cert-fingerprint-", &["sha1", "sha256"]),
    ("cf-cert-not-", &["before", "after"]),
    ("x-remote-extra-", &["scopes"]),
];

/// The rows of the table: a name, and whether it is the beginning of a family.
fn rows() -> impl Iterator<Item = (&'static str, bool)> {
    TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(|name| name.strip_suffix('*').map_or((name, false), |start| (start, true)))
}

/// Every name, families by their members.
fn names() -> impl Iterator<Item = String> {
    rows().flat_map(|(name, family)| {
        let members = if family { members(name) } else { &[""] };
        members.iter().map(move |member| format!("{name}{member}"))
    })
}

fn members(family: &str) -> &'static [&'static str] {
    MEMBERS.iter().find(|(name, _)| *name == family).map_or(&[], |(_, members)| members)
}

/// Every name in each spelling that CGI, WSGI, PHP or Rack take for the same name.
pub(crate) fn spellings() -> Vec<String> {
    names().flat_map(|name| ["-", "_", "."].map(|sign| name.replace('-', sign))).collect()
}

/// The name as those programs fold it.
pub(crate) fn folded(name: &str) -> String {
    let fold = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    name.chars().map(fold).collect()
}

/// Whether some reader might believe a header of this name, however it is spelt.
pub(crate) fn is_known(name: &str) -> bool {
    let name = folded(name);
    rows().any(|(known, family)| if family { name.starts_with(known) } else { name == known })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_the_table_has_members_and_every_member_a_family() {
        let families: Vec<&str> = rows().filter(|(_, family)| *family).map(|(name, _)| name).collect();
        let listed: Vec<&str> = MEMBERS.iter().map(|(family, _)| *family).collect();
        assert_eq!(families, listed);
        assert!(rows().count() > 25, "the page has another form than this reads");
    }

    #[test]
    fn every_row_is_tried_in_every_spelling_and_every_spelling_is_known() {
        let spellings = spellings();
        for name in ["client-cert", "client_cert", "client.cert", "x.remote.user", "ssl_client_cert_chain_9"]
        {
            assert!(spellings.iter().any(|tried| tried == name), "{name}");
        }
        for (row, family) in rows() {
            let is_of = |name: &&String| folded(name) == row || family && folded(name).starts_with(row);
            assert!(spellings.iter().filter(is_of).count() >= 3, "{row}");
        }
        assert!(spellings.iter().all(|name| is_known(name)));
    }

    #[test]
    fn other_headers_are_nobodys() {
        for name in ["host", "accept", "x-forwarded-for", "x-client-id", "x-doctor-forged"] {
            assert!(!is_known(name), "{name}");
        }
        assert!(is_known("X_SSL_Client.Whatever"));
    }
}
