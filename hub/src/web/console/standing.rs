//! How a province stands beyond the counters: the month's trend, its link, its oldest open case, which adapter speaks for it and until when it is certified.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use events::envelope::{Actor, Event};
use events::ids::{ProvinceCode, StreamName};
use events::province::ProvinceEvent;
use events::wire::report_from_bytes;
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;

use super::shell::shanghai;
use super::trend::{self, Trend};
use crate::problem::Problem;
use crate::sheet::Cell;
use crate::statistics::bench::{Asked, Bench, Told};
use crate::statistics::definitions::figure;
use crate::statistics::fold::{Dimension, Figures, No};
use crate::statistics::period::Period;
use crate::statistics::tally::Tally;
use crate::views::reader::{CaseFilter, Order};
use crate::web::Rooms;
use crate::words::{Language, either};

/// Of how many of the newest cases the story is read for the adapter's version.
const STORIES_READ: usize = 5;

/// How long a page of counters waits for the month's figures. The page is to answer within 100 ms; with a
/// million cases the first fold of a month takes seconds, and the page that looks again has it.
const MONTH_WAIT: Duration = Duration::from_millis(50);

/// This month's figures of all provinces, if they can be had at once, or those that somebody saw last: a page
/// of counters does not wait for them.
pub(super) async fn month(rooms: &Rooms, bench: &Bench) -> Option<Arc<Figures>> {
    let period = Period::month_of(rooms.clock.today())?;
    let asked = Asked { period, scope: None, at: None };
    match bench.soon(asked, MONTH_WAIT).await {
        Ok(Told::Done(figures)) => Some(figures),
        Ok(Told::NotYet { .. } | Told::NoSuchPosition | Told::Busy) => bench.last(&asked),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "no figures for the provinces' page");
            None
        }
    }
}

/// Stands for a figure that is not known yet: `–` would say that there is none.
const STILL_COUNTED: &str = "…";

/// What the month's figures add to a province's row.
pub(super) struct Added {
    /// Number of the oldest open case, and the day on which it was submitted.
    pub(super) oldest: Option<(String, String)>,
    /// What stands where there is none: nothing, or not known yet.
    pub(super) none: &'static str,
    /// How much of the time its link was up.
    pub(super) link: String,
    /// Why it says no most often.
    pub(super) reason: String,
}

fn shown(tally: Option<&Tally>, id: &str) -> String {
    let cell = figure(id).zip(tally).map_or(Cell::Empty, |(figure, tally)| (figure.cell)(tally));
    cell.shown()
}

pub(super) fn added(month: Option<&Figures>, code: ProvinceCode, language: Language) -> Added {
    let Some(month) = month else {
        let [link, reason] = [STILL_COUNTED; 2].map(str::to_owned);
        return Added { oldest: None, none: STILL_COUNTED, link, reason };
    };
    let group = (Dimension::Province, code.to_string());
    let tally = month.cube.groups.get(&group);
    let mut reasons: BTreeMap<_, u64> = BTreeMap::new();
    for ((province, reason, no), count) in &month.cube.reasons {
        if *province == Some(code) && *no != No::Returned {
            *reasons.entry(*reason).or_default() += count;
        }
    }
    let first = reasons.iter().max_by_key(|it| (*it.1, std::cmp::Reverse(*it.0)));
    Added {
        oldest: tally
            .and_then(|it| it.oldest.as_ref())
            .map(|it| (it.1.to_string(), shanghai_date(it.0).to_string())),
        none: "–",
        link: shown(tally, "link_availability"),
        reason: first.map_or_else(
            || "–".to_owned(),
            |(reason, count)| format!("{} {count}", either(reason.zh(), reason.en(), language)),
        ),
    }
}

/// The month's trend of one province.
pub(super) fn trend_of(month: Option<&Figures>, code: ProvinceCode) -> Option<Trend> {
    month.map(|it| trend::draw(&it.trend(Some(code))))
}

/// Which adapter spoke last, and when, as far as the newest cases tell.
pub(super) async fn last_adapter(
    rooms: &Rooms,
    code: ProvinceCode,
) -> Result<Option<(String, Timestamp)>, Problem> {
    let filter = CaseFilter { province: Some(code), ..CaseFilter::default() };
    let newest = rooms
        .aside(move |views| views.cases_in(&filter, Order::Newest, None, STORIES_READ))
        .await?;
    let cases: Vec<_> = newest.rows.iter().map(|it| it.case).collect();
    let told = rooms.readers.read_aside(move |log| {
        let mut last: Option<(String, Timestamp)> = None;
        for case in cases {
            let story = log.read_stream(&StreamName::Case(case))?;
            let said = story.iter().rev().find_map(|it| {
                let evidence = it.envelope.evidence.as_ref()?;
                let own = it.envelope.actor == Actor::Province(code);
                let report = report_from_bytes(&evidence.bytes).ok()?.report;
                own.then_some((report.adapter, it.recorded_at))
            });
            last = last.into_iter().chain(said).max_by_key(|it| it.1);
        }
        Ok(last)
    });
    Ok(told.await?)
}

/// Who paused it last, when and why.
pub(super) async fn paused_by(rooms: &Rooms, code: ProvinceCode) -> Result<String, Problem> {
    let told = rooms.readers.read_aside(move |log| {
        let story = log.read_stream(&StreamName::Province(code))?;
        let last = story.iter().rev().find_map(|it| match &it.envelope.event {
            Event::Province(ProvinceEvent::ProvincePaused(paused)) => {
                let at = shanghai(it.recorded_at);
                Some(format!("{} {at}：{}", paused.operator, paused.reason))
            }
            _ => None,
        });
        Ok(last.unwrap_or_default())
    });
    Ok(told.await?)
}
