//! Which of the office's answers have been taken, by the office's own ids: in one transaction with
//! the report, so that neither is there without the other, whatever is killed when.

use std::sync::Arc;

use events::ids::ReportId;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codes::Codes;
use super::desk::{Answer, AnswerRefusal, Answers, Given, OperationId, answer_in};
use super::sheet::answer::{AnswerRow, Problem, read};
use crate::inbox::Moments;
use crate::keys::Identity;
use crate::outbox::{ReportError, id};
use crate::reporter::{Item, Reporter};
use crate::store::StoreError;

/// The code of a taken answer whose content is another one now.
pub(crate) const CHANGED: &str = "answer-changed";

/// Made when a connector starts; adapters that never had one do without it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS answer_taken (
      source    TEXT NOT NULL,
      answer_id TEXT NOT NULL,
      digest    BLOB NOT NULL,
      report_id BLOB,
      at        INTEGER NOT NULL,
      told      INTEGER NOT NULL,
      PRIMARY KEY (source, answer_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS answer_untold ON answer_taken (source, answer_id) WHERE told = 0;";

/// What became of an answer. The same answer again becomes the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is a report now, durably; nothing for an answer that says there is no news.
    Taken(Option<ReportId>),
    /// Nothing came of it.
    Refused(Problem),
    /// It answers work that this side has yet to note as taken: it is looked at again.
    Later,
}

/// Makes what is missing in the store, the desk's table too.
pub(crate) async fn prepare(reporter: &Reporter, codes: &Arc<Codes>) -> Result<(), StoreError> {
    super::desk::Desk::open(reporter.clone(), Arc::clone(codes)).await?;
    let make = |it: &Connection| -> Result<(), StoreError> { Ok(it.execute_batch(SCHEMA)?) };
    reporter.shared.store.write(make).await
}

/// Takes one answer, once for its id. An answer that was refused may come again, mended; one that
/// was taken may not: its report may have been sent already.
pub(crate) fn take(
    connection: &Connection,
    desk: &Desk<'_>,
    row: &AnswerRow,
    now: Moments,
) -> Result<Verdict, StoreError> {
    let answer_id = match row.id() {
        Ok(id) => id,
        Err(problem) => return Ok(Verdict::Refused(problem)),
    };
    let digest = row.digest();
    if let Some((known, report)) = find(connection, desk.source, answer_id)? {
        if known != digest {
            return Ok(changed());
        }
        // The office asks again, so it is told again how it ended.
        connection
            .prepare_cached("UPDATE answer_taken SET told = report_id IS NULL WHERE source = ?1 AND answer_id = ?2")?
            .execute([desk.source, answer_id])?;
        return Ok(Verdict::Taken(report));
    }
    let item = match read(row, desk.codes) {
        Ok(item) => item,
        Err(problem) => return Ok(Verdict::Refused(problem)),
    };
    let report = match item {
        None => None,
        Some(item) => match give(connection, desk, answer_id, item, now) {
            Ok(given) => Some(given.report),
            Err(
                AnswerRefusal::WorkNotTaken { .. }
                | AnswerRefusal::Report(ReportError::OutboxFull { .. }),
            ) => return Ok(Verdict::Later),
            Err(refusal) => return problem_of(refusal).map(Verdict::Refused),
        },
    };
    connection
        .prepare_cached("INSERT INTO answer_taken VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            desk.source,
            answer_id,
            digest,
            report.map(|it| id(it.0)),
            now.real.as_millisecond(),
            report.is_none()
        ])?;
    Ok(Verdict::Taken(report))
}

fn give(
    connection: &Connection,
    desk: &Desk<'_>,
    answer_id: &str,
    item: Item,
    now: Moments,
) -> Result<Given, AnswerRefusal> {
    let operation = OperationId::new(&format!("{}:{answer_id}", desk.source))
        .expect("a source and a checked id are visible ASCII and short");
    let answer = Answer {
        operation,
        case: item.case,
        answers: Answers::TakenWork,
        news: item.news,
        decided_at: Some(item.occurred_at),
        text: item.text,
    };
    answer_in(connection, desk.identity, answer, now.told, now.real)
}

/// Who takes answers.
pub(crate) struct Desk<'a> {
    /// Ids count within it: `table` or `folder`.
    pub(crate) source: &'static str,
    pub(crate) identity: &'a Identity,
    pub(crate) codes: &'a Codes,
}

type Known = ([u8; 32], Option<ReportId>);

fn find(
    connection: &Connection,
    source: &str,
    answer_id: &str,
) -> Result<Option<Known>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT digest, report_id FROM answer_taken WHERE source = ?1 AND answer_id = ?2",
        )?
        .query_row([source, answer_id], |row| {
            let report: Option<[u8; 16]> = row.get(1)?;
            Ok((row.get(0)?, report.map(|it| ReportId(uuid::Uuid::from_bytes(it)))))
        })
        .optional()?)
}

fn changed() -> Verdict {
    Verdict::Refused(Problem::whole(
        CHANGED,
        "此答复编号已被取走，内容后来被改动；改动没有处理，已报告的内容不变。如需更正，请用新的答复编号另行答复",
    ))
}

/// What the office can mend is told to the office; the rest is the adapter's own trouble.
fn problem_of(refusal: AnswerRefusal) -> Result<Problem, StoreError> {
    let code = refusal.code();
    let text = match refusal {
        AnswerRefusal::Report(ReportError::Store(error)) => return Err(error),
        // Nothing is known of the answer then: it is read again.
        AnswerRefusal::Report(ReportError::Randomness) => return Err(StoreError::Stopped),
        AnswerRefusal::Report(ReportError::OutboxFull { .. }) => {
            "待回执的报告已达上限，请稍后再答复"
        }
        AnswerRefusal::UnknownCase { .. }
        | AnswerRefusal::Report(ReportError::UnknownCase { .. }) => {
            "本省没有收到过这个办件，请核对办件标识"
        }
        AnswerRefusal::OperationReused { .. } => "答复编号曾用于另一答复，请换一个编号",
        AnswerRefusal::WorkNotTaken { .. } => "此办件还有未取走的材料，请先取走再答复",
        AnswerRefusal::NewerWork { .. } => "此办件已有更新的派件，请答复最新的派件",
        AnswerRefusal::RefusedByHub { .. } => {
            "同一答复曾被中枢拒绝，再报也不会被采纳；请按拒绝代码改正后用新的答复编号另报"
        }
        AnswerRefusal::CaseWithdrawn => "申请人已撤回，请结案，不必再答复",
        AnswerRefusal::CaseEnded { .. } => "此办件已有最终答复（办结、不予受理或退回），不能再答复",
        AnswerRefusal::OutOfOrder { .. } => {
            "与此办件目前的状态不符：先受理才能办结或启动特别程序，受理后不能再补正、退回或不予受理"
        }
        AnswerRefusal::OutOfBounds { field: "decided_at", .. } => {
            "“发生时间”晚于现在或早于申请时间，请核对两边的时钟"
        }
        AnswerRefusal::OutOfBounds { field: "until", .. } => "“补正期限”已过",
        AnswerRefusal::OutOfBounds { .. } => "编号须为1至64个字符，不含控制字符；清单最多16项",
        AnswerRefusal::Code(_) => "代码不在代码对照表中，请改正代码或补充对照表",
        AnswerRefusal::Report(ReportError::TextTooLong { .. } | ReportError::TooLarge { .. }) => {
            "告知申请人的文字过长，请控制在约2000个汉字以内"
        }
        AnswerRefusal::Report(ReportError::IdentityNumberInClear) => {
            "受理编号、决定书编号或电子证照编号中含有公民身份号码，请改用不含个人信息的编号"
        }
        AnswerRefusal::Report(ReportError::NoReplyKey { .. }) => {
            "此办件没有回复密钥，不能附告知文字；请去掉告知文字再报"
        }
    };
    Ok(Problem::whole(code, text))
}

/// What the hub said of a taken answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) answer_id: String,
    /// The hub's refusal code; nothing if it is recorded.
    pub(crate) refusal: Option<String>,
}

/// Answers whose reports the hub has signed for and whose office has not been told so.
pub(crate) fn untold(
    connection: &Connection,
    source: &str,
    count_max: usize,
) -> Result<Vec<Ended>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT answer_id, refusal FROM answer_taken JOIN report USING (report_id)
         WHERE source = ?1 AND told = 0 AND next_send_at IS NULL ORDER BY answer_id LIMIT ?2",
    )?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![source, count_max], |row| {
        Ok(Ended { answer_id: row.get(0)?, refusal: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The office knows. Told again after a crash in between, which changes nothing.
pub(crate) fn told(
    connection: &Connection,
    source: &str,
    answer_ids: &[String],
) -> Result<(), StoreError> {
    let mut update = connection
        .prepare_cached("UPDATE answer_taken SET told = 1 WHERE source = ?1 AND answer_id = ?2")?;
    for answer_id in answer_ids {
        update.execute([source, answer_id])?;
    }
    Ok(())
}

/// What the office reads when the hub refused a report.
pub(crate) fn hub_refusal_text(code: &str) -> String {
    format!("中枢没有采纳此报告，代码 {code}；含义和处理办法见 schemas/refusals-reports.md")
}
