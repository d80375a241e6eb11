//! The dialogs that stand, kept where a kill does not reach them: the next process ends what this one left.
//!
//! One file that only grows, until what is over is left out of it: at the latest a minute after it was over. A write is in the
//! kernel's hands when it returns, and a killed process takes nothing back; what loses power may lose the last half minute of
//! it. The file holds callers' numbers, and so is nobody else's to read.
//!
//! ```text
//! "pronto dialogs 1\n", then records:  length (4) │ checksum (4) │ what (1) │ dialog (8) │ octets
//! ```
//!
//! The control task only appends to memory. The journal's writer thread writes it down before it tells that a commit is done,
//! so that no caller is answered before; and an INVITE or ACK of ours leaves after a write of its own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use pronto_sip::{DialogChange, Orphan};

/// The file, in the store's directory.
const FILE: &str = "dialogs";
const FORM: &[u8] = b"pronto dialogs 1\n";
/// Before what, dialog and octets.
const FRAME: usize = 8;
/// Octets that wait to be written, at most; a disk that stands still must not fill the memory.
const WAITING: usize = 16 << 20;
/// No file is longer: what is over is left out long before.
const LONGEST: u64 = 256 << 20;
/// Octets of dialogs that are over, at which the file is written anew.
const OVER: u64 = 4 << 20;
/// How long something that is over stays in the file.
const STAYS: Duration = Duration::from_secs(60);
/// The names of the dialogs that a process before this one left: no leg of this one is called so.
const INHERITED: u64 = 1 << 63;

const OPEN: u8 = 1;
const ANSWERED: u8 = 2;
const ENDED: u8 = 3;

/// The file and what waits to be written.
pub(super) struct Dialogs {
    path: PathBuf,
    waiting: Mutex<Vec<u8>>,
    file: Mutex<Option<Out>>,
    /// Something waits.
    dirty: AtomicBool,
    /// Somebody is at [`Dialogs::tidy`].
    tidying: AtomicBool,
    /// Changes that were not written.
    lost: AtomicU64,
}

struct Out {
    file: File,
    /// What is whole.
    length: u64,
    /// When it was last written anew, and how long it was then.
    anew: (Instant, u64),
}

impl Dialogs {
    pub(super) fn new(directory: &Path) -> Self {
        Dialogs {
            path: directory.join(FILE),
            waiting: Mutex::default(),
            file: Mutex::default(),
            dirty: AtomicBool::new(false),
            tidying: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        }
    }

    /// Opens the file once the journal is ours, and takes what the process before left, which stays in it until it is over.
    pub(super) fn open(&self) -> Vec<(u64, Orphan)> {
        let left = read(&self.path).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %self.path.display(), "cannot read which dialogs were left open: phones may ring on");
            }
            BTreeMap::new()
        });
        let left: Vec<(u64, Orphan)> = (INHERITED..).zip(left.into_values()).collect();
        let opened = write_anew(&self.path, left.iter().map(|(dialog, orphan)| (*dialog, orphan)));
        match opened {
            Ok(out) => *locked(&self.file) = Some(out),
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "dialogs are not kept: should this process be killed, phones ring on");
            }
        }
        left
    }

    /// Takes what is new of a dialog; it is written with the next [`Dialogs::flush`].
    pub(super) fn take(&self, dialog: u64, change: &DialogChange) {
        let (what, octets): (u8, &[u8]) = match change {
            DialogChange::Open(kept) => (OPEN, kept),
            DialogChange::Answered => (ANSWERED, b""),
            DialogChange::Over => (ENDED, b""),
        };
        let mut waiting = locked(&self.waiting);
        if waiting.len() > WAITING {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        push(&mut waiting, what, dialog, octets);
        self.dirty.store(true, Ordering::Release);
    }

    /// Whether something waits to be written, or is being written.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// Changes that were not written since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes what waits. May wait for the disk: not on the control task.
    pub(super) fn flush(&self) {
        if self.is_dirty() {
            self.write(&mut locked(&self.file));
        }
    }

    /// Whether [`Dialogs::tidy`] has something to do and nobody is at it; whoever asks then does it.
    pub(super) fn wants_tidying(&self) -> bool {
        let due = || {
            self.file
                .try_lock()
                .is_ok_and(|out| out.as_ref().is_some_and(Out::is_due))
        };
        (self.is_dirty() || due()) && !self.tidying.swap(true, Ordering::AcqRel)
    }

    /// Writes what waits, and the file anew where that is due.
    pub(super) fn tidy(&self) {
        let mut out = locked(&self.file);
        self.write(&mut out);
        if out.as_ref().is_some_and(Out::is_due) {
            self.leave_out(&mut out);
        }
        drop(out);
        self.tidying.store(false, Ordering::Release);
    }

    /// At the end of the process: only what still stands is left.
    pub(super) fn close(&self) {
        let mut out = locked(&self.file);
        self.write(&mut out);
        self.leave_out(&mut out);
    }

    fn write(&self, out: &mut Option<Out>) {
        let taken = std::mem::take(&mut *locked(&self.waiting));
        if let Some(out) = out.as_mut().filter(|_| !taken.is_empty()) {
            self.append(out, &taken);
        }
        let waiting = locked(&self.waiting);
        if waiting.is_empty() {
            self.dirty.store(false, Ordering::Release);
        }
    }

    fn append(&self, out: &mut Out, taken: &[u8]) {
        match out.file.write_all(taken) {
            Ok(()) => out.length += taken.len() as u64,
            Err(error) => {
                // Half a record would hide what follows it.
                let _ = out.file.set_len(out.length);
                if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, path = %self.path.display(), "dialogs cannot be kept: should this process be killed, phones ring on");
                }
            }
        }
    }

    fn leave_out(&self, out: &mut Option<Out>) {
        let anew = read(&self.path).and_then(|left| {
            let left = left.iter().map(|(dialog, orphan)| (*dialog, orphan));
            write_anew(&self.path, left)
        });
        match anew {
            Ok(anew) => *out = Some(anew),
            // The file goes on as it is; the next try is a minute away.
            Err(error) => {
                tracing::debug!(%error, "the dialogs that are over stay in the file");
                if let Some(out) = out {
                    out.anew = (Instant::now(), out.length);
                }
            }
        }
    }
}

impl Out {
    fn is_due(&self) -> bool {
        let (at, length) = self.anew;
        let grown = self.length - length;
        grown > OVER || (grown > 0 && at.elapsed() > STAYS)
    }
}

/// What stands in the file, up to the first record that is not whole.
fn read(path: &Path) -> io::Result<BTreeMap<u64, Orphan>> {
    let mut octets = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut octets)?;
    Ok(fold(&octets))
}

fn fold(octets: &[u8]) -> BTreeMap<u64, Orphan> {
    let mut standing = BTreeMap::new();
    let mut rest = octets.strip_prefix(FORM).unwrap_or_default();
    while let Some((what, dialog, kept, after)) = next(rest) {
        rest = after;
        match what {
            OPEN => {
                let kept = Bytes::copy_from_slice(kept);
                let answered = false;
                standing.insert(dialog, Orphan { kept, answered });
            }
            ANSWERED => {
                if let Some(orphan) = standing.get_mut(&dialog) {
                    orphan.answered = true;
                }
            }
            ENDED => drop(standing.remove(&dialog)),
            _ => {}
        }
    }
    standing
}

/// The first record, and what comes after it.
fn next(octets: &[u8]) -> Option<(u8, u64, &[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let record = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    if crc32fast::hash(record) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (what, kept) = record.split_first()?;
    let (dialog, kept) = kept.split_first_chunk::<8>()?;
    Some((*what, u64::from_le_bytes(*dialog), kept, &rest[record.len()..]))
}

fn push(out: &mut Vec<u8>, what: u8, dialog: u64, octets: &[u8]) {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME]);
    out.push(what);
    out.extend_from_slice(&dialog.to_le_bytes());
    out.extend_from_slice(octets);
    // A dialog is some hundred octets.
    let length = u32::try_from(out.len() - at - FRAME).unwrap_or(0);
    let checksum = crc32fast::hash(&out[at + FRAME..]);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    out[at + 4..at + FRAME].copy_from_slice(&checksum.to_le_bytes());
}

/// A file with these alone in the place of the old one.
fn write_anew<'a>(path: &Path, left: impl Iterator<Item = (u64, &'a Orphan)>) -> io::Result<Out> {
    let mut octets = FORM.to_vec();
    for (dialog, orphan) in left {
        push(&mut octets, OPEN, dialog, &orphan.kept);
        if orphan.answered {
            push(&mut octets, ANSWERED, dialog, b"");
        }
    }
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&octets)?;
    fs::rename(&beside, path)?;
    let length = octets.len() as u64;
    let anew = (Instant::now(), length);
    Ok(Out { file, length, anew })
}

/// A flush that panicked elsewhere does not end this one.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
