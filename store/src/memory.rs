//! A store without a disk, for tests: what is durable, and when, is in the test's hands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::{
    AppendError, Batch, Durable, Health, Opened, Person, Record, Store, StoreError, StoreFile, checksum, cut,
    follow, limits,
};
use parking_lot::Mutex;

/// The data that survives the process: the "disk" of [`MemoryStore`]. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    log: Vec<(Record, u32)>,
    people: BTreeMap<u64, Person>,
    epoch: u64,
    open: bool,
}

impl MemoryDisk {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns a bit of a record's bytes, as a bad disk does.
    pub fn damage(&self, seq: u64) {
        let mut disk = self.0.lock();
        if let Some((record, _)) = disk.log.iter_mut().find(|(record, _)| record.seq == seq)
            && let Some(byte) = record.bytes.first_mut()
        {
            *byte ^= 1;
        }
    }
}

/// When what is appended becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before `append` returns.
    AtOnce,
    /// When the test says so: [`MemoryStore::make_durable`].
    WhenTold,
}

/// A store on a [`MemoryDisk`]. Dropped, it loses what was not yet durable.
pub struct MemoryStore {
    disk: MemoryDisk,
    waiting: Mutex<Waiting>,
    durability: Durability,
    on_durable: Box<dyn Fn(Durable) + Send + Sync>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}

struct Waiting {
    batches: VecDeque<Batch>,
    last: u64,
    stopped: Option<Why>,
    health: Health,
}

#[derive(Clone, Copy, PartialEq)]
enum Why {
    Closed,
    Failed,
}

impl MemoryStore {
    /// Opens the disk.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while another store has it open.
    pub fn open(
        disk: &MemoryDisk,
        durability: Durability,
        on_durable: impl Fn(Durable) + Send + Sync + 'static,
    ) -> Result<(MemoryStore, Opened), StoreError> {
        let mut held = disk.0.lock();
        if held.open {
            return Err(StoreError::Locked("memory".into()));
        }
        held.open = true;
        let last = held.log.last().map_or(0, |(record, _)| record.seq);
        drop(held);
        let waiting = Waiting {
            batches: VecDeque::new(),
            last,
            stopped: None,
            health: Health::Sound,
        };
        let store = MemoryStore {
            disk: disk.clone(),
            waiting: Mutex::new(waiting),
            durability,
            on_durable: Box::new(on_durable),
        };
        Ok((store, Opened { last }))
    }

    /// Makes the oldest `batches` that wait durable, as one commit.
    pub fn make_durable(&self, batches: usize) {
        let mut waiting = self.waiting.lock();
        let count = batches.min(waiting.batches.len());
        let held = waiting.stopped == Some(Why::Failed) || waiting.health == Health::Stalled;
        if count == 0 || held {
            return;
        }
        let mut disk = self.disk.0.lock();
        for batch in waiting.batches.drain(..count) {
            disk.take(batch);
        }
        let newest = disk.log.last().map_or(0, |(record, _)| record.seq);
        drop(disk);
        drop(waiting);
        (self.on_durable)(Durable::UpTo(newest));
    }

    /// How many batches wait.
    pub fn waiting(&self) -> usize {
        self.waiting.lock().batches.len()
    }

    /// How many records wait, in all batches.
    pub fn waiting_records(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.batches.iter().map(|batch| batch.records.len()).sum()
    }

    /// How the store stands from now on. While it is stalled nothing becomes durable.
    pub fn become_so(&self, health: Health) {
        self.waiting.lock().health = health;
        (self.on_durable)(Durable::Health(health));
    }

    /// The next commit fails, now.
    pub fn fail(&self) {
        let mut waiting = self.waiting.lock();
        waiting.batches.clear();
        waiting.stopped = Some(Why::Failed);
        drop(waiting);
        let source = "the test said so".into();
        (self.on_durable)(Durable::Failed(StoreError::Database {
            doing: "commit",
            source,
        }));
    }

    fn running(&self) -> Result<(), StoreError> {
        if self.waiting.lock().stopped.is_some() {
            Err(StoreError::Stopped)
        } else {
            Ok(())
        }
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.disk.0.lock().open = false;
    }
}

impl Disk {
    fn take(&mut self, batch: Batch) {
        for record in batch.records {
            let crc = checksum(record.seq, record.version, &record.bytes);
            self.log.push((record, crc));
        }
        for person in batch.people {
            let (number, name) = (cut(&person.number).to_owned(), cut(&person.name).to_owned());
            self.people.insert(
                person.contact,
                Person {
                    contact: person.contact,
                    number,
                    name,
                },
            );
        }
        for contact in batch.erase {
            self.people.remove(&contact);
        }
    }
}

impl Store for MemoryStore {
    fn append(&self, batch: Batch) -> Result<(), AppendError> {
        let mut waiting = self.waiting.lock();
        if waiting.stopped.is_some() {
            return Err(AppendError::Stopped);
        }
        let last = follow(waiting.last, &batch.records)?;
        if waiting.batches.len() >= limits::WAITING_BATCHES {
            return Err(AppendError::Full);
        }
        waiting.last = last;
        waiting.batches.push_back(batch);
        drop(waiting);
        if self.durability == Durability::AtOnce {
            self.make_durable(usize::MAX);
        }
        Ok(())
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let disk = self.disk.0.lock();
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let lines = disk.log.iter().skip(skip).take(limit);
        lines
            .map(|(record, crc)| {
                let whole = checksum(record.seq, record.version, &record.bytes) == *crc;
                if whole {
                    Ok(record.clone())
                } else {
                    Err(StoreError::Damaged(record.seq))
                }
            })
            .collect()
    }

    fn person(&self, contact: u64) -> Result<Option<Person>, StoreError> {
        Ok(self.disk.0.lock().people.get(&contact).cloned())
    }

    fn erase(&self, contact: u64) -> Result<bool, StoreError> {
        self.running()?;
        // In the order of arrival, as the writer thread does it.
        self.make_durable(usize::MAX);
        Ok(self.disk.0.lock().people.remove(&contact).is_some())
    }

    fn raise_epoch(&self) -> Result<u64, StoreError> {
        self.running()?;
        let mut disk = self.disk.0.lock();
        disk.epoch += 1;
        Ok(disk.epoch)
    }

    fn renew_epoch(&self, highest: u64) -> Result<u64, StoreError> {
        self.disk.0.lock().epoch = highest;
        self.raise_epoch()
    }

    fn file(&self) -> Option<StoreFile> {
        None
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.waiting.lock().stopped == Some(Why::Failed) {
            return Err(StoreError::Stopped);
        }
        self.make_durable(usize::MAX);
        self.waiting.lock().stopped = Some(Why::Closed);
        Ok(())
    }
}
