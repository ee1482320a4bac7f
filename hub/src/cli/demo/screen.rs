//! What the demo shows: a live table on a terminal, a line now and then elsewhere, and the summary.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::check::Summary;
use super::drive::Ledger;
use super::stage::Stage;
use crate::cli::output;
use crate::cli::remote::Door;
use crate::clock::Clock;

/// Where there is no terminal, a line this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Notes shown under the table.
const NOTES_SHOWN: usize = 6;

/// The live view.
pub(super) struct Screen {
    door: Door,
    clock: Clock,
    terminal: bool,
    shown: bool,
    notes: Vec<String>,
    last_line: Option<Instant>,
}

impl Screen {
    /// Of this stage; `shown` is off for `--json`.
    pub(super) fn new(stage: &Stage, clock: Clock, shown: bool) -> anyhow::Result<Self> {
        Ok(Self {
            door: Door::of(&stage.hub_config())?,
            clock,
            terminal: std::io::stderr().is_terminal(),
            shown,
            notes: Vec::new(),
            last_line: None,
        })
    }

    /// Something happens in the story.
    pub(super) fn say(&mut self, note: &str) {
        let note = format!("{}  {note}", self.told());
        if !self.terminal {
            say!("{note}");
        }
        self.notes.push(note);
    }

    fn told(&self) -> String {
        let zoned = self.clock.now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
        zoned.strftime("%m-%d %a %H:%M").to_string()
    }

    /// Draws what the hub answers now; a hub that is just restarting leaves the last picture.
    pub(super) async fn draw(&mut self, address: &str, ledger: &Ledger) {
        self.door.move_to(address);
        let due = self.terminal || self.last_line.is_none_or(|it| it.elapsed() >= LINE_EVERY);
        if !due {
            return;
        }
        let Ok((200, answer)) = self.door.ask("GET", "/v1/provinces", None).await else { return };
        self.last_line = Some(Instant::now());
        let none = Vec::new();
        let rows = answer.get("provinces").and_then(Value::as_array).unwrap_or(&none);
        let total = |key: &str| rows.iter().filter_map(|it| it.get(key)?.as_u64()).sum::<u64>();
        let head = format!(
            "{} 上海时间（演示：1 秒 = {} 秒）  answered {}  received {}  open {}  approved {}  denied {}  declined {}  overdue {}",
            self.told(),
            self.clock.rate(),
            ledger.answered.load(Ordering::Relaxed),
            total("received"),
            total("open"),
            total("completed_approved"),
            total("completed_denied"),
            total("declined"),
            total("overdue"),
        );
        if !self.terminal || !self.shown {
            say!("{head}");
            return;
        }
        let legend = "收 received  途 open  结 ended  按时 on time  超期 overdue";
        let page = format!("状态页 status page: {address}/    {legend}");
        let picture = format!("{head}\n{page}\n{}\n{}\n", provinces(rows), self.latest_notes());
        let mut out = std::io::stderr().lock();
        // Home, picture, clear what an older and longer picture left below.
        let _ = write!(out, "\x1b[H{}\x1b[J", picture.replace('\n', "\x1b[K\n"));
    }

    fn latest_notes(&self) -> String {
        self.notes[self.notes.len().saturating_sub(NOTES_SHOWN)..].join("\n")
    }
}

/// 吉林省 → 吉林, 新疆生产建设兵团 → 新疆兵团: at most four characters.
fn short(name: &str) -> String {
    let name = name.replace("生产建设", "");
    let kinds = ["壮族自治区", "回族自治区", "维吾尔自治区", "自治区", "省", "市"];
    let bare = kinds.iter().find_map(|kind| name.strip_suffix(kind)).unwrap_or(&name);
    bare.chars().take(4).collect()
}

/// Two provinces a line, so that 32 fit on a screen.
fn provinces(rows: &[Value]) -> String {
    let number = |row: &Value, key: &str| row.get(key).and_then(Value::as_u64).unwrap_or(0);
    let cell = |row: &Value| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let ended = number(row, "completed_approved")
            + number(row, "completed_denied")
            + number(row, "declined");
        let late = number(row, "overdue");
        let mark = if late > 0 { format!("超期 {late:>4}") } else { "按时     ".to_owned() };
        let name = short(&text("name"));
        let pad = "　".repeat(4usize.saturating_sub(name.chars().count()));
        format!(
            "{} {name}{pad} 收{:>5} 途{:>5} 结{:>5} {mark}",
            text("code"),
            number(row, "received"),
            number(row, "open"),
            ended
        )
    };
    let lines: Vec<_> = rows
        .chunks(2)
        .map(|pair| pair.iter().map(cell).collect::<Vec<_>>().join("  │  "))
        .collect();
    lines.join("\n")
}

/// The summary as people read it.
pub(super) fn summary(it: &Summary) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, value: String| rows.push([name.to_owned(), value]);
    row(
        "种子 seed, broker, provinces",
        format!("{}, nats-server {}, {}", it.seed, it.broker, it.provinces),
    );
    row("时间 time", format!("{} real seconds, {} told hours", it.real_seconds, it.told_hours));
    row("回执 receipts (201)", it.acknowledged.to_string());
    row("应拒已拒 refused as they should be", it.refused.to_string());
    row("重复提交 the same again, same receipt", it.same_again.to_string());
    row("重发 sent again after no answer", it.retried.to_string());
    let ended = format!(
        "{} approved, {} denied, {} declined, {} withdrawn, {} lapsed",
        it.approved, it.denied, it.declined, it.withdrawn, it.lapsed
    );
    row("已结 ended", ended);
    row("在途 open", it.open.to_string());
    for (why, count) in &it.open_because {
        row("    因为 because", format!("{} {why}, due {}", count.cases, count.due_in_words()));
    }
    for (kind, count) in &it.breaches {
        row("时限 deadlines", format!("{count} {kind}"));
    }
    for (kind, count) in &it.desk {
        row("值班 at the desk", format!("{count} {kind}"));
    }
    row("冲突决定 second decisions kept, not applied", it.conflicting_decisions_kept.to_string());
    let kills = it.kills;
    row(
        "终止 killed with SIGKILL",
        format!(
            "{} hub, {} adapter, {} broker; broker wiped {}, rolled back {}",
            kills.hub, kills.adapter, kills.broker, kills.wiped, kills.rolled_back
        ),
    );
    row("事件 events in the log", it.events.to_string());
    row("丢失 lost", it.lost.to_string());
    row("重复 doubled", it.doubled.to_string());
    row("未送达 undelivered", it.undelivered.to_string());
    row("校验 verify", it.verify.clone());
    row("重放 replay", it.replay.clone());
    for surprise in &it.surprises {
        row("意外 surprise", surprise.clone());
    }
    row(
        "结论 verdict",
        if it.holds() {
            "✔ holds 成立".to_owned()
        } else {
            "✘ DOES NOT HOLD 不成立".to_owned()
        },
    );
    output::facts(rows)
}
