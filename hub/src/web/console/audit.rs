//! Audit: the log's head and its signed checkpoints, the whole log verified now, and who did or looked at what.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::Visitor;
use super::audit_words;
use super::form::Posted;
use super::shell::{Refused, Shell, shanghai, told};
use super::tiles::{self, grouped};
use super::visitor::encoded;
use super::words::words;
use crate::problem::Problem;
use crate::views::deeds::DeedRow;
use crate::web::Rooms;
use crate::web::acting::record;
use crate::web::audit_desk::{Verified, Walk};
use crate::words::Language;

/// Rows on a page.
const ROWS: usize = 100;
/// Signed heads on a page.
const HEADS: usize = 8;
/// Longest name that is looked for, in bytes.
const NAME_BYTES_MAX: usize = 64;

words! { AuditWords:
    title: "审计", "Audit";
    head: "日志头", "The log's head";
    position: "位置", "position";
    hash: "散列", "hash";
    checkpoints: "签名检查点", "Signed checkpoints";
    checkpoints_note: "另存于日志之外，最新在前", "kept outside of the log, newest first";
    no_heads: "没有可读的检查点", "no checkpoint can be read";
    verify: "立即校验全部日志", "Verify the whole log now";
    verify_note: "逐条核对散列链、签名与检查点；同一时间只运行一次，先记录再运行", "every hash, signature and checkpoint; one at a time, recorded before it begins";
    never: "本次启动后尚未校验", "not verified since the hub started";
    running: "正在校验，开始于", "under way since";
    fine: "完好", "as it was recorded";
    damaged: "发现损坏", "damaged";
    events: "条事件", "events";
    fitted: "个检查点相符", "checkpoints fitted";
    deeds: "人员操作与查阅", "Who did and looked at what";
    all: "全部操作", "everything";
    personal: "仅查阅个人信息", "looks at people only";
    at: "时间", "at";
    who: "人员", "who";
    what: "事件", "event";
    about: "对象", "about";
    said: "说明", "said";
    none: "没有记录", "nothing on record";
    next: "下一页", "next page";
    everybody: "所有人员", "everybody";
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    who: String,
    only: String,
    after: String,
}

#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
}

struct Row {
    position: String,
    at: String,
    who: String,
    who_link: String,
    what: String,
    deed: &'static str,
    case: String,
    province: &'static str,
    /// The words of what was said, if it begins with a code.
    meant: &'static str,
    said: String,
    personal: bool,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct Audit {
    shell: Shell,
    words: &'static AuditWords,
    position: String,
    hash: String,
    heads: Vec<(String, String)>,
    heads_problem: Option<String>,
    mark: &'static str,
    walk: String,
    running: bool,
    rows: Vec<Row>,
    next: Option<String>,
    who: String,
    here: String,
    personal: bool,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Result<Query<Asked>, QueryRejection>,
) -> Response {
    told(&visitor, shown(&rooms, &visitor, given).await)
}

async fn shown(
    rooms: &Rooms,
    visitor: &Visitor,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Audit, Problem> {
    let bad = |name: &str| Problem::new("bad-parameter").detail(name.to_owned());
    let Query(asked) = given.map_err(|_| bad("query"))?;
    let after = match asked.after.as_str() {
        "" => None,
        it => Some(it.parse().map_err(|_| bad("after"))?),
    };
    if asked.who.len() > NAME_BYTES_MAX {
        return Err(bad("who"));
    }
    let who = (!asked.who.is_empty()).then(|| asked.who.clone());
    let personal = asked.only == "personal";
    let page = rooms.aside(move |it| it.deeds(who.as_deref(), personal, after, ROWS)).await?;
    let head = rooms.readers.read_aside(|log| log.head()).await?;
    let words = AuditWords::of(visitor.language);
    let (heads, heads_problem) = match rooms.audit.heads().await {
        Ok(heads) => (heads, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let heads = heads.into_iter().take(HEADS).map(|it| (grouped(it.position), it.hash.to_string()));
    let only = if personal { "&only=personal" } else { "" };
    let (mark, walk, running) = walk(rooms.audit.last(), words);
    Ok(Audit {
        shell: Shell::of(rooms, visitor).await?,
        words,
        position: grouped(head.map_or(0, |it| it.0.0)),
        hash: head.map_or_else(|| "–".to_owned(), |it| it.1.to_string()),
        heads: heads.collect(),
        heads_problem,
        mark,
        walk,
        running,
        rows: page.rows.iter().map(|it| row(it, visitor.language)).collect(),
        next: page.next.map(|it| format!("/audit?who={}{only}&after={it}", encoded(&asked.who))),
        here: format!("/audit?who={}", encoded(&asked.who)),
        who: asked.who,
        personal,
    })
}

/// A mark, the words, and whether one has to wait.
fn walk(last: Walk, words: &AuditWords) -> (&'static str, String, bool) {
    match last {
        Walk::Never => ("", words.never.to_owned(), false),
        Walk::Running { since } => ("run", format!("{} {}", words.running, shanghai(since)), true),
        Walk::Done { at, found: Verified { fine, events, checkpoints, problem } } => {
            let (events, checkpoints) = (grouped(events), grouped(checkpoints));
            let verdict = if fine { words.fine } else { words.damaged };
            let counted = format!("{events} {}，{checkpoints} {}", words.events, words.fitted);
            let problem = problem.map_or_else(String::new, |it| format!(" · {it}"));
            let told = format!("{verdict} · {counted} · {}{problem}", shanghai(at));
            (if fine { "good" } else { "late" }, told, false)
        }
    }
}

fn row(it: &DeedRow, language: Language) -> Row {
    Row {
        position: it.position.0.to_string(),
        at: shanghai(it.at),
        who_link: encoded(&it.operator),
        who: it.operator.clone(),
        what: it.kind.clone(),
        deed: audit_words::deed(&it.kind, language),
        case: it.case.map_or_else(String::new, |it| it.to_string()),
        province: it.province.map_or("", |it| tiles::name(it, language)),
        meant: audit_words::said(&it.said, language),
        said: it.said.clone(),
        personal: it.personal,
    }
}

/// Recorded first, then begun.
pub(super) async fn act(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    match begin(&rooms, &visitor, &given.deed).await {
        Ok(()) => Redirect::to("/audit").into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn begin(rooms: &Rooms, visitor: &Visitor, deed: &str) -> Result<(), Problem> {
    if deed != "verify" {
        return Err(Problem::at("unknown-value", "/deed"));
    }
    if matches!(rooms.audit.last(), Walk::Running { .. }) {
        return Ok(());
    }
    let operator = &visitor.account()?.name;
    record(rooms, operator, "verify", "the whole log".to_owned()).await?;
    rooms.audit.begin(&rooms.clock);
    Ok(())
}
