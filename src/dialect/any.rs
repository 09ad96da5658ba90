//! A dialect chosen at run time, by its name.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::named::{self, Shared};
use super::options::{Options, ParseDialectError};
use super::{DecodeError, Dialect, ForwardedCert, Limits, Outgoing};

/// A dialect by its name, with its options, from a flag or a configuration file.
///
/// ```
/// use tower_client_cert::ClientCertLayer;
/// use tower_client_cert::dialect::AnyDialect;
///
/// let dialect: AnyDialect = "envoy;mode=append-forward;chain".parse()?;
/// assert_eq!(dialect.to_string(), "envoy;mode=append-forward;chain");
/// let layer = ClientCertLayer::with_dialect(dialect);
///
/// let error = "rfc9941".parse::<AnyDialect>().unwrap_err();
/// assert!(error.to_string().contains("skipper, traefik,"));
/// let error = "haproxy;hops=2".parse::<AnyDialect>().unwrap_err();
/// assert!(error.to_string().contains("there are max-certificates=NUMBER,"));
/// # Ok::<(), tower_client_cert::dialect::ParseDialectError>(())
/// ```
///
/// It works as a field of a clap parser as it is: `#[arg(long, default_value_t)] dialect: AnyDialect`; with feature `serde`
/// as one of a configuration file, where it is that text.
///
/// The names are those of [`NAMES`](Self::NAMES), each with its type's defaults. Behind it come options, each after a `;`:
/// `option` or `option=value`, named after the type's methods, in any order and once; see
/// [the table](crate::dialect#options). `skipper` and `tower-client-cert` write the same, and are read differently: see
/// [`TowerClientCert`](super::TowerClientCert).
#[derive(Clone)]
pub struct AnyDialect {
    name: &'static str,
    /// As they were spelt.
    options: Vec<String>,
    dialect: Shared,
}

impl AnyDialect {
    /// Every name there is, in this build.
    pub const NAMES: &[&str] = &[
        "skipper",
        "traefik",
        "traefik-2.9.1",
        "tower-client-cert",
        "traefik-info",
        "rfc9440",
        "envoy",
        "nginx",
        "ingress-nginx",
        "apache",
        "haproxy",
        "aws-alb",
        "aws-alb-verify",
        "base64-der",
        "aspnet-core",
        "azure",
        "caddy",
        "cloudflare",
        "cloud-foundry",
        "google-cloud",
        "cloudfront",
        "cloudflare-rfc9440",
        "azure-app-gateway",
        "puppet",
        "kong",
        "linkerd",
        "nginx-variables",
    ];

    /// The name, without options.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How much to read.
    ///
    /// ```
    /// use tower_client_cert::dialect::{AnyDialect, Limits};
    ///
    /// let dialect = "envoy".parse::<AnyDialect>()?.with_limits(Limits::new().max_certificates(3));
    /// # Ok::<(), tower_client_cert::dialect::ParseDialectError>(())
    /// ```
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let [certificates, size] = ["max-certificates", "max-value-size"];
        let of_limits = |option: &&String| [certificates, size].iter().any(|key| option.starts_with(key));
        let mut options: Vec<String> =
            self.options.iter().filter(|option| !of_limits(option)).cloned().collect();
        options.push(format!("{certificates}={}", limits.certificates()));
        options.push(format!("{size}={}", limits.value_size()));
        // One that has no limits stays as it is.
        Self::with_options(self.name, options).unwrap_or(self)
    }

    /// The dialects that have a header of this name, in whatever spelling: for the log.
    #[cfg(feature = "tracing")]
    pub(crate) fn of_header(header: &HeaderName) -> Vec<&'static str> {
        static ALL: std::sync::LazyLock<Vec<AnyDialect>> = std::sync::LazyLock::new(|| {
            AnyDialect::NAMES.iter().filter_map(|name| name.parse().ok()).collect()
        });
        let is =
            |name: &HeaderName| crate::strip::folds_to(name.as_str().as_bytes(), header.as_str().as_bytes());
        let with_it = ALL.iter().filter(|dialect| dialect.header_names().iter().any(is));
        with_it.map(Self::name).collect()
    }

    fn with_options(name: &'static str, options: Vec<String>) -> Result<Self, ParseDialectError> {
        let mut given = Options::new(options.iter().map(String::as_str));
        let dialect = named::dialect(name, &mut given)
            .ok_or_else(|| ParseDialectError::unknown_name(name, Self::NAMES))?;
        given.finish(name)?;
        Ok(Self { name, options, dialect })
    }
}

/// Skipper's.
impl Default for AnyDialect {
    fn default() -> Self {
        Self { name: "skipper", options: Vec::new(), dialect: std::sync::Arc::new(super::Skipper::new()) }
    }
}

impl FromStr for AnyDialect {
    type Err = ParseDialectError;

    /// By the exact name, and exact options.
    fn from_str(spelling: &str) -> Result<Self, Self::Err> {
        let mut parts = spelling.split(';');
        let name = parts.next().unwrap_or_default();
        let known = Self::NAMES.iter().find(|known| **known == name);
        let name = known.ok_or_else(|| ParseDialectError::unknown_name(name, Self::NAMES))?;
        Self::with_options(name, parts.map(ToOwned::to_owned).collect())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AnyDialect {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for AnyDialect {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spelling = String::deserialize(deserializer)?;
        spelling.parse().map_err(serde::de::Error::custom)
    }
}

/// As it was parsed.
impl fmt::Display for AnyDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.options.is_empty() {
            return f.pad(self.name);
        }
        f.pad(&format!("{};{}", self.name, self.options.join(";")))
    }
}

impl fmt::Debug for AnyDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyDialect(\"{self}\")")
    }
}

/// By name and options, in whatever order these are spelt.
impl PartialEq for AnyDialect {
    fn eq(&self, other: &Self) -> bool {
        let same = self.options.len() == other.options.len();
        self.name == other.name && same && self.options.iter().all(|option| other.options.contains(option))
    }
}

impl Eq for AnyDialect {}

impl Dialect for AnyDialect {
    fn header_names(&self) -> &[HeaderName] {
        self.dialect.header_names()
    }

    fn forwards_unverified(&self) -> bool {
        self.dialect.forwards_unverified()
    }

    fn encode(&self, client: &Outgoing<'_>, headers: &mut HeaderMap) {
        self.dialect.encode(client, headers);
    }

    fn keep(&self, received: &HeaderMap, forwarding: bool) -> HeaderMap {
        self.dialect.keep(received, forwarding)
    }

    fn append(&self, kept: &HeaderValue, own: &HeaderValue) -> Option<HeaderValue> {
        self.dialect.append(kept, own)
    }

    fn reads(&self, name: &HeaderName) -> bool {
        self.dialect.reads(name)
    }

    fn decode(&self, headers: &HeaderMap) -> Result<Option<ForwardedCert>, DecodeError> {
        self.dialect.decode(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_list_is_a_dialect_and_prints_itself() {
        for name in AnyDialect::NAMES {
            let dialect: AnyDialect = name.parse().unwrap();
            assert_eq!(dialect.to_string(), *name);
        }
        assert_eq!(AnyDialect::default(), "skipper".parse().unwrap());
        assert!("Skipper".parse::<AnyDialect>().is_err());
    }

    #[test]
    fn only_skipper_traefik_kong_and_this_crate_forward_what_nobody_verified() {
        for name in AnyDialect::NAMES {
            let dialect: AnyDialect = name.parse().unwrap();
            let expected =
                ["skipper", "traefik", "tower", "kong"].iter().any(|start| name.starts_with(start));
            assert_eq!(dialect.forwards_unverified(), expected, "{name}");
        }
    }
}
