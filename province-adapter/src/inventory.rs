//! What we hold, told to the hub: when the store is new, every day, when the connection comes back, and when
//! somebody asks. The hub compares; what either side lost without noticing is said again.

use events::ids::CaseId;
use events::reconcile::{
    DAYS_A_MESSAGE_MAX, Day, Held, HeldReport, HeldWork, Holdings, Inventory, Occasion, Order,
    Span, bytes_hash, day_hash,
};
use events::wire::{self, ToProvince};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::keys::Identity;
use crate::outbox::{ADAPTER_VERSION, Pace, ReportError, id, new_id, read_id, signed};
use crate::store::StoreError;

/// Most lines in one list: of some 110 bytes each, it fits a message with its signature.
const LINES_A_LIST_MAX: usize = 180;
/// Most cases in one list: what the contract allows.
const CASES_A_LIST_MAX: usize = events::reconcile::CASES_A_MESSAGE_MAX;
/// Days of the daily comparison: longer than a case lives by law.
pub(crate) const DAILY_DAYS: i64 = 45;
/// Days that are compared when the connection comes back.
pub(crate) const CONNECTED_DAYS: i64 = 3;
/// Settled inventories that are kept to be shown.
const SETTLED_KEPT_MAX: i64 = 100;

/// The Shanghai date of a moment.
pub(crate) fn shanghai_date(at: Timestamp) -> Date {
    // China has had one zone without summer time since 1991; no case is older.
    at.to_zoned(TimeZone::fixed(jiff::tz::offset(8))).date()
}

/// Notes the day of a case, and the number that the hub told us to go on with.
pub(crate) fn note_story(
    connection: &Connection,
    case: CaseId,
    day: Date,
    next_number: Option<u64>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO story VALUES (?1, ?2, ?3)
             ON CONFLICT (case_id) DO UPDATE SET next_number = max(next_number, excluded.next_number)",
        )?
        .execute(params![id(case.0), day.to_string(), signed(next_number.unwrap_or(1))])?;
    Ok(())
}

/// The hub told us to go on with this number.
pub(crate) fn note_number(
    connection: &Connection,
    case: CaseId,
    next: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE story SET next_number = max(next_number, ?2) WHERE case_id = ?1")?
        .execute(params![id(case.0), signed(next)])?;
    Ok(())
}

/// The days of what an older version took in.
pub(crate) fn note_older_stories(connection: &Connection) -> Result<(), StoreError> {
    let bodies = {
        let mut select = connection.prepare(
            "SELECT body FROM work WHERE NOT EXISTS
               (SELECT 1 FROM story WHERE story.case_id = work.case_id) GROUP BY case_id",
        )?;
        let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    for body in bodies {
        if let Ok(ToProvince::Work(work)) = wire::to_province_from_bytes(&body) {
            note_story(connection, work.case, shanghai_date(work.submitted_at), None)?;
        }
    }
    Ok(())
}

/// Puts an inventory into the outbox. One that waits for the same occasion is replaced.
pub(crate) fn wish(
    connection: &Connection,
    occasion: Occasion,
    span: Option<Span>,
    today: Date,
    now: Timestamp,
) -> Result<Uuid, ReportError> {
    let inventory = new_id(now)?;
    let (since, until) = (span.map(|it| it.since.to_string()), span.map_or(today, |it| it.until));
    connection.execute(
        "DELETE FROM inventory WHERE settled_at IS NULL AND occasion = ?1",
        [occasion.token()],
    )?;
    connection.execute(
        "INSERT INTO inventory (id, occasion, since, until, created_at, next_send_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![id(inventory), occasion.token(), since, until.to_string(), now.as_millisecond()],
    )?;
    connection.execute(
        "DELETE FROM inventory WHERE settled_at IS NOT NULL AND id NOT IN
           (SELECT id FROM inventory WHERE settled_at IS NOT NULL
            ORDER BY settled_at DESC LIMIT ?1)",
        [SETTLED_KEPT_MAX],
    )?;
    Ok(inventory)
}

/// What has to be told without anybody asking: a new store at once, and each day once, after
/// `daily_from`.
pub(crate) fn wish_what_is_due(
    connection: &Connection,
    today: Date,
    may_be_daily: bool,
    now: Timestamp,
) -> Result<Option<Occasion>, ReportError> {
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, bool>(0));
    let used = one("SELECT EXISTS (SELECT 1 FROM work) OR EXISTS (SELECT 1 FROM report)
                      OR EXISTS (SELECT 1 FROM inventory)")?;
    if !used {
        wish(connection, Occasion::NewStore, None, today, now)?;
        return Ok(Some(Occasion::NewStore));
    }
    let told: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM inventory WHERE occasion = 'daily' AND until >= ?1)",
        [today.to_string()],
        |row| row.get(0),
    )?;
    if told || !may_be_daily {
        return Ok(None);
    }
    wish(connection, Occasion::Daily, Some(last_days(today, DAILY_DAYS)), today, now)?;
    Ok(Some(Occasion::Daily))
}

/// The last so many days, today among them.
pub(crate) fn last_days(today: Date, days: i64) -> Span {
    let since = today.checked_sub(jiff::Span::new().days(days - 1)).unwrap_or(today);
    Span { since, until: today }
}

/// A signed message on its way: a comparison, not a report.
pub(crate) struct Told {
    pub(crate) token: &'static str,
    pub(crate) message_id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: String,
}

/// The inventories and lists that are due now, composed afresh; each counts as an attempt.
pub(crate) fn claim_due(
    connection: &Connection,
    identity: &Identity,
    pace: &Pace,
    now: Timestamp,
    told_at: Timestamp,
) -> Result<Vec<Told>, ReportError> {
    let mut messages = Vec::new();
    for it in due(connection, now)? {
        let days = days(connection, it.since, it.until)?;
        let (origin, province) = (identity.origin.clone(), identity.province);
        let (adapter, occasion) = (ADAPTER_VERSION.to_owned(), it.occasion);
        let (since, until) = (it.since, it.until);
        let inventory = Inventory { origin, province, adapter, occasion, since, until, days };
        let body = wire::inventory_to_bytes(it.id, told_at, &inventory);
        messages.push(sign(identity, "inventory", format!("{}.{}", it.id, it.step + 1), body));
        let next_at = now.as_millisecond().saturating_add(pace.wait_ms(it.step, rand::random()));
        connection.execute(
            "UPDATE inventory SET pace_step = pace_step + 1, next_send_at = ?2 WHERE id = ?1",
            params![id(it.id), next_at],
        )?;
    }
    let listing: Option<(Uuid, String)> = connection
        .query_row("SELECT inventory, day FROM listing ORDER BY day LIMIT 1", [], |row| {
            Ok((read_id(row, 0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((inventory, day)) = listing {
        if let Ok(day) = day.parse() {
            for list in lists(connection, identity, inventory, day)? {
                let message_id = new_id(now)?;
                let body = wire::holdings_to_bytes(message_id, told_at, &list);
                messages.push(sign(identity, "holdings", message_id.to_string(), body));
            }
        }
        connection.execute(
            "DELETE FROM listing WHERE inventory = ?1 AND day = ?2",
            params![id(inventory), day],
        )?;
    }
    Ok(messages)
}

fn sign(identity: &Identity, token: &'static str, message_id: String, body: Vec<u8>) -> Told {
    let signature = identity.sign_report(&body);
    Told { token, message_id, body, signature }
}

struct Due {
    id: Uuid,
    occasion: Occasion,
    since: Option<Date>,
    until: Date,
    step: i64,
}

fn due(connection: &Connection, now: Timestamp) -> Result<Vec<Due>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, occasion, since, until, pace_step FROM inventory
         WHERE next_send_at <= ?1 ORDER BY created_at LIMIT 4",
    )?;
    let mut rows = select.query([now.as_millisecond()])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let occasion: String = row.get(1)?;
        let all = [Occasion::NewStore, Occasion::Connected, Occasion::Daily, Occasion::Asked];
        let occasion = all.into_iter().find(|it| it.token() == occasion);
        let (since, until): (Option<String>, String) = (row.get(2)?, row.get(3)?);
        if let (Some(occasion), Ok(until)) = (occasion, until.parse()) {
            let since = since.and_then(|it| it.parse().ok());
            due.push(Due { id: read_id(row, 0)?, occasion, since, until, step: row.get(4)? });
        }
    }
    Ok(due)
}

/// One line a day; the newest days if there are more than a message may have.
fn days(connection: &Connection, since: Option<Date>, until: Date) -> Result<Vec<Day>, StoreError> {
    let since = since.map_or_else(String::new, |it| it.to_string());
    let mut select = connection.prepare_cached(
        "SELECT DISTINCT day FROM story WHERE day >= ?1 AND day <= ?2 ORDER BY day DESC LIMIT ?3",
    )?;
    let most = i64::try_from(DAYS_A_MESSAGE_MAX).unwrap_or(i64::MAX);
    let found =
        select.query_map(params![since, until.to_string(), most], |row| row.get::<_, String>(0))?;
    let mut days = Vec::new();
    for day in found {
        let Ok(day) = day?.parse::<Date>() else { continue };
        let (count, hash) = day_hash(&held_on(connection, day)?);
        if count > 0 {
            days.push(Day { day, count, hash });
        }
    }
    days.reverse();
    Ok(days)
}

/// What is held of the cases of a day, by case: work that arrived, and reports that the hub recorded.
pub(crate) fn held_on(connection: &Connection, day: Date) -> Result<Vec<Held>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT case_id, max(next_number, coalesce(
           (SELECT max(number) FROM report WHERE report.case_id = story.case_id), 0) + 1)
         FROM story WHERE day = ?1 ORDER BY case_id",
    )?;
    let mut rows = select.query([day.to_string()])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        let case = CaseId(read_id(row, 0)?);
        let next_number = row.get::<_, i64>(1)?.unsigned_abs();
        let (work, reports) = (work_of(connection, case)?, reports_of(connection, case)?);
        held.push(Held { case, next_number, work, reports });
    }
    Ok(held)
}

fn work_of(connection: &Connection, case: CaseId) -> Result<Vec<HeldWork>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT request, kind FROM work WHERE case_id = ?1 ORDER BY id")?;
    let rows = select.query_map([id(case.0)], |row| Ok((read_id(row, 0)?, row.get(1)?)))?;
    let mut work = Vec::new();
    for row in rows {
        let (request, kind): (Uuid, String) = row?;
        use events::work::WorkKind::{Case, Correction, Withdrawal};
        let kind = [Case, Correction, Withdrawal].into_iter().find(|it| it.token() == kind);
        let request = events::ids::RequestId(request);
        work.extend(kind.map(|kind| HeldWork { request, kind }));
    }
    Ok(work)
}

fn reports_of(connection: &Connection, case: CaseId) -> Result<Vec<HeldReport>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT number, body FROM report
         WHERE case_id = ?1 AND next_send_at IS NULL AND position IS NOT NULL
         ORDER BY number LIMIT ?2",
    )?;
    let most = i64::try_from(events::reconcile::LINES_A_CASE_MAX).unwrap_or(i64::MAX);
    let rows = select.query_map(params![id(case.0), most], |row| {
        let number: i64 = row.get(0)?;
        let hash = bytes_hash(row.get_ref(1)?.as_blob().unwrap_or_default());
        Ok(HeldReport { number: number.unsigned_abs(), hash })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The lists of a day: together they speak for every case there is.
fn lists(
    connection: &Connection,
    identity: &Identity,
    inventory: Uuid,
    day: Date,
) -> Result<Vec<Holdings>, StoreError> {
    let mut chunks: Vec<Vec<Held>> = vec![Vec::new()];
    let mut lines = 0;
    for held in held_on(connection, day)? {
        let more = held.work.len() + held.reports.len() + 1;
        let last = chunks.last().map_or(0, Vec::len);
        if last > 0 && (lines + more > LINES_A_LIST_MAX || last >= CASES_A_LIST_MAX) {
            chunks.push(Vec::new());
            lines = 0;
        }
        lines += more;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(held);
        }
    }
    let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let ends: Vec<Option<CaseId>> = chunks.iter().map(|it| it.last().map(|it| it.case)).collect();
    let lists = chunks.into_iter().enumerate().map(|(at, cases)| Holdings {
        origin: identity.origin.clone(),
        province: identity.province,
        inventory,
        day,
        part: u32::try_from(at).unwrap_or(u32::MAX) + 1,
        parts,
        after: at.checked_sub(1).and_then(|it| ends[it]),
        up_to: ends[at].filter(|_| at + 1 < ends.len()),
        cases,
    });
    Ok(lists.collect())
}

/// When the next inventory or list is due, if any waits.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM listing) THEN 0
                    ELSE (SELECT min(next_send_at) FROM inventory) END",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}

/// What the hub ordered. Returns how many reports go out again.
pub(crate) fn obey(
    connection: &Connection,
    order: &Order,
    today: Date,
    now: Timestamp,
) -> Result<usize, ReportError> {
    if let Some(span) = order.take {
        wish(connection, Occasion::Asked, Some(span), today, now)?;
    }
    let mut again = 0;
    for case in &order.report_again {
        again += crate::ending::send_all_again(connection, *case, now)?;
    }
    let Some(inventory) = order.inventory else { return Ok(again) };
    for day in order.list.iter().take(DAYS_A_MESSAGE_MAX) {
        connection.execute(
            "INSERT INTO listing SELECT id, ?2 FROM inventory WHERE id = ?1 ON CONFLICT DO NOTHING",
            params![id(inventory), day.to_string()],
        )?;
    }
    if let Some(differences) = order.settled {
        connection.execute(
            "UPDATE inventory SET next_send_at = NULL, settled_at = ?2, differences = ?3
             WHERE id = ?1",
            params![id(inventory), now.as_millisecond(), signed(differences)],
        )?;
    }
    Ok(again)
}
