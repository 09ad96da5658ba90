//! Where did the client certificate get lost?
//!
//! ```text
//! doctor probe https://host[:port] [--cert FILE --key FILE] [--ca FILE | --insecure] [--header-check] [--json]
//! doctor echo --listen 127.0.0.1:8080 [--json]
//! ```
//!
//! `probe` is the client's end: whether the server asks for a certificate, what it makes of this one, and whether forged
//! headers get past it. `echo` stands in for the backend: it says what arrived. Between them they see both ends of any
//! proxy.
//!
//! A file for each step. The client's end: `hello` (one connection), `reply` (its HTTP), `trust` (servers to talk to),
//! `certificate` (what is presented), `forged` and `headers` (what nobody may send), `arrival` (what the answer shows),
//! `probe` (all of these); `diagnosis`, `alert` and `finding` make words of it, `advice` the lines to write. The
//! backend's end: `told` (what a request tells), `echo` (the server), `page` (for browsers). `text` is for both.

mod advice;
mod alert;
mod args;
mod arrival;
mod certificate;
mod diagnosis;
mod echo;
mod finding;
mod forged;
mod headers;
mod hello;
mod page;
mod probe;
mod reply;
mod text;
mod told;
mod trust;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

/// Nothing could be found out.
const CANNOT: u8 = 2;

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Probe(args) => match probe::probe(&args) {
            Ok(report) => {
                let text = if args.json { format!("{:#}\n", report.json()) } else { report.text() };
                match std::io::stdout().write_all(text.as_bytes()) {
                    Ok(()) => ExitCode::from(report.status()),
                    Err(error) => cannot(&error),
                }
            }
            Err(problem) => cannot(&problem),
        },
        Command::Echo(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            match runtime.and_then(|runtime| runtime.block_on(echo::serve(&args))) {
                Ok(never) => match never {},
                Err(error) => cannot(&format!("--listen {}: {error}", args.listen)),
            }
        }
    }
}

fn cannot(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("doctor: {problem}");
    ExitCode::from(CANNOT)
}
