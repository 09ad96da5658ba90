use super::glob::{self, Glob, Next, Token};
use super::rule_error::RuleErrorKind;
use crate::identity::Uri;

/// A pattern for URIs, which is matched part by part. Nothing in the pattern's authority reaches beyond the URI's
/// authority, and a pattern without an authority fits only URIs without one.
#[derive(Clone, Debug)]
pub(super) struct UriGlob {
    scheme: Box<str>,
    authority: Option<Glob>,
    /// Path, query and fragment.
    rest: Glob,
}

impl UriGlob {
    pub(super) fn parse(text: &str) -> Result<Self, RuleErrorKind> {
        let (scheme, rest) = text.split_once(':').ok_or(RuleErrorKind::GlobScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if format!("{scheme}:x").parse::<Uri>().is_err() {
            return Err(RuleErrorKind::GlobScheme);
        }
        let glob = |pattern: &str| Glob::new(pattern).map_err(RuleErrorKind::Glob);
        let Some((authority, rest)) = split_authority(rest)? else {
            return Ok(Self { scheme: scheme.into(), authority: None, rest: glob(rest)? });
        };
        if authority.is_empty() && scheme != "file" {
            return Err(RuleErrorKind::GlobAuthority);
        }
        Ok(Self { scheme: scheme.into(), authority: Some(glob(authority)?), rest: glob(rest)? })
    }

    pub(super) fn matches(&self, uri: &Uri) -> bool {
        let authority = match (&self.authority, uri.authority()) {
            (Some(pattern), Some(authority)) => pattern.matches(authority),
            (None, None) => true,
            _ => false,
        };
        authority && *self.scheme == *uri.scheme() && self.rest.matches(uri.after_authority())
    }
}

/// Splits a pattern after its leading `//`, at the next `/`, `?` or `#` that stands for itself: the authority, and the
/// rest. `None` if there is no `//`.
fn split_authority(pattern: &str) -> Result<Option<(&str, &str)>, RuleErrorKind> {
    let next = |chars: &mut _| glob::next(chars).map_err(RuleErrorKind::Glob);
    let mut chars = pattern.chars();
    for _ in 0..2 {
        if !matches!(next(&mut chars)?, Some(Next::Char('/'))) {
            return Ok(None);
        }
    }
    let authority = chars.as_str();
    loop {
        let rest = chars.as_str();
        match next(&mut chars)? {
            Some(Next::Char('/' | '?' | '#')) | None => {
                return Ok(authority.strip_suffix(rest).map(|authority| (authority, rest)));
            }
            // A URI with user information fits no pattern. Whoever writes `[::1]` means an address and not a set.
            Some(Next::Char('@')) => return Err(RuleErrorKind::GlobAuthority),
            Some(Next::Wild(Token::Class { ranges, .. })) if ranges.contains(&(':', ':')) => {
                return Err(RuleErrorKind::GlobAuthority);
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::GlobError;

    fn matches(pattern: &str, uri: &str) -> bool {
        UriGlob::parse(pattern).unwrap().matches(&uri.parse().unwrap())
    }

    #[test]
    fn wildcards_in_the_authority_stay_within_it() {
        for pattern in [
            "https://*.example/",
            "https://*?.example/",
            "https://*[^a].example/",
            "https://*[!-~].example/",
            r"https:\/\/*.example\/",
            "HTTPS://*.example/",
        ] {
            assert!(matches(pattern, "https://good.example/"), "{pattern}");
            assert!(matches(pattern, "https://very.good.example/"), "{pattern}");
            for evil in [
                "https://evil.test?.example/",
                "https://evil.test?b.example/",
                "https://evil.test#.example/",
                "https://evil.test#b.example/",
                "https://evil.test/.example/",
                "https://evil.test/b.example/",
                "https://evil.test?x#.example/",
                "https://good.example",
                "https://good.example?/",
                "https://good.example/x",
                "http://good.example/",
            ] {
                assert!(!matches(pattern, evil), "{pattern} on {evil}");
            }
        }
    }

    #[test]
    fn each_part_is_matched_with_its_part() {
        for (pattern, uri, expected) in [
            ("spiffe://*/ns/*", "spiffe://a.test/ns/b", true),
            ("spiffe://*/ns/*", "spiffe://a.test/x/ns/b", false),
            ("spiffe://*/ns/*", "spiffe:/a.test/ns/b", false),
            ("https://*", "https://a.test", true),
            ("https://*", "https://a.test:8443", true),
            ("https://*", "https://a.test/", false),
            ("https://*", "https://a.test?q", false),
            ("https://*", "https://a.test#f", false),
            ("https://a.test/*", "https://a.test/", true),
            // As in Go, `*` matches the query too.
            ("https://a.test/*", "https://a.test/b?c#d", true),
            (r"https://a.test\?*", "https://a.test?q", true),
            (r"https://a.test\?*", "https://a.test/q", false),
            ("https://a.test#*", "https://a.test#f", true),
            ("https://a.test#*", "https://a.test?f", false),
            // `?` is any one character.
            ("https://a.tes?/", "https://a.test/", true),
            ("https://a.test?x", "https://a.test?x", false),
            ("https://a.test?x", "https://a.test/x", false),
            ("https://a.test:*/", "https://a.test:8443/", true),
            ("https://a.test:*/", "https://a.test/", false),
            (r"https://\[::1\]/", "https://[::1]/", true),
            (r"https://\[*\]/", "https://[2001:db8::1]/", true),
            (r"https://\[*\]/", "https://a.test/", false),
            ("urn:a:*", "urn:a:b", true),
            ("urn:a:*", "urn:a:b/c", false),
            ("urn:*", "urn:x", true),
            // A pattern without `//` has no authority, whatever its wildcards could stand for.
            ("x:/*/a", "x:/b/a", true),
            ("x:/*/a", "x://a", false),
            ("x:*/a", "x:b/a", true),
            ("x:*/*/a", "x://a", false),
            ("file:///etc/*", "file:///etc/x", true),
            ("file:///etc/*", "file://a.test/etc/x", false),
            ("file://*/etc/*", "file:///etc/x", true),
        ] {
            assert_eq!(matches(pattern, uri), expected, "{pattern} on {uri}");
        }
    }

    #[test]
    fn a_pattern_that_could_fit_no_uri_is_an_error() {
        use RuleErrorKind::{GlobAuthority, GlobScheme};
        for (pattern, error) in [
            ("", GlobScheme),
            ("*", GlobScheme),
            ("*://a.test/", GlobScheme),
            (r"https\://a.test/", GlobScheme),
            ("http[s]://a.test/", GlobScheme),
            ("https://", GlobAuthority),
            ("https:///x", GlobAuthority),
            ("https://#x", GlobAuthority),
            ("https://user@a.test/", GlobAuthority),
            ("https://*@*/", GlobAuthority),
            (r"https://*\@*/", GlobAuthority),
            ("https://[::1]/", GlobAuthority),
            ("https://[2001:db8::1]:443/", GlobAuthority),
            ("https://[a/", RuleErrorKind::Glob(GlobError::Class)),
            ("https://a/[", RuleErrorKind::Glob(GlobError::Class)),
            ("https://a/[/]", RuleErrorKind::Glob(GlobError::Slash)),
            ("urn:\\", RuleErrorKind::Glob(GlobError::TrailingBackslash)),
        ] {
            assert_eq!(UriGlob::parse(pattern).err(), Some(error), "{pattern}");
        }
    }
}
