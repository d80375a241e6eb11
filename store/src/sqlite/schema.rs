//! The tables, and the pragmas that make a commit durable.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::StoreError;

/// "Prnt": tells our files from other SQLite databases.
const APPLICATION: i64 = 0x5072_6e74;
/// The layout of the tables.
const LAYOUT: i64 = 1;
const TABLES: &str = "
    CREATE TABLE fact (seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL);
    CREATE TABLE person (contact INTEGER PRIMARY KEY, number TEXT NOT NULL, name TEXT NOT NULL);
    CREATE TABLE mark (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";
/// For how long another program that looks into the file (a backup) may hold us up.
const BUSY: Duration = Duration::from_secs(5);

/// The connection that writes.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = failed("open the store");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(BUSY).map_err(&failed)?;
    check_layout(&mut connection, path)?;
    make_durable(&connection)?;
    Ok(connection)
}

/// The connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let failed = failed("open the store for reading");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&failed)?;
    connection.busy_timeout(BUSY).map_err(&failed)?;
    Ok(connection)
}

/// The newest record.
pub(super) fn last(connection: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = connection
        .query_one("SELECT max(seq) FROM fact", [], |row| row.get(0))
        .map_err(failed("read the end of the log"))?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

pub(super) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database {
        doing,
        source: Box::new(source),
    }
}

fn check_layout(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    match look(connection, path)? {
        Layout::Ours => Ok(()),
        Layout::Empty => create(connection).map_err(failed("make the tables")),
    }
}

/// The same where nothing is made: an empty file is not one of ours yet.
pub(super) fn expect_layout(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match look(connection, path)? {
        Layout::Ours => Ok(()),
        Layout::Empty => Err(StoreError::Foreign(path.to_owned())),
    }
}

enum Layout {
    Ours,
    Empty,
}

fn look(connection: &Connection, path: &Path) -> Result<Layout, StoreError> {
    let pragma =
        |connection: &Connection, name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = match pragma(connection, "application_id") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        found => found.map_err(failed("read the store"))?,
    };
    let found = pragma(connection, "user_version").map_err(failed("read the store"))?;
    let tables: i64 = connection
        .query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed("read the store"))?;
    match (application, found, tables) {
        (0, 0, 0) => Ok(Layout::Empty),
        (APPLICATION, LAYOUT, _) => Ok(Layout::Ours),
        (APPLICATION, found, _) => Err(StoreError::Newer { found, known: LAYOUT }),
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}

/// All or nothing: a process killed in between leaves an empty file, which is taken for a new one.
fn create(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

/// Sets what durability needs, and believes only what is read back.
///
/// "In WAL mode when synchronous is NORMAL … a transaction committed in WAL mode might roll back following a power
/// loss" (SQLite, PRAGMA synchronous): hence FULL, an fsync of the WAL at each commit.
fn make_durable(connection: &Connection) -> Result<(), StoreError> {
    let failed = failed("set up the store");
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(&failed)?;
    if mode != "wal" {
        return Err(StoreError::NotDurable {
            pragma: "journal_mode",
            found: mode,
        });
    }
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(&failed)?;
    let level = synchronous(connection).map_err(&failed)?;
    if level != 2 {
        return Err(StoreError::NotDurable {
            pragma: "synchronous",
            found: level.to_string(),
        });
    }
    // The writer writes the log back itself.
    connection
        .pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
        .map_err(&failed)?;
    // What is erased is overwritten with zeros, not only unlinked.
    connection
        .pragma_update(None, "secure_delete", true)
        .map_err(&failed)
}

/// 2 is FULL.
pub(super) fn synchronous(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "synchronous", |row| row.get(0))
}
