//! Host names in one spelling. What a client asks for in its handshake (SNI), what it asks for in a request, and what
//! the operator configures are all compared by this module.
//!
//! If two parts of a program disagree about case, a trailing dot or a wildcard, a policy can be bypassed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls_pki_types::DnsName;

/// The host that a request or a handshake names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    /// A name in lower case, without a trailing dot.
    Name(Cow<'a, str>),
    /// An IP address, or no name at all: a client that connects to an address sends no SNI (RFC 6066 section 3).
    Address,
}

impl<'a> Host<'a> {
    /// Reads `host [":" port]`, as in a `Host` header (RFC 9110 section 7.2) or in the authority of a request's URI.
    /// The port is ignored. `None` if the input is anything else, `user@host` included.
    pub(crate) fn from_authority(authority: &'a [u8]) -> Option<Self> {
        let authority = std::str::from_utf8(authority).ok()?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (Self::Address, port)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                let address = || host.parse::<Ipv4Addr>().ok().map(|_| Self::Address);
                (Self::from_name(host).or_else(address)?, port)
            }
        };
        let digits = if port.is_empty() { port } else { port.strip_prefix(':')? };
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
    }

    /// Reads a name without a port. `None` if it is not a valid name.
    pub(crate) fn from_name(name: &'a str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        // rustls accepts the same names, and a second trailing dot.
        if name.ends_with('.') || DnsName::try_from(name).is_err() {
            return None;
        }
        Some(Self::Name(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name.to_ascii_lowercase().into()
        } else {
            name.into()
        }))
    }
}

/// A value for each host name. An exact name takes precedence over a wildcard, and a wildcard over the fallback, in
/// whatever order they were added.
#[derive(Clone, Debug)]
pub(crate) struct HostMap<T> {
    exact: HashMap<String, T>,
    /// The values of wildcards, by what follows `*.`, which stands for exactly one label.
    wildcards: HashMap<String, T>,
    pub(crate) fallback: Option<T>,
}

impl<T> HostMap<T> {
    pub(crate) fn new(fallback: Option<T>) -> Self {
        Self { exact: HashMap::new(), wildcards: HashMap::new(), fallback }
    }

    /// Adds a value for a name, or for `*.` and a name.
    pub(crate) fn insert(&mut self, pattern: &str, value: T) -> Result<(), ServerNameError> {
        let (map, name) = match pattern.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcards, parent),
            None => (&mut self.exact, pattern),
        };
        let Some(Host::Name(name)) = Host::from_name(name) else {
            return Err(ServerNameError::Malformed { name: pattern.to_owned() });
        };
        match map.entry(name.into_owned()) {
            Entry::Occupied(_) => Err(ServerNameError::Duplicate { name: pattern.to_owned() }),
            Entry::Vacant(slot) => {
                slot.insert(value);
                Ok(())
            }
        }
    }

    pub(crate) fn get(&self, host: &Host<'_>) -> Option<&T> {
        let named = match host {
            Host::Name(name) => self.exact.get(name.as_ref()).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.wildcards.get(parent)
            }),
            Host::Address => None,
        };
        named.or(self.fallback.as_ref())
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcards.values()).chain(&self.fallback)
    }

    /// Returns a map with the same names and other values.
    pub(crate) fn map<U>(&self, f: impl Fn(&T) -> U) -> HostMap<U> {
        let each =
            |map: &HashMap<String, T>| map.iter().map(|(name, value)| (name.clone(), f(value))).collect();
        HostMap {
            exact: each(&self.exact),
            wildcards: each(&self.wildcards),
            fallback: self.fallback.as_ref().map(&f),
        }
    }
}

/// Which host names of a port share a policy.
#[derive(Debug)]
pub(crate) struct HostPolicies {
    by_host: HostMap<PolicyId>,
    /// Whether all hosts have the same policy.
    uniform: bool,
}

/// The fingerprint of a `ClientVerifier`.
pub(crate) type PolicyId = [u8; 32];

impl HostPolicies {
    pub(crate) fn new(by_host: HostMap<PolicyId>) -> Self {
        let uniform =
            by_host.fallback.is_some_and(|fallback| by_host.values().all(|policy| *policy == fallback));
        Self { by_host, uniform }
    }
}

/// The policy that a connection was made under, among those of its port.
#[derive(Clone, Debug)]
pub(crate) struct ChosenPolicy {
    pub(crate) all: Arc<HostPolicies>,
    pub(crate) chosen: PolicyId,
}

impl ChosenPolicy {
    /// Whether all hosts of the port have this policy.
    pub(crate) fn is_the_only_one(&self) -> bool {
        self.all.uniform
    }

    /// Whether a connection to this host would have been made under the same policy.
    pub(crate) fn covers(&self, host: &Host<'_>) -> bool {
        self.all.by_host.get(host) == Some(&self.chosen)
    }
}

/// Explains why the server names can't be served as they were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerNameError {
    /// The name is neither a DNS name nor `*.` and a DNS name. An IP address is neither, since no client asks for one
    /// by SNI.
    #[error(
        "{name:?} is no server name: expected a DNS name such as \"www.example.com\", or \"*.example.com\" for all names \
         of one more label; what is served to clients that ask for an address or for nothing is the fallback"
    )]
    Malformed {
        /// The name as it was given.
        name: String,
    },
    /// The name is given twice.
    #[error("the server name {name:?} is given twice (case and a trailing dot make no difference)")]
    Duplicate {
        /// The name as it was given the second time.
        name: String,
    },
    /// The acceptor for a name chooses by server name itself, or comes from a `Reloader`.
    #[error(
        "the acceptor for {name} is itself reloaded, or chooses by name: give each name a plain acceptor, and reload \
         the whole"
    )]
    NotPlain {
        /// The name as it was given, or `the fallback`.
        name: String,
    },
    /// There is neither a name nor a fallback.
    #[error("no server name and no fallback: add one with `.name(\"www.example.com\", acceptor)`")]
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Option<Host<'_>> {
        Some(Host::Name(name.into()))
    }

    #[test]
    fn one_host_has_one_spelling() {
        for same in ["a.example", "A.EXAMPLE", "a.example.", "a.example:443", "A.Example.:8443", "a.example:"]
        {
            assert_eq!(Host::from_authority(same.as_bytes()), name("a.example"), "{same}");
        }
        for address in ["127.0.0.1", "127.0.0.1:8443", "[::1]", "[::1]:8443", "[::FFFF:1.2.3.4]:"] {
            assert_eq!(Host::from_authority(address.as_bytes()), Some(Host::Address), "{address}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = "a".repeat(64);
        for wrong in [
            "",
            ".",
            ":443",
            "a.example..",
            ".a.example",
            "a..example",
            "user@a.example",
            "a.example:443:443",
            "a.example:+1",
            "a.example:https",
            "a.example/",
            "a.example b.example",
            "a.example,b.example",
            "a.example\0",
            " a.example",
            "b%2Eexample",
            "ä.example",
            "::1",
            "[::1",
            "[::1]x",
            "[::1%25lo]",
            "[127.0.0.1]",
            "[a.example]",
            "127.1",
            "1.2.3.4.5",
            "*.example",
            &long,
        ] {
            assert_eq!(Host::from_authority(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(Host::from_authority(b"a.\xFF"), None);
    }

    #[test]
    fn the_narrowest_pattern_wins_in_whatever_order_they_come() {
        let patterns = ["a.example", "*.example", "*.a.example", "b.a.example"];
        for rotation in 0..patterns.len() {
            let mut map = HostMap::new(Some("fallback"));
            for offset in 0..patterns.len() {
                let pattern = patterns[(rotation + offset) % patterns.len()];
                map.insert(pattern, pattern).unwrap();
            }
            let get = |name| *map.get(&Host::from_name(name).unwrap()).unwrap();
            assert_eq!(get("a.example"), "a.example");
            assert_eq!(get("c.example"), "*.example");
            assert_eq!(get("b.a.example"), "b.a.example");
            assert_eq!(get("c.a.example"), "*.a.example");
            for uncovered in ["example", "c.b.a.example", "d.c.example", "a.example.test"] {
                assert_eq!(get(uncovered), "fallback", "{uncovered}");
            }
            assert_eq!(map.get(&Host::Address), Some(&"fallback"));
        }
    }

    #[test]
    fn names_are_given_once_and_are_names() {
        let mut map = HostMap::new(None);
        map.insert("a.example", 1).unwrap();
        map.insert("*.example", 2).unwrap();
        for again in ["A.example", "a.example.", "*.EXAMPLE", "*.example."] {
            let error = ServerNameError::Duplicate { name: again.to_owned() };
            assert_eq!(map.insert(again, 3), Err(error));
        }
        for wrong in [
            "",
            "*",
            "*.",
            "**.example",
            "a.*.example",
            "*example",
            "*.*.example",
            "127.0.0.1",
            "[::1]",
            "a:443",
        ] {
            let error = ServerNameError::Malformed { name: wrong.to_owned() };
            assert_eq!(map.insert(wrong, 3), Err(error));
        }
        assert_eq!(map.get(&Host::Address), None);
    }
}
