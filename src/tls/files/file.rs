//! Files of certificates, CRLs and keys, and whether they still say what they said.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// A file, and what was in it when it was read.
///
/// Contents are compared, and neither times nor inodes: a secret mounted by Kubernetes is a chain of symbolic links of
/// which one is swapped, and some file systems keep times that do not change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::tls) struct FileRead {
    path: PathBuf,
    digest: u64,
}

impl FileRead {
    /// Reads a file.
    pub(in crate::tls) fn read(path: &Path) -> io::Result<(Vec<u8>, Self)> {
        let contents = std::fs::read(path)?;
        let digest = digest(&contents);
        Ok((contents, Self { path: path.to_owned(), digest }))
    }

    /// What is in the file now, if that is something else.
    #[cfg(feature = "reload")]
    pub(in crate::tls) fn changed(&self) -> Option<Change> {
        let now = std::fs::read(&self.path).ok().map(|contents| digest(&contents));
        (now != Some(self.digest)).then(|| Change { path: self.path.clone(), now })
    }
}

/// A file in which is something else than was read.
#[cfg(feature = "reload")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::tls) struct Change {
    path: PathBuf,
    /// `None` if it can't be read.
    now: Option<u64>,
}

/// Not against forgery: whoever may write these files needs none.
fn digest(contents: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}
