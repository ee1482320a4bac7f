//! What the figures hold for every history, and what each of them counts in a few plain ones.

use events::case::{
    AcceptanceOverdue, BreachExplained, CaseRated, CaseReturned, ComplaintAnswered, ComplaintFiled,
    ConflictingDecision,
};
use events::envelope::{Actor, Event, Position};
use events::ids::StreamName;
use events::province::{ProvinceEnrolled, ProvinceEvent, PublicityStated};
use events::publicity::{Fulfilment, ROWS, Statement};
use events::vocabulary::{Rating, Reason, Stage as Clock};
use events::work::WorkKind;
use proptest::prelude::*;

use super::bench::{Asked, Bench, Told, compute};
use super::fold::{Dimension, Figures, No};
use super::ledger::{Problem, Standing};
use super::period::Period;
use super::publicity::{Punctual, punctual};
use super::report::{Kind, book, digest, json, table};
use super::tally::{Count, Tally};
use crate::sheet::xlsx;
use crate::views::rows::Blame;
use crate::views::tests::stage::*;
use crate::views::tests::world::World;

fn asked(period: &str, at: Option<u64>) -> Asked {
    Asked { period: period.parse().unwrap(), scope: None, at: at.map(Position) }
}

fn figures(stage: &Stage, period: &str) -> Figures {
    compute(&stage.log.readers(), asked(period, None), &mut |_, _| {}).unwrap().unwrap()
}

fn jilin(figures: &Figures) -> Tally {
    figures.cube.groups.get(&(Dimension::Province, "22".into())).cloned().unwrap_or_default()
}

fn sum(tallies: &[Tally], count: Count) -> u64 {
    tallies.iter().map(|it| it.get(count)).sum()
}

#[tokio::test]
async fn a_page_that_does_not_wait_goes_on_without_figures_that_somebody_still_makes() {
    let stage = Stage::new();
    let bench = Bench::new(stage.log.readers());
    let moment = std::time::Duration::from_millis(20);
    let head = stage.log.readers().read(|log| log.head()).unwrap();
    let head = head.map_or(Position(0), |it| it.0);
    let busy = bench.held().await;
    let told = bench.soon(asked("2026-03", None), moment).await.unwrap();
    assert!(matches!(told, Told::NotYet { done: Position(0), of } if of == head), "{told:?}");
    let beyond = Asked { at: Some(Position(head.0 + 1)), ..asked("2026-03", None) };
    let told = bench.soon(beyond, moment).await.unwrap();
    assert!(matches!(told, Told::NoSuchPosition), "{told:?}");
    drop(busy);
    let patient = std::time::Duration::from_secs(60);
    let told = bench.soon(asked("2026-03", None), patient).await.unwrap();
    assert!(matches!(told, Told::Done(_)), "{told:?}");
    // Who does not wait at all has at least what was made last, and nothing that was asked otherwise.
    let _busy = bench.held().await;
    let told = bench.soon(asked("2026-03", None), moment).await.unwrap();
    assert!(matches!(told, Told::NotYet { .. }), "{told:?}");
    assert!(bench.last(&asked("2026-03", None)).is_some());
    assert!(bench.last(&asked("2026-04", None)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_groups_add_up_to_the_total_and_the_months_to_the_league_table(
        steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..60),
    ) {
        let mut world = World::new();
        for step in steps {
            world.give(step);
        }
        let mut months = Vec::new();
        for month in ["2026-03", "2026-04", "2026-05", "2026-06"] {
            let it = figures(&world.stage, month);
            for dimension in Dimension::ALL {
                let groups = it.cube.groups.iter().filter(|group| group.0.0 == dimension);
                let groups: Vec<Tally> = groups.map(|group| group.1.clone()).collect();
                for count in Count::ALL {
                    prop_assert_eq!(sum(&groups, *count), it.cube.total.get(*count), "{:?}", count);
                }
            }
            months.push(it);
        }
        // As the operators' page counts, which forgets no month.
        for row in world.stage.then().provinces().unwrap() {
            let own: Vec<Tally> = months.iter().map(|it| {
                let group = (Dimension::Province, row.province.to_string());
                it.cube.groups.get(&group).cloned().unwrap_or_default()
            }).collect();
            let both = |a, b| sum(&own, a) + sum(&own, b);
            prop_assert_eq!(sum(&own, Count::Received), row.received);
            prop_assert_eq!(sum(&own, Count::MovedIn), row.moved_in);
            prop_assert_eq!(sum(&own, Count::Accepted), row.accepted);
            prop_assert_eq!(sum(&own, Count::Declined), row.declined);
            prop_assert_eq!(sum(&own, Count::Approved), row.completed_approved);
            prop_assert_eq!(sum(&own, Count::Denied), row.completed_denied);
            prop_assert_eq!(sum(&own, Count::Returned), row.returned);
            prop_assert_eq!(both(Count::Corrections, Count::CorrectionsRepeated), row.corrections);
            prop_assert_eq!(both(Count::AcceptanceOnTime, Count::CompletionOnTime), row.on_time);
            let turned = sum(&own, Count::TurnedOutLate);
            let late = both(Count::AcceptanceLate, Count::CompletionLate);
            prop_assert_eq!(late + turned, row.reported_late);
            let overdue = both(Count::AcceptanceOverdue, Count::CompletionOverdue);
            prop_assert_eq!(overdue - turned, row.overdue);
            prop_assert_eq!(own.last().unwrap().get(Count::OpenEnd), row.open);
        }
        // The trend ends with what is open.
        for it in &months {
            let own: Vec<_> = it.cube.groups.iter()
                .filter(|group| group.0.0 == Dimension::Province && !group.0.1.is_empty())
                .collect();
            for ((_, code), tally) in &own {
                // Of a month that the log has not reached there is none.
                if let Some(last) = it.trend(code.parse().ok()).last() {
                    prop_assert_eq!(last.2, tally.get(Count::OpenEnd));
                }
            }
            let all: u64 = own.iter().map(|group| group.1.get(Count::OpenEnd)).sum();
            prop_assert_eq!(it.trend(None).last().map_or(all, |last| last.2), all);
        }
        // What is open when a month ends is open when the next begins.
        for pair in months.windows(2) {
            let (end, start) = (&pair[0].cube.total, &pair[1].cube.total);
            prop_assert_eq!(end.get(Count::OpenEnd), start.get(Count::OpenStart));
        }
    }

    #[test]
    fn a_report_is_the_same_bytes_whenever_and_in_whatever_slices_it_is_made(
        steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        let mut made: Vec<(u64, String, Vec<u8>)> = Vec::new();
        let bytes = |stage: &Stage, at| {
            let asked = asked("2026-03", Some(at));
            let it = compute(&stage.log.readers(), asked, &mut |_, _| {}).unwrap().unwrap();
            let csv = [Kind::Monthly, Kind::Ledger].map(|kind| table(kind, &it).csv()).concat();
            (csv, xlsx(&book(Kind::Monthly, &it)).unwrap())
        };
        let keep = cut.index(steps.len());
        for (number, step) in steps.into_iter().enumerate() {
            world.give(step);
            let head = world.stage.log.readers().read(|log| log.head()).unwrap();
            if let (true, Some((at, _))) = (number == keep, head) {
                let (csv, book) = bytes(&world.stage, at.0);
                made.push((at.0, csv, book));
            }
        }
        for (at, csv, book) in made {
            prop_assert_eq!(bytes(&world.stage, at), (csv, book));
        }
    }
}

fn overdue(until: &str) -> AcceptanceOverdue {
    AcceptanceOverdue { due: day(until) }
}

#[test]
fn a_month_that_is_over_never_changes_and_the_next_one_says_what_turned_out() {
    let mut stage = Stage::new();
    stage.on("2026-03-27").submitted(1, "2026-03-31").given(1, delivered(WorkKind::Case, 1));
    stage.on("2026-04-01");
    let before = figures(&stage, "2026-03");
    assert!(!before.complete, "nothing recorded after its end yet");
    stage.given(1, overdue("2026-03-31"));
    let over = figures(&stage, "2026-03");
    assert!(over.complete);
    assert_eq!(jilin(&over).get(Count::OpenEnd), 1);
    let april = jilin(&figures(&stage, "2026-04"));
    assert_eq!(april.get(Count::AcceptanceOverdue), 1, "it counts when the day has ended");
    assert_eq!(april.get(Count::BlameDesk), 1);
    // Decided in time, as the province says in the same month: it was a late report.
    stage.given(1, accepted("2026-03-31", "2026-04-07"));
    let april = jilin(&figures(&stage, "2026-04"));
    assert_eq!(
        [
            Count::AcceptanceOverdue,
            Count::AcceptanceLate,
            Count::TurnedOutLate,
            Count::BlameAdapter
        ]
        .map(|it| april.get(it)),
        [0, 1, 0, 1]
    );
    assert_eq!(figures(&stage, "2026-03").cube, over.cube);
}

#[test]
fn an_earlier_months_breach_that_turns_out_late_leaves_that_month_as_it_was() {
    let mut stage = Stage::new();
    stage.on("2026-03-27").submitted(1, "2026-03-30").given(1, delivered(WorkKind::Case, 1));
    stage.on("2026-03-31").given(1, overdue("2026-03-30"));
    stage.on("2026-04-01").given(1, accepted("2026-03-30", "2026-04-07"));
    let (march, april) = (figures(&stage, "2026-03"), figures(&stage, "2026-04"));
    assert_eq!(jilin(&march).get(Count::AcceptanceOverdue), 1);
    assert_eq!(jilin(&april).get(Count::TurnedOutLate), 1);
    assert_eq!(jilin(&april).get(Count::AcceptanceLate), 0);
    // The ledger of March goes on learning.
    let entries: Vec<_> = march.ledger.entries().collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].problem, Problem::ReportedLate(Clock::Acceptance));
    assert_eq!(entries[0].standing, Standing::Mended);
    assert_eq!(entries[0].blame, Some(Blame::Adapter));
}

#[test]
fn the_ledger_has_every_kind_of_breach_with_its_explanation_and_its_state() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, delivered(WorkKind::Case, 1));
    stage.on("2026-03-05").given(1, overdue("2026-03-04"));
    stage.submitted(2, "2026-03-09");
    let returned = CaseReturned {
        report: report(5),
        province: province(22),
        reason: Reason::NotThisAuthority,
        division: None,
    };
    stage.given(2, returned);
    stage.given(2, ComplaintFiled { reference: "T-1".into(), channel: "12328".into() });
    let open = figures(&stage, "2026-03");
    assert!(open.ledger.entries().all(|it| it.standing == Standing::Open));
    let note = "系统升级".to_owned();
    let operator = "operator".to_owned();
    stage.given(1, BreachExplained { stage: Clock::Acceptance, operator, note });
    stage.on("2026-04-02").given(1, declined("2026-04-02"));
    stage.given(1, ConflictingDecision { report: report(9), kind: "completed".into() });
    stage.given(2, routed(23, 2)).given(2, ComplaintAnswered { reference: "T-1".into() });
    let it = figures(&stage, "2026-03");
    let told: Vec<_> = it.ledger.entries().map(|it| (it.problem, it.standing)).collect();
    assert_eq!(
        told,
        [
            (Problem::Overdue(Clock::Acceptance), Standing::Mended),
            (Problem::Returned, Standing::Mended),
            (Problem::Complaint, Standing::Mended),
        ],
        "the second decision is April's"
    );
    let first = it.ledger.entries().next().unwrap();
    assert_eq!(first.explanation.as_ref().unwrap().note, "系统升级");
    assert_eq!(first.number, events::ids::CaseNumber::of(case(1), day("2026-03-02")));
    assert_eq!(figures(&stage, "2026-04").ledger.entries().count(), 1);
    assert_eq!(
        it.cube.reasons.get(&(Some(province(22)), Reason::NotThisAuthority, No::Returned)),
        Some(&1)
    );
    let csv = table(Kind::Ledger, &it).csv();
    assert!(csv.contains("系统升级") && csv.contains("受理超期"));
}

#[test]
fn late_facts_count_for_the_province_that_had_the_case_and_not_for_ever() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, delivered(WorkKind::Case, 1));
    stage.given(1, accepted("2026-03-02", "2026-03-05")).given(1, completed("2026-03-02"));
    stage.on("2027-01-04").given(1, CaseRated { rating: Rating::Fair });
    assert_eq!(jilin(&figures(&stage, "2027-01")).get(Count::RatedGood), 1);
    stage.on("2028-01-04").given(1, CaseRated { rating: Rating::Dissatisfied });
    let later = figures(&stage, "2028-01");
    assert_eq!(jilin(&later).get(Count::Rated), 0);
    assert_eq!(later.cube.too_old, 1);
}

#[test]
fn one_provinces_report_holds_nothing_of_any_other() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-04");
    stage.given(
        2,
        CaseReturned {
            report: report(5),
            province: province(22),
            reason: Reason::NotThisAuthority,
            division: None,
        },
    );
    stage.given(2, routed(23, 2));
    let scope = Some(province(23));
    let asked = Asked { scope, ..asked("2026-03", None) };
    let it = compute(&stage.log.readers(), asked, &mut |_, _| {}).unwrap().unwrap();
    assert_eq!(it.cube.total.get(Count::MovedIn), 1);
    assert_eq!(it.cube.total.get(Count::Received), 0);
    assert_eq!(it.ledger.entries().count(), 0, "the return was the other's");
    let csv = table(Kind::Monthly, &it).csv();
    assert!(!csv.contains("吉林"), "{csv}");
}

fn statement(month: &str, posters: u32) -> PublicityStated {
    let mut rows = vec![Fulfilment::default(); ROWS];
    rows[3] = Fulfilment { first: 1, second: posters, text: "=全省窗口".into() };
    let statement = Statement {
        month: month.parse().unwrap(),
        rows,
        carriers_told_share: None,
        knowledge_base: true,
    };
    PublicityStated { by: "22-clerk".into(), statement, sent: None }
}

#[test]
fn publicity_is_summed_up_the_latest_word_counts_and_the_missing_are_named() {
    let mut stage = Stage::new();
    for code in [22, 23, 44] {
        let joined = ProvinceEnrolled { operator: "operator".into() };
        stage.tell(StreamName::Province(province(code)), Event::Province(joined.into()));
    }
    let state = |stage: &mut Stage, on: &str, code: u8, posters: u32| {
        stage.on(on);
        let told: ProvinceEvent = statement("2026-03", posters).into();
        stage.tell(StreamName::Province(province(code)), Event::Province(told));
    };
    state(&mut stage, "2026-03-20", 22, 100);
    state(&mut stage, "2026-03-25", 22, 250);
    state(&mut stage, "2026-03-26", 23, 50);
    let it = figures(&stage, "2026-03");
    let month = "2026-03".parse().unwrap();
    let sums = it.publicity.sums(month);
    assert_eq!((sums.rows[3], sums.provinces, sums.knowledge_bases), ((2, 300), 2, 2));
    let standing: Vec<_> = it
        .publicity
        .of(month)
        .into_iter()
        .map(|it| (it.0.number(), punctual(month, it.1)))
        .collect();
    assert_eq!(standing, [(22, Punctual::InTime), (23, Punctual::Late), (44, Punctual::Missing)]);
    let csv = table(Kind::Publicity, &it).csv();
    assert!(csv.contains("'=全省窗口") && csv.contains("未报 missing"), "{csv}");
}

#[test]
fn a_report_for_programs_names_its_digest_and_every_figure() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04");
    stage.actor = Actor::Province(province(22));
    stage.given(1, delivered(WorkKind::Case, 1));
    let it = figures(&stage, "2026-Q1");
    let told = json(Kind::Quarterly, &it);
    assert_eq!(told["csv_sha256"], digest(&table(Kind::Quarterly, &it).csv()));
    assert_eq!(told["rows"][0]["received"], 1);
    assert_eq!(told["rows"][0]["told"], 1);
    assert_eq!(told["position"], 3);
    for kind in Kind::ALL {
        assert!(json(kind, &it)["rows"].is_array());
        assert!(!xlsx(&book(kind, &it)).unwrap().is_empty());
    }
    assert_eq!("2026-Q1".parse::<Period>().unwrap(), it.period);
}

/// What was issued once is the same bytes with today's code. Whoever means to change it raises
/// `REVISION`, keeps the old arithmetic or says that it cannot be computed any more, and adds a file.
#[test]
fn the_golden_reports_are_made_again_to_the_byte() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    for (log, kind, period) in [
        ("v1", Kind::Monthly, "2026-02"),
        ("v1", Kind::Ledger, "2026-02"),
        ("v1-again", Kind::Quarterly, "2026-Q1"),
        ("v1-statistics", Kind::Publicity, "2026-02"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let told = golden.join(format!("{log}.jsonl"));
        crate::audit::import::import(&told, &path, &mut |_, _| {}).unwrap();
        let readers = crate::log::sqlite::SqliteLog::readers(&path);
        let it = compute(&readers, asked(period, None), &mut |_, _| {}).unwrap().unwrap();
        let csv = table(kind, &it).csv();
        let name = format!("report-{log}-{}-{period}-r{}.csv", kind.words().0, super::REVISION);
        let kept = golden.join(name);
        assert_eq!(csv, std::fs::read_to_string(&kept).unwrap(), "{}", kept.display());
    }
}
