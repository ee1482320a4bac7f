//! How figures are shown: plain tables, and the targets with "pass" or "miss" in so many words.

use std::io::Write as _;

/// A table for people: the first row is the head, the columns are as wide as they must be.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|it| it.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                let space = " ".repeat(width - cell.chars().count());
                format!("{cell}{space}")
            })
            .collect();
        format!("| {} |", padded.join(" | "))
    };
    say(&line(&head.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()));
    say(&format!("|{}|", widths.iter().map(|it| "-".repeat(it + 2)).collect::<Vec<_>>().join("|")));
    for row in rows {
        say(&line(row));
    }
}

/// One line to whoever watches.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away wants no more lines.
    let _gone = writeln!(out, "{line}");
}

/// Whether larger or smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// At least so much.
    Larger,
    /// At most so much.
    Smaller,
}

/// A promise about speed or size, and what was found.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// P1 to P10.
    pub name: &'static str,
    /// What is divided by what.
    pub what: &'static str,
    /// Which way.
    pub better: Better,
    /// It must reach this.
    pub must: f64,
    /// It should reach this.
    pub aim: f64,
}

impl Target {
    /// What a figure is worth.
    pub fn verdict(&self, found: f64) -> &'static str {
        let reaches = |bound: f64| match self.better {
            Better::Larger => found >= bound,
            Better::Smaller => found <= bound,
        };
        match (reaches(self.aim), reaches(self.must)) {
            (true, _) => "pass (aim)",
            (false, true) => "pass (must)",
            (false, false) => "MISS",
        }
    }
}

/// The targets and what was found of each, one a row.
pub fn targets(found: &[(Target, f64)]) {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(target, figure)| {
            let sign = if target.better == Better::Larger { "≥" } else { "≤" };
            vec![
                target.name.to_owned(),
                target.what.to_owned(),
                format!("{sign} {}", target.must),
                format!("{sign} {}", target.aim),
                format!("{figure:.3}"),
                target.verdict(*figure).to_owned(),
            ]
        })
        .collect();
    say("");
    table(&["target", "what", "must", "aim", "found", "verdict"], &rows);
}

/// 12345.6 as `12,346`.
pub fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Milliseconds with as many places as matter.
pub fn ms(milliseconds: f64) -> String {
    if milliseconds < 10.0 { format!("{milliseconds:.2}") } else { format!("{milliseconds:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_in_the_direction_of_its_target() {
        let more = Target { name: "", what: "", better: Better::Larger, must: 0.2, aim: 0.4 };
        let less = Target { name: "", what: "", better: Better::Smaller, must: 4.0, aim: 2.0 };
        // target, found, verdict
        let table = [
            (more, 0.5, "pass (aim)"),
            (more, 0.2, "pass (must)"),
            (more, 0.1, "MISS"),
            (more, f64::NAN, "MISS"),
            (less, 1.0, "pass (aim)"),
            (less, 4.0, "pass (must)"),
            (less, 5.0, "MISS"),
            (less, f64::NAN, "MISS"),
        ];
        for (target, found, verdict) in table {
            assert_eq!(target.verdict(found), verdict, "{found}");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        let shown = [0.0, 999.4, 1_000.0, 1_234_567.0].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
