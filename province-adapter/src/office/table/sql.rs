//! Every statement that the adapter sends to the front database, built once from the list of columns.
//! Plain SQL only: PostgreSQL, Kingbase and openGauss must all understand it.

use super::super::sheet::{ANSWER, WORK};

/// The statements for one schema.
pub(super) struct Sql {
    pub(super) put_work: String,
    pub(super) new_answers: String,
    pub(super) changed_answers: String,
    pub(super) give_receipt: String,
    pub(super) tell_ending: String,
}

impl Sql {
    pub(super) fn new(schema: &str) -> Self {
        let answer = format!("{schema}.answer_in");
        Self {
            put_work: put_work(schema),
            new_answers: format!(
                "SELECT {columns} FROM {answer} WHERE receipt_status IS NULL
                 ORDER BY entered_at, answer_id LIMIT $1",
                columns = answer_columns(),
            ),
            changed_answers: format!(
                "SELECT {columns} FROM {answer} WHERE receipt_status IS NOT NULL
                   AND receipt_at > now() - $2 * interval '1 hour' AND receipt_mark <> {mark}
                 ORDER BY entered_at, answer_id LIMIT $1",
                columns = answer_columns(),
                mark = mark(),
            ),
            give_receipt: format!(
                "UPDATE {answer} SET receipt_status = $2, receipt_code = $3, receipt_text = $4,
                   receipt_mark = $5, report_id = coalesce($6, report_id), receipt_at = now()
                 WHERE answer_id = $1"
            ),
            // What was changed after it was taken stays named so.
            tell_ending: format!(
                "UPDATE {answer} SET receipt_status = $2, receipt_code = $3, receipt_text = $4,
                   receipt_at = now()
                 WHERE answer_id = $1 AND receipt_status = 'taken'"
            ),
        }
    }
}

/// `ON CONFLICT` is not understood everywhere; whoever comes second finds the row or the unique key.
fn put_work(schema: &str) -> String {
    let names: Vec<&str> = WORK.iter().map(|it| it.name).collect();
    let values: Vec<String> = WORK
        .iter()
        .enumerate()
        .map(|(at, column)| match column.name {
            "submitted_at" => format!("CAST(${} AS timestamptz)", at + 1),
            "due_day" => format!("CAST(${} AS date)", at + 1),
            _ => format!("${}", at + 1),
        })
        .collect();
    format!(
        "INSERT INTO {schema}.work_out ({names}) SELECT {values} WHERE NOT EXISTS
         (SELECT 1 FROM {schema}.work_out WHERE case_id = $1 AND request_id = $2 AND kind = $3)",
        names = names.join(", "),
        values = values.join(", "),
    )
}

/// All of an answer as texts, and the mark of exactly this content.
fn answer_columns() -> String {
    let columns: Vec<String> = ANSWER.iter().map(|it| as_text(it.name)).collect();
    format!("{}, {} AS mark", columns.join(", "), mark())
}

fn as_text(name: &str) -> String {
    match name {
        "occurred_at" => {
            "to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                .to_owned()
        }
        "until" | "valid_until" | "next_due" => format!("to_char({name}, 'YYYY-MM-DD')"),
        _ => name.to_owned(),
    }
}

/// An empty text is nothing in some databases of the family: chr(30) stands for nothing in all.
/// Computed where the row is read, in the same statement: what changes a moment later has another.
fn mark() -> String {
    let parts: Vec<String> =
        ANSWER.iter().map(|it| format!("coalesce({}, chr(30))", as_text(it.name))).collect();
    format!("md5({})", parts.join(" || chr(31) || "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_tables_have_every_column_that_the_statements_name_with_a_chinese_comment() {
        let published = include_str!("../../../../deploy/exchange-tables/postgresql.sql");
        for (table, columns) in [("work_out", &WORK[..]), ("answer_in", &ANSWER[..])] {
            for column in columns {
                let comment =
                    format!("COMMENT ON COLUMN hub_exchange.{table}.{} IS '", column.name);
                let line = published.lines().find(|it| it.starts_with(&comment));
                let line = line.unwrap_or_else(|| panic!("no comment on {table}.{}", column.name));
                assert!(line.contains(column.zh), "{line}");
                assert_eq!(line.contains("【个人信息】"), column.personal, "{line}");
            }
        }
    }
}
