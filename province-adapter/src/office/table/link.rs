//! The connection to the front database: made when it is needed, given up when anything is unclear,
//! and never trusted to have done what it did not confirm.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use super::settings::TableSettings;
use crate::clock::Clock;

/// The shape of `deploy/exchange-tables/postgresql.sql` that this adapter knows.
pub(super) const TABLES_VERSION: i32 = 1;
/// What the adapter calls itself in the server's list of sessions.
const APPLICATION: &str = "province-adapter";
/// A link on which nothing came for so long is asked whether it still is one.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// On top of the server's own limit, for a server that does not answer at all.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// The tables cannot be used now. Nothing is lost: everything is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("cannot read the password file `{path}`")]
    Password {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot connect to database `{database}` at {host}")]
    Connect {
        database: String,
        host: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("cannot {what} the exchange tables{state}", state = state_of(source))]
    Statement {
        what: &'static str,
        #[source]
        source: Box<tokio_postgres::Error>,
    },
    #[error("the database was away a moment ago and is asked again soon")]
    Away,
    #[error("the database did not answer in time\n(`table.statement_timeout_ms`)")]
    Silent,
    #[error(
        "the exchange tables have version {found}, this adapter knows {TABLES_VERSION}\n(apply deploy/exchange-tables/postgresql.sql of this adapter's version)"
    )]
    Version { found: i32 },
}

/// The five characters by which every database of the family names what went wrong.
fn state_of(error: &tokio_postgres::Error) -> String {
    error.code().map(|it| format!(" ({})", it.code())).unwrap_or_default()
}

impl TableError {
    pub(super) fn statement(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Statement { what, source: Box::new(source) }
    }
}

/// A session; dropped, it is closed.
pub(super) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
    answer_timeout: Duration,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    /// Connects and makes sure that a commit is a commit and the tables are ours.
    pub(super) async fn open(settings: &TableSettings) -> Result<Self, TableError> {
        let session = Self::open_any(settings).await?;
        let found = session.version(settings).await?;
        if found == TABLES_VERSION { Ok(session) } else { Err(TableError::Version { found }) }
    }

    /// The same without looking at the tables, for `check`.
    pub(super) async fn open_any(settings: &TableSettings) -> Result<Self, TableError> {
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .dbname(&settings.database)
            .user(&settings.user)
            .application_name(APPLICATION)
            .keepalives_idle(KEEPALIVE_IDLE)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms));
        if let Some(path) = &settings.password_file {
            let text = fs::read_to_string(path).map_err(|source| TableError::Password {
                path: path.display().to_string(),
                source,
            })?;
            config.password(text.trim_end_matches(['\r', '\n']));
        }
        let failed = |source| TableError::Connect {
            database: settings.database.clone(),
            host: settings.host.clone(),
            source,
        };
        let connecting = config.connect(NoTls);
        let limit = Duration::from_millis(settings.connect_timeout_ms) + ANSWER_GRACE;
        let connected = tokio::time::timeout(limit, connecting).await;
        let (client, connection) = connected.map_err(|_| TableError::Silent)?.map_err(failed)?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told why there is none.
            let _ = connection.await;
        });
        let answer_timeout = Duration::from_millis(settings.statement_timeout_ms) + ANSWER_GRACE;
        let session = Self { client, driver, answer_timeout };
        // A commit that the server confirms before it is durable would lose work that is then
        // marked as taken.
        let set = format!(
            "SET statement_timeout = {}; SET synchronous_commit = on; SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'",
            settings.statement_timeout_ms
        );
        let setting = session.client.batch_execute(&set);
        session.in_time(setting).await?.map_err(TableError::statement("set up a session for"))?;
        Ok(session)
    }

    /// Waits for the server, but not for ever.
    pub(super) async fn in_time<T>(&self, what: impl Future<Output = T>) -> Result<T, TableError> {
        tokio::time::timeout(self.answer_timeout, what).await.map_err(|_| TableError::Silent)
    }

    async fn version(&self, settings: &TableSettings) -> Result<i32, TableError> {
        let sql = format!("SELECT version FROM {}.exchange_version", settings.schema);
        let asked = self.client.query_typed_one(&sql, &[]);
        let row =
            self.in_time(asked).await?.map_err(TableError::statement("ask the version of"))?;
        row.try_get(0).map_err(TableError::statement("read the version of"))
    }
}

/// The one session of this adapter.
pub(super) struct Link {
    settings: TableSettings,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    session: Option<Arc<Session>>,
    /// While it lies ahead nobody tries: a hundred callers would each wait for a dead server.
    away_until: Option<Timestamp>,
}

impl Link {
    pub(super) fn new(settings: TableSettings, clock: Clock) -> Self {
        Self { settings, clock, kept: Mutex::default() }
    }

    /// The session, made anew if there is none. Callers wait for one attempt, not for one each.
    pub(super) async fn session(&self) -> Result<Arc<Session>, TableError> {
        let mut kept = self.kept.lock().await;
        if let Some(session) = kept.session.as_ref().filter(|it| !it.client.is_closed()) {
            return Ok(Arc::clone(session));
        }
        kept.session = None;
        let now = self.clock.real_now();
        if kept.away_until.is_some_and(|it| now < it) {
            return Err(TableError::Away);
        }
        match Session::open(&self.settings).await {
            Ok(session) => {
                let session = Arc::new(session);
                *kept = Kept { session: Some(Arc::clone(&session)), away_until: None };
                Ok(session)
            }
            Err(error) => {
                let until = self.clock.real_now().checked_add(self.settings.reconnect_wait());
                kept.away_until = until.ok();
                Err(error)
            }
        }
    }

    /// After anything unclear: whoever comes next begins with a new session.
    pub(super) async fn give_up(&self, session: &Arc<Session>) {
        let mut kept = self.kept.lock().await;
        if kept.session.as_ref().is_some_and(|it| Arc::ptr_eq(it, session)) {
            kept.session = None;
        }
    }
}
