//! The identity of the file that a path leads to: a file that is deleted or replaced is noticed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A file that was opened: its path, and which one it was (device and inode).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl StoreFile {
    /// The file to which the path leads now.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(StoreFile {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }

    /// Looks whether the path still leads to this file. A disk that does not say is believed.
    ///
    /// # Errors
    /// [`StoreError::Replaced`]: the file is absent, or another one.
    pub fn check(&self) -> Result<(), StoreError> {
        let replaced = || Err(StoreError::Replaced(self.path.clone()));
        match StoreFile::at(&self.path) {
            Ok(now) if now != *self => replaced(),
            Err(error) if is_gone(&error) => replaced(),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
