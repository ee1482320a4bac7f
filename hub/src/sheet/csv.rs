//! Comma-separated values: UTF-8 with its mark, and no cell that a spreadsheet would take for a formula.

use super::{Cell, Sheet};

/// RFC 4180 with a byte order mark.
pub(super) fn csv(sheet: &Sheet) -> String {
    let mut text = "\u{feff}".to_owned();
    line(&mut text, sheet.heads.iter().map(|it| safe(it)));
    for row in &sheet.rows {
        line(&mut text, row.iter().map(written));
    }
    text
}

/// Figures are ours and cannot be formulas; words are anybody's.
fn written(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => safe(text),
        figure => figure.plain(),
    }
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&cell);
    }
    text.push_str("\r\n");
}

/// A cell that begins like a formula is text: a quote mark stands before it (OWASP, CSV injection).
fn safe(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\r', '\n', '\'']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out_of_its_row() {
        for (cell, written) in [
            ("长春市", "长春市"),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("＝1", "\"'＝1\""),
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
        ] {
            assert_eq!(safe(cell), written);
        }
    }

    #[test]
    fn a_table_begins_with_the_mark_and_its_heads() {
        let mut sheet = Sheet::new("x", ["一", "two"]);
        sheet.rows.push(vec![Cell::Count(1), Cell::text("=2")]);
        sheet.rows.push(vec![Cell::Share { part: 2, whole: 3 }, Cell::Tenths(25)]);
        assert_eq!(sheet.csv(), "\u{feff}一,two\r\n1,\"'=2\"\r\n0.6667,2.5\r\n");
    }
}
