//! A dialect chosen at run time, by its name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::{
    Apache, AwsAlb, Base64Der, DecodeError, Dialect, Envoy, ForwardedCert, HaProxy, Limits, Nginx, Outgoing,
    Rfc9440, Skipper, TowerClientCert, TraefikInfo,
};

/// A dialect by its name, from a flag or a configuration file.
///
/// ```
/// use tower_client_cert::ClientCertLayer;
/// use tower_client_cert::dialect::AnyDialect;
///
/// let dialect: AnyDialect = "rfc9440".parse()?;
/// assert_eq!(dialect.to_string(), "rfc9440");
/// let layer = ClientCertLayer::with_dialect(dialect);
///
/// let error = "rfc9941".parse::<AnyDialect>().unwrap_err();
/// assert!(error.to_string().contains("skipper, traefik,"));
/// # Ok::<(), tower_client_cert::dialect::ParseDialectError>(())
/// ```
///
/// It works as a field of a clap parser as it is: `#[arg(long, default_value_t)] dialect: AnyDialect`.
///
/// The names are those of [`NAMES`](Self::NAMES), each with its type's defaults. `skipper` and `tower-client-cert` write
/// the same, and are read differently: see [`TowerClientCert`]. What else a type can be told is only
/// for those who name the type.
#[derive(Clone)]
pub struct AnyDialect {
    name: &'static str,
    dialect: Arc<dyn Dialect + Send + Sync>,
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
        "aspnet-core",
        "azure",
        "caddy",
        "cloudflare",
        "cloud-foundry",
    ];

    /// The name.
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
        Self::named(self.name, limits).unwrap_or(self)
    }

    /// The dialects that have a header of this name, in whatever spelling: for the log.
    #[cfg(feature = "tracing")]
    pub(crate) fn of_header(header: &HeaderName) -> Vec<&'static str> {
        static ALL: std::sync::LazyLock<Vec<AnyDialect>> = std::sync::LazyLock::new(|| {
            AnyDialect::NAMES.iter().filter_map(|name| AnyDialect::named(name, Limits::new())).collect()
        });
        let is =
            |name: &HeaderName| crate::strip::folds_to(name.as_str().as_bytes(), header.as_str().as_bytes());
        let with_it = ALL.iter().filter(|dialect| dialect.header_names().iter().any(is));
        with_it.map(Self::name).collect()
    }

    fn named(name: &'static str, limits: Limits) -> Option<Self> {
        fn shared(dialect: impl Dialect + Send + Sync + 'static) -> Arc<dyn Dialect + Send + Sync> {
            Arc::new(dialect)
        }
        let dialect = match name {
            "skipper" => shared(Skipper::new().with_limits(limits)),
            "traefik" => shared(Skipper::new().without_verify_header().with_limits(limits)),
            "traefik-2.9.1" => {
                shared(Skipper::new().without_verify_header().accept_escaped_items().with_limits(limits))
            }
            "tower-client-cert" => shared(TowerClientCert::new().with_limits(limits)),
            "traefik-info" => shared(TraefikInfo::new()),
            "rfc9440" => shared(Rfc9440::new().with_limits(limits)),
            "envoy" => shared(Envoy::new().with_limits(limits)),
            "nginx" => shared(Nginx::new().with_limits(limits)),
            "ingress-nginx" => shared(Nginx::ingress().with_limits(limits)),
            "apache" => shared(Apache::new().with_limits(limits)),
            "haproxy" => shared(HaProxy::new().with_limits(limits)),
            "aws-alb" => shared(AwsAlb::passthrough().with_limits(limits)),
            "aws-alb-verify" => shared(AwsAlb::verify().with_limits(limits)),
            "aspnet-core" => shared(Base64Der::aspnet_core().with_limits(limits)),
            "azure" => shared(Base64Der::azure().with_limits(limits)),
            "caddy" => shared(Base64Der::caddy().with_limits(limits)),
            "cloudflare" => shared(Base64Der::cloudflare().with_limits(limits)),
            "cloud-foundry" => shared(Base64Der::cloud_foundry().with_limits(limits)),
            _ => return None,
        };
        Some(Self { name, dialect })
    }
}

/// Skipper's.
impl Default for AnyDialect {
    fn default() -> Self {
        Self { name: "skipper", dialect: Arc::new(Skipper::new()) }
    }
}

/// No dialect is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no dialect `{name}`; expected one of {}", AnyDialect::NAMES.join(", "))]
pub struct ParseDialectError {
    name: String,
}

impl FromStr for AnyDialect {
    type Err = ParseDialectError;

    /// By the exact name.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::NAMES.iter().find(|known| **known == name);
        known
            .and_then(|name| Self::named(name, Limits::new()))
            .ok_or_else(|| ParseDialectError { name: name.to_owned() })
    }
}

impl fmt::Display for AnyDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for AnyDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyDialect").field(&self.name).finish()
    }
}

/// By name alone.
impl PartialEq for AnyDialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
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
    fn only_skipper_traefik_and_this_crate_forward_what_nobody_verified() {
        for name in AnyDialect::NAMES {
            let dialect: AnyDialect = name.parse().unwrap();
            let expected = ["skipper", "traefik", "tower"].iter().any(|start| name.starts_with(start));
            assert_eq!(dialect.forwards_unverified(), expected, "{name}");
        }
    }
}
