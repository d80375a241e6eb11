//! The ledger in its store: facts to records, and back in order.

use std::path::Path;

use pronto_engine::LedgerEntry;
use pronto_store::{Person, Record, SqliteReader, Store, StoreError};
use pronto_types::ContactId;

use crate::ledger::{self, LedgerError};

/// A ledger that cannot be folded.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is as it was written, and makes no sense: a later release wrote it, or another program.
    #[error("fact {seq} of the ledger cannot be understood: {source}")]
    Fact {
        /// The sequence number of the fact.
        seq: u64,
        /// The reason why it cannot be understood.
        source: LedgerError,
    },
    /// A record is as it was written, and holds another fact.
    #[error("fact {seq} of the ledger says it is fact {says}")]
    Misplaced {
        /// Where it stands.
        seq: u64,
        /// The sequence number that it holds.
        says: u64,
    },
}

/// A fact as a record of the store.
pub(super) fn record(recorded: &LedgerEntry) -> Record {
    Record {
        seq: recorded.seq,
        version: ledger::VERSION,
        bytes: ledger::encode(recorded),
    }
}

/// All facts, in order. Ends after the first error.
pub(super) fn facts(store: &dyn Store) -> impl Iterator<Item = Result<LedgerEntry, ReadError>> {
    pronto_store::records(store).map(|record| fact(&record?))
}

/// A ledger that is only looked at, whether or not its queue service runs.
#[derive(Debug)]
pub struct LedgerReader(SqliteReader);

impl LedgerReader {
    /// Opens the ledger in the directory of a store.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Absent`] where no queue service has kept its ledger.
    pub fn open(store: &Path) -> Result<LedgerReader, StoreError> {
        SqliteReader::open(&store.join(super::FILE)).map(LedgerReader)
    }

    /// All facts, in order, to the end at the time of reading. Ends after the first error.
    pub fn facts(&self) -> impl Iterator<Item = Result<LedgerEntry, ReadError>> {
        self.0.records().map(|record| fact(&record?))
    }

    /// The same from a number on, for whoever follows a ledger that grows.
    pub fn facts_from(&self, first: u64) -> impl Iterator<Item = Result<LedgerEntry, ReadError>> {
        self.0.records_from(first).map(|record| fact(&record?))
    }

    /// The caller of a contact, if that was told and is not erased. Personal data.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn caller(&self, contact: ContactId) -> Result<Option<Person>, StoreError> {
        self.0.person(contact.0)
    }
}

pub(super) fn fact(record: &Record) -> Result<LedgerEntry, ReadError> {
    let seq = record.seq;
    let recorded =
        ledger::decode(record.version, &record.bytes).map_err(|source| ReadError::Fact { seq, source })?;
    if recorded.seq != seq {
        let says = recorded.seq;
        return Err(ReadError::Misplaced { seq, says });
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use pronto_engine::Fact;
    use pronto_types::Time;

    use super::*;

    #[test]
    fn a_record_holds_the_fact_of_its_number() {
        let recorded = LedgerEntry {
            seq: 7,
            at: Time::ZERO,
            cause: None,
            fact: Fact::Settled,
        };
        let mut record = record(&recorded);
        assert_eq!(fact(&record).unwrap(), recorded);
        record.seq = 8;
        let misplaced = fact(&record).unwrap_err();
        assert!(matches!(misplaced, ReadError::Misplaced { seq: 8, says: 7 }));
        record.version += 1;
        let later = fact(&record).unwrap_err();
        assert!(later.to_string().starts_with("fact 8 of the ledger"), "{later}");
    }
}
