//! The shape of the file. What is expected is not written down twice: it is what `schema.sql` makes.

use std::sync::OnceLock;

use rusqlite::Connection;

use super::open::OpenError;
use super::settings::{PAGE_BYTES, answer};

const SCHEMA: &str = include_str!("schema.sql");
/// "HubL" in the file's header: this file is a log, and not any other SQLite file.
pub(crate) const APPLICATION_ID: i64 = 0x4875_624c;
/// The schema's number. A larger one was written by a newer hub.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// An empty file's tables, and the log's name.
pub(crate) fn create(connection: &Connection, origin: &str) -> rusqlite::Result<()> {
    answer(connection, &format!("PRAGMA page_size = {PAGE_BYTES}"))?;
    answer(connection, "PRAGMA journal_mode = wal")?;
    answer(connection, "PRAGMA synchronous = 2")?;
    let sql = format!(
        "BEGIN IMMEDIATE; {SCHEMA}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    );
    connection.execute_batch(&sql)?;
    connection.execute("INSERT INTO meta (one, origin) VALUES (1, ?1)", [origin])?;
    connection.execute_batch("COMMIT")?;
    settle(connection)
}

/// Moves everything from the write-ahead file to the database.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    answer(connection, "PRAGMA wal_checkpoint(TRUNCATE)").map(drop)
}

/// Checks that the file is a log of this version with exactly the known tables and triggers.
pub(crate) fn check(connection: &Connection) -> Result<(), OpenError> {
    let failed = |source| OpenError::reading("read the header of", source);
    let number = |name| -> Result<i64, OpenError> {
        let text = answer(connection, &format!("PRAGMA {name}")).map_err(failed)?;
        Ok(text.parse().unwrap_or(-1))
    };
    let application_id = number("application_id")?;
    if application_id != APPLICATION_ID {
        return Err(OpenError::NotALog { application_id });
    }
    let found = number("user_version")?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { found, known: SCHEMA_VERSION });
    }
    if found != SCHEMA_VERSION {
        return Err(OpenError::Schema { name: format!("version {found}") });
    }
    let known = known()?;
    let found = objects(connection).map_err(|it| OpenError::reading("read the schema of", it))?;
    let differs = known.iter().find(|it| !found.contains(it));
    match differs.or_else(|| found.iter().find(|it| !known.contains(it))) {
        None if known.len() == found.len() => Ok(()),
        None => Err(OpenError::Schema { name: "a table twice".to_owned() }),
        Some(object) => Err(OpenError::Schema { name: object.name.clone() }),
    }
}

/// What `schema.sql` makes, found out once.
fn known() -> Result<&'static [Object], OpenError> {
    static KNOWN: OnceLock<Vec<Object>> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(known);
    }
    let known = Connection::open_in_memory().and_then(|it| {
        it.execute_batch(SCHEMA)?;
        objects(&it)
    });
    let known = known.map_err(|source| OpenError::Sqlite { doing: "compare", source })?;
    Ok(KNOWN.get_or_init(|| known))
}

#[derive(PartialEq, Eq)]
struct Object {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<Object>> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(sql)?;
    let objects = statement.query_map([], |row| {
        Ok(Object { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    objects.collect()
}

/// The log's name, as its file says.
pub(crate) fn origin(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("SELECT origin FROM meta", [], |row| row.get(0))
}
