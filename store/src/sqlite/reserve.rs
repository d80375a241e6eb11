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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Missing,
    /// The directory takes no new file of ours, and not for want of room.
    Impossible,
}

impl Reserve {
    /// The reserve of the store at `path`, as it was left by the last process.
    pub(super) fn of(path: &Path) -> Self {
        let path = files::beside(path, "reserve");
        let held = fs::metadata(&path).is_ok_and(|found| found.blocks() * BLOCK >= RESERVE);
        let state = if held { State::Held } else { State::Missing };
        Reserve { path, state }
    }

    /// Whether the store may rely on it, or has to do without for good.
    pub(super) fn is_settled(&self) -> bool {
        self.state != State::Missing
    }

    /// Gives the room back to the disk. False where there is none.
    pub(super) fn give_up(&mut self) -> bool {
        let held = fs::metadata(&self.path).is_ok_and(|found| found.blocks() > 0);
        if self.state != State::Impossible {
            self.state = State::Missing;
        }
        held && fs::remove_file(&self.path).is_ok()
    }

    /// Sees whether somebody took the file away, and makes it where it is missing and `free` octets are enough.
    pub(super) fn renew(&mut self, free: Option<u64>) {
        if self.state == State::Held && !self.path.exists() {
            self.state = State::Missing;
        }
        if self.state != State::Missing || free.is_some_and(|free| free < RESERVE + BESIDE) {
            return;
        }
        match make(&self.path) {
            Ok(()) => self.state = State::Held,
            Err(error) => {
                let _ = fs::remove_file(&self.path);
                let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
                if !full.contains(&error.kind()) {
                    tracing::warn!(path = %self.path.display(), %error, "no room can be reserved for the store");
                    self.state = State::Impossible;
                }
            }
        }
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
