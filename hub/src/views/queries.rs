//! The questions to the file, in SQL. Texts are ours; only values come from outside.

use events::envelope::Position;
use events::ids::{CaseId, ProvinceCode};
use events::vocabulary::AlertKind;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::views::acts::Acts;
use crate::views::alerts::kind_number;
use crate::views::cells::bytes_of;
use crate::views::due_days::Running;
use crate::views::file::failed;
use crate::views::lookup::Indexed;
use crate::views::outbox::Asked;
use crate::views::reader::{CaseFilter, Order, PAGE_ROWS_MAX, ViewError};
use crate::views::rows::{AlertGroup, AlertRow, DueRow, Pressure, Waited};
use crate::views::status::{StatusRow, day_number};
use crate::views::table::{Row, broken, row_of};

/// Forwarded this long ago without a signed receipt: "nothing came back".
const NOTHING_CAME_BACK_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// A count or position as SQLite has it.
pub(crate) fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(crate) fn position(file: &Connection) -> Result<Position, ViewError> {
    let position: Option<i64> = file
        .query_row("SELECT min(position) FROM cursor", [], |it| it.get(0))
        .map_err(failed("read the cursor of"))?;
    Ok(Position(position.unwrap_or(0).unsigned_abs()))
}

/// The rows that `tail` selects and orders. `tail` is ours; only `values` come from outside.
pub(crate) fn rows<R: Row>(
    file: &Connection,
    tail: &str,
    values: Vec<Value>,
) -> Result<Vec<R>, ViewError> {
    let sql = format!("SELECT row FROM {} {tail}", R::NAME);
    let mut select = file.prepare_cached(&sql).map_err(broken::<R>("read"))?;
    let mut found = select.query(params_from_iter(values)).map_err(broken::<R>("read"))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(broken::<R>("read"))? {
        let bytes = row.get_ref(0).map_err(broken::<R>("read"))?;
        rows.push(row_of(bytes.as_blob().unwrap_or_default())?);
    }
    Ok(rows)
}

pub(crate) fn by_key<R: Row>(file: &Connection, key: &R::Key) -> Result<Option<R>, ViewError> {
    let sql = format!("SELECT row FROM {} WHERE key = ?1", R::NAME);
    let mut select = file.prepare_cached(&sql).map_err(broken::<R>("read"))?;
    let bytes: Option<Vec<u8>> = select
        .query_row([bytes_of(key)], |it| it.get(0))
        .optional()
        .map_err(broken::<R>("read"))?;
    bytes.map(|it| row_of(&it)).transpose()
}

/// The filter as conditions, each followed by `AND`, and their values; without the moment of recording,
/// which is a part of [`place`].
pub(crate) fn narrow(filter: &CaseFilter) -> (String, Vec<Value>) {
    let text = |it: &str| Value::Text(it.to_owned());
    let day = |it: Date| Value::Integer(day_number(it));
    let province = |it: ProvinceCode| Value::Integer(it.number().into());
    let hour = filter.ended.and_then(|it| it.hour);
    // What leads: few cases have it, and an index of its own holds them in the order of the list.
    let leading = [
        ("ended_on =", filter.ended.map(|it| day(it.day))),
        ("ended_hour =", hour.map(|it| Value::Integer(it.into()))),
        ("outcome =", filter.outcome.map(|it| text(it.code()))),
        ("first_province =", filter.first_province.map(province)),
    ];
    let others = [
        ("province =", filter.province.map(province)),
        ("stage =", filter.stage.map(|it| text(it.code()))),
        ("item =", filter.item.map(|it| text(it.code()))),
        ("category =", filter.category.map(|it| text(it.code()))),
        ("channel =", filter.channel.map(|it| text(it.code()))),
        ("client =", filter.client.as_deref().map(text)),
        ("open = 1 AND due >=", filter.due_from.map(day)),
        ("open = 1 AND due <", filter.due_before.map(day)),
    ];
    let (mut conditions, mut values) = (String::new(), Vec::new());
    // To SQLite every index that fits one value looks equally good; a plus keeps it from the others.
    let mut free = "";
    if filter.waiting == Some(true) {
        conditions.push_str("waiting = 1 AND ");
        free = "+";
    }
    let mut and = |free: &str, condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            conditions.push_str(&format!("{free}{condition} ?{} AND ", values.len()));
        }
    };
    for (condition, value) in leading {
        let leads = value.is_some();
        and(free, condition, value);
        free = if leads { "+" } else { free };
    }
    for (condition, value) in others {
        and(free, condition, value);
    }
    if filter.nowhere {
        conditions.push_str(&format!("{free}province IS NULL AND "));
    }
    // Written out, so that the partial indexes are found.
    if filter.waiting == Some(false) {
        conditions.push_str("waiting = 0 AND ");
    }
    for (column, asked) in [("open", filter.open), ("overdue", filter.overdue)] {
        if let Some(asked) = asked {
            conditions.push_str(&format!("{free}{column} = {} AND ", u8::from(asked)));
        }
    }
    (conditions, values)
}

/// Which part of the list a page is: behind the page before, and within what was recorded in time. One
/// bound at each end, because SQLite begins and stops at one only.
pub(crate) fn place(
    order: Order,
    after: Option<u64>,
    recorded: Option<(u64, u64)>,
    values: &mut Vec<Value>,
) -> String {
    let (first, end) = recorded.unwrap_or((0, i64::MAX as u64));
    let (from, until, direction) = match order {
        Order::Newest => (first, after.map_or(end, |it| it.min(end)), "DESC"),
        Order::Oldest => (after.map_or(first, |it| (it.saturating_add(1)).max(first)), end, "ASC"),
    };
    values.extend([whole(from), whole(until)]);
    let count = values.len();
    format!("position >= ?{} AND position < ?{count} ORDER BY position {direction}", count - 1)
}

pub(crate) fn outbox_of(
    file: &Connection,
    province: ProvinceCode,
    count_max: usize,
) -> Result<Vec<Asked>, ViewError> {
    let values = vec![Value::Integer(province.number().into()), whole(count_max as u64)];
    let tail = "WHERE province = ?1 AND touched_at IS NOT NULL ORDER BY touched_at LIMIT ?2";
    rows(file, tail, values)
}

/// The cases whose index column has this value.
pub(crate) fn of_index(file: &Connection, column: Vec<u8>) -> Result<Vec<CaseId>, ViewError> {
    let tail = "WHERE blind_index = ?1 ORDER BY key LIMIT ?2";
    let values = vec![Value::Blob(column), whole(PAGE_ROWS_MAX as u64)];
    Ok(rows::<Indexed>(file, tail, values)?.into_iter().map(|it| it.case).collect())
}

/// An alert that is told and not recorded.
fn told(
    file: &Connection,
    case: CaseId,
    kind: AlertKind,
    raised_at: Timestamp,
    clock: Option<&DueRow>,
) -> Result<Option<AlertRow>, ViewError> {
    let Some(status) = by_key::<StatusRow>(file, &case)? else { return Ok(None) };
    Ok(Some(AlertRow {
        position: status.row.position,
        kind,
        case,
        number: status.row.number,
        province: status.row.province,
        stage: clock.map(|it| it.stage),
        due: clock.map(|it| it.due.day),
        raised_at,
        ended_at: None,
        blame: None,
        acts: Acts::default(),
    }))
}

pub(crate) fn nothing_came_back(
    file: &Connection,
    now: Timestamp,
    province: Option<ProvinceCode>,
    count_max: usize,
) -> Result<Vec<AlertRow>, ViewError> {
    let Ok(latest) = now.checked_sub(NOTHING_CAME_BACK_AFTER) else { return Ok(vec![]) };
    let mut values = vec![Value::Integer(latest.as_microsecond()), whole(count_max as u64)];
    let narrowed = match province {
        None => "",
        Some(code) => {
            values.push(Value::Integer(code.number().into()));
            "province = ?3 AND"
        }
    };
    let tail = format!(
        "WHERE {narrowed} silent_since IS NOT NULL AND silent_since < ?1
         ORDER BY silent_since LIMIT ?2"
    );
    let mut alerts = Vec::new();
    for asked in rows::<Asked>(file, &tail, values)? {
        let since = asked.first_attempt_at.unwrap_or(asked.since);
        alerts.extend(told(file, asked.case, AlertKind::NothingCameBack, since, None)?);
    }
    Ok(alerts)
}

pub(crate) fn due_soon(
    file: &Connection,
    now: Timestamp,
    soon: Date,
    (province, nowhere): (Option<ProvinceCode>, bool),
    count_max: usize,
) -> Result<Vec<AlertRow>, ViewError> {
    let today = hub_core::calendar::shanghai_date(now);
    let days = [day_number(today), day_number(soon)].map(Value::Integer);
    let mut values: Vec<Value> = days.into_iter().chain([whole(count_max as u64)]).collect();
    let narrowed = match province {
        None if nowhere => {
            "AND EXISTS (SELECT 1 FROM status WHERE status.key = due_days.key AND province IS NULL)"
        }
        None => "",
        Some(code) => {
            values.push(Value::Integer(code.number().into()));
            "AND EXISTS (SELECT 1 FROM status WHERE status.key = due_days.key AND province = ?4)"
        }
    };
    let tail = format!(
        "WHERE running = 1 AND due >= ?1 AND due <= ?2 {narrowed} ORDER BY due, key LIMIT ?3"
    );
    let mut alerts = Vec::new();
    for running in rows::<Running>(file, &tail, values)? {
        let row = &running.row;
        alerts.extend(told(file, row.case, AlertKind::DueSoon, now, Some(row))?);
    }
    Ok(alerts)
}

/// Counted over the open cases and over what is silent; provinces without either are left out. Cases that
/// no province has are a line of their own.
pub(crate) fn pressures(
    file: &Connection,
    now: Timestamp,
    today: Date,
    soon: Date,
) -> Result<Vec<Pressure>, ViewError> {
    let failed = || broken::<StatusRow>("count");
    let mut found: Vec<Pressure> = Vec::new();
    let sql =
        "SELECT province, count(*), sum(overdue = 0 AND due >= ?1 AND due <= ?2), sum(overdue)
        FROM status WHERE open = 1 GROUP BY province";
    let mut select = file.prepare_cached(sql).map_err(failed())?;
    let mut rows = select.query([day_number(today), day_number(soon)]).map_err(failed())?;
    let number = |row: &rusqlite::Row<'_>, at| -> rusqlite::Result<u64> {
        Ok(row.get::<_, Option<i64>>(at)?.unwrap_or(0).unsigned_abs())
    };
    while let Some(row) = rows.next().map_err(failed())? {
        let code: Option<i64> = row.get(0).map_err(failed())?;
        let province = code.and_then(province_of);
        let count = |at| number(row, at).map_err(failed());
        found.push(Pressure {
            open: count(1)?,
            soon: count(2)?,
            overdue: count(3)?,
            ..Pressure::none(province)
        });
    }
    let Ok(latest) = now.checked_sub(NOTHING_CAME_BACK_AFTER) else { return Ok(found) };
    let sql = "SELECT province, count(*) FROM outbox
        WHERE silent_since IS NOT NULL AND silent_since < ?1 GROUP BY province";
    let mut select = file.prepare_cached(sql).map_err(failed())?;
    let mut rows = select.query([latest.as_microsecond()]).map_err(failed())?;
    while let Some(row) = rows.next().map_err(failed())? {
        let Some(province) = province_of(row.get(0).map_err(failed())?) else { continue };
        let silent = number(row, 1).map_err(failed())?;
        match found.iter_mut().find(|it| it.province == Some(province)) {
            Some(it) => it.silent = silent,
            None => found.push(Pressure { silent, ..Pressure::none(Some(province)) }),
        }
    }
    Ok(found)
}

/// One line for each province that something waits for.
pub(crate) fn waited(file: &Connection) -> Result<Vec<Waited>, ViewError> {
    let failed = || broken::<Asked>("count");
    // What was never attempted was touched when it came up.
    let sql = "SELECT province, min(silent_since), min(iif(silent_since IS NULL, touched_at, NULL))
        FROM outbox WHERE touched_at IS NOT NULL GROUP BY province";
    let mut select = file.prepare_cached(sql).map_err(failed())?;
    let mut rows = select.query([]).map_err(failed())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed())? {
        let Some(province) = province_of(row.get(0).map_err(failed())?) else { continue };
        let moment = |at| {
            let told: Option<i64> = row.get(at).map_err(failed())?;
            Ok(told.and_then(|it| Timestamp::from_microsecond(it).ok()))
        };
        found.push(Waited { province, unsigned_since: moment(1)?, unsent_since: moment(2)? });
    }
    Ok(found)
}

pub(crate) fn alert_groups(
    file: &Connection,
    now: Timestamp,
    today: Date,
    soon: Date,
) -> Result<Vec<AlertGroup>, ViewError> {
    let failed = || broken::<AlertRow>("count");
    let sql = "SELECT kind, province, count(*), min(raised_at), sum(acknowledged),
        sum(silenced_until IS NOT NULL AND silenced_until > ?1)
        FROM alerts WHERE open = 1 GROUP BY kind, province";
    let mut select = file.prepare_cached(sql).map_err(failed())?;
    let mut rows = select.query([now.as_microsecond()]).map_err(failed())?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next().map_err(failed())? {
        let number: i64 = row.get(0).map_err(failed())?;
        let Some(kind) = AlertKind::ALL.iter().copied().find(|it| kind_number(*it) == number)
        else {
            continue;
        };
        let province: Option<i64> = row.get(1).map_err(failed())?;
        let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs).map_err(failed());
        let oldest: i64 = row.get(3).map_err(failed())?;
        groups.push(AlertGroup {
            kind,
            province: province.and_then(province_of),
            count: count(2)?,
            oldest: Timestamp::from_microsecond(oldest).ok(),
            acknowledged: count(4)?,
            silenced: count(5)?,
        });
    }
    let waited = waited(file)?;
    let unsigned_since = |province: Option<ProvinceCode>| {
        waited.iter().find(|it| Some(it.province) == province).and_then(|it| it.unsigned_since)
    };
    for it in pressures(file, now, today, soon)? {
        let province = it.province;
        let told = [
            (AlertKind::DueSoon, it.soon, None),
            (AlertKind::NothingCameBack, it.silent, unsigned_since(province)),
        ];
        for (kind, count, oldest) in told.into_iter().filter(|it| it.1 > 0) {
            groups.push(AlertGroup::untouched(kind, province, count, oldest));
        }
    }
    Ok(groups)
}

fn province_of(number: i64) -> Option<ProvinceCode> {
    ProvinceCode::all().find(|it| i64::from(it.number()) == number)
}
