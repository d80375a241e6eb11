//! A journal that is only looked at, whether or not its gateway runs.

use std::path::Path;

use pronto_store::{Person, SqliteReader, StoreError};
use pronto_types::CallId;

use super::store::{FILE, JournalEvent, Line, VERSION};

/// The journal of a gateway, all its lives.
#[derive(Debug)]
pub struct JournalReader(SqliteReader);

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A later release wrote it.
    #[error("entry {seq} of the journal has version {found}, this program knows {known}: a later release wrote it", known = VERSION)]
    Newer {
        /// The sequence number of the entry.
        seq: u64,
        /// The format version of the entry.
        found: u16,
    },
    /// The entry makes no sense.
    #[error("entry {0} of the journal cannot be understood")]
    Malformed(u64),
}

impl JournalReader {
    /// Opens the journal in the directory of a store.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Absent`] where no gateway has kept its journal.
    pub fn open(store: &Path) -> Result<JournalReader, StoreError> {
        SqliteReader::open(&store.join(FILE)).map(JournalReader)
    }

    /// All that was seen and when, in the order of writing. Ends after the first error of the store.
    pub fn events(&self) -> impl Iterator<Item = Result<JournalEvent, JournalError>> {
        self.0.records().map(|record| {
            let record = record?;
            let (seq, found) = (record.seq, record.version);
            if found > VERSION {
                return Err(JournalError::Newer { seq, found });
            }
            let line = Line::read(&record).ok_or(JournalError::Malformed(seq))?;
            Ok(JournalEvent {
                at: line.entry.at,
                offset: line.offset,
                event: line.entry.event,
            })
        })
    }

    /// The caller's identity, if it was given and is not erased. Personal data.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn caller(&self, call: CallId) -> Result<Option<Person>, StoreError> {
        self.0.person(call.0)
    }
}
