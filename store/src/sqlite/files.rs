//! Directory, lock file and modes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Makes what is missing and takes the lock.
pub(super) fn prepare(path: &Path) -> Result<File, StoreError> {
    let directory = directory(path);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(io("make the directory", directory))?;
    let lock_path = beside(path, "lock");
    let lock = private(&lock_path).map_err(io("open", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => {
            // It only informs others, and on a full disk there is no room for it before the reserve is given up.
            if let Err(error) = sign(&lock) {
                tracing::debug!(path = %lock_path.display(), %error, "the lock does not say who holds it");
            }
        }
        Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(io("lock", &lock_path)(error)),
    }
    // Only under the lock: closing any descriptor of the database would drop SQLite's own locks on it (POSIX), were
    // it open in this process. SQLite gives `-wal` and `-shm` the mode of the database.
    private(path).map_err(io("open", path))?;
    Ok(lock)
}

/// Writes into the lock file who holds it.
fn sign(mut lock: &File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.write_all(std::process::id().to_string().as_bytes())
}

/// The process that has the store open, if another has and says who it is. To be asked only once something has failed:
/// whoever opens the store at the same moment is kept from it.
pub(crate) fn holder(path: &Path) -> Option<u32> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = File::open(PathBuf::from(name)).ok()?;
    if !matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut text = String::new();
    Read::take(&lock, 20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid != std::process::id())
}

/// Makes the names of new files durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = directory(path);
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(io("write out the directory", directory))
}

/// `ledger.sqlite.lock` for `ledger.sqlite` and `lock`.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    suffixed(path, &format!(".{what}"))
}

/// The path with more at its end.
pub(super) fn suffixed(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The directory a file is in.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file that only we may read, made if it is not there.
pub(super) fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}
