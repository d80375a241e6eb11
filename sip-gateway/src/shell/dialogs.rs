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

use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
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
/// Octets of dialogs that are over, at which the whole file is written again.
const OVER: u64 = 4 << 20;
/// Between two attempts to write dialogs that the disk did not take.
const AGAIN: Duration = Duration::from_secs(10);
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
    file: Mutex<Kept>,
    /// Whether changes wait to be written.
    dirty: AtomicBool,
    /// Somebody is at [`Dialogs::tidy`].
    tidying: AtomicBool,
    /// Changes that were not written.
    lost: AtomicU64,
}

/// Where the dialogs that stand are.
enum Kept {
    /// On the disk.
    File(Out),
    /// In memory alone, since the disk did not take them; when that was last tried.
    Memory(BTreeMap<u64, Orphan>, Instant),
}

struct Out {
    file: File,
    /// Octets of the file that hold whole records.
    length: u64,
    /// When the whole of it was last written, and how long it was then.
    whole: (Instant, u64),
}

impl Dialogs {
    pub(super) fn new(directory: &Path) -> Self {
        Dialogs {
            path: directory.join(FILE),
            waiting: Mutex::default(),
            file: Mutex::new(Kept::Memory(BTreeMap::new(), Instant::now())),
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
        let mut kept = Kept::Memory(left.iter().cloned().collect(), Instant::now());
        if let Err(error) = self.settle(&mut kept) {
            self.fails(&error);
        }
        *self.file.lock() = kept;
        left
    }

    /// Takes what is new of a dialog; it is written with the next [`Dialogs::flush`].
    pub(super) fn take(&self, dialog: u64, change: &DialogChange) {
        let (what, octets): (u8, &[u8]) = match change {
            DialogChange::Open(kept) => (OPEN, kept),
            DialogChange::Answered => (ANSWERED, b""),
            DialogChange::Over => (ENDED, b""),
        };
        let mut waiting = self.waiting.lock();
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
            self.write(&mut self.file.lock());
        }
    }

    /// Whether [`Dialogs::tidy`] has something to do and nobody is at it; whoever asks then does it.
    pub(super) fn wants_tidying(&self) -> bool {
        let due = || self.file.try_lock().is_some_and(|kept| kept.is_due());
        (self.is_dirty() || due()) && !self.tidying.swap(true, Ordering::AcqRel)
    }

    /// Writes what waits, and the whole file where that is due.
    pub(super) fn tidy(&self) {
        let mut kept = self.file.lock();
        self.write(&mut kept);
        if kept.is_due() {
            self.leave_out(&mut kept);
        }
        drop(kept);
        self.tidying.store(false, Ordering::Release);
    }

    /// At the end of the process: only what still stands is left.
    pub(super) fn close(&self) {
        let mut kept = self.file.lock();
        self.write(&mut kept);
        self.leave_out(&mut kept);
    }

    /// Whoever writes waits while this is held.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Sized {
        self.file.lock()
    }

    fn write(&self, kept: &mut Kept) {
        let taken = std::mem::take(&mut *self.waiting.lock());
        match kept {
            _ if taken.is_empty() => {}
            Kept::File(out) => {
                if let Err(error) = out.append(&taken) {
                    self.fails(&error);
                    // What is whole in the file, and what it did not take.
                    let mut standing = read(&self.path).unwrap_or_default();
                    self.remember(&mut standing, &taken);
                    *kept = Kept::Memory(standing, Instant::now());
                }
            }
            Kept::Memory(standing, _) => self.remember(standing, &taken),
        }
        let waiting = self.waiting.lock();
        if waiting.is_empty() {
            self.dirty.store(false, Ordering::Release);
        }
    }

    /// Keeps changes in memory, which the disk does not take.
    fn remember(&self, standing: &mut BTreeMap<u64, Orphan>, taken: &[u8]) {
        let changes = fold_into(standing, taken);
        self.lost.fetch_add(changes, Ordering::Relaxed);
    }

    fn fails(&self, error: &io::Error) {
        tracing::warn!(%error, path = %self.path.display(), "dialogs cannot be kept: should this process be killed, phones ring on; tried again until there is room");
    }

    /// Writes what is in memory, if the disk takes it.
    fn settle(&self, kept: &mut Kept) -> io::Result<()> {
        if let Kept::Memory(standing, tried) = kept {
            *tried = Instant::now();
            *kept = Kept::File(write_whole(&self.path, standing)?);
        }
        Ok(())
    }

    /// Leaves out of the file what is over, or makes the file.
    fn leave_out(&self, kept: &mut Kept) {
        let Kept::File(out) = kept else {
            match self.settle(kept) {
                Ok(()) => tracing::info!("dialogs are kept on the disk again"),
                Err(error) => tracing::debug!(%error, "dialogs cannot be kept yet"),
            }
            return;
        };
        let whole = read(&self.path).and_then(|standing| write_whole(&self.path, &standing));
        match whole {
            Ok(whole) => *out = whole,
            // The file goes on as it is; the next try is a minute away.
            Err(error) => {
                tracing::debug!(%error, "the dialogs that are over stay in the file");
                out.whole = (Instant::now(), out.length);
            }
        }
    }
}

impl Kept {
    fn is_due(&self) -> bool {
        match self {
            Kept::File(out) => out.is_due(),
            Kept::Memory(_, tried) => tried.elapsed() > AGAIN,
        }
    }
}

impl Out {
    /// Appends records, all or none.
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        match self.file.write_all(records) {
            Ok(()) => self.length += records.len() as u64,
            Err(error) => {
                // Half a record would hide what follows it.
                let _ = self.file.set_len(self.length);
                return Err(error);
            }
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let (at, length) = self.whole;
        let grown = self.length - length;
        grown > OVER || (grown > 0 && at.elapsed() > STAYS)
    }
}

/// Reads the dialogs in the file, up to the first incomplete record.
fn read(path: &Path) -> io::Result<BTreeMap<u64, Orphan>> {
    let mut octets = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut octets)?;
    Ok(fold(&octets))
}

fn fold(octets: &[u8]) -> BTreeMap<u64, Orphan> {
    let mut standing = BTreeMap::new();
    fold_into(&mut standing, octets.strip_prefix(FORM).unwrap_or_default());
    standing
}

/// Applies records, up to the first that is not whole. Returns how many there were.
fn fold_into(standing: &mut BTreeMap<u64, Orphan>, records: &[u8]) -> u64 {
    let (mut rest, mut count) = (records, 0);
    while let Some((what, dialog, kept, after)) = next(rest) {
        (rest, count) = (after, count + 1);
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
    count
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
fn write_whole(path: &Path, standing: &BTreeMap<u64, Orphan>) -> io::Result<Out> {
    let mut octets = FORM.to_vec();
    for (dialog, orphan) in standing {
        push(&mut octets, OPEN, *dialog, &orphan.kept);
        if orphan.answered {
            push(&mut octets, ANSWERED, *dialog, b"");
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
    let whole = (Instant::now(), length);
    Ok(Out { file, length, whole })
}

#[cfg(test)]
mod tests;
