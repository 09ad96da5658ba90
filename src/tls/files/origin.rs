//! Where certificates, CRLs or keys came from.

use std::fmt;
use std::path::{Path, PathBuf};

/// The file that certificates, CRLs or a key came from, if they came from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(in crate::tls) Option<PathBuf>);

impl Origin {
    /// Returns the file. `None` if the program passed the bytes itself.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the value given to the builder"),
        }
    }
}
