//! The options behind a dialect's name: `envoy;mode=append-forward;chain`.

/// A dialect is not spelt like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseDialectError(String);

impl ParseDialectError {
    pub(super) fn unknown_name(name: &str, names: &[&str]) -> Self {
        Self(format!("there is no dialect `{name}`; expected one of {}", names.join(", ")))
    }
}

/// What is given for one dialect. Whoever makes the dialect asks for each option that it has; so this learns which there
/// are, and what nobody asks for is an error.
pub(super) struct Options<'a> {
    given: Vec<(&'a str, Option<&'a str>)>,
    /// How each is spelt that was asked for.
    there_are: Vec<String>,
    problem: Option<String>,
}

impl<'a> Options<'a> {
    /// Of `key` and `key=value`.
    pub(super) fn new(given: impl Iterator<Item = &'a str>) -> Self {
        let mut options = Self { given: Vec::new(), there_are: Vec::new(), problem: None };
        for option in given {
            let (key, value) =
                option.split_once('=').map_or((option, None), |(key, value)| (key, Some(value)));
            if options.given.iter().any(|(other, _)| *other == key) {
                options.complain(format!("`{key}` is there twice"));
            }
            options.given.push((key, value));
        }
        options
    }

    /// `key`, or nothing.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.take(key, key.to_owned()) {
            Some(Some(_)) => self.complain(format!("`{key}` takes no value")),
            given => return given.is_some(),
        }
        false
    }

    /// `key=value`, of which `spelling` says what it may be.
    pub(super) fn value<T>(
        &mut self,
        key: &str,
        spelling: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(key, format!("{key}={spelling}"))?.unwrap_or_default();
        let parsed = parse(value);
        if parsed.is_none() {
            self.complain(format!("`{key}={value}` is not `{key}={spelling}`"));
        }
        parsed
    }

    /// `key=true` or `key=false`, of which the one that is not `default` changes something.
    pub(super) fn switch(&mut self, key: &str, default: bool) -> bool {
        self.value(key, "true|false", |value| value.parse().ok()).unwrap_or(default)
    }

    fn take(&mut self, key: &str, spelling: String) -> Option<Option<&'a str>> {
        self.there_are.push(spelling);
        let position = self.given.iter().position(|(given, _)| *given == key)?;
        Some(self.given.remove(position).1)
    }

    pub(super) fn complain(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// What is wrong, if anything is.
    pub(super) fn finish(mut self, name: &str) -> Result<Vec<String>, ParseDialectError> {
        if let Some((key, _)) = self.given.first() {
            let problem = format!("`{key}` is none of its options");
            self.complain(problem);
        }
        match self.problem {
            None => Ok(self.there_are),
            Some(problem) if self.there_are.is_empty() => {
                Err(ParseDialectError(format!("dialect `{name}`: {problem}; it has none")))
            }
            Some(problem) => Err(ParseDialectError(format!(
                "dialect `{name}`: {problem}; there are {}",
                self.there_are.join(", ")
            ))),
        }
    }
}
