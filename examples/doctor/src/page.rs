//! What arrived, as a page for a browser: no scripts, nothing loaded, and every word that came from outside escaped.

use std::fmt::Write as _;

use crate::echo::Arrived;
use crate::text::{html, shortened};
use crate::told::{Client, Fit};

/// Nothing but the style on the page itself.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Characters of a header's value that are shown.
const SHOWN: usize = 160;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; --good: #17703a; --bad: #b3261e; --soft: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --good: #7bd69b; --bad: #ff9c92; --soft: #a8a8a8; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
.verdict { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
th { width: 17rem; font-weight: 600; }
code { font: .9em ui-monospace, monospace; display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
summary { cursor: pointer; }
@media (max-width: 36rem) { th, td { display: block; width: auto; } td { border-top: 0; padding-top: 0; } }
";

pub(crate) fn page(arrived: &Arrived) -> String {
    let told = &arrived.told;
    let mut body = String::new();
    match told.best() {
        Some((fit, client)) => client_section(&mut body, fit, client),
        None => {
            body.push_str("<h1>You are nobody here</h1>\n");
            let _ = writeln!(body, "<p>{}.</p>", html(told.summary.trim_end_matches('.')));
        }
    }
    forged_section(&mut body, arrived);

    body.push_str("<h2>Which dialect arrived</h2>\n");
    if told.fits.is_empty() {
        body.push_str("<p>None that is known.</p>\n");
    }
    table(&mut body, told.fits.iter().map(|fit| (fit.dialect.clone(), in_words(fit))));
    let count = told.others.len();
    let _ = writeln!(body, "<details><summary>What a reader of each other dialect says ({count})</summary>");
    table(&mut body, told.others.iter().map(|other| (other.dialect.clone(), other.reader_says.clone())));
    body.push_str("</details>\n");

    let _ = writeln!(
        body,
        "<h2>What arrived</h2>\n<p class=\"soft\"><code>{}</code> over {}, from {}</p>",
        html(&arrived.line),
        html(&arrived.protocol),
        html(&arrived.peer)
    );
    table(&mut body, arrived.headers.iter().map(|(name, value)| (name.clone(), shortened(value, SHOWN))));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>doctor: which client certificate arrived</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn client_section(body: &mut String, fit: &Fit, client: &Client) {
    let who = client.who.as_deref().unwrap_or("a client without a name");
    let _ = writeln!(body, "<h1>You are {}</h1>", html(who));
    let (class, verdict) = match (client.verified, client.verdict.as_deref()) {
        (Some(true), _) => ("good", "Verified, as the proxy says.".to_owned()),
        (Some(false), Some(verdict)) => ("bad", format!("Not verified. The proxy says: {verdict}")),
        _ => ("soft", "Whether the certificate was verified, the proxy does not say.".to_owned()),
    };
    let _ = writeln!(body, "<p class=\"verdict {class}\">{}</p>", html(&verdict));
    let rows = [
        ("Issued by", client.issuer.clone()),
        ("Other names", Some(client.names.join(", ")).filter(|names| !names.is_empty())),
        ("SHA-256", client.sha256.clone()),
        ("Certificates", Some(client.certificates.to_string())),
        ("Told in", Some(fit.dialect.clone())),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    table(body, rows);
}

fn forged_section(body: &mut String, arrived: &Arrived) {
    let told = &arrived.told;
    body.push_str("<h2>What should not have arrived</h2>\n");
    let list = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("<code>{}</code>", html(name))).collect();
        names.join(", ")
    };
    if told.unexpected.is_empty() && told.forged.arrived.is_empty() {
        body.push_str("<p>No header that only another reader would believe.</p>\n");
    }
    if !told.unexpected.is_empty() {
        let _ = writeln!(
            body,
            "<p class=\"bad\">Headers that some reader of client certificates believes, and that belong to no dialect \
             that fits: {}.</p>",
            list(&told.unexpected)
        );
    }
    if !told.forged.arrived.is_empty() {
        let _ = writeln!(
            body,
            "<p class=\"bad\">Forged by the doctor, and arrived: {}.</p>",
            list(&told.forged.arrived)
        );
    }
    if told.forged.stripped.is_empty() {
        body.push_str(
            "<p class=\"soft\">A browser forges nothing, so this page can't tell what is stripped; \
             <code>doctor probe --header-check</code> can.</p>\n",
        );
    } else {
        let _ = writeln!(
            body,
            "<p class=\"good\">Forged by the doctor, and stripped: {}.</p>",
            list(&told.forged.stripped)
        );
    }
}

fn in_words(fit: &Fit) -> String {
    let Some(client) = &fit.client else {
        return fit.remark.clone().unwrap_or_else(|| "no client certificate".to_owned());
    };
    let who = client.who.as_deref().unwrap_or("a client without a name");
    let verdict = match (client.verified, client.verdict.as_deref()) {
        (Some(true), _) => "verified",
        (Some(false), Some(verdict)) => verdict,
        _ => "this reader knows no verdict",
    };
    format!("{who}: {verdict}")
}

fn table(body: &mut String, rows: impl Iterator<Item = (String, String)>) {
    body.push_str("<table>\n");
    for (name, value) in rows {
        let _ = writeln!(body, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", html(&name), html(&value));
    }
    body.push_str("</table>\n");
}

#[cfg(test)]
mod tests {
    use tower_client_cert::dialect::{AnyDialect, Dialect as _, Outgoing, VerifyStatus};

    use super::*;
    use crate::certificate::tests::identity;

    fn arrived(headers: http::HeaderMap) -> Arrived {
        let mut request = http::Request::get("/%3Cb%3E").body(()).unwrap();
        *request.headers_mut() = headers;
        Arrived::new("127.0.0.1:1".to_owned(), &request.into_parts().0)
    }

    #[test]
    fn names_in_certificates_and_headers_are_hostile() {
        let mallory = identity("<script>alert('x')</script>\"&\u{202e}", |_| {});
        let mut headers = http::HeaderMap::new();
        let outgoing = Outgoing::new(&mallory.key.cert, VerifyStatus::Failed("<i>no</i>".into()));
        "skipper".parse::<AnyDialect>().unwrap().encode(&outgoing, &mut headers);
        headers.insert("x-a", "<img src=x onerror=alert(1)>".parse().unwrap());
        headers.insert("x-doctor-forged", "<b>, '".parse().unwrap());
        let page = page(&arrived(headers));
        for hostile in ["<script", "<i>", "<img", "<b>", "\u{202e}"] {
            assert!(!page.contains(hostile), "{hostile} in {page}");
        }
        for shown in [
            "You are CN=\\&lt;script\\&gt;",
            "FAILED:&lt;i&gt;no",
            "&lt;img src=x",
            "<code>&lt;b&gt;</code>, <code>&#39;</code>",
        ] {
            assert!(page.contains(shown), "{shown} not in {page}");
        }
    }

    #[test]
    fn so_are_words_of_a_reader() {
        let mut nobody = arrived(http::HeaderMap::new());
        nobody.told.summary = "<script>".to_owned();
        assert!(page(&nobody).contains("<p>&lt;script&gt;.</p>"));
    }

    #[test]
    fn it_says_who_and_whether_verified_and_what_was_stripped() {
        let alice = identity("alice", |_| {});
        let mut headers = http::HeaderMap::new();
        let outgoing = Outgoing::new(&alice.key.cert, VerifyStatus::Success);
        "skipper".parse::<AnyDialect>().unwrap().encode(&outgoing, &mut headers);
        headers.insert("x-doctor-forged", "client_cert, ssl-client-cert".parse().unwrap());
        headers.insert("ssl-client-cert", "doctor-forged-1-2-".parse().unwrap());
        let page = page(&arrived(headers));
        for shown in [
            "You are CN=alice",
            "Verified, as the proxy says",
            "and arrived: <code>ssl-client-cert</code>",
            "and stripped: <code>client_cert</code>",
        ] {
            assert!(page.contains(shown), "{shown} not in {page}");
        }
        assert!(!page.contains("No header that only"));
        let nobody = super::page(&arrived(http::HeaderMap::new()));
        assert!(
            nobody.contains("You are nobody here")
                && nobody.contains("No header that only")
                && nobody.contains("no header of any dialect")
                && nobody.contains("A browser forges nothing")
        );
    }
}
