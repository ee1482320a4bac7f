//! Where a report stands in its case's story: numbers without gaps, the delivery first, each answer once,
//! and the answer that was wanted.

use std::time::Duration;

use events::ids::CaseId;
use events::report::{News, ReportMessage};
use events::work::{ReportReceipt, WorkKind};
use jiff::Timestamp;

use super::book::{Book, Said};
use super::judge::{check_answer, check_text, is_delivery_of_bad, receipt, remember};

/// How long back attempts of one report are counted.
pub(crate) const FLOOD_WINDOW: Duration = Duration::from_secs(2);
/// So many attempts within the window are a flood; the pace allows five.
pub(crate) const FLOOD_ATTEMPTS_MAX: usize = 20;
/// What was on its way when the receipt was taken in may still arrive.
pub(crate) const RECEIPT_GRACE: Duration = Duration::from_secs(1);

/// Places a report of a known case by its number. Early ones wait as they do in the hub.
pub(crate) fn place(book: &mut Book, message: ReportMessage, now: Timestamp) -> Vec<ReportReceipt> {
    let case = message.report.case;
    let mut receipts = Vec::new();
    let mut next = Some(message);
    while let Some(message) = next.take() {
        let Some(known) = book.cases.get_mut(&case) else { break };
        let (number, expected) = (message.report.number, known.next_number);
        if number > expected {
            known.early.insert(number, message);
            break;
        }
        if number < expected {
            receipts.push(number_used(book, case, &message, now));
            break;
        }
        known.next_number += 1;
        next = known.early.remove(&(number + 1));
        let refused = judge_news(book, case, &message, now);
        let told = book.cases.get(&case).and_then(|it| it.refuse_with.clone());
        receipts.push(receipt(book, &message, refused.or(told.as_deref())));
        remember(book, case, &message);
    }
    receipts
}

/// Another report has this number already. After a restart that is amnesia.
fn number_used(
    book: &mut Book,
    case: CaseId,
    message: &ReportMessage,
    now: Timestamp,
) -> ReportReceipt {
    let (number, kind) = (message.report.number, message.report.news.token());
    let life = book.life;
    let said = book.cases.get(&case).map(|it| it.said.as_slice()).unwrap_or_default();
    let place = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
    let first = place.and_then(|it| said.get(it));
    let finding = match first {
        Some(first) if first.life < life => "forgets-after-restart",
        _ => "reuses-numbers",
    };
    let before = first.map_or("another report", |it| it.news.token());
    let seen = format!("{kind} {} has number {number}, which {before} had", message.id);
    book.blame(now, finding, Some(case), seen);
    receipt(book, message, Some("number-reused"))
}

/// The code under which the hub would refuse it, if it would.
fn judge_news(
    book: &mut Book,
    case: CaseId,
    message: &ReportMessage,
    now: Timestamp,
) -> Option<&'static str> {
    let known = book.cases.get(&case)?;
    let (kind, number) = (message.report.news.token(), message.report.number);
    if let Some(finding) = is_delivery_of_bad(known, message) {
        book.blame(now, finding, Some(case), format!("{kind} #{number} answers it"));
        return Some("stale-request");
    }
    let request = message.report.request;
    let Some(at) = known.given.iter().rposition(|it| match message.report.news {
        News::Delivered { work } => it.request == request && it.kind == work,
        _ => it.request == request,
    }) else {
        let seen = format!("{kind} #{number} names the request {request}");
        book.blame(now, "wrong-request", Some(case), seen);
        return Some("stale-request");
    };
    let given = known.given[at].clone();
    let newest = at + 1 == known.given.len();
    let repeated = repetition(&known.said, message, book.life);
    if let Some((finding, before)) = repeated {
        let seen = format!("{kind} #{number} {} after {before}", message.id);
        book.blame(now, finding, Some(case), seen);
        return Some("out-of-order");
    }
    let fine = check_answer(book, case, &given, message, now);
    match &message.report.news {
        News::Delivered { .. } => {
            if let Some(given) = book.cases.get_mut(&case).and_then(|it| it.given.get_mut(at)) {
                given.delivered = Some(message.id);
            }
            (!fine).then_some("impossible-moment")
        }
        _ if given.delivered.is_none() => {
            let seen = format!("{kind} #{number} came before `delivered`");
            book.blame(now, "decides-before-delivery", Some(case), seen);
            Some("out-of-order")
        }
        _ if !newest => {
            answers_old(book, case, message, now);
            Some("case-ended")
        }
        _ => judge_wanted(book, case, at, message, now),
    }
}

/// The same kind of news for the same request, in a new report.
fn repetition(said: &[Said], message: &ReportMessage, life: u32) -> Option<(&'static str, String)> {
    let news = &message.report.news;
    let same_work = |it: &&Said| it.request == message.report.request;
    let same = |it: &&Said| match (&it.news, news) {
        (News::Delivered { work: one }, News::Delivered { work: other }) => one == other,
        (one, other) => one.token() == other.token(),
    };
    let first = said.iter().filter(same_work).find(same)?;
    let finding = match (&first.news, news) {
        _ if first.life < life => "forgets-after-restart",
        (News::Delivered { .. }, _) => "takes-copies-for-new",
        (one, other) if one == other => "answers-twice",
        _ => "contradicts-itself",
    };
    Some((finding, first.id.to_string()))
}

/// Answers that crossed newer work are fine until the adapter has signed for that work.
fn answers_old(book: &mut Book, case: CaseId, message: &ReportMessage, now: Timestamp) {
    let Some(known) = book.cases.get(&case) else { return };
    let Some(newest) = known.newest() else { return };
    if newest.delivered.is_none() {
        return;
    }
    let finding = match newest.kind {
        WorkKind::Withdrawal => "answers-after-withdrawal",
        WorkKind::Case | WorkKind::Correction => "answers-an-old-request",
    };
    let kind = message.report.news.token();
    let seen = format!(
        "{kind} #{} came after it had signed for the {}",
        message.report.number,
        newest.kind.token()
    );
    book.blame(now, finding, Some(case), seen);
}

/// Is it the next wanted answer? If not, what kind of other?
fn judge_wanted(
    book: &mut Book,
    case: CaseId,
    at: usize,
    message: &ReportMessage,
    now: Timestamp,
) -> Option<&'static str> {
    let known = book.cases.get(&case)?;
    let (given, news) = (&known.given[at], &message.report.news);
    let wanted = given.answers.get(given.told);
    let (kind, number) = (news.token(), message.report.number);
    let mut faults: Vec<(&'static str, String)> = Vec::new();
    let met = wanted.is_some_and(|it| it.is_met_by(news));
    let mut told = given.told + 1;
    if met {
        faults.extend(check_text(known, wanted.and_then(|it| it.text()), message).err());
    } else {
        let expected = wanted.map_or("nothing", |it| it.kind());
        // What follows from an earlier mistake with this case is not a second mistake.
        if !book.violations.iter().any(|it| it.case.as_ref() == Some(&known.name)) {
            let seen = format!("{kind} #{number}, wanted: {expected}");
            faults.push((other_than_wanted(expected, kind), seen));
        }
        let later = given.answers.iter().skip(given.told).position(|it| it.kind() == kind);
        told = later.map_or(given.told, |it| given.told + it + 1);
    }
    let office_number = match news {
        News::Accepted { acceptance_number } => Some(acceptance_number),
        News::Completed { decision_number, .. } => Some(decision_number),
        _ => None,
    };
    if let Some(number) = office_number {
        let length = number.chars().count();
        if length == 0 || length > 64 {
            faults
                .push(("bad-office-number", format!("{kind} has a number of {length} characters")));
        }
        let key = format!("{kind} {number}");
        let first = *book.office_numbers.entry(key).or_insert(case);
        if first != case {
            faults.push(("gives-one-number-twice", format!("{kind} `{number}` for two cases")));
        }
    }
    let refused = (!met).then_some("out-of-order");
    for (finding, seen) in faults {
        book.blame(now, finding, Some(case), seen);
    }
    if let Some(given) = book.cases.get_mut(&case).and_then(|it| it.given.get_mut(at)) {
        given.told = told;
    }
    refused
}

fn other_than_wanted(expected: &str, kind: &str) -> &'static str {
    match (expected, kind) {
        ("nothing", _) => "answers-unasked",
        ("accepted", "completed") => "skips-acceptance",
        ("resumed", "completed" | "accepted") => "ignores-suspension",
        (one, other) if one == other => "answers-something-else",
        _ => "disobeys",
    }
}
