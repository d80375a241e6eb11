//! Errors put before commits, for tests: between the writer and SQLite.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::ffi;

/// The result codes of SQLite that the next commits fail with; 0 lets one pass. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<VecDeque<i32>>>);

impl Faults {
    /// The next commits fail so.
    pub(super) fn plant(&self, codes: impl IntoIterator<Item = i32>) {
        self.0.lock().extend(codes);
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.0.lock().len()
    }

    pub(super) fn strike(&self) -> Result<(), rusqlite::Error> {
        match self.0.lock().pop_front() {
            None | Some(0) => Ok(()),
            Some(code) => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
        }
    }
}
