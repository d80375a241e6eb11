//! The disk as the writer needs it, and the real one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::wav::stereo;

/// A disk: paths are below its root, with `/`.
pub(super) trait Disk {
    /// A file being written.
    type File: Write + Seek;

    /// A new file that only we may read, and the directories above it. One that exists is an error.
    fn create(&self, path: &str) -> io::Result<Self::File>;
    /// Makes an interrupted file playable; returns its frames.
    fn mend(&self, path: &str) -> io::Result<u64>;
    /// Moves a closed file to where it stays, once it is on the disk for good; then nobody finds it half.
    fn keep(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// The names of the files in a directory, sorted; none where there is no such directory.
    fn names(&self, directory: &str) -> io::Result<Vec<String>>;
    /// Octets that may still be written; `None` where that cannot be said.
    fn free(&self) -> Option<u64>;
}

/// A directory of the operating system.
pub(super) struct FileSystem {
    root: PathBuf,
}

impl FileSystem {
    pub(super) fn new(root: PathBuf) -> Self {
        FileSystem { root }
    }

    fn make_room_for(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) => DirBuilder::new().recursive(true).mode(0o700).create(parent),
            None => Ok(()),
        }
    }
}

impl Disk for FileSystem {
    type File = File;

    fn create(&self, path: &str) -> io::Result<File> {
        let path = self.root.join(path);
        self.make_room_for(&path)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    fn mend(&self, path: &str) -> io::Result<u64> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.root.join(path))?;
        stereo::mend(&mut file, |file, length| file.set_len(length))
    }

    fn keep(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.root.join(from), self.root.join(to));
        self.make_room_for(&to)?;
        File::open(&from)?.sync_all()?;
        fs::rename(&from, &to)?;
        // The new name is on the disk with its directory.
        to.parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn free(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&self.root).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }
}
