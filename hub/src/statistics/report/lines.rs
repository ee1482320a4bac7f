//! The tables that list: the problem ledger line by line, annex 1 province by province and summed up.

use events::publicity::ANNEX;

use super::{blame_words, shanghai};
use crate::sheet::{Cell, Sheet};
use crate::statistics::fold::Figures;
use crate::statistics::ledger::Entry;
use crate::statistics::publicity::punctual;

pub(super) fn ledger_table(figures: &Figures) -> Sheet {
    let heads = [
        "序号 no",
        "日志位置 position",
        "办件号 case",
        "省份 province",
        "事项 item",
        "问题 problem",
        "记录于 recorded at",
        "期限 due",
        "责任 held by",
        "具体 detail",
        "状态 state",
        "了结于 mended at",
        "说明 explanation",
        "说明人 by",
        "说明时间 explained at",
    ];
    let mut sheet = Sheet::new("问题台账 ledger", heads);
    for (number, it) in (1u64..).zip(figures.ledger.entries()) {
        sheet.rows.push(ledger_row(number, it));
    }
    sheet
}

fn ledger_row(number: u64, it: &Entry) -> Vec<Cell> {
    let said = it.explanation.as_ref();
    let (_, zh, en) = it.problem.words();
    let (state_zh, state_en) = it.standing.words();
    vec![
        Cell::Count(number),
        Cell::Count(it.position.0),
        Cell::text(it.number.as_str()),
        Cell::text(it.province.map_or("未定省份", |it| it.name())),
        Cell::text(it.item.zh()),
        Cell::text(format!("{zh} {en}")),
        Cell::text(shanghai(it.at)),
        Cell::text(it.due.map(|it| it.to_string()).unwrap_or_default()),
        Cell::text(it.blame.map(|it| blame_words(it).0).unwrap_or_default()),
        Cell::text(it.detail.as_str()),
        Cell::text(format!("{state_zh} {state_en}")),
        Cell::text(it.mended_at.map(shanghai).unwrap_or_default()),
        Cell::text(said.map(|it| it.note.as_str()).unwrap_or_default()),
        Cell::text(said.map(|it| it.operator.as_str()).unwrap_or_default()),
        Cell::text(said.map(|it| shanghai(it.at)).unwrap_or_default()),
    ]
}

pub(super) fn publicity_table(figures: &Figures) -> Sheet {
    let heads = [
        "月份 month",
        "省份代码 code",
        "省份 province",
        "报送 state",
        "序号 no",
        "工作要求 requirement",
        "指标一 first figure",
        "数 count",
        "指标二 second figure",
        "数 count",
        "落实情况 in words",
        "报送人 by",
        "记录于 recorded at",
    ];
    let mut sheet = Sheet::new("分省 by province", heads);
    for month in figures.publicity.months() {
        for (province, stated) in figures.publicity.of(*month) {
            let (zh, en) = punctual(*month, stated).words();
            let first = |number: u64, requirement: &str| {
                vec![
                    Cell::text(month.to_string()),
                    Cell::text(province.to_string()),
                    Cell::text(province.name()),
                    Cell::text(format!("{zh} {en}")),
                    Cell::Count(number),
                    Cell::text(requirement),
                ]
            };
            let Some(stated) = stated else {
                let mut row = first(0, "");
                row.resize(sheet.heads.len(), Cell::Empty);
                sheet.rows.push(row);
                continue;
            };
            for ((number, wanted), row) in (1u64..).zip(ANNEX).zip(&stated.statement.rows) {
                let mut cells = first(number, wanted.zh);
                let second = !wanted.second.0.is_empty();
                cells.extend([
                    Cell::text(wanted.first.0),
                    Cell::Count(row.first.into()),
                    Cell::text(wanted.second.0),
                    if second { Cell::Count(row.second.into()) } else { Cell::Empty },
                    Cell::text(row.text.as_str()),
                    // An issued table is made again to the byte: no column is added to it.
                    Cell::text(match stated.by_adapter {
                        true => format!("适配器 adapter {}", stated.by),
                        false => stated.by.clone(),
                    }),
                    Cell::text(shanghai(stated.at)),
                ]);
                sheet.rows.push(cells);
            }
        }
    }
    sheet
}

pub(super) fn publicity_sums(figures: &Figures) -> Sheet {
    let heads = [
        "月份 month",
        "序号 no",
        "工作要求 requirement",
        "指标一 first figure",
        "合计 total",
        "指标二 second figure",
        "合计 total",
        "已报省份 provinces",
    ];
    let mut sheet = Sheet::new("汇总 summed up", heads);
    for month in figures.publicity.months() {
        let sums = figures.publicity.sums(*month);
        for ((number, wanted), sum) in (1u64..).zip(ANNEX).zip(sums.rows) {
            let second = !wanted.second.0.is_empty();
            sheet.rows.push(vec![
                Cell::text(month.to_string()),
                Cell::Count(number),
                Cell::text(wanted.zh),
                Cell::text(wanted.first.0),
                Cell::Count(sum.0),
                Cell::text(wanted.second.0),
                if second { Cell::Count(sum.1) } else { Cell::Empty },
                Cell::Count(sums.provinces),
            ]);
        }
    }
    sheet
}
