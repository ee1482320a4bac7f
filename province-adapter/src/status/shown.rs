//! The status in words, Chinese and English: for the terminal and for the page, which say the same.

mod own;

use std::fmt;

use super::{Holding, Status};

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, and somebody should look.
    Warn,
    /// It does not work, or something is lost soon.
    Bad,
}

impl Level {
    /// A sign, so that colour is never the only one.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Fine => "✓",
            Self::Warn => "!",
            Self::Bad => "✗",
        }
    }

    /// For a program.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The same in both languages.
pub type Words = [String; 2];

/// One line.
#[derive(Debug, Clone)]
pub struct Row {
    /// How it stands.
    pub level: Level,
    /// What it is about.
    pub name: Words,
    /// What is seen, and what to do.
    pub said: Words,
}

/// Lines about one thing.
#[derive(Debug, Clone)]
pub struct Section {
    /// What they are about.
    pub title: Words,
    /// The lines.
    pub rows: Vec<Row>,
}

fn words(zh: impl Into<String>, en: impl Into<String>) -> Words {
    [zh.into(), en.into()]
}

fn row(level: Level, name: [&str; 2], zh: impl Into<String>, en: impl Into<String>) -> Row {
    Row { level, name: words(name[0], name[1]), said: words(zh, en) }
}

fn warn_if(so: bool) -> Level {
    if so { Level::Warn } else { Level::Fine }
}

/// `3 天 4 小时` and `3 d 4 h`: the two largest units.
fn age(seconds: i64) -> Words {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => words(format!("{seconds} 秒"), format!("{seconds} s")),
        (0, 0, _) => words(format!("{minutes} 分钟"), format!("{minutes} min")),
        (0, ..) => {
            words(format!("{hours} 小时 {minutes} 分钟"), format!("{hours} h {minutes} min"))
        }
        _ => words(format!("{days} 天 {hours} 小时"), format!("{days} d {hours} h")),
    }
}

fn age_or_dash(seconds: Option<i64>) -> Words {
    seconds.map_or_else(|| words("-", "-"), age)
}

/// Everything, in the order in which somebody asks.
pub fn sections(it: &Status) -> Vec<Section> {
    vec![
        Section { title: words("连接", "Connection"), rows: connection(it) },
        Section {
            title: words("收件箱（中枢派来的办件）", "Inbox (work from the hub)"),
            rows: inbox(it),
        },
        Section {
            title: words("发件箱（向中枢的报告）", "Outbox (reports to the hub)"),
            rows: outbox(it),
        },
        Section { title: words("本机", "This machine"), rows: own::machine(it) },
        Section { title: words("密钥与证书", "Keys and certificate"), rows: own::keys(it) },
    ]
}

fn connection(it: &Status) -> Vec<Row> {
    let seen = age_or_dash(it.last_seen_seconds);
    let since = age_or_dash(it.connection_since_seconds);
    let version = it.broker_version.as_deref().unwrap_or("-");
    let mut rows = vec![if it.alive {
        row(
            Level::Fine,
            ["运行", "running"],
            format!("是（{} 前）", seen[0]),
            format!("yes ({} ago)", seen[1]),
        )
    } else {
        row(
            Level::Bad,
            ["运行", "running"],
            format!("否，最近一次心跳 {} 前；启动适配器，不会丢失任何内容", seen[0]),
            format!("no, last seen {} ago; start the adapter, nothing is lost", seen[1]),
        )
    }];
    rows.push(if it.connected {
        row(
            Level::Fine,
            ["消息服务器", "broker"],
            format!("已连接 {}，nats-server {version}", since[0]),
            format!("connected for {}, nats-server {version}", since[1]),
        )
    } else {
        row(
            Level::Bad,
            ["消息服务器", "broker"],
            format!("未连接 {}；一直在重试。运行 `province-adapter check` 查原因", since[0]),
            format!(
                "not connected for {}; it tries for ever. `province-adapter check` finds out why",
                since[1]
            ),
        )
    });
    rows.extend(lag(it));
    rows.push(compared(it));
    rows
}

/// Two seconds are the way and the machine; half a minute is a clock that is wrong, or a catching-up.
fn lag(it: &Status) -> Option<Row> {
    const NAME: [&str; 2] = ["与中枢的时差", "clock beside the hub's"];
    let lag = it.hub_lag_ms?;
    Some(match lag {
        ..-2_000 => row(
            Level::Warn,
            NAME,
            format!("本机时钟至少慢 {} 秒；请校时（NTP）", -lag / 1_000),
            format!("this machine is at least {} s behind; set its clock (NTP)", -lag / 1_000),
        ),
        30_001.. => row(
            Level::Warn,
            NAME,
            format!("最快的消息也晚到 {} 秒：本机时钟偏快，或正在补收积压", lag / 1_000),
            format!(
                "even the fastest message is {} s late: this clock is ahead, or old work is being caught up",
                lag / 1_000
            ),
        ),
        _ => row(Level::Fine, NAME, format!("{lag} 毫秒以内"), format!("within {lag} ms")),
    })
}

fn compared(it: &Status) -> Row {
    const NAME: [&str; 2] = ["对账", "comparison"];
    let Some(compared) = &it.compared else {
        return row(Level::Warn, NAME, "还没有对过账", "none yet");
    };
    let begun = age(compared.begun_seconds);
    match (compared.settled_seconds, compared.differences) {
        (Some(settled), differences) => {
            let (settled, differences) = (age(settled), differences.unwrap_or(0));
            row(
                Level::Fine,
                NAME,
                format!("{} 前完成，差异 {differences} 件（已重发补齐）", settled[0]),
                format!("settled {} ago, {differences} differences (said again)", settled[1]),
            )
        }
        (None, _) => row(
            warn_if(compared.begun_seconds > 3_600),
            NAME,
            format!("{} 前发起，等待中枢", begun[0]),
            format!("begun {} ago, waits for the hub", begun[1]),
        ),
    }
}

fn inbox(it: &Status) -> Vec<Row> {
    let oldest = age_or_dash(it.work_oldest_seconds);
    let mut rows = vec![
        row(Level::Fine, ["累计收件", "received"], it.work.to_string(), it.work.to_string()),
        row(
            warn_if(it.work_oldest_seconds.is_some_and(|it| it > 3_600)),
            ["待交办", "wait for the office"],
            format!("{}（上限 {}，最早 {}）", it.work_untaken, it.work_untaken_max, oldest[0]),
            format!("{} (at most {}, oldest {})", it.work_untaken, it.work_untaken_max, oldest[1]),
        ),
        row(
            Level::Fine,
            ["经办系统未答复", "unanswered by the office"],
            format!("{}（上限 {}）", it.with_office, it.with_office_max),
            format!("{} (at most {})", it.with_office, it.with_office_max),
        ),
    ];
    rows.extend(it.fetch_held.as_ref().map(|it| held(["暂停收件", "fetching is held"], it)));
    rows.extend(
        it.hand_over_held.as_ref().map(|it| held(["限速交办", "handing over is held"], it)),
    );
    rows.extend(it.stuck.iter().map(|it| {
        let since = age(it.since_seconds);
        row(
            Level::Warn,
            ["交办不成", "cannot be handed over"],
            format!(
                "{} 件，已 {}，最早一件试过 {} 次：{}（办件 {}）",
                it.count, since[0], it.tries, it.reason, it.case
            ),
            format!(
                "{} for {}, the oldest tried {} times: {} (case {})",
                it.count, since[1], it.tries, it.reason, it.case
            ),
        )
    }));
    rows.extend(it.trouble.iter().map(|it| {
        let last = age(it.last_seconds);
        row(
            Level::Warn,
            ["答复不能用", "an answer cannot be used"],
            format!(
                "{} {}（{} 次，最近 {} 前）{}：{}",
                it.source, it.about, it.count, last[0], it.code, it.text
            ),
            format!(
                "{} {} ({} times, last {} ago) {}: {}",
                it.source, it.about, it.count, last[1], it.code, it.text
            ),
        )
    }));
    rows.extend(it.distrusted.iter().map(|it| {
        row(
            Level::Warn,
            ["不予采信的消息", "messages not believed"],
            format!("{} × {}", it.count, it.reason),
            format!("{} × {}", it.count, it.reason),
        )
    }));
    rows
}

fn held(name: [&str; 2], it: &Holding) -> Row {
    let since = age(it.since_seconds);
    let [zh, en] = match it.why.as_str() {
        "inbox-full" => [
            "收件箱已满，等经办系统取件；其余留在中枢，不会丢",
            "the inbox is full until the office takes some; the rest stays with the hub, none is lost",
        ],
        "disk-full" => [
            "磁盘已满：清理空间后自动恢复，不会丢失",
            "the disk is full: make space, and it goes on by itself; nothing is lost",
        ],
        "office-full" => [
            "经办系统未答复的办件已达上限（limits.office_open_max）",
            "the office has as many unanswered cases as it may (limits.office_open_max)",
        ],
        "hand-over-rate" => [
            "按每分钟上限交办（limits.hand_over_per_minute_max）",
            "paced by the minute (limits.hand_over_per_minute_max)",
        ],
        other => [other, other],
    };
    let level = if it.why == "disk-full" { Level::Bad } else { Level::Warn };
    row(level, name, format!("{zh}（已 {}）", since[0]), format!("{en} (for {})", since[1]))
}

fn outbox(it: &Status) -> Vec<Row> {
    let oldest = age_or_dash(it.reports_oldest_seconds);
    let (count, most, tries) =
        (it.reports_unreceipted, it.reports_unreceipted_max, it.reports_attempts_most);
    let mut rows = vec![
        row(Level::Fine, ["累计报告", "reports"], it.reports.to_string(), it.reports.to_string()),
        row(
            warn_if(it.reports_oldest_seconds.is_some_and(|it| it > 600)),
            ["待回执", "wait for a receipt"],
            format!("{count}（上限 {most}，最早 {}，最多发过 {tries} 次）", oldest[0]),
            format!("{count} (at most {most}, oldest {}, sent up to {tries} times)", oldest[1]),
        ),
        row(
            warn_if(it.reports_refused > 0),
            ["被中枢拒绝", "refused by the hub"],
            it.reports_refused.to_string(),
            it.reports_refused.to_string(),
        ),
    ];
    rows.extend(it.publicity.iter().map(own::publicity));
    rows.extend(it.refused.iter().map(|it| {
        let last = age_or_dash(it.last_seconds);
        let advice = it.advice.as_deref().unwrap_or("schemas/refusals-reports.md");
        row(
            Level::Warn,
            ["拒绝代码", "refusal"],
            format!(
                "{} × {}（最近 {} 前，办件 {}）：{advice}",
                it.count, it.code, last[0], it.case
            ),
            format!(
                "{} × {} (last {} ago, case {}): {advice}",
                it.count, it.code, last[1], it.case
            ),
        )
    }));
    rows
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in sections(self) {
            writeln!(f, "{} {}", section.title[0], section.title[1])?;
            for row in section.rows {
                let [zh, en] = row.name;
                write!(f, "  {} {zh} {en}: {}", row.level.mark(), row.said[0])?;
                if row.said[0] != row.said[1] {
                    write!(f, " / {}", row.said[1])?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_two_largest_units() {
        for (seconds, zh, en) in [
            (5, "5 秒", "5 s"),
            (600, "10 分钟", "10 min"),
            (7_260, "2 小时 1 分钟", "2 h 1 min"),
            (9 * 86_400 + 3_600, "9 天 1 小时", "9 d 1 h"),
        ] {
            assert_eq!(age(seconds), [zh, en]);
        }
    }
}
