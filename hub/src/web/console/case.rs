//! One case: both clocks with the paper each rests on, why it is late and who holds it, and every step in words.

use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{ProvinceCode, StreamName};
use events::vocabulary::DueDay;
use hub_core::calendar::shanghai_date;
use jiff::civil::Date;

use super::deeds::{COMPLAINT_CHANNELS, PURPOSES};
use super::person::{self, Person};
use super::shell::{Shell, shanghai, told};
use super::why::{self, Why};
use super::words::words;
use super::{May, Visitor, tiles};
use crate::problem::Problem;
use crate::registrar::case_event;
use crate::views::rows::{CaseRow, CaseStage};
use crate::web::Rooms;
use crate::words::{self, Language};

words! { CaseWords:
    clocks: "时限", "Due days";
    acceptance: "受理", "acceptance";
    completion: "办结", "completion";
    due_by: "应于", "due by";
    until: "24:00 前，依据", "24:00, by";
    provisional: "暂定：有年份的放假安排尚未公布", "provisional: a year's calendar is not published";
    met: "已按时", "met";
    missed: "超期", "late by";
    running: "进行中", "running";
    days: "天", "days";
    now: "现在何处", "Where it is now";
    story: "经过", "Story";
    case: "办件", "Case";
    item: "事项", "item";
    category: "类别", "category";
    channel: "渠道", "channel";
    province: "承办省份", "province";
    authority: "发证机关", "issuing authority";
    submitted: "提交时间", "submitted";
    national: "国家平台号", "national number";
    attempts: "发送次数", "attempts";
    at_position: "位置", "position";
    hash: "哈希", "hash";
    rests_on: "依据经过中的位置", "follows from positions";
    by_channel: "投诉渠道", "complained through";
    signed: "附省级签名", "signed by the province";
    claimed: "省级自报时间", "the province's own moment";
    none: "—", "—";
    person: "申请人", "Applicant";
    reveal: "查看明文（须写明理由，留痕）", "show in clear (give a reason; it is recorded)";
    purpose: "事由", "purpose";
    ticket: "工单号或说明（勿写个人信息）", "ticket or note (nothing personal)";
    show: "查看并记录", "show and record";
    shown: "明文只在本页显示一次，查看已留痕。", "Shown once on this page; the look is on record.";
    deeds: "处理", "What can be done";
    note_down: "记一条备注（勿写个人信息）", "note something down (nothing personal)";
    complain: "登记投诉", "file a complaint";
    answer: "答复投诉", "answer a complaint";
    reference: "投诉编号", "complaint number";
    explain: "说明超期原因", "explain the breach";
    clock: "时限", "clock";
    note: "说明", "note";
    park: "暂停转办", "park";
    release: "恢复转办", "release";
    route_to: "改转省份", "send to";
    same: "原省份", "the same province";
    save: "提交并记录", "do it and record it";
}

/// Who sees the masked person and may ask for more. A guest and an auditor do not.
const SEES_PERSON: May = May::OPERATOR.or(May::HOTLINE).or(May::PROVINCE);

/// Of a hash, before somebody points at it.
const HASH_CHARACTERS: usize = 10;

/// One clock as a bar: everything in hundredths of its width.
struct ClockBar {
    name: &'static str,
    mark: &'static str,
    verdict: String,
    due: String,
    papers: String,
    provisional: bool,
    from: String,
    /// Up to now or to the answer.
    past: i64,
    /// Where the due day ends.
    end: i64,
    /// How much of `past` lies behind `end`.
    late: i64,
}

struct Step {
    position: u64,
    hash: String,
    short_hash: String,
    kind: &'static str,
    at: String,
    told: String,
    signed: bool,
    claimed: Option<String>,
}

#[derive(Template)]
#[template(path = "console/case.html")]
pub(super) struct OneCase {
    shell: Shell,
    person: Option<Person>,
    clear: bool,
    may_reveal: bool,
    may_complain: bool,
    may_act: bool,
    parked: bool,
    ended: bool,
    breaches: Vec<(&'static str, &'static str)>,
    purposes: Vec<(&'static str, &'static str)>,
    provinces: Vec<(String, &'static str)>,
    words: &'static CaseWords,
    number: String,
    mark: &'static str,
    stage: &'static str,
    clocks: Vec<ClockBar>,
    where_now: String,
    whys: Vec<Why>,
    channels: Vec<(&'static str, &'static str)>,
    facts: Vec<(&'static str, String)>,
    steps: Vec<Step>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Response {
    told(&visitor, page_with(&rooms, &visitor, &number, false).await)
}

/// The page; `clear` shows the person's values instead of masks, after the look is on record.
pub(super) async fn page_with(
    rooms: &Rooms,
    visitor: &Visitor,
    number: &str,
    clear: bool,
) -> Result<OneCase, Problem> {
    let row = rooms.case(number).await?;
    // Another province's case is not there, rather than forbidden: its number tells nothing.
    if !visitor.sees().shows(row.province) {
        return Err(Problem::new("unknown-case"));
    }
    let stream = StreamName::Case(row.case);
    let story = rooms.readers.read_aside(move |log| log.read_stream(&stream)).await?;
    let language = visitor.language;
    let words = CaseWords::of(language);
    let today = rooms.clock.today();
    let role = visitor.is();
    let person = SEES_PERSON.has(role).then(|| person::of(&story, &rooms.opener, clear, language));
    let shell = Shell::of(rooms, visitor).await?;
    Ok(OneCase {
        // What was asked for once is not fetched again by itself.
        shell: Shell { live: shell.live && !clear, ..shell },
        person,
        clear,
        may_reveal: SEES_PERSON.has(role),
        may_complain: May::OPERATOR.or(May::HOTLINE).has(role),
        may_act: May::OPERATOR.has(role),
        parked: row.stage == CaseStage::Parked,
        ended: row.stage.has_ended(),
        breaches: breaches(&row, language),
        purposes: PURPOSES
            .iter()
            .map(|it| (it.0, if language == Language::Chinese { it.1 } else { it.2 }))
            .collect(),
        provinces: ProvinceCode::all()
            .map(|it| (it.to_string(), tiles::name(it, language)))
            .collect(),
        words,
        number: row.number.to_string(),
        mark: stage_mark(&row),
        stage: stage_name(row.stage, language),
        clocks: clocks(&row, today, words),
        where_now: where_now(&row, language),
        whys: why::of(rooms, &row, &story, language).await?,
        channels: COMPLAINT_CHANNELS
            .iter()
            .map(|it| (it.0, words::either(it.1, it.2, language)))
            .collect(),
        facts: facts(&row, words, language),
        steps: story.iter().filter_map(|it| step(it, language)).collect(),
    })
}

/// Which clocks were missed, for whoever explains it.
fn breaches(row: &CaseRow, language: Language) -> Vec<(&'static str, &'static str)> {
    let words = CaseWords::of(language);
    let both = [
        (row.acceptance_overdue, "acceptance", words.acceptance),
        (row.completion_overdue, "completion", words.completion),
    ];
    both.into_iter().filter(|it| it.0).map(|it| (it.1, it.2)).collect()
}

fn step(it: &Recorded, language: Language) -> Option<Step> {
    let event = case_event(it)?;
    let occurred = it.envelope.occurred_at;
    let signed = it.envelope.evidence.is_some();
    let hash = it.hash.to_string();
    Some(Step {
        position: it.position.0,
        short_hash: hash.chars().take(HASH_CHARACTERS).collect(),
        hash,
        kind: step_kind(event),
        at: shanghai(it.recorded_at),
        told: words::told(event, language),
        signed,
        claimed: signed.then(|| shanghai(occurred)),
    })
}

fn step_kind(event: &CaseEvent) -> &'static str {
    match event {
        CaseEvent::AcceptanceOverdue(_)
        | CaseEvent::CompletionOverdue(_)
        | CaseEvent::CaseUrged(_)
        | CaseEvent::SeriouslyOverdue(_)
        | CaseEvent::ReportRefused(_)
        | CaseEvent::ConflictingDecision(_) => "late",
        CaseEvent::CaseForwarded(_) | CaseEvent::CaseRouted(_) => "run",
        CaseEvent::CaseDelivered(_) | CaseEvent::CaseAccepted(_) | CaseEvent::CaseCompleted(_) => {
            "good"
        }
        _ => "",
    }
}

fn facts(row: &CaseRow, own: &CaseWords, language: Language) -> Vec<(&'static str, String)> {
    let word = |zh, en| words::either(zh, en, language).to_owned();
    vec![
        (own.item, word(row.item.zh(), row.item.en())),
        (own.category, word(row.category.zh(), row.category.en())),
        (own.channel, word(row.channel.zh(), row.channel.en())),
        (own.province, row.province.map_or(own.none, |it| tiles::name(it, language)).to_owned()),
        (own.authority, row.authority_name.clone()),
        (own.submitted, shanghai(row.submitted_at)),
        (own.national, row.client_reference.clone().unwrap_or_else(|| own.none.to_owned())),
        (own.attempts, row.attempts.to_string()),
    ]
}

fn clocks(row: &CaseRow, today: Date, words: &CaseWords) -> Vec<ClockBar> {
    let answered = row.accepted_at.or(row.ended_at).map(shanghai_date);
    let ended = row.ended_at.map(shanghai_date);
    let from = shanghai_date(row.submitted_at);
    let mut bars = vec![clock(
        words.acceptance,
        from,
        &row.acceptance_due,
        answered,
        row.acceptance_overdue,
        today,
        words,
    )];
    if let Some(due) = &row.completion_due {
        let from = row.accepted_at.map_or(from, shanghai_date);
        bars.push(clock(words.completion, from, due, ended, row.completion_overdue, today, words));
    }
    bars
}

fn clock(
    name: &'static str,
    from: Date,
    due: &DueDay,
    answered: Option<Date>,
    overdue: bool,
    today: Date,
    words: &CaseWords,
) -> ClockBar {
    let until = answered.unwrap_or(today).max(from);
    let days = |to: Date| i64::from(from.until(to).map_or(0, |it| it.get_days()));
    // The due day itself belongs to the time allowed, and a bar has a little room behind it.
    let (allowed, passed) = (days(due.day) + 1, days(until) + i64::from(answered.is_none()));
    let whole = allowed.max(passed) + 1;
    let share = |part: i64| part.clamp(0, whole) * 700 / whole.max(1);
    let over = days(until) + 1 - allowed;
    let (mark, verdict) = match (overdue, answered.is_some()) {
        (true, _) => ("late", format!("{} {} {}", words.missed, over.max(1), words.days)),
        (false, true) => ("good", words.met.to_owned()),
        (false, false) => ("run", words.running.to_owned()),
    };
    ClockBar {
        name,
        mark,
        verdict,
        due: due.day.to_string(),
        papers: due.papers.join("、"),
        provisional: due.provisional,
        from: from.to_string(),
        past: share(passed),
        end: share(allowed),
        late: (share(passed) - share(allowed)).max(0),
    }
}

/// The stage in the reader's language.
pub(super) fn stage_name(stage: CaseStage, language: Language) -> &'static str {
    let (zh, en) = match stage {
        CaseStage::Submitted => ("待签收", "not signed for"),
        CaseStage::Delivered => ("待受理", "to be accepted"),
        CaseStage::AwaitingCorrection => ("待补正", "awaiting correction"),
        CaseStage::Accepted => ("已受理", "accepted"),
        CaseStage::Suspended => ("特别程序", "suspended"),
        CaseStage::Parked => ("暂停转办", "parked"),
        CaseStage::Completed => ("已办结", "completed"),
        CaseStage::Declined => ("不予受理", "declined"),
        CaseStage::Withdrawn => ("已撤回", "withdrawn"),
        CaseStage::Lapsed => ("已终止", "lapsed"),
    };
    if language == Language::Chinese { zh } else { en }
}

/// Colour and shape of a case's state.
pub(super) fn stage_mark(row: &CaseRow) -> &'static str {
    let overdue = row.acceptance_overdue || row.completion_overdue;
    match row.stage {
        CaseStage::Parked | CaseStage::Suspended => "pause",
        it if it.has_ended() => {
            if overdue {
                "late"
            } else {
                "good"
            }
        }
        _ if row.seriously_overdue || row.deemed_accepted => "grave",
        _ if overdue => "late",
        _ => "run",
    }
}

/// One sentence that can be read out on the telephone.
pub(super) fn where_now(row: &CaseRow, language: Language) -> String {
    let province = row.province.map_or("—", |it| tiles::name(it, language));
    let chinese = language == Language::Chinese;
    let acceptance = words::due_in_words(&row.acceptance_due, language);
    let completion = row.completion_due.as_ref().map(|it| words::due_in_words(it, language));
    let completion = completion.unwrap_or_default();
    match (row.stage, chinese) {
        (CaseStage::Submitted, true) => {
            format!("已转{province}，省级系统尚未签收；应于 {acceptance}受理。")
        }
        (CaseStage::Submitted, false) => {
            format!("Sent to {province}, not yet signed for; to be accepted by {acceptance}.")
        }
        (CaseStage::Delivered, true) => {
            format!("{province}已签收，尚未受理；应于 {acceptance}受理。")
        }
        (CaseStage::Delivered, false) => {
            format!("{province} holds it and has not accepted it yet; due by {acceptance}.")
        }
        (CaseStage::AwaitingCorrection, true) => {
            format!("{province}已一次性告知补正，等待申请人补齐材料。")
        }
        (CaseStage::AwaitingCorrection, false) => {
            format!("{province} asked for missing materials; the applicant must send them.")
        }
        (CaseStage::Accepted, true) => {
            format!("{province}已受理，正在办理；应于 {completion}办结。")
        }
        (CaseStage::Accepted, false) => {
            format!("{province} accepted it and is deciding; to be completed by {completion}.")
        }
        (CaseStage::Suspended, true) => format!("{province}正在进行特别程序，依法不计时限。"),
        (CaseStage::Suspended, false) => {
            format!("{province} is in a special procedure; the clock stands still by law.")
        }
        (CaseStage::Parked, true) => "暂停转办，等待枢纽运行人员处理。".to_owned(),
        (CaseStage::Parked, false) => "Parked; an operator of the hub must decide.".to_owned(),
        (CaseStage::Completed, true) => format!("{province}已办结。"),
        (CaseStage::Completed, false) => format!("{province} has decided."),
        (CaseStage::Declined, true) => format!("{province}不予受理。"),
        (CaseStage::Declined, false) => format!("{province} declined it."),
        (CaseStage::Withdrawn, true) => "申请人已撤回。".to_owned(),
        (CaseStage::Withdrawn, false) => "The applicant withdrew it.".to_owned(),
        (CaseStage::Lapsed, true) => "逾期未补正，申请已终止。".to_owned(),
        (CaseStage::Lapsed, false) => "Not corrected in time: the application ended.".to_owned(),
    }
}
