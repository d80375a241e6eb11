//! Consequences of a failed commit: wait for room, wait for anything else, or never trust this store again.
//!
//! Only errors after which the disk certainly holds what was durable before, and nothing of what failed, may be waited
//! for. After a failed fsync the kernel may have dropped the pages and marked them clean, so that the next fsync
//! succeeds without them (the lesson of PostgreSQL in 2018): such a store is never asked again.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::{ErrorCode, ffi};

/// Octets that the probe writes: more than one page of the database, so that a quota of a few octets does not take it.
const PROBE: usize = 64 << 10;

/// The consequence of a failed commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk is full, or a quota is used up.
    NoRoom,
    /// Locked by another program, read-only, no file descriptor or no memory left: nothing was written.
    Hindered,
    /// Nobody can say what the disk holds.
    Lost,
}

/// The consequence of this error for the store at `path`.
pub(super) fn of(error: &rusqlite::Error, path: &Path) -> Trouble {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return Trouble::Lost;
    };
    match failure.code {
        ErrorCode::DiskFull => Trouble::NoRoom,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory => Trouble::Hindered,
        ErrorCode::ReadOnly if failure.extended_code == ffi::SQLITE_READONLY_DBMOVED => Trouble::Lost,
        ErrorCode::ReadOnly => Trouble::Hindered,
        ErrorCode::SystemIoFailure => io_failure(failure.extended_code, || probe(path)),
        ErrorCode::CannotOpen => match probe(path) {
            Err(error) if kind(&error) == Trouble::NoRoom => Trouble::NoRoom,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Trouble::Lost,
            _ => Trouble::Hindered,
        },
        _ => Trouble::Lost,
    }
}

/// SQLite tells ENOSPC from other errors and not these from one another: a small file beside the store says which.
fn io_failure(code: i32, probe: impl FnOnce() -> io::Result<()>) -> Trouble {
    match code {
        ffi::SQLITE_IOERR_NOMEM => Trouble::Hindered,
        // Writing, and making room for the index of the write-ahead log. All others, fsync first, leave doubt.
        ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMOPEN => match probe() {
            Err(error) => kind(&error),
            Ok(()) => Trouble::Lost,
        },
        _ => Trouble::Lost,
    }
}

fn kind(error: &io::Error) -> Trouble {
    // Too many open files, in this process or in all.
    let (emfile, enfile) = (24, 23);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::NoRoom,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::OutOfMemory => Trouble::Hindered,
        _ if [Some(emfile), Some(enfile)].contains(&error.raw_os_error()) => Trouble::Hindered,
        _ => Trouble::Lost,
    }
}

/// Writes and removes a file beside the store.
fn probe(path: &Path) -> io::Result<()> {
    let name = super::files::beside(path, "probe");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&name)
        // In the way SQLite writes.
        .and_then(|file| file.write_all_at(&[0; PROBE], 0).and_then(|()| file.sync_all()));
    let _ = fs::remove_file(&name);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn only_errors_that_leave_no_doubt_are_waited_for() {
        let nowhere = Path::new("/nonexistent/log.sqlite");
        for (code, expected) in [
            (ffi::SQLITE_FULL, Trouble::NoRoom),
            (ffi::SQLITE_BUSY, Trouble::Hindered),
            (ffi::SQLITE_NOMEM, Trouble::Hindered),
            (ffi::SQLITE_READONLY, Trouble::Hindered),
            (ffi::SQLITE_READONLY_DBMOVED, Trouble::Lost),
            (ffi::SQLITE_IOERR_FSYNC, Trouble::Lost),
            (ffi::SQLITE_IOERR_READ, Trouble::Lost),
            (ffi::SQLITE_IOERR_WRITE, Trouble::Lost),
            (ffi::SQLITE_CORRUPT, Trouble::Lost),
            (ffi::SQLITE_NOTADB, Trouble::Lost),
            (ffi::SQLITE_CANTOPEN, Trouble::Lost),
        ] {
            assert_eq!(of(&sqlite(code), nowhere), expected, "{code}");
        }
    }

    #[test]
    fn a_write_that_fails_is_what_the_probe_says_and_doubt_if_the_probe_succeeds() {
        let write = ffi::SQLITE_IOERR_WRITE;
        // ENOSPC, EDQUOT, EROFS, EMFILE, ENFILE, EIO.
        for (errno, expected) in [
            (28, Trouble::NoRoom),
            (122, Trouble::NoRoom),
            (30, Trouble::Hindered),
            (24, Trouble::Hindered),
            (23, Trouble::Hindered),
            (5, Trouble::Lost),
        ] {
            let failing = || Err(io::Error::from_raw_os_error(errno));
            assert_eq!(io_failure(write, failing), expected, "{errno}");
        }
        assert_eq!(io_failure(write, || Ok(())), Trouble::Lost);
    }
}
