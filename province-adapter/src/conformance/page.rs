//! The report as one page: Chinese first, English behind a switch that needs no script; every verdict
//! has a word and a sign beside its colour.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::{self, TimeZone};

use super::findings;
use super::report::{Assertion, Found, HeldAs, Report, Scenario, Verdict};

const STYLE: &str = include_str!("page.css");

/// The whole page. It loads nothing from anywhere.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"zh\">\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    let adapter = report.adapter.as_deref().unwrap_or("?");
    put(&mut out, format_args!("<title>符合性报告 {}</title>\n", text(adapter)));
    put(&mut out, format_args!("<style>\n{STYLE}</style>\n<body>\n"));
    // The switch must stand before what it switches: the style sheet looks at its siblings.
    out.push_str(
        "<input type=\"checkbox\" id=\"english\"><label for=\"english\">English</label>\n<main>\n",
    );
    head(&mut out, report);
    summary(&mut out, report);
    for it in &report.scenarios {
        scenario(&mut out, it);
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn head(out: &mut String, report: &Report) {
    let adapter = report.adapter.as_deref().unwrap_or("?");
    let (class, zh, en) = verdict(report.verdict);
    put(out, format_args!("<h1>{}</h1>\n", both("符合性报告", "Conformance report")));
    put(out, format_args!("<p class=\"verdict {class}\">{}</p>\n<dl>\n", both(zh, en)));
    let rows = [
        ("适配器", "Adapter", adapter.to_owned()),
        ("省份", "Province", report.province.clone()),
        ("环境", "Environment", report.environment.clone()),
        ("套件", "Kit", report.kit.clone()),
        ("开始", "Began", moment(report.started_at)),
        ("结束", "Ended", moment(report.finished_at)),
    ];
    for (zh, en, value) in rows {
        put(out, format_args!("<dt>{}</dt><dd>{}</dd>\n", both(zh, en), text(&value)));
    }
    if let Some(command) = &report.command {
        let label = both("命令", "Command");
        put(out, format_args!("<dt>{label}</dt><dd><code>{}</code></dd>\n", text(command)));
    }
    out.push_str("</dl>\n");
}

fn summary(out: &mut String, report: &Report) {
    put(out, format_args!("<h2>{}</h2>\n", both("要改什么", "What to change")));
    if report.findings.is_empty() {
        put(out, format_args!("<p>{}</p>\n", both("没有发现。", "Nothing was found.")));
    }
    for (name, count) in &report.findings {
        put(
            out,
            format_args!(
                "<section class=\"finding\"><h3>✗ <code>{}</code> × {count}</h3>\n",
                text(name)
            ),
        );
        if let Some(about) = findings::find(name) {
            let rows = [
                ("看到", "Seen", &about.seen),
                ("为什么", "Why", &about.why),
                ("怎么改", "To change", &about.change),
            ];
            for (zh, en, what) in rows {
                let line = format!("<b>{zh}：</b>{}", text(&what.zh));
                let english = format!("<b>{en}:</b> {}", text(&what.en));
                put(out, format_args!("<p>{}</p>\n", both(&line, &english)));
            }
        }
        let scenarios: Vec<String> = report
            .scenarios
            .iter()
            .filter(|it| it.findings.iter().any(|it| it.finding == *name))
            .map(|it| format!("<a href=\"#{0}\">{0}</a>", text(&it.name)))
            .collect();
        put(out, format_args!("<p>{}</p></section>\n", scenarios.join(" ")));
    }
}

fn scenario(out: &mut String, it: &Scenario) {
    let (class, zh, en) = match it.not_run {
        Some(_) => ("incomplete", "– 未运行", "– not run"),
        None => verdict(it.verdict),
    };
    put(out, format_args!("<section id=\"{}\">\n", text(&it.name)));
    put(
        out,
        format_args!(
            "<h2>{} <small>{}</small></h2>\n<p class=\"verdict {class}\">{} <small>{} ms</small></p>\n",
            both(&text(&it.title_zh), &text(&it.title_en)),
            text(&it.name),
            both(zh, en),
            it.duration_ms
        ),
    );
    if let Some(why) = &it.not_run {
        put(out, format_args!("<p>{}</p>\n", text(why)));
    }
    it.findings.iter().for_each(|it| found(out, it));
    out.push_str("<ol>\n");
    it.assertions.iter().for_each(|it| assertion(out, it));
    out.push_str("</ol>\n");
    if !it.happened.is_empty() {
        put(
            out,
            format_args!(
                "<details><summary>{}</summary>\n<table>\n",
                both("经过", "What happened")
            ),
        );
        for line in &it.happened {
            put(
                out,
                format_args!(
                    "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                    moment(line.at),
                    text(line.case.as_deref().unwrap_or("")),
                    text(&line.what)
                ),
            );
        }
        out.push_str("</table></details>\n");
    }
    out.push_str("</section>\n");
}

fn found(out: &mut String, it: &Found) {
    let case = it.case.as_deref().map(|it| format!("[{}] ", text(it))).unwrap_or_default();
    let (name, at) = (text(&it.finding), moment(it.at));
    let change = findings::find(&it.finding)
        .map(|it| both(&text(&it.change.zh), &text(&it.change.en)))
        .unwrap_or_default();
    put(
        out,
        format_args!(
            "<p class=\"found\">✗ <code>{name}</code> {case}{}<br><small>{at}</small><br>→ {change}</p>\n",
            text(&it.seen)
        ),
    );
}

fn assertion(out: &mut String, it: &Assertion) {
    let (class, mark, zh, en) = match it.held {
        HeldAs::Yes => ("pass", "✓", "成立", "held"),
        HeldAs::No => ("findings", "✗", "不成立", "did not hold"),
        HeldAs::NotReached => ("incomplete", "–", "未到", "not reached"),
    };
    put(
        out,
        format_args!(
            "<li value=\"{}\" class=\"{class}\">{mark} {} <code>{}</code></li>\n",
            it.line,
            both(zh, en),
            text(&it.text)
        ),
    );
}

fn verdict(it: Verdict) -> (&'static str, &'static str, &'static str) {
    match it {
        Verdict::Pass => ("pass", "✓ 通过", "✓ pass"),
        Verdict::Findings => ("findings", "✗ 有发现", "✗ findings"),
        Verdict::Incomplete => ("incomplete", "– 未全部运行", "– not everything was run"),
    }
}

/// Both languages; the style sheet shows one.
fn both(zh: &str, en: &str) -> String {
    format!("<span lang=\"zh\">{zh}</span><span lang=\"en\">{en}</span>")
}

/// In Shanghai.
fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::fixed(tz::offset(8))).strftime("%Y-%m-%d %H:%M:%S%.3f +08").to_string()
}

/// An adapter's own words must not become part of the page.
fn text(it: &str) -> String {
    it.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing into a String cannot fail");
}
