//! Every dialect against the bytes of the proxies it is named after, and against bytes nobody should send.

mod bytes;
mod in_use;
mod refused;

use tower_client_cert::dialect::{AnyDialect, DecodeErrorKind, Dialect};

use crate::vectors::map;

fn named(name: &str) -> AnyDialect {
    name.parse().unwrap()
}

/// What is wrong with these headers.
fn wrong(dialect: &impl Dialect, lines: &[(&str, &str)]) -> DecodeErrorKind {
    dialect.decode(&map(lines)).expect_err("refused").kind().clone()
}
