//! How much at once. Work is fetched as far as there is room, and handed over as fast as the office can
//! take it: nine days' work must not come down on it within a minute.

use events::ids::CaseId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::limits::Limits;
use crate::outbox::{ReportError, id};
use crate::store::StoreError;

/// What may be handed over in one go, as a part of a minute's work.
const BURST_PART: f64 = 1.0 / 6.0;
/// Longest reason that is kept, in characters.
const REASON_CHARACTERS_MAX: usize = 300;

/// How many may go now, refilled as time passes. Forgotten by a restart: a minute's sixth, no more.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    per_minute: f64,
    left: f64,
    seen: Timestamp,
}

impl Flow {
    /// Full at `now`.
    pub(crate) fn new(per_minute: u32, now: Timestamp) -> Self {
        let per_minute = f64::from(per_minute);
        Self { per_minute, left: Self::burst(per_minute), seen: now }
    }

    fn burst(per_minute: f64) -> f64 {
        (per_minute * BURST_PART).max(1.0)
    }

    /// How many may go at `now`.
    pub(crate) fn open(&mut self, now: Timestamp) -> usize {
        let minutes = now.duration_since(self.seen).as_secs_f64().max(0.0) / 60.0;
        self.left = (self.left + minutes * self.per_minute).min(Self::burst(self.per_minute));
        self.seen = now;
        // Whole ones only; a cast from a float saturates.
        self.left as usize
    }

    /// So many have gone.
    pub(crate) fn spend(&mut self, count: usize) {
        self.left -= u32::try_from(count).map_or(f64::MAX, f64::from);
    }
}

/// Why no more work is handed over just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The office has `limits.office_open_max` cases that it has not answered.
    OfficeFull,
    /// `limits.hand_over_per_minute_max` is used up.
    Rate,
}

impl Held {
    /// For `status` and the page.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::OfficeFull => "office-full",
            Self::Rate => "hand-over-rate",
        }
    }
}

/// How much may be handed over now, and what holds the rest.
pub(crate) fn allowance(
    connection: &Connection,
    limits: &Limits,
    flow: usize,
) -> Result<(usize, Held), StoreError> {
    let room = limits.office_open_max.saturating_sub(with_office(connection)?);
    let held = if room <= flow { Held::OfficeFull } else { Held::Rate };
    Ok((room.min(flow).min(limits.hand_over_at_once_max), held))
}

/// Cases that the office has and has not answered.
pub(crate) fn with_office(connection: &Connection) -> Result<usize, StoreError> {
    count(connection, "SELECT count(*) FROM with_office")
}

/// Work that the office has not taken.
pub(crate) fn untaken(connection: &Connection) -> Result<usize, StoreError> {
    count(connection, "SELECT count(*) FROM work WHERE taken_at IS NULL")
}

fn count(connection: &Connection, sql: &str) -> Result<usize, StoreError> {
    let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The office was handed this work; a withdrawal wants no answer, and ends what was wanted.
pub(crate) fn note_handed(
    connection: &Connection,
    row: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM not_taken WHERE work = ?1")?.execute([row])?;
    let work: Option<([u8; 16], String)> = connection
        .prepare_cached(
            "SELECT case_id, kind FROM work WHERE id = ?1 AND NOT EXISTS
               (SELECT 1 FROM report WHERE report.case_id = work.case_id
                AND report.id > work.delivered_by AND token <> 'delivered')",
        )?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((case, kind)) = work else { return Ok(()) };
    if kind == events::work::WorkKind::Withdrawal.token() {
        connection.prepare_cached("DELETE FROM with_office WHERE case_id = ?1")?.execute([case])?;
        return Ok(());
    }
    connection
        .prepare_cached("INSERT INTO with_office VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![case, now.as_millisecond()])?;
    Ok(())
}

/// The office has answered.
pub(crate) fn note_answered(connection: &Connection, case: CaseId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM with_office WHERE case_id = ?1")?
        .execute([id(case.0)])?;
    Ok(())
}

/// Why it could not be handed over. The moment stays that of the first time with this reason.
pub(crate) fn note_not_taken(
    connection: &Connection,
    row: i64,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO not_taken VALUES (?1, ?2, ?3) ON CONFLICT (work) DO UPDATE SET
               since = CASE WHEN reason = excluded.reason THEN since ELSE excluded.since END,
               reason = excluded.reason",
        )?
        .execute(params![row, tellable(reason), now.as_millisecond()])?;
    Ok(())
}

/// Short enough, on one line, and without what looks like somebody's number.
pub(crate) fn tellable(text: &str) -> String {
    if events::personal::has_identity_number(text) {
        return "(not shown: it would tell an identity number)".to_owned();
    }
    let plain = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    plain.take(REASON_CHARACTERS_MAX).collect()
}

/// The bounds that are kept beside the data, so that every way in keeps them.
pub(crate) fn keep_bounds(connection: &Connection, limits: &Limits) -> Result<(), StoreError> {
    let reports_max = i64::try_from(limits.outbox_reports_max).unwrap_or(i64::MAX);
    connection.execute("INSERT OR REPLACE INTO bound VALUES (1, ?1)", [reports_max])?;
    Ok(())
}

/// Refuses news of the office while too many reports wait. What the adapter itself says of arrived work
/// is not refused: the receipts that end the waiting come on the same road as the work.
pub(crate) fn check_outbox(connection: &Connection) -> Result<(), ReportError> {
    let bound = connection
        .prepare_cached("SELECT outbox_reports_max FROM bound")?
        .query_row([], |row| row.get(0));
    let Some(reports_max) = bound.optional()? else { return Ok(()) };
    let waiting: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM report WHERE next_send_at IS NOT NULL LIMIT ?1)",
        )?
        .query_row([reports_max], |row| row.get(0))?;
    if waiting < reports_max { Ok(()) } else { Err(ReportError::OutboxFull { reports_max }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_413_200 + seconds).unwrap()
    }

    #[test]
    fn a_minute_s_work_is_handed_over_in_a_minute_and_a_sixth_of_it_at_once() {
        let mut flow = Flow::new(600, at(0));
        let mut handed = 0;
        for second in 0..60 {
            let now = flow.open(at(second));
            assert!(now <= 100, "second {second}: {now}");
            handed += now;
            flow.spend(now);
        }
        assert!((680..=700).contains(&handed), "{handed}");
        assert!(flow.open(at(59)) < 1);
        assert_eq!(flow.open(at(9 * 24 * 3_600)), 100, "nine days save up no more than a burst");
        assert_eq!(flow.open(at(0)), 100, "a clock that is set back takes nothing away");
    }

    #[test]
    fn a_slow_office_is_still_handed_one_at_a_time() {
        let mut flow = Flow::new(1, at(0));
        assert_eq!(flow.open(at(0)), 1);
        flow.spend(1);
        assert_eq!((flow.open(at(59)), flow.open(at(61))), (0, 1));
    }

    #[test]
    fn a_reason_tells_nobody_s_number() {
        assert_eq!(tellable("the office answers 500"), "the office answers 500");
        assert_eq!(tellable("two\nlines\u{1b}[0m"), "two lines [0m");
        assert!(!tellable("no 110101199003077758 here").contains("1990"));
    }
}
