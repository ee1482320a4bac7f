//! From the inbox to the office: the oldest first, one a case, as many as the office can take; whatever it
//! cannot take is offered again, and `status` says why it was not taken.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use tracing::{debug, warn};

use crate::adapter::Shared;
use crate::hops::{self, Moment};
use crate::life::Hold;
use crate::office::{OfficeSystem, TakeError};
use crate::pacing::{self, Flow};
use crate::store::StoreError;

/// The slow tick of handing over, behind every wake-up.
const HAND_OVER_TICK: Duration = Duration::from_millis(500);
/// After the store could not note what the office said.
const STORE_REST: Duration = Duration::from_secs(1);

/// Work that the office has not taken yet.
pub(crate) struct Waiting {
    pub(crate) row: i64,
    pub(crate) body: Vec<u8>,
}

/// The oldest work that may be handed over now, one a case, so that a correction never overtakes.
pub(crate) fn waiting(
    connection: &Connection,
    now: Timestamp,
    count_max: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, body FROM work WHERE taken_at IS NULL AND next_take_at <= ?1
           AND NOT EXISTS (SELECT 1 FROM work AS earlier WHERE earlier.case_id = work.case_id
                           AND earlier.taken_at IS NULL AND earlier.id < work.id)
         ORDER BY id LIMIT ?2",
    )?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![now.as_millisecond(), count_max], |row| {
        Ok(Waiting { row: row.get(0)?, body: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The office has it.
pub(crate) fn taken(connection: &Connection, row: i64, now: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE work SET taken_at = ?2 WHERE id = ?1")?
        .execute(params![row, now.as_millisecond()])?;
    pacing::note_handed(connection, row, now)
}

/// The office could not take it now.
pub(crate) fn take_later(
    connection: &Connection,
    row: i64,
    reason: &str,
    now: Timestamp,
    next_at: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE work SET take_tries = take_tries + 1, next_take_at = ?2 WHERE id = ?1",
        )?
        .execute(params![row, next_at.as_millisecond()])?;
    pacing::note_not_taken(connection, row, reason, now)
}

/// Offers the oldest untaken work to the office, for ever.
pub(crate) async fn hand_over(shared: &Arc<Shared>, office: &impl OfficeSystem) {
    if office.fetches() {
        return std::future::pending().await;
    }
    let per_minute = shared.limits.hand_over_per_minute_max;
    let mut flow = Flow::new(per_minute, shared.clock.real_now());
    loop {
        let waiting = next(shared, &mut flow).await;
        if waiting.is_empty() {
            tokio::select! {
                () = shared.work_wake.notified() => {}
                () = tokio::time::sleep(HAND_OVER_TICK) => {}
            }
        }
        let all = waiting.into_iter().map(|it| hand_over_one(shared, office, it));
        let taken = futures::future::join_all(all).await;
        // What was not taken did not burden the office, and must not hold up the rest.
        flow.spend(taken.into_iter().filter(|it| *it).count());
    }
}

/// What may be handed over now; if something waits that may not, the page says what holds it.
async fn next(shared: &Arc<Shared>, flow: &mut Flow) -> Vec<Waiting> {
    let now = shared.clock.real_now();
    let (limits, open) = (shared.limits.clone(), flow.open(now));
    let looked = shared.store.write(move |it| -> Result<_, StoreError> {
        let (allowed, held) = pacing::allowance(it, &limits, open)?;
        // One more than allowed, only to see whether somebody is held.
        let mut found = waiting(it, now, allowed + 1)?;
        let hold =
            (found.len() > allowed && allowed < limits.hand_over_at_once_max).then_some(held);
        found.truncate(allowed);
        Ok((found, hold))
    });
    let (found, hold) = looked.await.unwrap_or_else(|error| {
        warn!(error = %error, "cannot look for work to hand over");
        (Vec::new(), None)
    });
    shared.life.hold(Hold::HandOver, hold.map(pacing::Held::code), now);
    found
}

/// Whether the office took it.
async fn hand_over_one(shared: &Arc<Shared>, office: &impl OfficeSystem, waiting: Waiting) -> bool {
    let began = Moment::now(&shared.clock);
    let taken = match shared.open(&waiting) {
        Ok(work) => {
            let given = hops::are_told().then(|| work.work.clone());
            let taking = tokio::time::timeout(shared.limits.take_timeout, office.take(work));
            let taken = taking.await;
            let taken = taken.unwrap_or_else(|_| Err(TakeError::not_now("no answer in time")));
            given.iter().for_each(|it| began.given(&shared.clock, it, taken.is_ok()));
            taken
        }
        Err(error) => Err(error),
    };
    let (row, now) = (waiting.row, shared.clock.real_now());
    let has_it = taken.is_ok();
    let noted = match taken {
        Ok(()) => shared.store.write(move |it| self::taken(it, row, now)).await,
        Err(error) => {
            debug!(error = %error, "the office did not take the work");
            let wait = shared.limits.retake_wait.mul_f64(0.8 + rand::random::<f64>() * 0.4);
            let next_at = now.checked_add(wait).unwrap_or(now);
            let reason = error.reason;
            shared.store.write(move |it| take_later(it, row, &reason, now, next_at)).await
        }
    };
    if let Err(error) = noted {
        warn!(error = %error, "cannot note whether the office took the work; it is offered again");
        // Not at once, for ever: on a full disk that would be all that anybody does.
        tokio::time::sleep(STORE_REST).await;
    }
    has_it
}
