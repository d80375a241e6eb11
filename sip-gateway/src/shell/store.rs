//! The journal on the disk: every entry is appended as it is written, and after a crash the calls that never ended
//! are found there. Numbers and names of callers go to the side table, where they can be erased.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pronto_proto::link as wire;
use pronto_proto::v1;
use pronto_store::{
    AppendError, Batch, Durable, Health, Pace, Person, Record, SqliteReader, SqliteStore, Store, StoreError,
};
use pronto_types::link::{Caller, Event};
use pronto_types::{CallId, ContactId, DisplayName, PhoneNumber, Time};
use prost::Message;
use tokio::sync::{Notify, watch};

use super::dialogs::Dialogs;
use crate::journal::{Entry, Unfinished};

/// The file, in the store's directory.
pub(super) const FILE: &str = "journal.sqlite";
/// The form of a record: the time of the event in µs since the Unix epoch (8 bytes, little-endian), the epoch of the process
/// (8 bytes, likewise; not in version 1), what is to be added to the time to date it by the wall clock, in µs (8 bytes,
/// likewise; from version 3 on), then `pronto.v1.Entry` without its age.
pub(super) const VERSION: u16 = 3;
/// The form without the epoch.
const WITHOUT_EPOCH: u16 = 1;
/// The form with the epoch and without what dates the time.
const WITHOUT_DATE: u16 = 2;

/// A caller waits for the commit that has the call: it is urgent. Under load no caller waits for longer than 10 ms and two
/// commits.
const PACE: Pace = Pace {
    urgent: Duration::from_millis(1),
    usual: Duration::from_millis(10),
};

/// Earlier epochs that are handed over: a gateway starts seldom while its queue service is away.
const EARLIER: usize = 16;

/// Records kept while the disk does not keep up.
const KEPT: usize = 100_000;

/// An opened journal, and what the last process left behind.
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) epoch: u64,
    pub(super) unfinished: BTreeSet<CallId>,
    /// Entries of earlier epochs: the newest few epochs, oldest first.
    pub(super) earlier: Vec<Earlier>,
    /// The time of the newest entry, and what dated it: our clock goes on from there.
    pub(super) newest: (Time, i64),
}

/// The entries of an earlier epoch: the queue may not have all of them.
#[derive(Clone, Debug)]
pub(crate) struct Earlier {
    path: PathBuf,
    /// The epoch in which they were written.
    pub(crate) epoch: u64,
    /// The number of its newest entry.
    pub(crate) last: u64,
    /// The number in the store of what came before its first entry.
    before: u64,
}

/// How the journal's store stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub(super) health: Health,
    /// It has failed for good, with this error.
    pub(super) failed: Option<String>,
}

/// The journal's store and what waits to be handed to it.
pub(super) struct Journal {
    store: Arc<SqliteStore>,
    /// Sequence numbers go on over all epochs.
    next: u64,
    batch: Batch,
    epoch: u64,
    written: Arc<Written>,
    /// The number in the store of what came before this epoch's first entry.
    before: u64,
    /// The store took no more: it is asked again when [`Journal::retry`] says so, not with every entry.
    refused: bool,
    /// The number of entries missing from the store, once it has failed.
    lost: Option<u64>,
}

/// How far the disk is; shared with the store's writer.
pub(super) struct Written {
    /// Up to this number the store is on the disk.
    durable: AtomicU64,
    /// The number somebody waits for: a commit that does not reach it wakes nobody.
    awaited: AtomicU64,
    reached: Notify,
}

impl Written {
    fn new(last: u64) -> Self {
        Written {
            durable: AtomicU64::new(last),
            awaited: AtomicU64::new(u64::MAX),
            reached: Notify::new(),
        }
    }

    /// On the writer's thread, after a commit.
    fn commit(&self, last: u64) {
        self.durable.store(last, Ordering::SeqCst);
        if last >= self.awaited.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    /// Completes when what was last waited for is on the disk.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }
}

impl Journal {
    /// Opens the journal, raises the epoch, and looks for calls left open.
    /// Dialogs are written down before a commit is told of: what is answered then is kept.
    pub(super) fn open(directory: &Path, dialogs: Arc<Dialogs>) -> Result<Opened, StoreError> {
        let written = Arc::new(Written::new(0));
        let committed = Arc::clone(&written);
        let (told, condition) = watch::channel(Condition::default());
        let on_durable = move |durable| match durable {
            Durable::UpTo(last) => {
                dialogs.flush();
                committed.commit(last);
            }
            Durable::Health(health) => told.send_modify(|journal| journal.health = health),
            Durable::Failed(error) => told.send_modify(|journal| journal.failed = Some(error.to_string())),
        };
        let (store, opened) = SqliteStore::open_paced(&directory.join(FILE), PACE, on_durable)?;
        let epoch = store.raise_epoch()?;
        let mut unfinished = Unfinished::default();
        let mut newest = (Time::ZERO, 0);
        let mut earlier: VecDeque<Earlier> = VecDeque::new();
        for record in pronto_store::records(&store) {
            let record = record?;
            let Some(line) = Line::read(&record) else { continue };
            unfinished.see(&line.entry.event);
            newest = (newest.0.max(line.entry.at), line.offset);
            // The epoch was set back: its numbers come again, and what was before belongs to nobody.
            if earlier.back().is_some_and(|it| it.epoch > line.epoch) {
                earlier.clear();
            }
            match earlier.back_mut() {
                Some(newest) if newest.epoch == line.epoch => newest.last = line.entry.number,
                _ => {
                    if earlier.len() == EARLIER {
                        earlier.pop_front();
                    }
                    earlier.push_back(Earlier {
                        path: directory.join(FILE),
                        epoch: line.epoch,
                        last: line.entry.number,
                        before: record.seq.saturating_sub(line.entry.number),
                    });
                }
            }
        }
        // Of another form, or of a journal that was set back: nobody can say whose they are.
        earlier.retain(|it| it.epoch > 0 && it.epoch < epoch);
        let journal = Journal {
            store: Arc::new(store),
            next: opened.last + 1,
            batch: Batch::default(),
            epoch,
            written,
            before: opened.last,
            refused: false,
            lost: None,
        };
        Ok(Opened {
            journal,
            condition,
            epoch,
            unfinished: unfinished.calls(),
            earlier: earlier.into(),
            newest,
        })
    }

    /// Takes an entry; [`Journal::commit`] hands it on. Its time and `offset` microseconds are its date.
    pub(super) fn append(&mut self, entry: &Entry, offset: i64) {
        if let Some(lost) = &mut self.lost {
            *lost += 1;
            return;
        }
        let mut event = entry.event.clone();
        self.batch.urgent |= matches!(event, Event::CallBegan { .. });
        if let Some((contact, caller)) = take_caller(&mut event) {
            let number = caller.number.as_ref().map(PhoneNumber::reveal);
            let name = caller.name.as_ref().map(DisplayName::reveal);
            let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
            self.batch.people.push(Person {
                contact: contact.0,
                number: text(number),
                name: text(name),
            });
        }
        let mut bytes = entry.at.as_micros().to_le_bytes().to_vec();
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes.extend(encode(entry.number, &event));
        self.batch.records.push(Record {
            seq: self.next,
            version: VERSION,
            bytes,
        });
        self.next += 1;
    }

    /// Hands what was appended to the writer thread. What a slow disk does not take yet is kept for the next time.
    ///
    /// # Errors
    /// The store has stopped, or has been slow for too long: what is not in the journal must not happen.
    pub(super) fn commit(&mut self) -> Result<(), AppendError> {
        let waits = self.refused && self.batch.records.len() < KEPT;
        if self.batch.records.is_empty() || waits {
            return Ok(());
        }
        match self.store.offer(&mut self.batch) {
            Err(AppendError::Full) if self.batch.records.len() < KEPT => {
                self.refused = true;
                Ok(())
            }
            taken => taken,
        }
    }

    /// The next commit is tried, though the last was refused: each second.
    pub(super) fn retry(&mut self) {
        self.refused = false;
    }

    /// Wakes the control task when entries of this process are on the disk.
    pub(super) fn written(&self) -> Arc<Written> {
        Arc::clone(&self.written)
    }

    /// The newest entry on the disk if that is this one or a later one; else [`Written::reached`] completes once it is. Say
    /// before [`Journal::commit`] what is awaited of the entries that it hands on.
    pub(super) fn wait_for(&self, entry: u64) -> Option<u64> {
        let awaited = self.before + entry;
        self.written.awaited.store(awaited, Ordering::SeqCst);
        let durable = self.written.durable.load(Ordering::SeqCst);
        if durable < awaited {
            return None;
        }
        self.written.awaited.store(u64::MAX, Ordering::SeqCst);
        Some(durable - self.before)
    }

    /// The store has failed: what happens from now on is in memory alone, until the queue has it.
    pub(super) fn give_up(&mut self) {
        let kept = u64::try_from(self.batch.records.len()).unwrap_or(u64::MAX);
        self.batch = Batch::default();
        self.lost.get_or_insert(kept);
    }

    /// The store, to write a new epoch.
    pub(super) fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.store)
    }

    /// Starts a new epoch: later entries belong to it, and their numbers begin at 1 again.
    pub(super) fn begin_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.before = self.next - 1;
    }

    /// Waits until everything is on the disk.
    pub(super) async fn close(mut self) -> Result<(), String> {
        if let Some(lost) = self.lost {
            return Err(format!("{lost} entries are not in it"));
        }
        self.retry();
        self.commit().map_err(|error| error.to_string())?;
        let left = self.batch.records.len();
        let closed = tokio::task::spawn_blocking(move || self.store.close()).await;
        closed
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        if left > 0 {
            return Err(format!("{left} entries are not in it"));
        }
        Ok(())
    }
}

fn encode(number: u64, event: &Event) -> Vec<u8> {
    match wire::entry(number, Duration::ZERO, event).message {
        Some(v1::gateway_message::Message::Entry(entry)) => entry.encode_to_vec(),
        _ => Vec::new(),
    }
}

/// An event of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEvent {
    /// When it was, by the clock of the process that saw it.
    pub at: Time,
    /// Microseconds to add to that to date it by the wall clock.
    pub offset: i64,
    /// The event of this entry.
    pub event: Event,
}

/// A record as it was written.
pub(super) struct Line {
    /// The epoch of the process that wrote it; 0 if unknown.
    epoch: u64,
    /// Microseconds to add to the entry's time to get wall-clock time.
    pub(super) offset: i64,
    pub(super) entry: Entry,
}

impl Line {
    /// `None` for one that is not understood.
    pub(super) fn read(record: &Record) -> Option<Line> {
        let (at, rest) = record.bytes.split_first_chunk()?;
        let (epoch, rest) = match record.version {
            WITHOUT_EPOCH => (0, rest),
            WITHOUT_DATE | VERSION => {
                let (epoch, rest) = rest.split_first_chunk()?;
                (u64::from_le_bytes(*epoch), rest)
            }
            _ => return None,
        };
        let (offset, rest) = match record.version {
            VERSION => {
                let (offset, rest) = rest.split_first_chunk()?;
                (i64::from_le_bytes(*offset), rest)
            }
            _ => (0, rest),
        };
        let told = wire::entry_from_wire(v1::Entry::decode(rest).ok()?).ok()?;
        let entry = Entry {
            number: told.number,
            at: Time::from_micros(i64::from_le_bytes(*at)),
            event: told.event,
        };
        Some(Line { epoch, offset, entry })
    }
}

impl Earlier {
    /// At most `limit` entries from this number on, as they were told the queue. Waits for the disk.
    pub(crate) fn read(&self, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let reader = SqliteReader::open(&self.path)?;
        let last = self.before + self.last;
        let mut entries = Vec::new();
        for record in reader.records_from(self.before + from).take(limit) {
            let record = record?;
            if record.seq > last {
                break;
            }
            let Some(Line { mut entry, .. }) = Line::read(&record) else {
                return Err(StoreError::Damaged(record.seq));
            };
            if let Some((contact, caller)) = entry.event.caller_mut()
                && let Some(person) = reader.person(contact.0)?
            {
                let (number, name) = (&person.number, &person.name);
                *caller = Caller {
                    number: (!number.is_empty()).then(|| PhoneNumber::new(number)),
                    name: (!name.is_empty()).then(|| DisplayName::new(name)),
                };
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Takes the personal data out of an event, and returns what is not known from an earlier one: a call that begins tells of the
/// caller who joins.
fn take_caller(event: &mut Event) -> Option<(ContactId, Caller)> {
    let (contact, caller) = event.caller_mut()?;
    let taken = (contact, std::mem::take(caller));
    matches!(event, Event::CallBegan { .. }).then_some(taken)
}

/// A journal with these entries, whose process is gone: what it leaves to the next one.
#[cfg(test)]
pub(crate) async fn left_behind(directory: &Path, entries: &[Entry]) -> Vec<Earlier> {
    let open = || Journal::open(directory, Arc::new(Dialogs::new(directory)));
    let mut opened = open().expect("a journal");
    for entry in entries {
        opened.journal.append(entry, 0);
    }
    opened.journal.close().await.expect("a journal that is written");
    open().expect("the same journal").earlier
}

#[cfg(test)]
mod tests;
