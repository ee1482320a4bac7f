//! What every connection to the log is set to. Each setting is read back: a setting that did not
//! take effect is a refusal to start, not a warning.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;

use super::guard::Role;
use super::open::OpenError;

/// The page size: the best one measured for near-append inserts.
pub(crate) const PAGE_BYTES: u32 = 8_192;
/// The oldest SQLite without the bug that loses commits when the write-ahead file is reset.
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// The write-ahead file is cut back to this after a checkpoint.
const WAL_BYTES_MAX: &str = "67108864";
/// How long a reader waits for a lock, in milliseconds.
const BUSY_WAIT_MS: &str = "5000";

/// Name and value, as SQLite answers it.
type Setting = (&'static str, &'static str);

const EVERYBODY: [Setting; 8] = [
    ("recursive_triggers", "1"),
    ("foreign_keys", "1"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    ("mmap_size", "0"),
    ("busy_timeout", BUSY_WAIT_MS),
    ("fullfsync", "1"),
    ("checkpoint_fullfsync", "1"),
];
/// Page cache of the writer, in KiB, negative as SQLite wants it: without it every sender's key, which
/// falls anywhere into its index, is read from the file before it is written.
const WRITER_CACHE_KIB: &str = "-65536";
const WRITER: [Setting; 6] = [
    ("cache_size", WRITER_CACHE_KIB),
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("wal_autocheckpoint", "0"), // the writer does it itself, where it sees a failure
    ("journal_size_limit", WAL_BYTES_MAX),
    ("query_only", "0"),
];
const READER: [Setting; 1] = [("query_only", "1")];

fn own(role: Role) -> &'static [Setting] {
    match role {
        Role::Writer => &WRITER,
        Role::Reader => &READER,
    }
}

/// Sets everything and reads it back.
pub(crate) fn apply(connection: &Connection, role: Role) -> Result<(), OpenError> {
    let failed = |doing| move |source| OpenError::Sqlite { doing, source };
    for (name, value) in EVERYBODY.iter().chain(own(role)) {
        answer(connection, &format!("PRAGMA {name} = {value}")).map_err(failed("set up"))?;
    }
    for (config, on) in FLAGS {
        connection.set_db_config(config, on).map_err(failed("set up"))?;
    }
    check(connection, role)
}

const FLAGS: [(DbConfig, bool); 4] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
];

/// Reads every setting back.
pub(crate) fn check(connection: &Connection, role: Role) -> Result<(), OpenError> {
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return Err(OpenError::SqliteTooOld { found: rusqlite::version(), least: "3.51.3" });
    }
    let failed = |source| OpenError::Sqlite { doing: "read its settings back from", source };
    let page = ("page_size", "8192");
    for (setting, expected) in EVERYBODY.iter().chain(own(role)).chain([&page]) {
        let found = answer(connection, &format!("PRAGMA {setting}")).map_err(failed)?;
        if found != *expected {
            return Err(OpenError::Setting { setting, found, expected });
        }
    }
    for (config, on) in FLAGS {
        if connection.db_config(config).map_err(failed)? != on {
            let found = (!on).to_string();
            let expected = if on { "on" } else { "off" };
            return Err(OpenError::Setting { setting: "defensive mode", found, expected });
        }
    }
    Ok(())
}

/// The first value of the answer, as text; nothing if there is none.
pub(crate) fn answer(connection: &Connection, sql: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(String::new()) };
    Ok(match row.get_ref(0)? {
        ValueRef::Integer(it) => it.to_string(),
        ValueRef::Text(it) => String::from_utf8_lossy(it).into_owned(),
        _ => String::new(),
    })
}
