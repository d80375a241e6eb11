//! The writer thread: commits whatever has gathered, then says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Shared, schema};
use crate::{Batch, Durable, StoreError, checksum, cut};

/// Bytes after which a commit begins though more is waiting: nobody waits for ever.
const COMMIT_BYTES: usize = 4 << 20;
/// Commands after which a commit begins though more is waiting.
const COMMIT_COMMANDS: usize = 4_096;

/// Commands in one commit from which on the next waits for [`UNDER_LOAD`]: each commit costs the processor much the same.
const MANY: usize = 8;
/// How far the beginnings of two commits are apart at least, under load.
const UNDER_LOAD: Duration = Duration::from_millis(10);

/// What the writer is asked.
pub(super) enum Command {
    /// Write a batch.
    Append {
        /// What.
        batch: Batch,
        /// Its part of [`Shared::waiting`].
        size: usize,
    },
    /// Forget a person, from the files too.
    Erase {
        /// Whose.
        contact: u64,
        /// Whether they were known.
        reply: SyncSender<Result<bool, StoreError>>,
    },
    /// Count the epoch up.
    RaiseEpoch {
        /// The new one.
        reply: SyncSender<u64>,
    },
}

/// An answer that waits for the commit.
enum Answer {
    Erased(SyncSender<Result<bool, StoreError>>, bool),
    Epoch(SyncSender<u64>, u64),
}

pub(super) struct Writer {
    connection: Connection,
    last: u64,
    shared: Arc<Shared>,
    on_durable: Box<dyn Fn(Durable) + Send>,
    /// How far the beginnings of two commits are apart at least.
    apart: Duration,
}

impl Writer {
    pub(super) fn new(
        (connection, last): (Connection, u64),
        apart: Duration,
        shared: Arc<Shared>,
        on_durable: Box<dyn Fn(Durable) + Send>,
    ) -> Self {
        Writer {
            connection,
            last,
            shared,
            on_durable,
            apart,
        }
    }

    /// Until the last sender is gone and everything received is written, or until a commit fails.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut begun: Option<Instant> = None;
        let mut apart = self.apart;
        while let Ok(first) = commands.recv() {
            // Asleep rather than listening: what comes meanwhile is not worth a wake-up each.
            if let Some(rest) = begun.and_then(|begun| apart.checked_sub(begun.elapsed())) {
                std::thread::sleep(rest);
            }
            begun = Some(Instant::now());
            let mut gathered = vec![first];
            let mut bytes = 0;
            while gathered.len() < COMMIT_COMMANDS && bytes < COMMIT_BYTES {
                let Ok(next) = commands.try_recv() else { break };
                if let Command::Append { size, .. } = &next {
                    bytes += size;
                }
                gathered.push(next);
            }
            apart = pace(self.apart, gathered.len());
            if let Err(error) = self.commit(gathered) {
                self.shared.failed.store(true, Ordering::Release);
                tracing::error!(%error, "a commit failed: the store stops");
                (self.on_durable)(Durable::Failed(error));
                return;
            }
        }
        // SQLite does it by itself only when the connection that closes last may write, and ours may be the reader.
        if let Err(error) = self.scrub() {
            tracing::debug!(%error, "the WAL stays");
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the store was not closed cleanly; nothing is lost");
        }
    }

    fn commit(&mut self, commands: Vec<Command>) -> Result<(), StoreError> {
        let failed = schema::failed("commit");
        let mut answers = Vec::new();
        let mut written = 0;
        let mut erased = false;
        let mut last = self.last;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        for command in commands {
            match command {
                Command::Append { batch, size } => {
                    erased |= !batch.erase.is_empty();
                    last = write(&transaction, batch).map_err(&failed)?.unwrap_or(last);
                    written += size;
                }
                Command::Erase { contact, reply } => {
                    let known = erase(&transaction, contact).map_err(&failed)?;
                    answers.push(Answer::Erased(reply, known));
                }
                Command::RaiseEpoch { reply } => {
                    let epoch = raise_epoch(&transaction).map_err(&failed)?;
                    answers.push(Answer::Epoch(reply, epoch));
                }
            }
        }
        transaction.commit().map_err(&failed)?;
        self.shared.waiting.fetch_sub(written, Ordering::AcqRel);
        self.last = last;
        (self.on_durable)(Durable::UpTo(last));
        if erased && let Err(error) = self.scrub() {
            tracing::warn!(%error, "what was erased is still in the WAL");
        }
        self.answer(answers);
        Ok(())
    }

    fn answer(&self, answers: Vec<Answer>) {
        for answer in answers {
            // Whoever asked may have gone: their loss.
            match answer {
                Answer::Epoch(reply, epoch) => drop(reply.send(epoch)),
                Answer::Erased(reply, known) => drop(reply.send(self.scrub().map(|()| known))),
            }
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

/// How far the next commit is to be from one of so many commands.
fn pace(apart: Duration, commands: usize) -> Duration {
    if commands < MANY || apart.is_zero() {
        apart
    } else {
        apart.max(UNDER_LOAD)
    }
}

/// The number of its last record, if it has one.
fn write(transaction: &Transaction<'_>, batch: Batch) -> Result<Option<u64>, rusqlite::Error> {
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
    for contact in batch.erase {
        erase(transaction, contact)?;
    }
    Ok(last)
}

fn erase(transaction: &Transaction<'_>, contact: u64) -> Result<bool, rusqlite::Error> {
    let mut delete = transaction.prepare_cached("DELETE FROM person WHERE contact = ?1")?;
    Ok(delete.execute([contact.cast_signed()])? > 0)
}

fn raise_epoch(transaction: &Transaction<'_>) -> Result<u64, rusqlite::Error> {
    transaction.query_one(
        "INSERT INTO mark (key, value) VALUES ('epoch', 1)
         ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value",
        [],
        |row| row.get(0).map(i64::cast_unsigned),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_further_apart_when_each_holds_many_commands() {
        let short = Duration::from_millis(3);
        assert_eq!(pace(short, MANY - 1), short);
        assert_eq!(pace(short, MANY), UNDER_LOAD);
        assert_eq!(
            pace(UNDER_LOAD * 2, MANY),
            UNDER_LOAD * 2,
            "never nearer than asked for"
        );
        assert_eq!(
            pace(Duration::ZERO, MANY),
            Duration::ZERO,
            "who asks for none has none"
        );
    }
}
