//! The labels of the counter of refused headers: one word for each reason.

use super::ForwardedClientCertError as E;
use crate::dialect::DecodeErrorKind as K;

impl E {
    /// Returns the label of the counter. `None` for an error that is not counted, since nothing is wrong with the
    /// request.
    pub(crate) fn label(&self) -> Option<&'static str> {
        Some(match self {
            Self::Absent | Self::NotPresented | Self::Withheld { .. } => return None,
            Self::Untrusted { .. } => "untrusted",
            Self::HopUnknown => "hop_unknown",
            Self::LayerMissing { .. } => "layer_missing",
            Self::Malformed(error) => match error.kind() {
                K::Duplicated => "duplicated",
                K::Empty => "empty",
                K::Null => "null",
                K::TooLarge { .. } => "too_large",
                K::TooManyCertificates { .. } => "too_many_certificates",
                K::Base64(_) => "base64",
                K::Percent => "percent",
                K::Pem(_) => "pem",
                K::StructuredField(_) => "structured_field",
                K::Xfcc(_) => "xfcc",
                K::Der => "der",
                K::Status => "status",
                K::VerifyCode => "verify_code",
                K::Text => "text",
                K::Field(_) => "field",
                K::Contradiction(_) => "contradiction",
                K::WriteOnly => "write_only",
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderName;

    use super::*;
    use crate::dialect::{DecodeError, VerifyStatus};

    /// One error for each label.
    fn errors() -> Vec<E> {
        let kinds = [
            K::Duplicated,
            K::Empty,
            K::Null,
            K::TooLarge { max: 1 },
            K::TooManyCertificates { max: 1 },
            K::Base64(String::new()),
            K::Percent,
            K::Pem(""),
            K::StructuredField(""),
            K::Xfcc(""),
            K::Der,
            K::Status,
            K::VerifyCode,
            K::Text,
            K::Field(""),
            K::Contradiction(""),
            K::WriteOnly,
        ];
        let header = HeaderName::from_static("x");
        let malformed = kinds.map(|kind| E::Malformed(DecodeError::new(&header, 0, kind)));
        let others = [E::Untrusted { header: None }, E::HopUnknown, E::LayerMissing { dialect: "" }];
        malformed.into_iter().chain(others).collect()
    }

    #[test]
    fn the_documentation_lists_every_label_once_and_no_other() {
        let documentation = include_str!("../docs/observing.md");
        let (_, table) = documentation.split_once("| `reason` | the request |\n|---|---|\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let listed: Vec<&str> = rows
            .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
            .map(|label| label.trim().trim_matches('`'))
            .collect();
        let labels: BTreeSet<&str> = errors().iter().map(|error| error.label().unwrap()).collect();
        assert_eq!(labels.len(), errors().len(), "each reason has a label of its own");
        assert_eq!(listed.len(), labels.len(), "{listed:?}");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), labels);
    }

    #[test]
    fn a_request_without_a_certificate_is_not_counted() {
        for error in [E::Absent, E::NotPresented, E::Withheld { status: VerifyStatus::None }] {
            assert!(error.is_anonymous() && error.label().is_none(), "{error}");
        }
    }

    /// Only refusals are counted: by the layer, or when a handler asks for the certificate.
    #[cfg(feature = "metrics")]
    #[test]
    fn each_refused_request_is_counted_once_by_its_reason() {
        use super::super::{ForwardedClientCertLayer, Hop, TrustedProxies};
        use crate::dialect::Nginx;
        use http::{HeaderMap, HeaderValue};

        let counts = Counts::default();
        metrics::with_local_recorder(&counts, || {
            let proxy: std::net::IpAddr = [127, 0, 0, 1].into();
            let reader = ForwardedClientCertLayer::new(Nginx::new(), TrustedProxies::none().ip_range(proxy));
            let trusted = Hop::unknown().at(proxy);
            let stranger = Hop::unknown().at([192, 0, 2, 1].into());
            for (hop, value) in [
                (trusted, Some("rubbish")),
                (trusted, Some("(null)")),
                (trusted, Some("(null)")),
                (stranger, Some("forged")),
                (Hop::unknown(), None),
                (trusted, None),
                (stranger, None),
            ] {
                let mut headers = HeaderMap::new();
                value.map(|value| headers.insert("x-ssl-client-cert", HeaderValue::from_static(value)));
                let read = reader.read(&hop, &headers).unwrap_err();
                assert_eq!(reader.receive(&hop, &mut headers).unwrap_err(), read);
            }
        });
        let counts = counts.0.into_inner().unwrap();
        let expected = [("hop_unknown", 2), ("null", 4), ("pem", 2), ("untrusted", 2)];
        assert_eq!(counts, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    }

    /// The values of the counter, by reason.
    #[cfg(feature = "metrics")]
    #[derive(Default)]
    struct Counts(std::sync::Mutex<std::collections::BTreeMap<String, usize>>);

    #[cfg(feature = "metrics")]
    impl metrics::Recorder for Counts {
        fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_histogram(
            &self,
            _: metrics::KeyName,
            _: Option<metrics::Unit>,
            _: metrics::SharedString,
        ) {
        }

        /// The counter is registered anew for each increment.
        fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
            if key.name() == "client_cert_forwarded_refused_total" {
                let reason = key.labels().next().unwrap().value().to_owned();
                *self.0.lock().unwrap().entry(reason).or_default() += 1;
            }
            metrics::Counter::noop()
        }
        fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::noop()
        }
        fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
            metrics::Histogram::noop()
        }
    }
}
