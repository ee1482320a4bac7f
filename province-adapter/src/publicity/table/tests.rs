//! A spreadsheet's table is read as its clerk meant it, or refused by name, line and column.

use super::*;

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn empty() -> Statement {
    Statement {
        month: month(),
        rows: vec![Fulfilment::default(); ROWS],
        carriers_told_share: Some(0),
        knowledge_base: false,
    }
}

/// The example with this line (1 is the header) in the place of its own.
fn with(line: usize, text: &str) -> String {
    let example = example(month());
    let example = example.trim_start_matches('\u{feff}');
    let mut lines: Vec<&str> = example.lines().collect();
    lines[line - 1] = text;
    lines.join("\r\n")
}

fn fault(text: &str) -> (&'static str, u64, Option<&'static str>) {
    let fault = read(text).unwrap_err();
    (fault.code, fault.line, fault.column.map(|it| it.1))
}

#[test]
fn the_example_reads_as_nothing_done_and_begins_with_the_forms_columns() {
    let example = example(month());
    let text = example.strip_prefix('\u{feff}').expect("a mark for spreadsheets");
    assert!(text.starts_with("序号,工作要求,落实内容,落实情况,数字一,"), "{text}");
    assert_eq!(text.lines().count(), 1 + ROWS);
    assert_eq!(read(text), Ok(empty()));
}

#[test]
fn a_filled_in_table_is_read_with_names_in_either_language() {
    let mut wanted = empty();
    wanted.rows[3] = Fulfilment { first: 2, second: 350, text: "各地窗口,\n张贴".to_owned() };
    let row = "4,张贴宣传海报,x,\"各地窗口,\r\n张贴\",2,350,2026-11,,";
    assert_eq!(read(&with(5, row)), Ok(wanted.clone()));
    let english =
        "Number,requirement,content,text,first,second,month,carriers_told_share,knowledge_base";
    assert_eq!(read(&with(1, english)), Ok(empty()));
    let form =
        "序号,工作要求,落实内容 (包括但不限于),落实情况,数字一,数字二,月份,通知企业占比(%),知识库";
    assert_eq!(read(&with(1, form)), Ok(empty()));
    // Spreadsheets write months their own way, and leave commas below the table.
    for month in ["2026-11", "2026/11", "2026年11月", "2026/11/1"] {
        let text = format!("{}\r\n,,,,,,,,\r\n\r\n", with(2, &format!("1,,,,0,,{month},,")));
        assert_eq!(read(&text), Ok(empty()), "{month}");
    }
    wanted = Statement { carriers_told_share: Some(9_550), knowledge_base: true, ..empty() };
    for (share, base) in [("95.5", "是"), ("95.50%", "yes"), ("95.5％", "TRUE")] {
        let text = with(6, &format!("5,,,,,,,{share},"));
        let row = format!("7,,,,,,,,{base}");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[7] = &row;
        assert_eq!(read(&lines.join("\n")), Ok(wanted.clone()), "{share} {base}");
    }
    let left_out = Statement { carriers_told_share: None, ..empty() };
    assert_eq!(read(&with(6, "5,,,,,,,,")), Ok(left_out));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_column() {
    let long = format!("8,,,{},,,,,", "宣".repeat(TEXT_CHARACTERS_MAX + 1));
    for (line, text, code, column) in [
        (1, "序号,工作要求,落实情况", "wrong-header", Some("content")),
        (1, "序号;工作要求;落实内容", "wrong-header", Some("number")),
        (3, "3,,,,,,,,", "wrong-rows", Some("number")),
        (3, ",,,有,,,,,", "wrong-rows", Some("number")),
        (5, "4,,,,-1,,,,", "wrong-value", Some("first")),
        (5, "4,,,,\"1,200\",,,,", "wrong-value", Some("first")),
        (5, "4,,,,,３,,,", "wrong-value", Some("second")),
        (5, "4,,,,,100000001,,,", "out-of-bounds", Some("second")),
        (5, "4,,,,,99999999999,,,", "wrong-value", Some("second")),
        (2, "1,,,,,3,2026-11,,", "out-of-bounds", Some("second")),
        (2, "1,,,,,,2026-13,,", "wrong-value", Some("month")),
        (2, "1,,,,,,Nov-26,,", "wrong-value", Some("month")),
        (4, "3,,,,,,2026-10,,", "wrong-value", Some("month")),
        (6, "5,,,,,,,100.01,", "out-of-bounds", Some("carriers_told_share")),
        (6, "5,,,,,,,1e2,", "wrong-value", Some("carriers_told_share")),
        (6, "5,,,,,,,999,", "wrong-value", Some("carriers_told_share")),
        (7, "6,,,,,,,95,", "wrong-value", Some("carriers_told_share")),
        (8, "7,,,,,,,,也许", "wrong-value", Some("knowledge_base")),
        (9, "8,,,,,,,,是", "wrong-value", Some("knowledge_base")),
        (9, &long, "out-of-bounds", Some("text")),
        (9, "8,,,司机 11010519491231002X,,,,,", "identity-number-in-clear", Some("text")),
        (9, "8,,,,,,,,,还有", "not-csv", None),
    ] {
        let text = with(line, text);
        assert_eq!(fault(&text), (code, line as u64, column), "{text}");
        let said = read(&text).unwrap_err().to_string();
        assert!(
            !said.contains("1101") && !said.contains("也许"),
            "it repeats what stood there: {said}"
        );
    }
    let months = with(2, "1,,,,,,,,").replace("2026-11", "");
    assert_eq!(fault(&months), ("missing-value", 2, Some("month")));
    assert_eq!(fault(""), ("wrong-rows", 1, None));
    let gap = with(5, "4,,,,x,,,,").replacen("\r\n", "\r\n\r\n", 2);
    assert_eq!(fault(&gap), ("wrong-value", 7, Some("first")), "empty lines are lines");
    let nine = format!("{}\r\n9,,,,,,,,", with(9, "8,,,,,,,,"));
    assert_eq!(fault(&nine), ("wrong-rows", 10, Some("number")));
    let seven: Vec<String> = example(month()).lines().take(8).map(str::to_owned).collect();
    assert_eq!(fault(seven.join("\n").trim_start_matches('\u{feff}')), ("wrong-rows", 8, None));
    // A quote that is left open swallows the rest.
    assert_eq!(fault(&with(5, "4,,,\"各地,2,350,,,")).0, "wrong-rows");
}
