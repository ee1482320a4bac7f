//! What the views can be asked. Each answer names the log position that it is as of.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::vocabulary::{Category, Channel, Item, Outcome};
use jiff::civil::Date;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::views::cells::{bytes_of, cell_of};
use crate::views::due_days::Running;
use crate::views::file::{failed, open_reading};
use crate::views::lookup::{Indexed, index_column};
use crate::views::outbox::Asked;
use crate::views::provinces::Tally;
use crate::views::queries::{by_key, narrow, of_index, outbox_of, place, position, rows, whole};
use crate::views::rows::{
    CaseRow, CaseStage, DueRow, FeedbackRow, LapseRow, OutboxRow, ProvinceRow,
};
use crate::views::status::{StatusRow, day_number};
use crate::views::table::{Row as _, broken, row_of};
use crate::views::together::Together;
use crate::views::when::{When, recorded_between};

/// Why a view cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The file failed.
    #[error("cannot {what} the view `{view}`")]
    Store {
        what: &'static str,
        view: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log could not be read.
    #[error("cannot read the log for the views")]
    Log(#[source] crate::log::ReadError),
    /// An event that this program's views were not told about: stop rather than skip.
    #[error("no view knows what to do with position {position}")]
    UnknownEvent { position: Position },
    /// The views know more than the log: another log's, or a restored one.
    #[error("the views are at {views}, the log at {log}: rebuild them")]
    AheadOfLog { views: Position, log: Position },
}

/// What a list of cases is narrowed to. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFilter {
    pub province: Option<ProvinceCode>,
    /// Only what no province has: returned, and not routed on yet.
    pub nowhere: bool,
    /// Routed here first, wherever it is now.
    pub first_province: Option<ProvinceCode>,
    pub stage: Option<CaseStage>,
    pub outcome: Option<Outcome>,
    pub item: Option<Item>,
    pub category: Option<Category>,
    pub channel: Option<Channel>,
    pub client: Option<String>,
    pub open: Option<bool>,
    pub overdue: Option<bool>,
    /// Open, and due on this day or later.
    pub due_from: Option<Date>,
    pub due_before: Option<Date>,
    /// Open, and a province has not signed for what it is asked.
    pub waiting: Option<bool>,
    /// Recorded then.
    pub recorded: Option<When>,
    /// Ended then.
    pub ended: Option<When>,
}

/// Which end of a list comes first, by the moment of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The latest.
    Newest,
    /// What has waited longest.
    Oldest,
}

/// A page of a list: the rows, and where the next page begins (`None`: this was the last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<u64>,
    pub as_of: Position,
}

/// How many rows a page has at most.
pub const PAGE_ROWS_MAX: usize = 500;

/// Idle connections kept for the next call.
const IDLE_CONNECTIONS_MAX: usize = 8;
/// How many provinces there are: each gets its share of a page of the outbox.
const PROVINCES_COUNT: usize = events::ids::PROVINCES.len();

/// Reads the views; cheap to clone; each call takes a pooled read-only connection for a moment.
#[derive(Debug, Clone)]
pub struct ViewReader(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// Started by the first who asks.
    together: OnceLock<Option<Together>>,
}

impl ViewReader {
    /// Reads the views in this file; nothing is opened before it is asked something.
    pub fn open(path: &Path) -> Self {
        let together = OnceLock::new();
        Self(Arc::new(Inside { path: path.to_owned(), idle: Mutex::default(), together }))
    }

    /// One moment of the file: everything that `what` reads is as of the same position.
    pub(crate) fn look<T>(
        &self,
        what: impl FnOnce(&Connection) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let file = match idle {
            Some(file) => file,
            None => open_reading(&self.0.path)?,
        };
        let answer = {
            let moment = file.unchecked_transaction().map_err(failed("read"))?;
            what(&moment)?
        };
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(file);
        }
        Ok(answer)
    }

    /// How far the views have read.
    pub fn position(&self) -> Result<Position, ViewError> {
        self.look(position)
    }

    pub fn case(&self, id: CaseId) -> Result<Option<CaseRow>, ViewError> {
        self.look(|file| Ok(by_key::<StatusRow>(file, &id)?.map(|it| it.row)))
    }

    pub fn case_by_number(&self, number: &CaseNumber) -> Result<Option<CaseRow>, ViewError> {
        let number = Value::Text(number.as_str().to_owned());
        self.look(|file| {
            let found = rows::<StatusRow>(file, "WHERE number = ?1 LIMIT 1", vec![number])?;
            Ok(found.into_iter().next().map(|it| it.row))
        })
    }

    /// Newest first by position of submission; `after` is a `Page::next`.
    pub fn cases(
        &self,
        filter: &CaseFilter,
        after: Option<u64>,
        count_max: usize,
    ) -> Result<Page<CaseRow>, ViewError> {
        self.cases_in(filter, Order::Newest, after, count_max)
    }

    /// In either order of submission; `after` is a `Page::next` of the same order.
    pub fn cases_in(
        &self,
        filter: &CaseFilter,
        order: Order,
        after: Option<u64>,
        count_max: usize,
    ) -> Result<Page<CaseRow>, ViewError> {
        let count_max = count_max.min(PAGE_ROWS_MAX);
        let (narrowed, mut values) = narrow(filter);
        self.look(|file| {
            let recorded = filter.recorded.map(|it| recorded_between(file, it)).transpose()?;
            let place = place(order, after, recorded, &mut values);
            let tail = format!("WHERE {narrowed} {place} LIMIT {}", count_max + 1);
            let mut found = rows::<StatusRow>(file, &tail, values)?;
            let more = found.len() > count_max;
            found.truncate(count_max);
            let last = found.last().map(|it| it.standing.submitted_position);
            let rows = found.into_iter().map(|it| it.row).collect();
            Ok(Page { rows, next: last.filter(|_| more), as_of: position(file)? })
        })
    }

    /// Cases whose applicant has this blind index in `field` (`identity`, `certificate`).
    pub fn cases_by_index(
        &self,
        field: &str,
        index: &events::proof::Digest,
    ) -> Result<Vec<CaseId>, ViewError> {
        self.look(|file| of_index(file, index_column(field, index)))
    }

    /// The same, asked together with whoever else asks now: for questions that every submission has.
    pub async fn cases_by_index_together(
        &self,
        field: &'static str,
        index: events::proof::Digest,
    ) -> Result<Vec<CaseId>, ViewError> {
        let together = self.0.together.get_or_init(|| Together::start(&self.0.path));
        if let Some(together) = together
            && let Some(cases) = together.cases(index_column(field, &index)).await
        {
            return Ok(cases);
        }
        let reader = self.clone();
        let alone = tokio::task::spawn_blocking(move || reader.cases_by_index(field, &index));
        alone.await.unwrap_or_else(|panic| {
            let source = Box::new(panic);
            Err(ViewError::Store { what: "look into", view: Indexed::NAME, source })
        })
    }

    /// What must still be delivered, least recently touched first. Each province has its share of
    /// the room, so that one that is silent cannot hide the others.
    pub fn outbox(&self, count_max: usize) -> Result<Vec<OutboxRow>, ViewError> {
        let share = (count_max / PROVINCES_COUNT).max(1);
        self.look(|file| {
            let tail = "WHERE touched_at IS NOT NULL ORDER BY touched_at LIMIT ?1";
            let mut found = rows::<Asked>(file, tail, vec![whole(count_max as u64)])?;
            // Only when there is more than one page can anybody be hidden.
            if found.len() == count_max {
                let mut shares = Vec::new();
                for province in ProvinceCode::all() {
                    shares.extend(outbox_of(file, province, share)?);
                }
                found.retain(|it| shares.iter().all(|share| share.case != it.case));
                found.truncate(count_max.saturating_sub(shares.len()));
                found.extend(shares);
                found.sort_by_key(|it| it.last_attempt_at.unwrap_or(it.since));
                found.truncate(count_max);
            }
            Ok(found.iter().map(Asked::row).collect())
        })
    }

    /// What one province has not signed for, least recently touched first.
    pub fn outbox_of(
        &self,
        province: ProvinceCode,
        count_max: usize,
    ) -> Result<Vec<OutboxRow>, ViewError> {
        self.look(|file| Ok(outbox_of(file, province, count_max)?.iter().map(Asked::row).collect()))
    }

    /// Open deadlines whose day lies before `date`, by case.
    pub fn due_before(
        &self,
        date: Date,
        after: Option<CaseId>,
        count_max: usize,
    ) -> Result<Vec<DueRow>, ViewError> {
        let tail = "WHERE running = 1 AND due < ?3 AND key > ?1 ORDER BY key LIMIT ?2";
        self.dues(tail, after, count_max, vec![Value::Integer(day_number(date))])
    }

    /// The same without those about which nothing more can be noted: what the watch looks at.
    pub fn unfinished_due_before(
        &self,
        date: Date,
        after: Option<CaseId>,
        count_max: usize,
    ) -> Result<Vec<DueRow>, ViewError> {
        let tail = "WHERE unfinished = 1 AND due < ?3 AND key > ?1 ORDER BY key LIMIT ?2";
        self.dues(tail, after, count_max, vec![Value::Integer(day_number(date))])
    }

    /// All open deadlines, in pages by case: for revising after a calendar was published.
    pub fn open_dues(
        &self,
        after: Option<CaseId>,
        count_max: usize,
    ) -> Result<Vec<DueRow>, ViewError> {
        let tail = "WHERE running = 1 AND key > ?1 ORDER BY key LIMIT ?2";
        self.dues(tail, after, count_max, vec![])
    }

    fn dues(
        &self,
        tail: &str,
        after: Option<CaseId>,
        count_max: usize,
        more: Vec<Value>,
    ) -> Result<Vec<DueRow>, ViewError> {
        let after = after.map(|it| bytes_of(&it)).unwrap_or_default();
        let mut values = vec![Value::Blob(after), whole(count_max as u64)];
        values.extend(more);
        self.look(|file| {
            Ok(rows::<Running>(file, tail, values)?.into_iter().map(|it| it.row).collect())
        })
    }

    /// Corrections whose last day lies before `date`.
    pub fn lapsing_before(&self, date: Date, count_max: usize) -> Result<Vec<LapseRow>, ViewError> {
        let values = vec![Value::Integer(day_number(date)), whole(count_max as u64)];
        self.look(|file| rows(file, "WHERE until < ?1 ORDER BY until LIMIT ?2", values))
    }

    /// Results that a client has not confirmed, oldest first.
    pub fn feedback(
        &self,
        client: Option<&str>,
        after: Position,
        count_max: usize,
    ) -> Result<Vec<FeedbackRow>, ViewError> {
        let mut values = vec![whole(after.0), whole(count_max as u64)];
        let mut narrowed = "";
        if let Some(client) = client {
            values.push(Value::Text(client.to_owned()));
            narrowed = "client = ?3 AND";
        }
        let tail = format!("WHERE {narrowed} position > ?1 ORDER BY position LIMIT ?2");
        self.look(|file| rows(file, &tail, values))
    }

    /// The league table, by code.
    pub fn provinces(&self) -> Result<Vec<ProvinceRow>, ViewError> {
        self.look(|file| {
            let sql = "SELECT key, row FROM provinces ORDER BY key";
            let mut select = file.prepare_cached(sql).map_err(broken::<Tally>("read"))?;
            let mut found = select.query([]).map_err(broken::<Tally>("read"))?;
            let mut table = Vec::new();
            while let Some(row) = found.next().map_err(broken::<Tally>("read"))? {
                let bytes = |at| row.get::<_, Vec<u8>>(at).map_err(broken::<Tally>("read"));
                if let Some(code) = cell_of::<ProvinceCode>(&bytes(0)?) {
                    table.push(row_of::<Tally>(&bytes(1)?)?.row(code));
                }
            }
            Ok(table)
        })
    }
}
