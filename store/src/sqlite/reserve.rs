//! The reserve: a file beside the store that holds room on the disk. When the disk is full it is given up, so that what
//! becomes of the people who are here can still be written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::files;
use crate::limits::RESERVE;

/// Room that must be left once the reserve is made: else it is made from the last octets and given up at once again.
const BESIDE: u64 = 4 << 20;
/// Octets of a block as `stat` counts them.
const BLOCK: u64 = 512;

/// The file, and whether its room is held.
pub(super) struct Reserve {
    path: PathBuf,
    state: State,
    /// Why the file could not be made at the last attempt, if not for want of room. It has been warned of.
    trouble: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held,
    /// It is tried again at each look.
    Missing,
    /// The directory never takes a file of ours: it is not tried again.
    Impossible,
}

impl Reserve {
    /// The reserve of the store at `path`, as it was left by the last process.
    pub(super) fn of(path: &Path) -> Self {
        let path = files::beside(path, "reserve");
        let held = fs::metadata(&path).is_ok_and(|found| found.blocks() * BLOCK >= RESERVE);
        let state = if held { State::Held } else { State::Missing };
        Reserve {
            path,
            state,
            trouble: None,
        }
    }

    /// Why the file is missing, if not for want of room.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether the store may rely on it, or has to do without for good.
    pub(super) fn is_settled(&self) -> bool {
        self.state != State::Missing
    }

    /// Gives the room back to the disk. False if the reserve held no room.
    pub(super) fn give_up(&mut self) -> bool {
        let held = fs::metadata(&self.path).is_ok_and(|found| found.blocks() > 0);
        if self.state != State::Impossible {
            self.state = State::Missing;
        }
        held && fs::remove_file(&self.path).is_ok()
    }

    /// Sees whether somebody took the file away, and makes it where it is missing and `free` octets are enough.
    pub(super) fn renew(&mut self, free: Option<u64>) {
        self.renew_by(free, make);
    }

    fn renew_by(&mut self, free: Option<u64>, make: impl FnOnce(&Path) -> io::Result<()>) {
        if self.state == State::Held && !self.path.exists() {
            self.state = State::Missing;
        }
        if self.state != State::Missing || free.is_some_and(|free| free < RESERVE + BESIDE) {
            return;
        }
        match make(&self.path) {
            Ok(()) => (self.state, self.trouble) = (State::Held, None),
            Err(error) => {
                let _ = fs::remove_file(&self.path);
                self.failed(&error);
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.state = after(error);
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if full.contains(&error.kind()) {
            self.trouble = None;
            return;
        }
        let path = self.path.display();
        if self.trouble.is_none() {
            tracing::warn!(%path, %error, "no room can be reserved for the store");
        }
        self.trouble = Some(format!("no room can be reserved in `{path}`: {error}"));
    }
}

/// Judges an error in making the file: only a directory that never takes it makes a reserve impossible. Most errors pass:
/// too many open files, a signal, no memory.
fn after(error: &io::Error) -> State {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::OPNOTSUPP) => State::Impossible,
        _ => State::Missing,
    }
}

/// Real blocks, not a hole.
fn make(path: &Path) -> io::Result<()> {
    let file = files::private(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVE) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write(&file)?,
        made => made?,
    }
    file.sync_all()
}

/// Where the file system cannot allocate: octets that it does not recognize as empty.
fn write(mut file: &File) -> io::Result<()> {
    let piece = vec![0x5a; 64 << 10];
    let mut left = RESERVE;
    while left > 0 {
        file.write_all(&piece)?;
        left = left.saturating_sub(64 << 10);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_directory::TestDirectory;
    use super::*;

    fn renew(reserve: &mut Reserve, made: Result<(), Errno>) -> State {
        reserve.renew_by(Some(u64::MAX), |_| made.map_err(io::Error::from));
        reserve.state
    }

    #[test]
    fn an_error_that_passes_gives_no_reserve_up_for_ever() {
        let directory = TestDirectory::new();
        let mut reserve = Reserve::of(&directory.path("log.sqlite"));
        for passing in [Errno::MFILE, Errno::NFILE, Errno::INTR, Errno::NOMEM, Errno::IO] {
            assert_eq!(renew(&mut reserve, Err(passing)), State::Missing, "{passing:?}");
            assert!(!reserve.is_settled(), "{passing:?}");
            assert!(reserve.trouble().is_some(), "{passing:?} is told");
        }
        assert_eq!(renew(&mut reserve, Err(Errno::NOSPC)), State::Missing);
        assert_eq!(reserve.trouble(), None, "a full disk is no news");
        assert_eq!(renew(&mut reserve, Ok(())), State::Held);
        reserve.give_up();
        for lasting in [Errno::ROFS, Errno::ACCESS, Errno::PERM, Errno::OPNOTSUPP] {
            reserve.state = State::Missing;
            assert_eq!(
                renew(&mut reserve, Err(lasting)),
                State::Impossible,
                "{lasting:?}"
            );
            assert!(reserve.is_settled(), "the store does without: {lasting:?}");
        }
        assert_eq!(renew(&mut reserve, Ok(())), State::Impossible, "not tried again");
    }
}
