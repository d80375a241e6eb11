//! Reading: of the store that is open for writing, and of one that another process may be writing.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};

use super::schema;
use crate::{Person, Record, StoreError, checksum, pages};

/// A store that is only looked at. It takes no lock of the writer's: the process whose store it is goes on writing,
/// and between two pages nothing is held that could hold it up.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
}

impl SqliteReader {
    /// Opens what is at `path`; makes nothing.
    ///
    /// # Errors
    /// [`StoreError::Absent`], [`StoreError::Foreign`], [`StoreError::Newer`], or whatever the database says.
    pub fn open(path: &Path) -> Result<SqliteReader, StoreError> {
        match path.metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(StoreError::Foreign(path.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Absent(path.to_owned()));
            }
            Err(source) => {
                return Err(StoreError::Io {
                    doing: "read",
                    path: path.to_owned(),
                    source,
                });
            }
        }
        let connection = schema::open_reader(path)?;
        schema::expect_layout(&connection, path)?;
        Ok(SqliteReader { connection })
    }

    /// The whole log in order, to its end at the time of reading. Ends after the first error.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, StoreError>> {
        self.records_from(1)
    }

    /// The same from a number on.
    pub fn records_from(&self, first: u64) -> impl Iterator<Item = Result<Record, StoreError>> {
        pages(first, |from, limit| read(&self.connection, from, limit))
    }

    /// The identity of a contact, if it is known.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn person(&self, contact: u64) -> Result<Option<Person>, StoreError> {
        person(&self.connection, contact)
    }
}

pub(super) fn read(reader: &Connection, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
    let from = from.max(1);
    let (Ok(first), limit) = (i64::try_from(from), i64::try_from(limit).unwrap_or(i64::MAX)) else {
        return Ok(Vec::new());
    };
    let failed = schema::failed("read the log");
    let mut select = reader
        .prepare_cached("SELECT seq, version, crc, bytes FROM fact WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
        .map_err(&failed)?;
    let mut rows = select.query((first, limit)).map_err(&failed)?;
    let mut records = Vec::new();
    let mut expected = from;
    while let Some(row) = rows.next().map_err(&failed)? {
        records.push(record(row, expected)?);
        expected += 1;
    }
    Ok(records)
}

pub(super) fn person(reader: &Connection, contact: u64) -> Result<Option<Person>, StoreError> {
    let failed = schema::failed("read a person");
    let mut select = reader
        .prepare_cached("SELECT number, name FROM person WHERE contact = ?1")
        .map_err(&failed)?;
    select
        .query_one([contact.cast_signed()], |row| {
            Ok(Person {
                contact,
                number: row.get(0)?,
                name: row.get(1)?,
            })
        })
        .optional()
        .map_err(failed)
}

/// A row of the log, which must be number `expected` and what was written.
fn record(row: &Row<'_>, expected: u64) -> Result<Record, StoreError> {
    let seq: i64 = row.get(0).map_err(schema::failed("read the log"))?;
    if u64::try_from(seq).ok() != Some(expected) {
        return Err(StoreError::Missing(expected));
    }
    // A damaged row may hold anything, other types included.
    let damaged = |_| StoreError::Damaged(expected);
    let version = row.get(1).map_err(damaged)?;
    let crc: u32 = row.get(2).map_err(damaged)?;
    let bytes: Vec<u8> = row.get(3).map_err(damaged)?;
    if checksum(expected, version, &bytes) != crc {
        return Err(StoreError::Damaged(expected));
    }
    Ok(Record {
        seq: expected,
        version,
        bytes,
    })
}

#[cfg(test)]
mod tests;
