//! What a terminal is told: chains of causes, tables, progress. Control characters never reach it.

use std::time::Duration;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle, presets};
use indicatif::{ProgressBar, ProgressStyle};

/// An error with its whole chain, each cause once.
pub(super) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let cause = cause.to_string();
        if depth > 0 && text.contains(&cause) {
            continue;
        }
        if depth > 0 {
            text.push_str("\n  because: ");
        }
        text.push_str(&clean(&cause));
    }
    text
}

/// The same text without anything that could move a cursor; line ends stay.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|it| *it == '\n' || !it.is_control()).collect()
}

/// Whether somebody closed the pipe that we were writing to: `hub export | head` is no failure.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|it| {
        it.downcast_ref::<std::io::Error>()
            .is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Writes one line of talk to stderr.
pub(super) fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

/// Writes one line to stdout; a closed pipe is an error that `main` forgives.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(())
}

/// Lines above, under the head and below; none between rows.
const STYLE: TableStyle = presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// Names and values for people.
pub(super) fn facts(rows: impl IntoIterator<Item = [String; 2]>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for row in rows {
        table.add_row(row.map(|it| clean(&it)));
    }
    table.to_string()
}

/// A table for people.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    for row in rows {
        table.add_row(row.map(|it| clean(&it)));
    }
    table.to_string()
}

/// A bar on stderr for long work; nothing where stderr is no terminal.
pub(super) fn progress(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let style =
        ProgressStyle::with_template("{msg} [{wide_bar}] {human_pos}/{human_len} {per_sec} {eta}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
