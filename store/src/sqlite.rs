//! The store on a disk: SQLite in WAL mode, `synchronous=FULL`, one writer thread that commits whatever has
//! gathered.
//!
//! Files, for a store at `var/ledger.sqlite`: the database, its `-wal` and `-shm`, `ledger.sqlite.lock`, which the
//! kernel keeps locked for as long as the process lives (so a killed process leaves nothing to clean up), and
//! `ledger.sqlite.reserve`, whose room is given up when the disk is full.

mod condition;
#[cfg(test)]
mod faults;
mod files;
pub(crate) use files::holder;
mod identity;
mod pace;
mod reader;
mod reserve;
mod schema;
#[cfg(test)]
pub(crate) mod test_directory;
mod trouble;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{JoinHandle, Thread};

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::{AppendError, Batch, Durable, Opened, Person, Record, Store, StoreError, follow, limits};
use condition::Condition;
pub use identity::StoreFile;
pub use pace::Pace;
pub use reader::SqliteReader;
use reserve::Reserve;
use writer::{Command, Writer};

/// A store in a file.
pub struct SqliteStore {
    /// Where commands go, and the newest record handed over. `None` once closed.
    intake: Mutex<Option<Intake>>,
    reader: Mutex<Connection>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The writer's thread, to wake it.
    thread: Thread,
    shared: Arc<Shared>,
    /// The database, as it was found when the store was opened.
    file: Option<StoreFile>,
    /// Kept locked while the store is open.
    lock: File,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

struct Intake {
    commands: SyncSender<Command>,
    last: u64,
}

/// State shared by the writer thread and the threads that use the store.
#[derive(Default)]
struct Shared {
    /// Bytes of the batches that wait for the writer.
    waiting: AtomicUsize,
    /// A commit has failed for good.
    failed: AtomicBool,
    /// Nobody will hand anything over any more: a commit that fails is not tried again.
    closing: AtomicBool,
    #[cfg(test)]
    faults: faults::Faults,
}

impl SqliteStore {
    /// Opens the store at `path`, and makes it (mode 0600) and its directory (mode 0700) if they are not there.
    /// `on_durable` is told on the writer's thread what became of what was appended.
    ///
    /// # Errors
    /// [`StoreError`]: locked by another process, not ours, of a later release, not durable here, not readable, or
    /// without any room.
    pub fn open(
        path: &Path,
        on_durable: impl Fn(Durable) + Send + 'static,
    ) -> Result<(SqliteStore, Opened), StoreError> {
        Self::open_paced(path, Pace::default(), on_durable)
    }

    /// The same, with commits whose beginnings are at least `pace` apart, and ten milliseconds under load: an idle store commits at
    /// once, a busy one gathers more for each fsync.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_paced(
        path: &Path,
        pace: Pace,
        on_durable: impl Fn(Durable) + Send + 'static,
    ) -> Result<(SqliteStore, Opened), StoreError> {
        let lock = files::prepare(path)?;
        let mut reserve = Reserve::of(path);
        let (connection, reader, last) = connect_where_there_is_room(path, &mut reserve)?;
        let mut condition = Condition::new(path, reserve);
        let health = condition.look()?;
        let shared = Arc::new(Shared::default());
        let (commands, received) = sync_channel(limits::WAITING_BATCHES);
        if let Some(health) = health {
            on_durable(Durable::Health(health));
        }
        let file = writer::File {
            connection,
            path: path.to_owned(),
            last,
            pace,
            condition,
        };
        let writer = Writer::new(file, Arc::clone(&shared), Box::new(on_durable));
        let thread = std::thread::Builder::new()
            .name("pronto-store".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(|source| StoreError::Io {
                doing: "start a writer for",
                path: path.to_owned(),
                source,
            })?;
        tracing::debug!(path = %path.display(), last, "store opened");
        let store = SqliteStore {
            intake: Mutex::new(Some(Intake { commands, last })),
            thread: thread.thread().clone(),
            reader: Mutex::new(reader),
            writer: Mutex::new(Some(thread)),
            shared,
            file: StoreFile::at(path).ok(),
            lock,
        };
        Ok((store, Opened { last }))
    }

    /// Sends a command that is answered, and waits for the answer.
    fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer): (_, Receiver<T>) = sync_channel(1);
        let commands = self.intake.lock().as_ref().map(|intake| intake.commands.clone());
        let commands = commands.ok_or(StoreError::Stopped)?;
        commands.send(command(reply)).map_err(|_| StoreError::Stopped)?;
        drop(commands);
        self.thread.unpark();
        answer.recv().map_err(|_| StoreError::Stopped)
    }

    /// Ends the writer, after it has written what it was handed.
    fn finish(&self) {
        drop(self.intake.lock().take());
        self.shared.closing.store(true, Ordering::Release);
        if let Some(writer) = self.writer.lock().take() {
            // It may be asleep until a failed commit is tried again.
            writer.thread().unpark();
            if writer.join().is_err() {
                self.shared.failed.store(true, Ordering::Release);
            }
        }
    }
}

impl SqliteStore {
    /// Hands a batch to the writer as [`Store::append`] does, without a copy: what is not taken stays in `batch`.
    ///
    /// # Errors
    /// [`AppendError`]: the batch was not taken.
    pub fn offer(&self, batch: &mut Batch) -> Result<(), AppendError> {
        let mut intake = self.intake.lock();
        let Some(intake) = intake.as_mut() else {
            return Err(AppendError::Stopped);
        };
        if self.shared.failed.load(Ordering::Acquire) {
            return Err(AppendError::Stopped);
        }
        let last = follow(intake.last, &batch.records)?;
        let size = batch.size();
        let before = self.shared.waiting.fetch_add(size, Ordering::AcqRel);
        let refused = if before > 0 && before + size > limits::WAITING_BYTES {
            AppendError::Full
        } else {
            let taken = std::mem::take(batch);
            let urgent = taken.urgent;
            let (error, command) = match intake.commands.try_send(Command::Append { batch: taken, size }) {
                Ok(()) => {
                    intake.last = last;
                    if urgent {
                        self.thread.unpark();
                    }
                    return Ok(());
                }
                Err(TrySendError::Full(command)) => (AppendError::Full, command),
                Err(TrySendError::Disconnected(command)) => (AppendError::Stopped, command),
            };
            if let Command::Append { batch: back, .. } = command {
                *batch = back;
            }
            error
        };
        self.shared.waiting.fetch_sub(size, Ordering::AcqRel);
        Err(refused)
    }
}

impl Store for SqliteStore {
    fn append(&self, mut batch: Batch) -> Result<(), AppendError> {
        self.offer(&mut batch)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        reader::read(&self.reader.lock(), from, limit)
    }

    fn person(&self, contact: u64) -> Result<Option<Person>, StoreError> {
        reader::person(&self.reader.lock(), contact)
    }

    fn erase(&self, contact: u64) -> Result<bool, StoreError> {
        self.ask(|reply| Command::Erase { contact, reply })?
    }

    fn raise_epoch(&self) -> Result<u64, StoreError> {
        self.ask(|reply| Command::RaiseEpoch { after: None, reply })?
    }

    fn renew_epoch(&self, highest: u64) -> Result<u64, StoreError> {
        self.ask(|reply| Command::RaiseEpoch {
            after: Some(highest),
            reply,
        })?
    }

    fn file(&self) -> Option<StoreFile> {
        self.file.clone()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.finish();
        if self.shared.failed.load(Ordering::Acquire) {
            Err(StoreError::Stopped)
        } else {
            Ok(())
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.finish();
        // Closing the file unlocks it too; this says when.
        let _ = self.lock.unlock();
    }
}

/// Opens what is there, in the room of the reserve where the disk has no other, and sees that something can be written.
fn connect_where_there_is_room(
    path: &Path,
    reserve: &mut Reserve,
) -> Result<(Connection, Connection, u64), StoreError> {
    let free = || condition::room(path).map_or(u64::MAX, |room| room.free);
    let needed = limits::ROOM;
    let no_room = || StoreError::NoRoom {
        path: path.to_owned(),
        needed,
        free: free(),
    };
    let opened = match connect(path) {
        Err(_) if free() < needed && reserve.give_up() => connect(path),
        opened => opened,
    };
    match opened {
        Ok(_) if free() < needed && !reserve.is_settled() => Err(no_room()),
        // SQLite has several names for it.
        Err(StoreError::Io { .. } | StoreError::Database { .. }) if free() < needed => Err(no_room()),
        opened => opened,
    }
}

fn connect(path: &Path) -> Result<(Connection, Connection, u64), StoreError> {
    let connection = schema::open(path)?;
    let reader = schema::open_reader(path)?;
    files::sync_directory(path)?;
    let last = schema::last(&connection)?;
    Ok((connection, reader, last))
}

#[cfg(test)]
mod tests;
