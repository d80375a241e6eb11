//! A numbered, durable log with a side table of personal data: the queue's ledger and a gateway's journal are each
//! one of these.
//!
//! A [`Record`] has a number (1, 2, 3 … without a gap), the version of its form, and bytes that mean nothing here.
//! Numbers and names of people never stand in a record: they go to the side table ([`Person`]), keyed by contact,
//! so that they can be erased while the log stays as it was written.
//!
//! ```text
//!   append(batch) ──► bounded queue ──► writer thread: one transaction for all that has gathered, fsync
//!        never waits                          └──► on_durable(UpTo(seq))
//! ```
//!
//! A [`Batch`] is atomic: all of it or nothing. A commit that fails for want of room is kept and tried again, first in
//! the room of a reserve file and then each second: the caller is told [`Durable::Health`]. A commit that fails for any
//! reason that leaves the disk in doubt (a failed fsync, a damaged or replaced file) is the end: the caller is told
//! [`Durable::Failed`], and nothing is taken any more, because nobody can say what the disk holds.
//!
//! [`SqliteStore`] is the real one, [`MemoryStore`] the one for tests. What this crate does not do: thin out or
//! rotate the log, replicate it, or understand it.

mod memory;
mod sqlite;

use std::fmt;
use std::path::{Path, PathBuf};

pub use memory::{Durability, MemoryDisk, MemoryStore};
pub use sqlite::{Pace, SqliteReader, SqliteStore, StoreFile};

/// Bounds on what is handed over and not yet durable.
pub mod limits {
    /// Bytes of one record.
    pub const RECORD: usize = 16 << 20;
    /// Bytes of all batches that wait for the writer. A batch that comes alone is taken whatever its size.
    pub const WAITING_BYTES: usize = 64 << 20;
    /// Batches that wait for the writer.
    pub const WAITING_BATCHES: usize = 16_384;
    /// Bytes of a person's number, and of a person's name; cut beyond.
    pub const PERSONAL: usize = 256;
    /// Bytes of the reserve file beside a store. Half of it is a write-ahead log at its full size, which then serves
    /// again and again; the other half holds some 20,000 more records, ten for each of 2,000 people who are here.
    pub const RESERVE: u64 = 8 << 20;
    /// Free bytes without which a store that has no reserve is not opened, and with a reserve takes nobody new.
    pub const ROOM: u64 = 1 << 20;
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// 1, 2, 3 …
    pub seq: u64,
    /// The version of the form of `bytes`, for whoever reads it in years.
    pub version: u16,
    /// The bytes written by the log's owner.
    pub bytes: Vec<u8>,
}

/// The identity of a contact. Personal data: it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The contact (for a call, the call's id).
    pub contact: u64,
    /// The number; empty if it was not told.
    pub number: String,
    /// The name; empty if it was not told.
    pub name: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({:x}, …)", self.contact)
    }
}

/// Changes that are written together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The next lines of the log, in order.
    pub records: Vec<Record>,
    /// People to remember; one already known is replaced.
    pub people: Vec<Person>,
    /// Contacts whose person is to be forgotten, after `people` is written.
    pub erase: Vec<u64>,
    /// Whether somebody waits until it is durable. A store may gather other batches for longer.
    pub urgent: bool,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.people.is_empty() && self.erase.is_empty()
    }

    fn size(&self) -> usize {
        let records: usize = self.records.iter().map(|record| record.bytes.len() + 32).sum();
        let people: usize = self
            .people
            .iter()
            .map(|person| person.number.len() + person.name.len() + 32)
            .sum();
        records + people + self.erase.len() * 8
    }
}

/// Reports on the batches handed over. Told on the writer's thread: return soon, and do not panic.
#[derive(Debug)]
pub enum Durable {
    /// All records up to this one are on the disk, and so is everything else of their batches. Said once for each
    /// commit, also for one without records.
    UpTo(u64),
    /// How the store stands from now on. Not said while it is [`Health::Sound`] from the start.
    Health(Health),
    /// A commit failed, and no other may be trusted. The last thing that is ever said: nothing handed over and not yet reported is known to be
    /// on the disk, and nothing more is taken.
    Failed(StoreError),
}

/// How far a store can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It commits, and the reserve is there.
    #[default]
    Sound,
    /// The disk is full. It commits in the room that is left, which is for the people who are here: take nobody new.
    Tight,
    /// It cannot commit for now. What was handed over is kept and tried again each second: take nobody new.
    Stalled,
}

impl Health {
    /// Whether new calls may be taken.
    pub fn admits(self) -> bool {
        self == Health::Sound
    }
}

/// The state of a store when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The newest record; 0 for an empty log.
    pub last: u64,
}

/// A batch that is not taken. Nothing of it will be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk does not keep up: [`limits`].
    #[error("the store does not keep up")]
    Full,
    /// A commit failed, or the store is closed.
    #[error("the store has stopped")]
    Stopped,
    /// The caller's fault: the numbers do not go on where the log stops.
    #[error("record {found} where {expected} was expected")]
    OutOfOrder {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// The caller's fault: a record larger than [`limits::RECORD`].
    #[error("record {0} is too large")]
    TooLarge(u64),
}

/// The process that has the store at this path open, where another one has and says so.
pub fn held_by(path: &Path) -> Option<u32> {
    sqlite::holder(path)
}

fn holder(path: &Path) -> String {
    held_by(path).map_or("another process".to_owned(), |pid| format!("process {pid}"))
}

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another part of this one, has it open.
    #[error(
        "Pronto already runs here: {holder} has `{path}` open, and two cannot share one store",
        holder = holder(.0), path = .0.display()
    )]
    Locked(PathBuf),
    /// A file or directory cannot be made or opened.
    #[error("cannot {doing} `{path}`: {source}", path = .path.display())]
    Io {
        /// The operation that was tried.
        doing: &'static str,
        /// The file or directory of the operation.
        path: PathBuf,
        /// The reason why it failed.
        source: std::io::Error,
    },
    /// There is nothing to look at.
    #[error("there is no `{path}`", path = .0.display())]
    Absent(PathBuf),
    /// A file of that name exists and is not one of ours.
    #[error("`{path}` is not a store of this program", path = .0.display())]
    Foreign(PathBuf),
    /// Written by a later release.
    #[error("the store has layout {found}, this program knows {known}: it was written by a later release")]
    Newer {
        /// The layout of the store.
        found: i64,
        /// The layout that this program knows.
        known: i64,
    },
    /// The file system or the library does not give the durability asked for.
    #[error("the store is not durable here: `{pragma}` is `{found}`")]
    NotDurable {
        /// The pragma that was asked for.
        pragma: &'static str,
        /// The value that was given.
        found: String,
    },
    /// A record is not what was written.
    #[error("record {0} is damaged: its checksum does not fit")]
    Damaged(u64),
    /// A record is not there.
    #[error("record {0} is missing")]
    Missing(u64),
    /// The disk is full, and the reserve is gone.
    #[error(
        "the disk of `{path}` is full: {needed} octets of free room are needed to open it, and {free} are free",
        path = .path.display()
    )]
    NoRoom {
        /// The path of the store.
        path: PathBuf,
        /// Octets of free room that are needed.
        needed: u64,
        /// Octets that are free.
        free: u64,
    },
    /// A file of the running store is not the one that was opened.
    #[error("`{path}` was deleted or replaced while it was in use: what is written would be lost", path = .0.display())]
    Replaced(PathBuf),
    /// Whatever else the database said.
    #[error("cannot {doing}: {source}")]
    Database {
        /// The operation that was tried.
        doing: &'static str,
        /// The reason why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A commit has failed before, or the store is closed.
    #[error("the store has stopped")]
    Stopped,
}

/// A numbered, durable log. All calls but [`Store::append`] may wait for the disk.
pub trait Store: Send + Sync {
    /// Hands a batch to the writer and returns at once. The numbers must go on where the log stops.
    ///
    /// # Errors
    /// [`AppendError`]: the batch was not taken.
    fn append(&self, batch: Batch) -> Result<(), AppendError>;

    /// At most `limit` durable records from number `from` on.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Missing`] name the first record that is not as it was written.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The identity of a contact, if it is known and durable.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    fn person(&self, contact: u64) -> Result<Option<Person>, StoreError>;

    /// Forgets who a contact is: when this returns, the number and the name stand in no file of the store any more.
    /// Returns whether they did.
    ///
    /// # Errors
    /// [`StoreError`]: it may still be there.
    fn erase(&self, contact: u64) -> Result<bool, StoreError>;

    /// Counts one up, durably: 1 on a new store, and never the same number twice.
    ///
    /// # Errors
    /// [`StoreError`]: the number must not be used, and may have been used up.
    fn raise_epoch(&self) -> Result<u64, StoreError>;

    /// Makes the number after `highest` the count, durably, whatever it was: somebody else counted on, or it was spoilt.
    ///
    /// # Errors
    /// [`StoreError`]: the number must not be used.
    fn renew_epoch(&self, highest: u64) -> Result<u64, StoreError>;

    /// The file that was opened, to know it again when the store is opened later. `None` if the store is in no file, or the
    /// disk did not say which one it is.
    fn file(&self) -> Option<StoreFile>;

    /// Waits until everything taken is durable, then takes no more. Closing twice is closing once.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if a commit has failed.
    fn close(&self) -> Result<(), StoreError>;
}

/// The whole log in order, read by the page. Ends after the first error.
pub fn records(store: &dyn Store) -> impl Iterator<Item = Result<Record, StoreError>> {
    pages(1, |from, limit| store.read(from, limit))
}

fn pages(
    first: u64,
    read: impl Fn(u64, usize) -> Result<Vec<Record>, StoreError>,
) -> impl Iterator<Item = Result<Record, StoreError>> {
    const PAGE: usize = 1_024;
    let mut page = Vec::new().into_iter();
    let mut next = Some(first);
    std::iter::from_fn(move || {
        loop {
            if let Some(record) = page.next() {
                return Some(Ok(record));
            }
            match read(next?, PAGE) {
                Ok(records) => {
                    next = records.last().map(|record| record.seq + 1);
                    page = records.into_iter();
                }
                Err(error) => {
                    next = None;
                    return Some(Err(error));
                }
            }
        }
    })
}

/// Whether `records` go on after `last` and are small enough; their last number.
fn follow(last: u64, records: &[Record]) -> Result<u64, AppendError> {
    let mut newest = last;
    for record in records {
        let expected = newest + 1;
        if record.seq != expected {
            return Err(AppendError::OutOfOrder {
                expected,
                found: record.seq,
            });
        }
        if record.bytes.len() > limits::RECORD {
            return Err(AppendError::TooLarge(record.seq));
        }
        newest = record.seq;
    }
    Ok(newest)
}

/// The checksum of a record: over its number and version too, so that a record in the wrong place is damaged.
fn checksum(seq: u64, version: u16, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(&version.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// At most [`limits::PERSONAL`] bytes, whole characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(limits::PERSONAL)]
}

#[cfg(test)]
pub(crate) mod tests;
