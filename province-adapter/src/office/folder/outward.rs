//! Work as files: each exactly once, whatever is killed when and however fast the office takes it
//! away; and again only when the office asks.

use events::ids::CaseId;
use events::wire::{self, ToProvince};
use events::work::Work;
use jiff::ToSpan as _;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::place::{Place, Room};
use super::{FolderError, FolderOffice};
use crate::office::hours::shanghai;
use crate::office::sheet::{self, WORK};
use crate::office::{TakeError, TakenWork};
use crate::outbox::id;
use crate::store::StoreError;

/// Ends the name of a mark: the file of this name was whole, and is given away once.
const MARK: &str = ".ready";
/// Marks that are looked through in one turn.
const MARKS_AT_ONCE_MAX: usize = 500;

/// What a resend request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Case(CaseId),
    /// A day in Shanghai, on which the work arrived here.
    Day(Date),
}

impl FolderOffice {
    /// Puts the work into `out`; done when it has its name there durably.
    pub(super) async fn put_work(&self, taken: &TakenWork) -> Result<(), TakeError> {
        let (name, bytes) = self.written(taken)?;
        let files_max = self.settings.out_files_max;
        let putting = self.on_disk("put work", move |place| {
            if place.count(Room::Out)? as u64 >= files_max {
                return Ok(false);
            }
            hand_over(place, &name, &bytes).map(|()| true)
        });
        match putting.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TakeError::not_now(format!(
                "`out` holds {files_max} files that the office has not picked up (`folder.out_files_max`)"
            ))),
            Err(error) => Err(TakeError::not_now(crate::check::chain(&error))),
        }
    }

    /// Name and bytes: the same work always gives the same. The name says nothing about a person.
    fn written(&self, taken: &TakenWork) -> Result<(String, Vec<u8>), TakeError> {
        let not_now = |it: String| TakeError::not_now(it);
        let sheet = sheet::of_work(taken, &self.codes).map_err(|it| not_now(it.to_string()))?;
        let format = self.settings.format;
        let bytes = self.manner(format).write("work", &WORK, &[sheet]);
        let bytes = bytes.map_err(|it| not_now(it.to_string()))?;
        let work = &taken.work;
        let kind = work.kind.token();
        let name = format!("work_{}_{}_{kind}.{}", work.case, work.request, format.extension());
        Ok((name, bytes))
    }

    /// Work that the office wants again, into `out` under its old names; how many files.
    pub(super) async fn resend(&self, wanted: Wanted) -> Result<usize, FolderError> {
        let shared = &self.reporter.shared;
        let works_max = self.settings.resend_works_max;
        let works = shared.store.write(move |it| find(it, wanted, works_max)).await?;
        let mut count = 0;
        for work in works {
            let Ok(personal) = shared.identity.open(&work) else { continue };
            let taken = TakenWork { work, applicant: personal.map(|it| it.applicant) };
            let Ok((name, bytes)) = self.written(&taken) else { continue };
            self.on_disk("put work again", move |place| place.put(Room::Out, &name, &bytes))
                .await?;
            count += 1;
        }
        Ok(count)
    }

    /// A mark is needed until the work is noted as taken; then it goes.
    pub(super) async fn forget_marks(&self) -> Result<(), FolderError> {
        let marks = self
            .on_disk("look for marks", |place| {
                let entries = place.list(Room::Tmp, MARKS_AT_ONCE_MAX)?;
                let names = entries.into_iter().filter_map(|it| it.name);
                Ok(names.filter(|it| it.ends_with(MARK)).collect::<Vec<_>>())
            })
            .await?;
        if marks.is_empty() {
            return Ok(());
        }
        let store = &self.reporter.shared.store;
        let over = store
            .write(move |it| -> Result<Vec<String>, StoreError> {
                let mut over = Vec::new();
                for mark in marks {
                    if is_taken(it, &mark)? {
                        over.push(mark);
                    }
                }
                Ok(over)
            })
            .await?;
        self.on_disk("remove marks", move |place| {
            over.iter().try_for_each(|it| place.remove(Room::Tmp, it))
        })
        .await
    }
}

/// Once. The mark says that the file was whole: from then on it is given away if it is still here,
/// and was given away if it is not, even if the office has long taken it.
fn hand_over(place: &Place, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mark = format!("{name}{MARK}");
    if !place.has(Room::Tmp, &mark) {
        place.write(name, bytes)?;
        place.write(&mark, b"")?;
    }
    if place.has(Room::Tmp, name) { place.publish(Room::Out, name) } else { Ok(()) }
}

fn is_taken(connection: &Connection, mark: &str) -> Result<bool, StoreError> {
    let parts: Vec<&str> = mark.split(['_', '.']).collect();
    let [_, case, request, kind, ..] = parts.as_slice() else { return Ok(false) };
    let (Ok(case), Ok(request)) = (Uuid::try_parse(case), Uuid::try_parse(request)) else {
        return Ok(false);
    };
    let taken: Option<bool> = connection
        .prepare_cached(
            "SELECT taken_at IS NOT NULL FROM work WHERE case_id = ?1 AND request = ?2 AND kind = ?3",
        )?
        .query_row(params![id(case), id(request), kind], |row| row.get(0))
        .optional()?;
    Ok(taken.unwrap_or(false))
}

fn find(connection: &Connection, wanted: Wanted, works_max: u64) -> Result<Vec<Work>, StoreError> {
    let works_max = i64::try_from(works_max).unwrap_or(i64::MAX);
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    match wanted {
        Wanted::Case(case) => {
            let mut select = connection.prepare_cached(
                "SELECT body FROM work WHERE case_id = ?1 AND taken_at IS NOT NULL ORDER BY id LIMIT ?2",
            )?;
            let rows = select.query_map(params![id(case.0), works_max], |row| row.get(0))?;
            bodies.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Wanted::Day(day) => {
            let midnight = |day: Date| {
                let begins = day.to_zoned(shanghai()).map(|it| it.timestamp().as_millisecond());
                begins.unwrap_or(i64::MAX)
            };
            let until = day.checked_add(1.day()).map_or(i64::MAX, midnight);
            let mut select = connection.prepare_cached(
                "SELECT body FROM work WHERE received_at >= ?1 AND received_at < ?2
                   AND taken_at IS NOT NULL ORDER BY id LIMIT ?3",
            )?;
            let rows =
                select.query_map(params![midnight(day), until, works_max], |row| row.get(0))?;
            bodies.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
    }
    let read = |it: Vec<u8>| match wire::to_province_from_bytes(&it) {
        Ok(ToProvince::Work(work)) => Some(work),
        // It was readable when it was kept; an older program may have been put back.
        Ok(ToProvince::Receipts(_) | ToProvince::Order(_)) | Err(_) => None,
    };
    Ok(bodies.into_iter().filter_map(read).collect())
}
