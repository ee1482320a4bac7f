//! A table for a spreadsheet: UTF-8 with its mark, and no cell that a spreadsheet would take for a formula.

/// Comma-separated values, RFC 4180, with a byte order mark so that Excel reads UTF-8.
pub(super) struct Csv {
    text: String,
    rows: usize,
}

impl Csv {
    /// With these heads.
    pub(super) fn new(heads: &[&str]) -> Self {
        let mut csv = Self { text: "\u{feff}".to_owned(), rows: 0 };
        csv.line(heads.iter().copied());
        csv
    }

    /// One more row.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.line(cells.iter().map(String::as_str));
        self.rows += 1;
    }

    /// How many rows there are, without the heads.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All of it.
    pub(super) fn text(self) -> String {
        self.text
    }

    fn line<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.text.push_str(&safe(cell));
        }
        self.text.push_str("\r\n");
    }
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
        let mut csv = Csv::new(&["一", "two"]);
        csv.row(&["1".into(), "=2".into()]);
        assert_eq!(csv.rows(), 1);
        assert_eq!(csv.text(), "\u{feff}一,two\r\n1,\"'=2\"\r\n");
    }
}
