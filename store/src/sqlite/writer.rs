//! The writer thread: commits whatever has gathered, then says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::condition::Condition;
use super::pace::{Pace, Pacer};
use super::trouble::{self, Trouble};
use super::{Shared, schema};
use crate::{Batch, Durable, Health, StoreError, checksum, cut};

/// Bytes after which a commit begins though more is waiting: nobody waits for ever.
const COMMIT_BYTES: usize = 4 << 20;
/// Commands after which a commit begins though more is waiting.
const COMMIT_COMMANDS: usize = 4_096;

/// After a commit that failed and is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log from which on it is written back (the number SQLite goes by).
const LOG_PAGES: usize = 1_000;
/// Pages that a commit of a few small records changes.
const FEW_PAGES: usize = 4;
/// Octets of a page.
const PAGE: usize = 4_096;

/// A command to the writer thread.
pub(super) enum Command {
    /// Write a batch.
    Append {
        /// The batch to write.
        batch: Batch,
        /// Its part of [`Shared::waiting`].
        size: usize,
    },
    /// Forget a person, from the files too.
    Erase {
        /// The contact whose person is forgotten.
        contact: u64,
        /// Whether they were known.
        reply: SyncSender<Result<bool, StoreError>>,
    },
    /// Count the epoch up.
    RaiseEpoch {
        /// After this number instead of after the last one.
        after: Option<u64>,
        /// The new one.
        reply: SyncSender<Result<u64, StoreError>>,
    },
}

impl Command {
    /// Whether somebody waits for it.
    fn is_urgent(&self) -> bool {
        match self {
            Command::Append { batch, .. } => batch.urgent,
            Command::Erase { .. } | Command::RaiseEpoch { .. } => true,
        }
    }
}

/// The result of a commit.
#[derive(Default)]
struct Committed {
    last: u64,
    bytes: usize,
    erased: bool,
    /// For each command that is answered, in order: whether the person was known (1 or 0), or the new epoch.
    answers: Vec<u64>,
}

/// The store's file, opened for writing.
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The number of the newest record.
    pub(super) last: u64,
    /// How far commits are apart.
    pub(super) pace: Pace,
    pub(super) condition: Condition,
}

pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    last: u64,
    shared: Arc<Shared>,
    on_durable: Box<dyn Fn(Durable) + Send>,
    pacer: Pacer,
    condition: Condition,
    /// About how many pages are in the write-ahead log.
    logged: usize,
}

impl Writer {
    pub(super) fn new(file: File, shared: Arc<Shared>, on_durable: Box<dyn Fn(Durable) + Send>) -> Self {
        let File {
            connection,
            path,
            last,
            pace,
            condition,
        } = file;
        Writer {
            connection,
            path,
            last,
            shared,
            on_durable,
            pacer: Pacer::new(pace),
            condition,
            logged: 0,
        }
    }

    /// Until the last sender is gone and everything received is written, or until a commit fails for good.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        if let Err(error) = self.serve(commands) {
            self.shared.failed.store(true, Ordering::Release);
            let path = self.path.display();
            if self.shared.closing.load(Ordering::Acquire) {
                tracing::warn!(%path, %error, "the store was closed without what it could not write");
            } else {
                self.condition.failed();
                tracing::error!(%path, %error, "the store stops");
            }
            return (self.on_durable)(Durable::Failed(error));
        }
        // SQLite does it by itself only when the connection that closes last may write, and ours may be the reader.
        if let Err(error) = self.scrub() {
            tracing::debug!(%error, "the WAL stays");
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the store was not closed cleanly; nothing is lost");
        }
    }

    fn serve(&mut self, commands: &Receiver<Command>) -> Result<(), StoreError> {
        loop {
            let first = match commands.recv_timeout(self.condition.due_in()) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.look()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let gathered = self.gather(first, commands);
            if self.condition.due_in().is_zero() {
                self.look()?;
            }
            self.settle(gathered)?;
        }
    }

    /// The first command, and those that come until the next commit may begin.
    fn gather(&mut self, first: Command, commands: &Receiver<Command>) -> Vec<Command> {
        let mut gathered = vec![first];
        loop {
            let is_full = add(&mut gathered, commands);
            let now = Instant::now();
            let rest = self.pacer.rest(now, gathered.iter().any(Command::is_urgent));
            if is_full || rest.is_zero() {
                self.pacer.begins(now, gathered.len());
                return gathered;
            }
            // Asleep rather than listening: what comes meanwhile is not worth a wake-up each, unless it is urgent.
            std::thread::park_timeout(rest);
        }
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let changed = self.condition.look()?;
        self.say(changed);
        Ok(())
    }

    fn say(&self, health: Option<Health>) {
        if let Some(health) = health {
            (self.on_durable)(Durable::Health(health));
        }
    }

    /// Commits, in the room of the reserve where there is no other, and otherwise each second until it succeeds.
    fn settle(&mut self, mut gathered: Vec<Command>) -> Result<(), StoreError> {
        let mut written_back = false;
        loop {
            let error = match self.commit(&gathered) {
                Ok(committed) => {
                    let changed = self.condition.committed();
                    self.say(changed);
                    return self.committed(&gathered, committed);
                }
                Err(error) => error,
            };
            let trouble = trouble::of(&error, &self.path);
            let error = schema::failed("commit")(error);
            if trouble == Trouble::Lost {
                return Err(error);
            }
            if trouble == Trouble::NoRoom {
                if self.condition.give_up_reserve() {
                    continue;
                }
                // A write-ahead log that is written back begins again: its room is used once more.
                if !std::mem::replace(&mut written_back, true) && self.write_back()? {
                    continue;
                }
            }
            let changed = self.condition.failing(&error);
            self.say(changed);
            refuse(&mut gathered, &error);
            if self.shared.closing.load(Ordering::Acquire) {
                return Err(error);
            }
            self.pause();
            written_back = false;
            self.look()?;
        }
    }

    /// Waits until a failed commit is tried again, or the store is closed. Urgent batches wake the thread as well.
    fn pause(&self) {
        let end = Instant::now() + AGAIN;
        while !self.shared.closing.load(Ordering::Acquire) {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            std::thread::park_timeout(rest);
        }
    }

    /// One transaction; nothing of it is written if it fails.
    fn commit(&mut self, commands: &[Command]) -> Result<Committed, rusqlite::Error> {
        #[cfg(test)]
        self.shared.faults.strike()?;
        let mut committed = Committed {
            last: self.last,
            ..Committed::default()
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for command in commands {
            match command {
                Command::Append { batch, size } => {
                    committed.erased |= !batch.erase.is_empty();
                    committed.last = write(&transaction, batch)?.unwrap_or(committed.last);
                    committed.bytes += size;
                }
                Command::Erase { contact, .. } => {
                    committed.answers.push(u64::from(erase(&transaction, *contact)?));
                }
                Command::RaiseEpoch { after, .. } => {
                    committed.answers.push(raise_epoch(&transaction, *after)?);
                }
            }
        }
        transaction.commit()?;
        Ok(committed)
    }

    /// Says what is durable, and looks after the write-ahead log.
    fn committed(&mut self, commands: &[Command], committed: Committed) -> Result<(), StoreError> {
        self.shared.waiting.fetch_sub(committed.bytes, Ordering::AcqRel);
        self.last = committed.last;
        (self.on_durable)(Durable::UpTo(self.last));
        if committed.erased
            && let Err(error) = self.scrub()
        {
            tracing::warn!(%error, "what was erased is still in the WAL");
        }
        let mut answers = committed.answers.into_iter();
        for command in commands {
            // Whoever asked may have gone: their loss.
            match command {
                Command::Append { .. } => {}
                Command::Erase { reply, .. } => {
                    let known = answers.next() == Some(1);
                    drop(reply.send(self.scrub().map(|()| known)));
                }
                Command::RaiseEpoch { reply, .. } => {
                    drop(reply.send(answers.next().ok_or(StoreError::Stopped)))
                }
            }
        }
        self.logged += FEW_PAGES + committed.bytes / PAGE;
        if self.logged >= LOG_PAGES {
            self.write_back()?;
        }
        Ok(())
    }

    /// Writes the log back into the database, as far as no reader needs it, so that it can begin again. False if it
    /// cannot. We do it ourselves because SQLite, which does it as part of a commit, passes over a failed fsync.
    fn write_back(&mut self) -> Result<bool, StoreError> {
        let done = self
            .connection
            .query_one("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get(1)?, row.get(2)?))
            });
        let error = match done {
            Ok::<(i64, i64), _>((logged, written)) => {
                let whole = logged == written;
                // Long readers: it is tried again when as much has come once more.
                self.logged = 0;
                return Ok(whole);
            }
            Err(error) => error,
        };
        match trouble::of(&error, &self.path) {
            Trouble::Lost => Err(schema::failed("write back the WAL")(error)),
            Trouble::NoRoom if self.condition.give_up_reserve() => {
                let changed = self.condition.committed();
                self.say(changed);
                Ok(true)
            }
            Trouble::NoRoom | Trouble::Hindered => Ok(false),
        }
    }

    /// Writes the WAL back and cuts it: until then, old pages live on in it.
    fn scrub(&self) -> Result<(), StoreError> {
        let failed = schema::failed("write back the WAL");
        let busy: i64 = self
            .connection
            .query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(failed)?;
        if busy == 0 {
            return Ok(());
        }
        let source = "another program is reading the store".into();
        Err(StoreError::Database {
            doing: "write back the WAL",
            source,
        })
    }
}

/// Adds the commands that have come, as many as fit into a commit. Returns whether the commit is full.
fn add(gathered: &mut Vec<Command>, commands: &Receiver<Command>) -> bool {
    let size = |command: &Command| match command {
        Command::Append { size, .. } => *size,
        _ => 0,
    };
    let mut bytes: usize = gathered.iter().map(size).sum();
    while gathered.len() < COMMIT_COMMANDS && bytes < COMMIT_BYTES {
        let Ok(next) = commands.try_recv() else {
            return false;
        };
        bytes += size(&next);
        gathered.push(next);
    }
    true
}

/// Answers the commands that somebody waits for; batches stay, to be tried again.
fn refuse(gathered: &mut Vec<Command>, error: &StoreError) {
    let failed = || StoreError::Database {
        doing: "write to the store",
        source: error.to_string().into(),
    };
    gathered.retain(|command| match command {
        Command::Append { .. } => true,
        Command::Erase { reply, .. } => {
            let _ = reply.send(Err(failed()));
            false
        }
        Command::RaiseEpoch { reply, .. } => {
            let _ = reply.send(Err(failed()));
            false
        }
    });
}

/// The number of its last record, if it has one.
fn write(transaction: &Transaction<'_>, batch: &Batch) -> Result<Option<u64>, rusqlite::Error> {
    let mut last = None;
    if !batch.records.is_empty() {
        let mut insert = transaction
            .prepare_cached("INSERT INTO fact (seq, version, crc, bytes) VALUES (?1, ?2, ?3, ?4)")?;
        for record in &batch.records {
            let crc = checksum(record.seq, record.version, &record.bytes);
            insert.execute((record.seq.cast_signed(), record.version, crc, &record.bytes))?;
            last = Some(record.seq);
        }
    }
    if !batch.people.is_empty() {
        let mut upsert = transaction
            .prepare_cached("INSERT OR REPLACE INTO person (contact, number, name) VALUES (?1, ?2, ?3)")?;
        for person in &batch.people {
            upsert.execute((
                person.contact.cast_signed(),
                cut(&person.number),
                cut(&person.name),
            ))?;
        }
    }
    for contact in &batch.erase {
        erase(transaction, *contact)?;
    }
    Ok(last)
}

fn erase(transaction: &Transaction<'_>, contact: u64) -> Result<bool, rusqlite::Error> {
    let mut delete = transaction.prepare_cached("DELETE FROM person WHERE contact = ?1")?;
    Ok(delete.execute([contact.cast_signed()])? > 0)
}

fn raise_epoch(transaction: &Transaction<'_>, after: Option<u64>) -> Result<u64, rusqlite::Error> {
    transaction.query_one(
        "INSERT INTO mark (key, value) VALUES ('epoch', coalesce(?1, 0) + 1)
         ON CONFLICT (key) DO UPDATE SET value = coalesce(?1, value) + 1 RETURNING value",
        [after.map(u64::cast_signed)],
        |row| row.get(0).map(i64::cast_unsigned),
    )
}
