//! Forged headers: whether what a client writes itself reaches the backend.

use std::collections::BTreeSet;

use crate::headers::spellings;
use crate::hello::{Client, Failure};
use crate::told::{ANNOUNCEMENT, MARKER};

/// In one request. Many servers take no more than 100.
const AT_ONCE: usize = 30;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The backend shows what it receives, and these are the forged headers that it received.
    Arrived { tried: usize, arrived: Vec<String> },
    /// The backend does not show what it receives.
    NoEcho,
    /// The server answers no request.
    NoAnswer(Failure),
}

/// Sends every name in every spelling, each with a value of its own by which it is known again whatever the backend
/// calls it.
pub(crate) fn check(client: &Client<'_>, run: &str) -> Check {
    let control = ("x-doctor-control".to_owned(), format!("doctor-control-{run}"));
    match answer(client, std::slice::from_ref(&control)) {
        Err(failure) => return Check::NoAnswer(failure),
        Ok(text) if !text.contains(&control.1) => return Check::NoEcho,
        Ok(_) => {}
    }
    let names = spellings();
    let numbered: Vec<(usize, &String)> = names.iter().enumerate().collect();
    let mut arrived = BTreeSet::new();
    for batch in numbered.chunks(AT_ONCE) {
        match sent(client, run, &control, batch) {
            Err(failure) => return Check::NoAnswer(failure),
            Ok(Some(found)) => arrived.extend(found),
            // Some servers refuse a request for one of its headers: which, and what of the others?
            Ok(None) => {
                for one in batch.chunks(1) {
                    match sent(client, run, &control, one) {
                        Err(failure) => return Check::NoAnswer(failure),
                        Ok(found) => arrived.extend(found.unwrap_or_default()),
                    }
                }
            }
        }
    }
    let arrived = arrived.iter().filter_map(|number| names.get(*number)).cloned().collect();
    Check::Arrived { tried: names.len(), arrived }
}

/// Which of these headers arrived, by their numbers. `None` if the request itself did not arrive.
fn sent(
    client: &Client<'_>,
    run: &str,
    control: &(String, String),
    batch: &[(usize, &String)],
) -> Result<Option<Vec<usize>>, Failure> {
    let names: Vec<&str> = batch.iter().map(|(_, name)| name.as_str()).collect();
    let forged = batch.iter().map(|(number, name)| ((*name).clone(), marker(run, *number)));
    let announced = (ANNOUNCEMENT.to_owned(), names.join(", "));
    let headers: Vec<(String, String)> = [control.clone(), announced].into_iter().chain(forged).collect();
    let text = answer(client, &headers)?;
    Ok(text.contains(&control.1).then(|| found(&text, run)))
}

fn answer(client: &Client<'_>, headers: &[(String, String)]) -> Result<String, Failure> {
    client.visit(headers).result.map(|reply| reply.text())
}

fn marker(run: &str, number: usize) -> String {
    format!("{MARKER}{run}-{number}-")
}

/// The numbers of the markers in a text.
fn found(text: &str, run: &str) -> Vec<usize> {
    let start = format!("{MARKER}{run}-");
    text.split(start.as_str()).skip(1).filter_map(|rest| rest.split('-').next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_whatever_is_around_them() {
        let text = format!(
            "HTTP_CLIENT_CERT={}&x\": \"{}\", doctor-forged-other-3-",
            marker("ab", 7),
            marker("ab", 12)
        );
        assert_eq!(found(&text, "ab"), [7, 12]);
        assert_eq!(found("doctor-forged-ab", "ab"), [0; 0]);
        assert_eq!(found("5-minute cache", "ab"), [0; 0]);
    }
}
