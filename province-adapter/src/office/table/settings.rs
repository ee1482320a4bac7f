//! Where the exchange tables are and how patient the adapter is with them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Longest name of a schema in PostgreSQL, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// `[table]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableSettings {
    /// A host, or the folder of a Unix socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role that `deploy/exchange-tables/postgresql.sql` makes.
    pub user: String,
    /// The role's password on one line; none where the server asks for none.
    pub password_file: Option<PathBuf>,
    /// The schema in which the tables stand.
    pub schema: String,
    /// Between two looks for answers.
    pub poll_interval_ms: u64,
    /// For the server to take a connection.
    pub connect_timeout_ms: u64,
    /// For one statement, at the server.
    pub statement_timeout_ms: u64,
    /// Between two tries while the server is away.
    pub reconnect_wait_ms: u64,
    /// Answers in one look.
    pub rows_at_once_max: u64,
    /// How long back rows that were taken are compared with what was taken.
    pub changed_look_back_hours: u64,
}

impl Default for TableSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            database: "exchange".to_owned(),
            user: "hub_adapter".to_owned(),
            password_file: None,
            schema: "hub_exchange".to_owned(),
            poll_interval_ms: 2_000,
            connect_timeout_ms: 5_000,
            statement_timeout_ms: 10_000,
            reconnect_wait_ms: 5_000,
            rows_at_once_max: 500,
            changed_look_back_hours: 168,
        }
    }
}

impl TableSettings {
    /// Relative paths begin in the folder of the configuration.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.password_file = self.password_file.map(|it| folder.join(it));
        self
    }

    /// What is wrong with them, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value, min, max) in [
            ("poll_interval_ms", self.poll_interval_ms, 50, 3_600_000),
            ("connect_timeout_ms", self.connect_timeout_ms, 100, 60_000),
            ("statement_timeout_ms", self.statement_timeout_ms, 100, 600_000),
            ("reconnect_wait_ms", self.reconnect_wait_ms, 50, 600_000),
            ("rows_at_once_max", self.rows_at_once_max, 1, 5_000),
            ("changed_look_back_hours", self.changed_look_back_hours, 1, 87_600),
        ] {
            if !(min..=max).contains(&value) {
                problems.push(format!(
                    "`table.{name}` is {value}; it must lie between {min} and {max}"
                ));
            }
        }
        for (name, value) in
            [("host", &self.host), ("database", &self.database), ("user", &self.user)]
        {
            if value.is_empty() || value.len() > 255 {
                problems.push(format!("`table.{name}` must have 1 to 255 characters"));
            }
        }
        // It is written into statements, where nothing can be quoted wrongly if nothing needs quoting.
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        if self.schema.is_empty()
            || self.schema.len() > NAME_BYTES_MAX
            || !self.schema.bytes().all(plain)
            || self.schema.as_bytes()[0].is_ascii_digit()
        {
            problems.push(
                "`table.schema` must be a plain name: a-z, 0-9 and _, not beginning with a digit"
                    .to_owned(),
            );
        }
        problems
    }

    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }

    pub(super) fn reconnect_wait(&self) -> Duration {
        Duration::from_millis(self.reconnect_wait_ms)
    }

    pub(super) fn rows_at_once(&self) -> i64 {
        i64::try_from(self.rows_at_once_max).unwrap_or(i64::MAX)
    }
}
