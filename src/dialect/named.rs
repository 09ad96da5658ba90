//! Which dialect a name stands for, and what its options do: they are named after the methods of its type.

use std::num::NonZeroUsize;
use std::sync::Arc;

use http::HeaderName;

use super::fields;
use super::options::Options;
use super::xfcc::stays_whole;
use super::{
    Apache, AwsAlb, Base64Der, Dialect, Envoy, HaProxy, Limits, Nginx, Rfc9440, Skipper, TowerClientCert,
    XfccMode,
};

pub(super) type Shared = Arc<dyn Dialect + Send + Sync>;

fn shared(dialect: impl Dialect + Send + Sync + 'static) -> Shared {
    Arc::new(dialect)
}

/// The dialect of this name, told what the options say. `None` if there is none of this name.
pub(super) fn dialect(name: &str, options: &mut Options<'_>) -> Option<Shared> {
    if name == "traefik-info" {
        return Some(shared(super::TraefikInfo::new()));
    }
    let traefik = || Skipper::new().without_verify_header();
    let limits = limits(options);
    Some(match name {
        "skipper" => {
            let without = options.flag("without-verify-header");
            let skipper = if without { traefik() } else { Skipper::new() };
            shared(escaped(skipper, options).with_limits(limits))
        }
        "traefik" => shared(escaped(traefik(), options).with_limits(limits)),
        "traefik-2.9.1" => shared(traefik().accept_escaped_items().with_limits(limits)),
        "tower-client-cert" => shared(TowerClientCert::new().with_limits(limits)),
        "rfc9440" => shared(Rfc9440::new().with_limits(limits)),
        "envoy" => shared(envoy(options).with_limits(limits)),
        "nginx" => {
            let certificate = header(options, "certificate", "x-ssl-client-cert");
            let verify = header(options, "verify", "x-ssl-client-verify");
            shared(Nginx::with_names(certificate, verify).with_limits(limits))
        }
        "ingress-nginx" => shared(Nginx::ingress().with_limits(limits)),
        "apache" => shared(Apache::new().with_limits(limits)),
        "haproxy" => shared(haproxy(options).with_limits(limits)),
        "aws-alb" => shared(AwsAlb::passthrough().with_limits(limits)),
        "aws-alb-verify" => shared(AwsAlb::verify().with_limits(limits)),
        "base64-der" => {
            shared(Base64Der::new(header(options, "header", "x-client-cert")).with_limits(limits))
        }
        "aspnet-core" => shared(Base64Der::aspnet_core().with_limits(limits)),
        "azure" => shared(Base64Der::azure().with_limits(limits)),
        "caddy" => shared(Base64Der::caddy().with_limits(limits)),
        "cloudflare" => shared(Base64Der::cloudflare().with_limits(limits)),
        "cloud-foundry" => shared(Base64Der::cloud_foundry().with_limits(limits)),
        _ => return preset(name, options, limits),
    })
}

/// One of [`Fields`](super::Fields)' presets. Where the original lets its user name the headers, each has an option.
fn preset(name: &str, options: &mut Options<'_>, limits: Limits) -> Option<Shared> {
    let (mut builder, keys) = fields::named(name)?;
    for (position, key) in keys.into_iter().enumerate() {
        if let Some(header) = options.value(key, "HEADER", |name| name.parse().ok()) {
            builder = builder.set_name(position, header);
        }
    }
    match builder.limits(limits).build() {
        Ok(fields) => Some(shared(fields)),
        Err(error) => {
            options.complain(error.to_string());
            // Nobody gets to see it: a complaint is an error in the end.
            Some(shared(Skipper::new()))
        }
    }
}

fn limits(options: &mut Options<'_>) -> Limits {
    let number = |text: &str| text.parse().ok();
    let mut limits = Limits::new();
    if let Some(max) = options.value("max-certificates", "NUMBER", number) {
        limits = limits.max_certificates(max);
    }
    if let Some(max) = options.value("max-value-size", "BYTES", number) {
        limits = limits.max_value_size(max);
    }
    limits
}

fn header(options: &mut Options<'_>, key: &str, default: &'static str) -> HeaderName {
    let given = options.value(key, "HEADER", |name| name.parse().ok());
    given.unwrap_or_else(|| HeaderName::from_static(default))
}

fn escaped(skipper: Skipper, options: &mut Options<'_>) -> Skipper {
    if options.flag("accept-escaped-items") { skipper.accept_escaped_items() } else { skipper }
}

fn haproxy(options: &mut Options<'_>) -> HaProxy {
    let certificate = header(options, "certificate", "x-ssl-client-cert");
    let chain = header(options, "chain", "x-ssl-client-chain");
    let haproxy = HaProxy::with_names(certificate, chain, header(options, "verify", "x-ssl-client-verify"));
    if options.flag("chain-in-headers") { haproxy.chain_in_headers() } else { haproxy }
}

const MODES: [(&str, XfccMode); 5] = [
    ("sanitize", XfccMode::Sanitize),
    ("forward-only", XfccMode::ForwardOnly),
    ("append-forward", XfccMode::AppendForward),
    ("sanitize-set", XfccMode::SanitizeSet),
    ("always-forward-only", XfccMode::AlwaysForwardOnly),
];

fn envoy(options: &mut Options<'_>) -> Envoy {
    let modes = MODES.map(|(name, _)| name).join("|");
    let mode = options
        .value("mode", &modes, |given| MODES.iter().find(|(name, _)| *name == given).map(|(_, mode)| *mode));
    let mut envoy = Envoy::new().mode(mode.unwrap_or_default());
    if let Some(hops) = options.value("hops", "NUMBER", |text| text.parse().ok().map(NonZeroUsize::get)) {
        envoy = envoy.hops(hops);
    }
    if options.flag("json") {
        envoy = envoy.json();
    }
    envoy = envoy.chain(options.flag("chain")).cert(options.switch("cert", true));
    envoy = envoy
        .subject(options.switch("subject", true))
        .uri(options.switch("uri", true))
        .dns(options.switch("dns", true));
    match options.value("by", "URI", |uri| stays_whole(uri).then(|| uri.to_owned())) {
        Some(uri) => envoy.by(uri),
        None => envoy,
    }
}
