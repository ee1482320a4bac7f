//! What operators' graphs show and no event counts: looked at on a slow tick, so that a scrape costs nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use events::ids::ProvinceCode;
use events::province::KeyPurpose;
use events::subjects;
use events::vocabulary::AlertKind;
use hub_core::redrive::Phase;
use jiff::{SignedDuration, Timestamp};
use metrics::{Label, gauge};
use tokio::time::Instant;
use tracing::warn;

use super::House;
use super::alarms::{self, Attendance, Present};
use crate::nats::connect::HubConnection;
use crate::redrive::Waiting;
use crate::views::reader::ViewError;
use crate::views::rows::{Pressure, Waited};
use crate::web::api::health::READY_LAG_MAX;

/// Pause between two looks. Each reads the open cases' indexes once or twice.
const TICK: Duration = Duration::from_secs(10);
/// Heard this long ago or fetching: the adapter is up. An idle province says nothing for hours.
const HEARD_LATELY: SignedDuration = SignedDuration::from_mins(15);
/// Longest that one look asks the broker: then it knows no more than that.
const BROKER_WAIT_MAX: Duration = Duration::from_secs(5);
/// A gauge of whom nothing is known: it compares as neither up nor down.
const UNKNOWN: f64 = f64::NAN;

/// What has been shown, so that what is over goes to nothing instead of staying as it was.
type Shown = BTreeMap<(&'static str, Vec<(&'static str, String)>), f64>;

/// Looks for ever. A look that fails is counted and tried again.
pub(super) async fn run(house: Arc<House>, broker: HubConnection) {
    let mut shown = Shown::new();
    let silent_after = Duration::from_secs(house.config.alerts.adapter_silent_after_s);
    let mut attendance = Attendance::new(silent_after);
    loop {
        let up = *broker.up.borrow();
        gauge!("hub_broker_up").set(flag(up));
        let fetching = if up { fetching(&house, &broker).await } else { BTreeMap::new() };
        let own = house.clone();
        let looked = tokio::task::spawn_blocking(move || look(&own, &fetching)).await;
        match looked {
            Ok(Ok((figures, present))) => {
                show(&mut shown, figures);
                let now = house.clock.now();
                let mut alarms = attendance.silent(up, &present, Instant::now(), now);
                alarms.extend(alarms::held_back(&house.membership, now));
                match house.quarantine.full() {
                    Ok(full) => alarms.extend(alarms::quarantine_full(&full)),
                    Err(error) => failed(&super::super::output::chain(&error.into())),
                }
                house.alarms.set(alarms);
            }
            Ok(Err(error)) => failed(&super::super::output::chain(&error.into())),
            Err(_) => failed("the look died"),
        }
        tokio::time::sleep(TICK).await;
    }
}

fn failed(why: &str) {
    metrics::counter!("hub_figures_failed_total").increment(1);
    warn!(error = why, "cannot look for the gauges: some figures are old");
}

/// What the broker tells of one adapter.
#[derive(Clone, Copy)]
struct Fetching {
    now: bool,
    pending: u64,
}

/// Which adapters have a fetch open. What the broker does not tell in time is left out.
async fn fetching(house: &House, broker: &HubConnection) -> BTreeMap<ProvinceCode, Fetching> {
    let mut told = BTreeMap::new();
    let ask = async {
        let stream = broker.jetstream.get_stream_no_info(subjects::WORK_STREAM).await.ok()?;
        for province in house.membership.enrolled() {
            let Ok(info) = stream.consumer_info(subjects::consumer(province)).await else {
                continue;
            };
            let found = Fetching { now: info.num_waiting > 0, pending: info.num_pending };
            told.insert(province, found);
        }
        Some(())
    };
    let _ = tokio::time::timeout(BROKER_WAIT_MAX, ask).await;
    told
}

/// Names, labels and values of one look.
#[derive(Default)]
struct Figures(Shown);

impl Figures {
    fn put(&mut self, name: &'static str, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|it| (it.0, it.1.to_owned())).collect();
        *self.0.entry((name, labels)).or_default() += value;
    }
}

fn show(shown: &mut Shown, figures: Figures) {
    for (key, value) in shown.iter_mut() {
        // A count that is not found any more is none; of anything else nothing is known.
        let counted = ["hub_alerts", "hub_sla_due", "hub_redrives", "hub_dead_letters"];
        let counted = counted.contains(&key.0);
        *value = if counted { 0.0 } else { UNKNOWN };
    }
    shown.extend(figures.0);
    for ((name, labels), value) in shown {
        let labels: Vec<Label> = labels.iter().map(|it| Label::new(it.0, it.1.clone())).collect();
        gauge!(*name, labels).set(*value);
    }
}

fn look(
    house: &House,
    fetching: &BTreeMap<ProvinceCode, Fetching>,
) -> Result<(Figures, Vec<Present>), ViewError> {
    let mut figures = Figures::default();
    let mut present = Vec::new();
    disks(house, &mut figures);
    let position = house.views.position()?;
    let head = house.readers.read(|log| log.head()).map_err(ViewError::Log)?;
    let lag = head.map_or(0, |it| it.0.0.saturating_sub(position.0));
    figures.put("hub_ready", &[], flag(lag <= READY_LAG_MAX));
    let (now, today) = (house.clock.now(), house.clock.today());
    let soon = house.registrar.rules().calendar.due(today, 1).day;
    let pressures = house.views.pressures(now, today, soon)?;
    // From the first scrape on: an alert can tell 0 from absent.
    for kind in AlertKind::ALL {
        figures.put("hub_alerts", &[("kind", kind.code()), ("province", "")], 0.0);
    }
    for group in house.alarms.with_alerts(&house.views, now, today, soon)? {
        let province = group.province.map_or_else(String::new, |it| it.to_string());
        let labels = [("kind", group.kind.code()), ("province", &province)];
        figures.put("hub_alerts", &labels, group.count as f64);
    }
    let heard: BTreeMap<_, _> =
        house.views.provinces()?.into_iter().map(|it| (it.province, it.last_heard_at)).collect();
    let waited = house.views.waited()?;
    for code in ProvinceCode::all() {
        let pressure = pressures.iter().find(|it| it.province == Some(code)).cloned();
        let enrolled = house.membership.province(code).enrolled;
        if !enrolled && pressure.is_none() {
            continue;
        }
        let waited = waited.iter().find(|it| it.province == code).copied();
        let one = OneProvince {
            code,
            enrolled,
            pressure: pressure.unwrap_or_else(|| Pressure::none(Some(code))),
            waited: waited.unwrap_or(Waited {
                province: code,
                unsigned_since: None,
                unsent_since: None,
            }),
            heard_at: heard.get(&code).copied().flatten(),
            fetching: fetching.get(&code).copied(),
        };
        present.extend(one.present(house, now));
        one.put(house, now, &mut figures);
    }
    if let Some(nowhere) = pressures.iter().find(|it| it.province.is_none()) {
        pressing("", nowhere, &mut figures);
    }
    results(house, now, &mut figures)?;
    strays(house, &mut figures);
    redrives(house, &mut figures)?;
    Ok((figures, present))
}

/// The open cases of a province, or of none.
fn pressing(province: &str, it: &Pressure, figures: &mut Figures) {
    let Pressure { open, soon, overdue, .. } = *it;
    for (state, count) in [("open", open), ("due-soon", soon), ("overdue", overdue)] {
        figures.put("hub_sla_due", &[("province", province), ("state", state)], count as f64);
    }
}

struct OneProvince {
    code: ProvinceCode,
    enrolled: bool,
    pressure: Pressure,
    waited: Waited,
    heard_at: Option<Timestamp>,
    fetching: Option<Fetching>,
}

impl OneProvince {
    fn put(&self, house: &House, now: Timestamp, figures: &mut Figures) {
        let code = self.code.to_string();
        let mine = [("province", code.as_str())];
        pressing(&code, &self.pressure, figures);
        let Waited { unsigned_since, unsent_since, .. } = self.waited;
        figures.put("hub_oldest_unacked_seconds", &mine, age(unsigned_since, now));
        figures.put("hub_dispatch_lag_seconds", &mine, age(unsent_since, now));
        if !self.enrolled {
            return;
        }
        let known = house.membership.province(self.code);
        let away = known.maintenance_until(now).is_some();
        figures.put("hub_adapter_up", &mine, flag(self.is_up(now)));
        figures.put("hub_adapter_maintenance", &mine, flag(away));
        figures.put("hub_adapter_paused", &mine, flag(known.paused));
        if let Some(told) = self.fetching {
            figures.put("hub_work_pending", &mine, told.pending as f64);
        }
        for (purpose, name) in [
            (KeyPurpose::Sign, "sign"),
            (KeyPurpose::Seal, "seal"),
            (KeyPurpose::Connect, "connect"),
        ] {
            let count = known.keys.values().filter(|it| it.purpose == purpose).count();
            let labels = [("province", code.as_str()), ("purpose", name)];
            figures.put("hub_province_keys", &labels, count as f64);
        }
    }

    /// For the roll of adapters: nobody is missed who was told to stay away.
    fn present(&self, house: &House, now: Timestamp) -> Option<Present> {
        let known = house.membership.province(self.code);
        let away = known.paused || known.maintenance_until(now).is_some();
        let (code, heard_at) = (self.code, self.heard_at);
        let fetching = self.fetching.is_some_and(|it| it.now);
        (self.enrolled && !away).then_some(Present { code, heard_at, fetching })
    }

    /// It is there, and what is sent to it is signed for.
    fn is_up(&self, now: Timestamp) -> bool {
        let heard = self.heard_at.is_some_and(|it| now.duration_since(it) < HEARD_LATELY);
        let there = heard || self.fetching.is_some_and(|it| it.now);
        there && self.pressure.silent == 0
    }
}

/// The oldest result of each client that reads or is called.
fn results(house: &House, now: Timestamp, figures: &mut Figures) -> Result<(), ViewError> {
    for client in &house.config.clients {
        let first = events::envelope::Position(0);
        let oldest = house.views.feedback(Some(&client.name), first, 1)?;
        let since = oldest.first().map(|it| it.ended_at);
        let labels = [("client", client.name.as_str())];
        figures.put("hub_feedback_oldest_seconds", &labels, age(since, now));
    }
    Ok(())
}

fn strays(house: &House, figures: &mut Figures) {
    figures.put("hub_quarantine_messages", &[("reason", "unreadable")], 0.0);
    match house.quarantine.counts() {
        Ok(counts) => {
            for (_, reason, count) in counts {
                figures.put("hub_quarantine_messages", &[("reason", &reason)], count as f64);
            }
        }
        Err(error) => failed(&super::super::output::chain(&error.into())),
    }
}

fn redrives(house: &House, figures: &mut Figures) -> Result<(), ViewError> {
    for phase in [Phase::Waiting, Phase::Running, Phase::Paused] {
        figures.put("hub_redrives", &[("phase", phase.code())], 0.0);
    }
    for it in house.views.open_redrives()? {
        figures.put("hub_redrives", &[("phase", it.phase.code())], 1.0);
    }
    let waiting = Waiting { views: house.views.clone(), quarantine: house.quarantine.clone() };
    match waiting.groups() {
        Ok(groups) => {
            for it in groups {
                figures.put("hub_dead_letters", &[("of", it.of.code())], it.count as f64);
            }
        }
        Err(error) => failed(&super::super::output::chain(&error.into())),
    }
    Ok(())
}

fn disks(house: &House, figures: &mut Figures) {
    let checkpoints = house.config.checkpoints.parent().unwrap_or(Path::new("."));
    for (folder, path) in [("data", house.config.data.as_path()), ("checkpoints", checkpoints)] {
        match rustix::fs::statvfs(path) {
            Ok(told) => {
                let bytes = |blocks: u64| blocks as f64 * told.f_frsize as f64;
                figures.put("hub_disk_free_bytes", &[("folder", folder)], bytes(told.f_bavail));
                figures.put("hub_disk_size_bytes", &[("folder", folder)], bytes(told.f_blocks));
            }
            Err(error) => failed(&format!("cannot ask for the room of `{folder}`: {error}")),
        }
    }
}

/// Seconds since then; nothing waits: 0.
fn age(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |it| now.duration_since(it).as_secs_f64().max(0.0))
}

fn flag(it: bool) -> f64 {
    f64::from(u8::from(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jilin(silent: u64, heard_minutes_ago: Option<i64>, fetching: Option<bool>) -> bool {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let code: ProvinceCode = "22".parse().unwrap();
        let one = OneProvince {
            code,
            enrolled: true,
            pressure: Pressure { silent, ..Pressure::none(Some(code)) },
            waited: Waited { province: code, unsigned_since: None, unsent_since: None },
            heard_at: heard_minutes_ago.map(|it| now - SignedDuration::from_mins(it)),
            fetching: fetching.map(|now| Fetching { now, pending: 0 }),
        };
        one.is_up(now)
    }

    #[test]
    fn an_adapter_is_up_if_it_is_there_and_signs_for_what_it_gets() {
        assert!(jilin(0, Some(14), None), "heard lately");
        assert!(jilin(0, None, Some(true)), "idle and fetching");
        assert!(!jilin(0, Some(16), Some(false)), "gone");
        assert!(!jilin(0, None, None), "never there");
        assert!(!jilin(1, Some(1), Some(true)), "there, and signs for nothing");
    }

    #[test]
    fn what_is_not_found_any_more_does_not_stay_as_it_was() {
        let mut shown = Shown::new();
        let mut first = Figures::default();
        first.put("hub_alerts", &[("kind", "parked")], 2.0);
        first.put("hub_adapter_up", &[("province", "22")], 0.0);
        show(&mut shown, first);
        show(&mut shown, Figures::default());
        let values: Vec<f64> = shown.into_values().collect();
        assert!(values[0].is_nan(), "it left: neither up nor down");
        assert_eq!(values[1], 0.0, "nothing is parked");
    }
}
