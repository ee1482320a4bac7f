//! Work and answers as rows of plain texts: tables, XML records and CSV lines all carry the same
//! columns, so that an office that changes from one to another learns nothing new.

pub(crate) mod answer;

use events::vocabulary::Material;
use events::work::WorkKind;
use serde_json::Value;

use super::TakenWork;
use super::codes::{CodeError, Codes};

/// One column of an exchange table, one element of a record, one field of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// In SQL and XML.
    pub(crate) name: &'static str,
    /// In the heading of a CSV file and in receipts.
    pub(crate) zh: &'static str,
    /// Somebody's personal data: kept out of logs, names of files and receipts.
    pub(crate) personal: bool,
}

const fn open(name: &'static str, zh: &'static str) -> Column {
    Column { name, zh, personal: false }
}

const fn personal(name: &'static str, zh: &'static str) -> Column {
    Column { name, zh, personal: true }
}

/// What the office gets, in this order.
pub(crate) const WORK: [Column; 20] = [
    open("case_id", "办件标识"),
    open("request_id", "请求标识"),
    open("kind", "任务种类"),
    open("case_number", "办件编号"),
    open("item", "事项"),
    open("category", "从业资格类别"),
    open("channel", "申请渠道"),
    open("authority_code", "发证机关代码"),
    open("authority_name", "发证机关名称"),
    open("authority_division", "发证机关行政区划"),
    open("submitted_at", "申请时间"),
    open("due_day", "受理期限"),
    open("due_provisional", "期限暂定"),
    personal("applicant_name", "姓名"),
    personal("identity_number", "证件号码"),
    personal("phone", "电话"),
    personal("certificate_number", "从业资格证号"),
    personal("materials", "材料清单"),
    personal("remarks", "备注"),
    personal("personal_json", "申请内容原文"),
];

/// What the office answers, in this order. Only the first four are always wanted.
pub(crate) const ANSWER: [Column; 17] = [
    open("answer_id", "答复编号"),
    open("case_id", "办件标识"),
    open("kind", "答复种类"),
    open("occurred_at", "发生时间"),
    open("acceptance_number", "受理编号"),
    open("outcome", "办理结果"),
    open("decision_number", "决定书编号"),
    open("reasons", "原因"),
    open("missing", "缺少材料"),
    open("until", "补正期限"),
    open("division", "档案所在行政区划"),
    open("ground", "特别程序依据"),
    open("grade", "诚信等级"),
    open("valid_until", "有效期至"),
    open("certificate_id", "电子证照编号"),
    open("next_due", "下次考核日期"),
    personal("text", "告知申请人"),
];

/// A row: the columns that have a value.
pub(crate) type Sheet = Vec<(Column, String)>;

/// The work as a row; the same work always gives the same row, to the letter.
pub(crate) fn of_work(taken: &TakenWork, codes: &Codes) -> Result<Sheet, CodeError> {
    let work = &taken.work;
    let empty = Value::Null;
    let applicant = taken.applicant.as_ref().unwrap_or(&empty);
    let person = applicant.get("applicant").unwrap_or(applicant);
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let shanghai = work.submitted_at.to_zoned(super::hours::shanghai());
    let values: [String; 20] = [
        work.case.to_string(),
        work.request.to_string(),
        codes.work(work.kind)?.to_owned(),
        work.number.to_string(),
        codes.item(work.item)?.to_owned(),
        codes.category(work.category)?.to_owned(),
        codes.channel(work.channel)?.to_owned(),
        codes.authority(&work.authority)?.to_owned(),
        work.authority.name.clone(),
        work.authority.division.map(|it| it.to_string()).unwrap_or_default(),
        shanghai.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        work.due.day.to_string(),
        if work.due.provisional { "是" } else { "否" }.to_owned(),
        text(person, "name"),
        text(person, "identity_number"),
        text(person, "phone"),
        text(person, "certificate_number"),
        materials(applicant, codes)?,
        remarks(applicant),
        match work.kind {
            WorkKind::Withdrawal => String::new(),
            WorkKind::Case | WorkKind::Correction => applicant.to_string(),
        },
    ];
    Ok(WORK.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect())
}

/// The application and what was handed in later, oldest first.
fn parts(applicant: &Value) -> impl Iterator<Item = &Value> {
    let later = applicant["corrections"].as_array().into_iter().flatten();
    std::iter::once(applicant).chain(later)
}

/// `kind=reference#sha256` for each, with `;` between: none of the three can contain these signs.
fn materials(applicant: &Value, codes: &Codes) -> Result<String, CodeError> {
    let one = |it: &Value| {
        let kind = it["kind"].as_str().unwrap_or_default();
        // A kind that this version does not know goes on as the hub sent it.
        let kind = match Material::of(kind) {
            Some(known) => codes.material(known)?,
            None => kind,
        };
        let hash = it["sha256"].as_str().map(|it| format!("#{it}")).unwrap_or_default();
        Ok(format!("{kind}={}{hash}", it["reference"].as_str().unwrap_or_default()))
    };
    let all = parts(applicant).flat_map(|it| it["materials"].as_array().into_iter().flatten());
    Ok(all.map(one).collect::<Result<Vec<_>, CodeError>>()?.join(";"))
}

fn remarks(applicant: &Value) -> String {
    parts(applicant).filter_map(|it| it["remarks"].as_str()).collect::<Vec<_>>().join("\n")
}
