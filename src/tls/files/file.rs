//! Files of certificates, CRLs and keys, and whether their contents have changed since they were read.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// A file, with a hash of its contents at the time it was read.
///
/// Contents are compared, rather than times or inodes: a secret mounted by Kubernetes is a chain of symbolic links, one
/// of which is replaced, and some file systems report times that do not change.
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

    /// Returns the change, if the contents of the file differ now.
    #[cfg(feature = "reload")]
    pub(in crate::tls) fn changed(&self) -> Option<Change> {
        let now = std::fs::read(&self.path).ok().map(|contents| digest(&contents));
        (now != Some(self.digest)).then(|| Change { path: self.path.clone(), now })
    }
}

/// A file whose contents differ from those that were read.
#[cfg(feature = "reload")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::tls) struct Change {
    path: PathBuf,
    /// The hash of the contents now. `None` if the file can't be read.
    now: Option<u64>,
}

/// A hash that does not resist forgery. It need not: whoever can write these files can replace the certificates.
fn digest(contents: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}
