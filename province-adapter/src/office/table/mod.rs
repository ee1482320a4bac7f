//! An office that reads and writes tables: work goes out as rows, answers come in as rows, and each
//! answer's row tells what became of it. The database may be away for days; nobody is told twice.

mod check;
mod link;
mod settings;
mod sql;

use std::sync::Arc;

use futures::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tracing::{debug, info, warn};

pub(crate) use check::check;
pub(crate) use link::TableError;
pub use settings::TableSettings;

use self::link::{Link, Session};
use self::sql::Sql;
use super::codes::Codes;
use super::ledger::{self, Desk, Ended, Verdict};
use super::sheet::answer::AnswerRow;
use super::sheet::{self, ANSWER, WORK};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::inbox::Moments;
use crate::reporter::Reporter;
use crate::store::StoreError;
use crate::trouble;

/// Within it an answer's id names one answer.
const SOURCE: &str = "table";
/// Longest refusal code or text that fits its column, in characters.
const RECEIPT_TEXT_CHARS_MAX: usize = 500;

/// The office behind the tables, and the loop that looks for its answers.
pub struct TableOffice {
    settings: TableSettings,
    codes: Arc<Codes>,
    reporter: Reporter,
    link: Link,
    sql: Sql,
}

/// Why a look for answers came to nothing. Everything is looked at again.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("cannot use the exchange tables")]
    Table(#[from] TableError),
    #[error("cannot keep what the office answered")]
    Store(#[from] StoreError),
}

/// A row as it was read.
struct Found {
    row: AnswerRow,
    id: String,
    mark: String,
}

impl TableOffice {
    /// Checked settings. Makes its ledger in the store; nothing is connected yet.
    pub async fn open(
        settings: TableSettings,
        codes: Arc<Codes>,
        reporter: Reporter,
    ) -> Result<Self, StoreError> {
        ledger::prepare(&reporter, &codes).await?;
        let link = Link::new(settings.clone(), reporter.shared.clock.clone());
        let sql = Sql::new(&settings.schema);
        Ok(Self { settings, codes, reporter, link, sql })
    }

    /// Looks for answers for ever. Dropping it at any point is a crash, and harmless.
    pub async fn run(&self) {
        let mut away = false;
        loop {
            let wait = match self.look().await {
                Ok(count) => {
                    if away {
                        info!("the exchange tables are there again");
                        trouble::away(&self.reporter.shared, SOURCE, None).await;
                    }
                    away = false;
                    if count >= self.settings.rows_at_once() {
                        continue;
                    }
                    self.settings.poll_interval()
                }
                Err(error) => {
                    // Said once; a holiday of nine days would fill the disk with it.
                    if away {
                        debug!(error = %crate::check::chain(&error), "the exchange tables are still away");
                    } else {
                        let why = crate::check::chain(&error);
                        warn!(error = %why, "the exchange tables cannot be used; they are tried again");
                        trouble::away(&self.reporter.shared, SOURCE, Some(why)).await;
                    }
                    away = true;
                    self.settings.reconnect_wait()
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// One look: takes new answers, names changed ones, tells what the hub said. The most rows in
    /// one of the three.
    async fn look(&self) -> Result<i64, LookError> {
        let session = self.link.session().await?;
        let looked = self.look_over(&session).await;
        if matches!(&looked, Err(LookError::Table(_))) {
            self.link.give_up(&session).await;
        }
        looked
    }

    async fn look_over(&self, session: &Session) -> Result<i64, LookError> {
        let limit = self.settings.rows_at_once();
        let hours =
            f64::from(u32::try_from(self.settings.changed_look_back_hours).unwrap_or(u32::MAX));
        let new = self
            .read(session, &self.sql.new_answers, &[(&limit as &(dyn ToSql + Sync), Type::INT8)])
            .await?;
        let changed = [(&limit as &(dyn ToSql + Sync), Type::INT8), (&hours, Type::FLOAT8)];
        let changed = self.read(session, &self.sql.changed_answers, &changed).await?;
        let most = new.len().max(changed.len());
        self.settle(session, new).await?;
        self.settle(session, changed).await?;
        let told = self.tell_endings(session).await?;
        Ok(i64::try_from(most.max(told)).unwrap_or(i64::MAX))
    }

    async fn read(
        &self,
        session: &Session,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Found>, TableError> {
        let asked = session.client.query_typed(sql, parameters);
        let rows = session.in_time(asked).await?.map_err(TableError::statement("read"))?;
        rows.iter().map(found).collect()
    }

    /// Reports first, durably; then the receipts. Killed in between, the rows are read again and
    /// the ledger says what became of them.
    async fn settle(&self, session: &Session, found: Vec<Found>) -> Result<(), LookError> {
        if found.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.reporter.shared);
        let codes = Arc::clone(&self.codes);
        let now = Moments { real: shared.clock.real_now(), told: shared.clock.told_now() };
        let store = shared.store.clone();
        let settled = store.write(move |connection| -> Result<_, StoreError> {
            let desk = Desk { source: SOURCE, identity: &shared.identity, codes: &codes };
            let take = |it: Found| {
                let verdict = ledger::take(connection, &desk, &it.row, now)?;
                if let Verdict::Refused(problem) = &verdict {
                    let (about, now_ms) = (safe(&it.id), now.real.as_millisecond());
                    trouble::note(
                        connection,
                        (SOURCE, about),
                        problem.code,
                        &problem.text,
                        now_ms,
                    )?;
                }
                Ok((verdict, it))
            };
            found.into_iter().map(take).collect::<Result<Vec<_>, StoreError>>()
        });
        let settled = settled.await?;
        self.reporter.shared.outbox_wake.notify_one();
        let receipts = settled.iter().filter_map(|(verdict, it)| {
            Some(self.give_receipt(session, it, Receipt::of(verdict)?))
        });
        try_join_all(receipts).await?;
        for (verdict, it) in &settled {
            match verdict {
                Verdict::Taken(_) | Verdict::Later => {}
                Verdict::Refused(problem) => {
                    warn!(refusal.code = problem.code, answer.id = %safe(&it.id), "refused an answer of the office");
                }
            }
        }
        Ok(())
    }

    async fn give_receipt(
        &self,
        session: &Session,
        found: &Found,
        receipt: Receipt,
    ) -> Result<(), TableError> {
        let text = shortened(&receipt.text);
        let values: [(&(dyn ToSql + Sync), Type); 6] = [
            (&found.id, Type::TEXT),
            (&receipt.status, Type::TEXT),
            (&receipt.code, Type::TEXT),
            (&text, Type::TEXT),
            (&found.mark, Type::TEXT),
            (&receipt.report, Type::TEXT),
        ];
        let updating = session.client.execute_typed(&self.sql.give_receipt, &values);
        session.in_time(updating).await?.map_err(TableError::statement("give a receipt in"))?;
        Ok(())
    }

    async fn tell_endings(&self, session: &Session) -> Result<usize, LookError> {
        let store = &self.reporter.shared.store;
        let count_max = usize::try_from(self.settings.rows_at_once_max).unwrap_or(usize::MAX);
        let untold = store.write(move |it| ledger::untold(it, SOURCE, count_max)).await?;
        if untold.is_empty() {
            return Ok(0);
        }
        try_join_all(untold.iter().map(|it| self.tell_ending(session, it))).await?;
        let (count, ids) =
            (untold.len(), untold.into_iter().map(|it| it.answer_id).collect::<Vec<_>>());
        store.write(move |it| ledger::told(it, SOURCE, &ids)).await?;
        Ok(count)
    }

    async fn tell_ending(&self, session: &Session, ended: &Ended) -> Result<(), TableError> {
        let (status, text) = match &ended.refusal {
            None => ("recorded", "中枢已记录".to_owned()),
            Some(code) => ("hub-refused", ledger::hub_refusal_text(code)),
        };
        let values: [(&(dyn ToSql + Sync), Type); 4] = [
            (&ended.answer_id, Type::TEXT),
            (&status, Type::TEXT),
            (&ended.refusal, Type::TEXT),
            (&text, Type::TEXT),
        ];
        let updating = session.client.execute_typed(&self.sql.tell_ending, &values);
        session.in_time(updating).await?.map_err(TableError::statement("tell an ending in"))?;
        Ok(())
    }

    async fn put(&self, session: &Session, taken: &TakenWork) -> Result<(), TakeError> {
        let sheet =
            sheet::of_work(taken, &self.codes).map_err(|it| TakeError::not_now(it.to_string()))?;
        let values: Vec<Option<&str>> = WORK
            .iter()
            .map(|column| sheet.iter().find(|it| it.0 == *column).map(|it| it.1.as_str()))
            .collect();
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            values.iter().map(|it| (it as &(dyn ToSql + Sync), Type::TEXT)).collect();
        let putting = session.client.execute_typed(&self.sql.put_work, &parameters);
        // The database's own words may repeat a value: only the state is told.
        match session.in_time(putting).await.map_err(not_now)? {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::UNTRANSLATABLE_CHARACTER) => {
                Err(TakeError::not_now(
                    "a character of this work does not exist in the database's encoding (22P05); the database must be UTF8",
                ))
            }
            Err(error) => Err(not_now(TableError::statement("write to")(error))),
        }
    }
}

fn not_now(error: TableError) -> TakeError {
    TakeError::not_now(error.to_string())
}

impl OfficeSystem for TableOffice {
    async fn take(&self, taken: TakenWork) -> Result<(), TakeError> {
        let session = self.link.session().await.map_err(not_now)?;
        let put = self.put(&session, &taken).await;
        if put.is_err() && session.client.is_closed() {
            self.link.give_up(&session).await;
        }
        put
    }
}

/// What stands in the row afterwards.
struct Receipt {
    status: &'static str,
    code: Option<&'static str>,
    text: String,
    report: Option<String>,
}

impl Receipt {
    /// Nothing for what is looked at again.
    fn of(verdict: &Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Later => return None,
            Verdict::Taken(report) => Self {
                status: "taken",
                code: None,
                text: match report {
                    Some(_) => "已取走，等待中枢回执",
                    None => "已取走，不需要向中枢报告",
                }
                .to_owned(),
                report: report.map(|it| it.to_string()),
            },
            Verdict::Refused(problem) => Self {
                status: if problem.code == ledger::CHANGED { "changed" } else { "refused" },
                code: Some(problem.code),
                text: problem.text.clone(),
                report: None,
            },
        })
    }
}

fn found(row: &Row) -> Result<Found, TableError> {
    let text = |at: usize| -> Result<Option<String>, TableError> {
        row.try_get(at).map_err(TableError::statement("read"))
    };
    let mut answer = AnswerRow::default();
    for (at, column) in ANSWER.iter().enumerate() {
        if let Some(value) = text(at)? {
            answer.set(column, &value);
        }
    }
    let (id, mark) = (text(0)?.unwrap_or_default(), text(ANSWER.len())?.unwrap_or_default());
    Ok(Found { row: answer, id, mark })
}

/// An id that may be somebody's number is not written to the log.
fn safe(id: &str) -> &str {
    let plain = id.bytes().all(|it| it.is_ascii_graphic()) && id.len() <= 64;
    if plain && !events::personal::has_identity_number(id) { id } else { "(not shown)" }
}

fn shortened(text: &str) -> String {
    text.chars().take(RECEIPT_TEXT_CHARS_MAX).collect()
}
