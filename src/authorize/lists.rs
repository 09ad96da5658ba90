//! The lists of rules. Their items are checked when the list is made, and quick to look up.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::{IpNet, Ipv4Net};

use super::glob::Glob;
use super::rule_error::RuleErrorKind;
use crate::identity::{SpiffeId, check_hostname, is_trust_domain};
use crate::x509::Fingerprint;

/// Items, sorted for binary search.
#[derive(Clone, Debug)]
pub(super) struct Sorted<T>(Box<[T]>);

impl<T: Ord> Sorted<T> {
    pub(super) fn new(mut items: Vec<T>) -> Self {
        items.sort_unstable();
        items.dedup();
        Self(items.into())
    }

    pub(super) fn contains(&self, item: &T) -> bool {
        self.0.binary_search(item).is_ok()
    }
}

/// Texts, sorted by length first: most comparisons end without a look at the characters.
#[derive(Clone, Debug)]
pub(super) struct Texts(Box<[Box<str>]>);

impl Texts {
    pub(super) fn new(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable_by(|one, other| by_length(one, other));
        texts.dedup();
        Self(texts.into())
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.0.binary_search_by(|one| by_length(one, text)).is_ok()
    }
}

fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Host names, and wildcards that stand for exactly one label.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    exact: Texts,
    /// The parts after the `*.`.
    wildcards: Texts,
}

impl Hosts {
    pub(super) fn new(hosts: Vec<Box<str>>) -> Self {
        let (wildcards, exact): (Vec<_>, _) = hosts.into_iter().partition(|host| host.starts_with("*."));
        let wildcards = wildcards.iter().filter_map(|host| host.strip_prefix("*.")).map(Box::from).collect();
        Self { exact: Texts::new(exact), wildcards: Texts::new(wildcards) }
    }

    pub(super) fn parse(text: &str) -> Result<Box<str>, RuleErrorKind> {
        // As in Skipper, `127.1` counts as a name: only complete addresses are refused.
        if Networks::parse(text).is_ok() {
            return Err(RuleErrorKind::IpAddress);
        }
        check_hostname(text).map_err(RuleErrorKind::Hostname)?;
        Ok(text.to_ascii_lowercase().into())
    }

    /// Returns whether a name from a certificate is on the list. `None` if the name is a wildcard itself, which stands
    /// for many names.
    pub(super) fn contains(&self, host: &str) -> Option<bool> {
        let after_first_label = || {
            let dot = host.bytes().position(|byte| byte == b'.')?;
            host.get(dot.checked_add(1)?..)
        };
        let is_wildcard = host.strip_prefix('*').is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        (!is_wildcard).then(|| {
            self.exact.contains(host) || after_first_label().is_some_and(|rest| self.wildcards.contains(rest))
        })
    }
}

/// Networks, sorted by their first addresses, and none within another. So of the networks that start at or before an
/// address, only the last can contain the address.
#[derive(Clone, Debug)]
pub(super) struct Networks(Box<[IpNet]>);

impl Networks {
    pub(super) fn new(mut networks: Vec<IpNet>) -> Self {
        networks.sort_unstable();
        networks.dedup_by(|inner, outer| outer.contains(&*inner));
        Self(networks.into())
    }

    /// Reads an address or a network. IPv4-mapped IPv6 becomes IPv4.
    pub(super) fn parse(text: &str) -> Result<IpNet, RuleErrorKind> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| RuleErrorKind::Ip)?.trunc();
        let mapped = match network {
            IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
            IpNet::V4(_) => None,
        };
        Ok(match mapped.map(|(address, prefix)| Ipv4Net::new(address, prefix)) {
            Some(Ok(v4)) => IpNet::V4(v4),
            _ => network,
        })
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let after = self.0.partition_point(|network| network.addr() <= ip);
        after.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|network| network.contains(&ip))
    }
}

/// A SPIFFE ID with a glob for its path.
#[derive(Clone, Debug)]
pub(super) struct SpiffePattern {
    trust_domain: Box<str>,
    path: Glob,
}

impl SpiffePattern {
    pub(super) fn parse(text: &str) -> Result<Self, RuleErrorKind> {
        let rest = text.strip_prefix("spiffe://").ok_or(RuleErrorKind::SpiffePattern)?;
        let (trust_domain, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        // No ID has a slash at the end, an empty segment, a percent sign or a query, so such a pattern would match
        // none.
        let plain = |char: char| char.is_ascii_alphanumeric() || "-._/*?[]^\\".contains(char);
        if !is_trust_domain(trust_domain)
            || !path.chars().all(plain)
            || path.ends_with('/')
            || path.contains("//")
        {
            return Err(RuleErrorKind::SpiffePattern);
        }
        let path = Glob::new(path).map_err(RuleErrorKind::Glob)?;
        Ok(Self { trust_domain: trust_domain.into(), path })
    }

    pub(super) fn matches(&self, id: &SpiffeId) -> bool {
        *self.trust_domain == *id.trust_domain() && self.path.matches(id.path())
    }
}

/// Reads a hash in the form of a [`Fingerprint`], or in base64 as in `pin-sha256`.
pub(super) fn hash(text: &str) -> Result<Fingerprint, RuleErrorKind> {
    let base64 = || STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    text.parse().ok().or_else(|| base64().map(Fingerprint::from)).ok_or(RuleErrorKind::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(items: &[&str]) -> Networks {
        Networks::new(items.iter().map(|item| Networks::parse(item).unwrap()).collect())
    }

    #[test]
    fn the_network_that_contains_an_address_is_found_among_nested_ones() {
        let list = networks(&[
            "10.1.0.0/16",
            "10.0.0.0/8",
            "10.1.2.3",
            "192.0.2.7/24",
            "2001:db8::/32",
            "0.0.0.0/32",
        ]);
        assert_eq!(list.0.len(), 4);
        for (ip, expected) in [
            ("0.0.0.0", true),
            ("0.0.0.1", false),
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.1.2.4", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.0.2.0", true),
            ("192.0.3.0", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::a00:1", false),
        ] {
            assert_eq!(list.contains(ip.parse().unwrap()), expected, "{ip}");
        }
        for all in ["0.0.0.0/0", "::ffff:0:0/96"] {
            assert!(networks(&[all]).contains("255.255.255.255".parse().unwrap()));
            assert!(!networks(&[all]).contains("::1".parse().unwrap()));
        }
    }

    #[test]
    fn mapped_addresses_and_networks_are_ipv4() {
        assert_eq!(Networks::parse("::ffff:10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        assert_eq!(Networks::parse("::ffff:10.0.0.0/104").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(Networks::parse("::/0").unwrap().to_string(), "::/0");
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let list =
            Hosts::new(["*.example.test", "a.test"].iter().map(|host| Hosts::parse(host).unwrap()).collect());
        for (host, expected) in [
            ("a.test", Some(true)),
            ("b.example.test", Some(true)),
            ("example.test", Some(false)),
            ("c.b.example.test", Some(false)),
            ("xexample.test", Some(false)),
            ("test", Some(false)),
            ("*.example.test", None),
        ] {
            assert_eq!(list.contains(host), expected, "{host}");
        }
    }

    #[test]
    fn an_address_is_no_host() {
        for address in ["10.0.0.1", "0.0.0.0", "::1", "2001:DB8::1", "::ffff:10.0.0.1", "10.0.0.0/8", "::/0"]
        {
            assert_eq!(Hosts::parse(address), Err(RuleErrorKind::IpAddress), "{address}");
        }
        for name in ["1.2.3", "127.1", "10.0.0.256", "10.0.0.01", "1.2.3.4.5", "10.0.0.1.test", "*.0.0.1"] {
            assert!(Hosts::parse(name).is_ok(), "{name}");
        }
        for neither in ["[::1]", "fe80::1%eth0", "10.0.0.0/33", "10.0.0.1:443", "a.test:443"] {
            assert!(matches!(Hosts::parse(neither), Err(RuleErrorKind::Hostname(_))), "{neither}");
        }
    }

    #[test]
    fn hashes_are_taken_as_openssl_and_curl_write_them() {
        let bytes: Vec<u8> = (0..32).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let colons = bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        for text in [hex.clone(), hex.to_uppercase(), colons.clone(), STANDARD.encode(&bytes)] {
            assert_eq!(hash(&text).unwrap().as_bytes()[..], bytes, "{text}");
        }
        for wrong in [
            "",
            "00",
            &hex[1..],
            &colons[3..],
            &format!("{hex}00"),
            &hex.replace('0', "+"),
            &hex.replace('0', "é"),
        ] {
            assert_eq!(hash(wrong), Err(RuleErrorKind::Hash), "{wrong}");
        }
    }
}
