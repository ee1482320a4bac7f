//! A report is issued: the log keeps what it was made of. And it is made again and compared, byte for byte.

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::{Actor, Position};
use events::keeping::{KeepingEvent, StatisticsIssued};
use serde::Deserialize;

use super::{Asked, Bench, Given, Made, ReportWords, Wish, made, page};
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::statistics::fold::Figures;
use crate::statistics::report::{self, Kind};
use crate::statistics::{Period, REVISION};
use crate::web::Rooms;
use crate::web::console::Visitor;
use crate::web::console::form::Posted;
use crate::web::console::shell::{Refused, Shell, shanghai};
use crate::web::console::words::words;
use crate::words::Language;

words! { IssuedWords:
    at: "出具于", "issued at";
    kind: "报表", "report";
    by: "出具人", "by";
    check: "重算核对", "compute again";
    equal: "重算结果逐字节一致", "computed again: equal to the byte";
    different: "重算结果不一致", "computed again: different";
    other_revision: "该报表依据另一口径修订，本版本不能重算", "it follows another revision of the definitions: this version cannot compute it";
    recorded: "出具时 SHA-256", "SHA-256 when issued";
    computed: "重算 SHA-256", "SHA-256 now";
    none: "尚未出具报表", "no report was issued yet";
    event: "留痕位置", "recorded at position";
}

struct Row {
    position: u64,
    at: String,
    kind: &'static str,
    period: String,
    scope: String,
    figures_at: u64,
    by: String,
    link: String,
}

struct Checked {
    mark: &'static str,
    said: &'static str,
    recorded: String,
    computed: String,
    csv: String,
    xlsx: String,
    of: Row,
}

#[derive(Template)]
#[template(path = "console/issued.html")]
struct IssuedPage {
    shell: Shell,
    words: &'static ReportWords,
    issued: &'static IssuedWords,
    checked: Option<Checked>,
    rows: Vec<Row>,
}

/// What a form brings: which report, and the very position whose figures were looked at.
#[derive(Deserialize)]
pub(in super::super) struct Form {
    kind: String,
    period: String,
    #[serde(default)]
    province: String,
    at: String,
}

pub(in super::super) async fn issue(
    State(rooms): State<Rooms>,
    Extension(bench): Extension<Bench>,
    Posted(visitor, form): Posted<Form>,
) -> Response {
    match issued(&rooms, &visitor, &bench, form).await {
        Ok(Some(position)) => {
            Redirect::to(&format!("/reports/issued?at={position}")).into_response()
        }
        Ok(None) => Redirect::to("/reports/issued").into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn issued(
    rooms: &Rooms,
    visitor: &Visitor,
    bench: &Bench,
    form: Form,
) -> Result<Option<Position>, Problem> {
    let asked = Asked {
        kind: form.kind,
        period: form.period,
        province: form.province,
        at: form.at,
        ..Asked::default()
    };
    let wish = asked.wish(rooms, visitor, Kind::Monthly)?;
    let Made::Here(figures) = made(bench, &wish).await? else {
        return Err(Problem::new("busy"));
    };
    let operator = visitor.account()?.name.clone();
    let event = StatisticsIssued {
        kind: wish.kind.words().0.to_owned(),
        period: wish.period.to_string(),
        province: wish.scope,
        revision: REVISION,
        position: figures.position.0,
        csv_sha256: report::digest(&report::table(wish.kind, &figures).csv()),
        operator: operator.clone(),
    };
    let ask = Ask {
        actor: Actor::Operator(operator),
        occurred_at: rooms.clock.now(),
        caused_by: None,
        what: What::Keeping(KeepingEvent::StatisticsIssued(event)),
    };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(events) => Ok(events.first().map(|it| it.position)),
        Answer::NothingNew(_) => Ok(None),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

/// All of them; with `at`, the one that was recorded there, computed again.
pub(in super::super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let read = given.map_err(|_| Problem::new("bad-parameter")).and_then(|Query(asked)| {
        let one = match asked.at.as_str() {
            "" => None,
            text => Some(Position(text.parse().map_err(|_| super::bad("at"))?)),
        };
        let now = Asked::default().wish(&rooms, &visitor, Kind::Monthly)?;
        Ok((one, now))
    });
    let (one, now) = match read {
        Ok(read) => read,
        Err(problem) => return Refused(visitor, problem).into_response(),
    };
    let draw = async |figures: &Figures| draw(&rooms, &visitor, &bench, one, figures).await;
    page(&rooms, &visitor, &bench, &now, draw).await
}

async fn draw(
    rooms: &Rooms,
    visitor: &Visitor,
    bench: &Bench,
    one: Option<Position>,
    figures: &Figures,
) -> Result<IssuedPage, Problem> {
    let language = visitor.language;
    // One province sees its own reports only.
    let own: Vec<_> = figures
        .issued
        .iter()
        .filter(|it| visitor.sees().province().is_none_or(|own| it.2.province == Some(own)))
        .collect();
    let row = |it: &(Position, jiff::Timestamp, StatisticsIssued)| row(it, language);
    let checked = match one {
        None => None,
        Some(at) => {
            let it = own.iter().find(|it| it.0 == at).ok_or_else(|| Problem::new("not-found"))?;
            Some(check(bench, it, row(it), language).await?)
        }
    };
    Ok(IssuedPage {
        shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
        words: ReportWords::of(language),
        issued: IssuedWords::of(language),
        checked,
        rows: own.into_iter().rev().map(row).collect(),
    })
}

fn row(
    (position, at, it): &(Position, jiff::Timestamp, StatisticsIssued),
    language: Language,
) -> Row {
    let english = language == Language::English;
    let kind = Kind::of(&it.kind).map_or("–", |it| {
        let (_, zh, en) = it.words();
        if english { en } else { zh }
    });
    let name = |it: events::ids::ProvinceCode| if english { it.name_en() } else { it.name() };
    Row {
        position: position.0,
        at: shanghai(*at),
        kind,
        period: it.period.clone(),
        scope: it.province.map_or(ReportWords::of(language).all, name).to_owned(),
        figures_at: it.position,
        by: it.operator.clone(),
        link: format!("/reports/issued?at={position}"),
    }
}

async fn check(
    bench: &Bench,
    (_, _, it): &(Position, jiff::Timestamp, StatisticsIssued),
    of: Row,
    language: Language,
) -> Result<Checked, Problem> {
    let words = IssuedWords::of(language);
    let unknown = || Problem::new("not-found");
    let kind = Kind::of(&it.kind).ok_or_else(unknown)?;
    let period: Period = it.period.parse().map_err(|_| unknown())?;
    let wish = Wish { kind, period, scope: it.province, at: Some(Position(it.position)) };
    let mut checked = Checked {
        mark: "soon",
        said: words.other_revision,
        recorded: it.csv_sha256.clone(),
        computed: String::new(),
        csv: wish.address("/reports/table.csv", wish.at, &[]),
        xlsx: wish.address("/reports/table.xlsx", wish.at, &[]),
        of,
    };
    if it.revision != REVISION {
        return Ok(checked);
    }
    let Made::Here(figures) = made(bench, &wish).await? else {
        return Err(Problem::new("busy").retry_after(crate::problem::RETRY_AFTER_BUSY_S));
    };
    checked.computed = report::digest(&report::table(kind, &figures).csv());
    let equal = checked.computed == it.csv_sha256;
    (checked.mark, checked.said) =
        if equal { ("good", words.equal) } else { ("late", words.different) };
    Ok(checked)
}
