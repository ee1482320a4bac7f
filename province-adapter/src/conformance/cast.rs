//! Test cases and their work: who applies, for what, what the office is told to answer. The people are
//! invented; the identity number is the example of GB 11643.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::case::CaseResult;
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId};
use events::proof::{Hash, seal};
use events::report::News;
use events::vocabulary::{
    Category, Channel, DueDay, Grade, IssuingAuthority, Item, Outcome, Reason,
};
use events::work::{PersonalPart, Work, WorkKind};
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::KitError;
use super::book::{Given, TestCase};
use super::folder::random;
use super::hub::fresh_id;
use super::instruction::{Answer, Instruction, MEMBER, VERSION};
use super::script::{Names, Want, Wanted};

/// The example of GB 11643, in a text that no office writes by itself.
pub(crate) const IDENTITY_NUMBER: &str = "11010519491231002X";
/// The rare and the non-Han characters that real names have.
pub(crate) const NAME: &str = "测试𠮷·买买提";
/// What the office is told to write to the applicant: GBK has no `𠮷` and no emoji.
const TEXT: &str = "请于五日内补正：照片不合格。𠮷·ئالىم ✓";
/// How long ago test applicants submitted.
const SUBMITTED_AGO: SignedDuration = SignedDuration::from_hours(24);
/// Days until materials can be handed in.
const UNTIL_DAYS: i64 = 15;

/// The texts that must never stand in clear.
pub(crate) fn secrets() -> Vec<String> {
    vec![IDENTITY_NUMBER.to_owned(), NAME.to_owned()]
}

/// The cases of one sentence: names, items, and for `decline` and the like each its reason.
pub(crate) fn cases(
    names: &Names,
    wants: &[Want],
    now: Timestamp,
) -> Result<Vec<TestCase>, KitError> {
    let ago = |it: SignedDuration| now.checked_sub(it).unwrap_or(now);
    let usual = (Item::Renewal, Category::GeneralFreight, ago(SUBMITTED_AGO));
    let mut list: Vec<(String, Item, Category, Timestamp, Option<Reason>)> = Vec::new();
    match names {
        Names::One { name, item, category } => {
            list.push((name.clone(), *item, *category, usual.2, None));
        }
        Names::Everything => {
            for item in Item::ALL {
                for category in Category::ALL {
                    list.push((format!("{item}/{category}"), *item, *category, usual.2, None));
                }
            }
        }
        Names::Reasons => {
            for reason in Reason::ALL {
                list.push((reason.to_string(), usual.0, usual.1, usual.2, Some(*reason)));
            }
        }
        Names::Many { count, days } => {
            let days = (*days).max(1);
            for nth in 0..*count {
                let step = SignedDuration::from_hours(24 * days).checked_div(*count as i32);
                let step = step.unwrap_or_default() * i32::try_from(*count - nth).unwrap_or(1);
                list.push((format!("B{}", nth + 1), usual.0, usual.1, ago(step), None));
            }
        }
    }
    list.into_iter()
        .map(|(name, item, category, submitted_at, reason)| {
            let answers = wants.iter().map(|it| answer(it, item, reason, now)).collect();
            open(name, item, category, submitted_at, answers)
        })
        .collect()
}

fn open(
    name: String,
    item: Item,
    category: Category,
    submitted_at: Timestamp,
    answers: Vec<Answer>,
) -> Result<TestCase, KitError> {
    let id = CaseId(uuid::Builder::from_random_bytes(random16()?).into_uuid());
    let number = CaseNumber::of(id, shanghai_day(submitted_at));
    let given = vec![given(WorkKind::Case, answers)?];
    Ok(TestCase {
        name,
        id,
        number,
        item,
        category,
        submitted_at,
        reply_key: random()?,
        given,
        said: Vec::new(),
        early: Default::default(),
        next_number: 1,
        refuse_with: None,
    })
}

/// A request of its own: a case, a correction, a withdrawal.
pub(crate) fn given(kind: WorkKind, answers: Vec<Answer>) -> Result<Given, KitError> {
    let request = RequestId(fresh_id()?);
    let digest = Hash(random()?);
    Ok(Given {
        kind,
        request,
        digest,
        answers,
        told: 0,
        delivered: None,
        given_at: None,
        bad: None,
    })
}

/// What is wanted, as news without a number.
pub(crate) fn answer(want: &Want, item: Item, each: Option<Reason>, now: Timestamp) -> Answer {
    let until = shanghai_day(now).saturating_add(jiff::Span::new().days(UNTIL_DAYS));
    let assessed = item == Item::IntegrityAssessment;
    let news = match &want.what {
        Wanted::Accept => News::Accepted { acceptance_number: String::new() },
        Wanted::Approve => News::Completed {
            outcome: Outcome::Approved,
            decision_number: String::new(),
            reasons: Vec::new(),
            result: CaseResult {
                grade: assessed.then_some(Grade::Aaa),
                valid_until: (!assessed).then_some(until),
                certificate_id: None,
                next_due: None,
            },
        },
        Wanted::Deny(reason) => News::Completed {
            outcome: Outcome::Denied,
            decision_number: String::new(),
            reasons: vec![each.or(*reason).unwrap_or(Reason::Other)],
            result: CaseResult::default(),
        },
        Wanted::Decline(reason) => {
            News::Declined { reason: each.or(*reason).unwrap_or(Reason::Other) }
        }
        Wanted::Correct(missing) => News::CorrectionRequested { missing: missing.clone(), until },
        Wanted::Suspend(ground) => News::Suspended { ground: *ground },
        Wanted::Resume => News::Resumed,
        Wanted::Return => {
            News::Returned { reason: Reason::NotThisAuthority, division: "220100".parse().ok() }
        }
        Wanted::Certificate => {
            News::CertificateIssued { certificate_id: "SANDBOX-CERTIFICATE-1".to_owned() }
        }
    };
    Answer::new(&news, want.after_ms, want.text.then_some(TEXT))
}

/// The newest request of `case` as a message's data, without its sealed part.
pub(crate) fn work(
    case: &TestCase,
    at: usize,
    (origin, province, epoch): (&str, ProvinceCode, u64),
    now: Timestamp,
) -> Work {
    let given = &case.given[at];
    Work {
        origin: origin.to_owned(),
        province,
        kind: given.kind,
        case: case.id,
        number: case.number.clone(),
        request: given.request,
        digest: given.digest,
        epoch,
        item: case.item,
        category: case.category,
        channel: Channel::MiniProgram,
        authority: IssuingAuthority {
            code: None,
            name: "沙箱道路运输管理局".to_owned(),
            division: "220100".parse().ok(),
        },
        submitted_at: case.submitted_at,
        due: DueDay {
            day: shanghai_day(now).saturating_add(jiff::Span::new().days(2)),
            papers: vec!["沙箱 sandbox".to_owned()],
            provisional: false,
        },
        next_report_number: None,
        sealed: None,
    }
}

/// Seals applicant and instruction to the province's key, bound to `work` as it stands.
pub(crate) fn seal_into(
    work: &mut Work,
    case: &TestCase,
    at: usize,
    scenario: &str,
    key: (&str, &str),
) -> Result<(), KitError> {
    let instruction = Instruction {
        v: VERSION,
        scenario: Some(scenario.to_owned()),
        answers: case.given[at].answers.clone(),
    };
    let mut applicant = json!({
        "applicant": {
            "name": NAME,
            "identity_number": IDENTITY_NUMBER,
            "phone": "+86 138 0000 0000",
            "certificate_number": "SANDBOX-0001",
        },
        "materials": [{ "kind": "photo", "reference": "sandbox-photo" }],
        "remarks": "沙箱测试 sandbox test",
    });
    applicant[MEMBER] = serde_json::to_value(&instruction).expect("plain structs always serialize");
    if work.kind == WorkKind::Correction {
        applicant.as_object_mut().map(|it| it.remove("applicant"));
    }
    let personal = PersonalPart { reply_key: BASE64.encode(case.reply_key), applicant };
    let plain = serde_json::to_vec(&personal).expect("a text and a JSON value serialize");
    let context = work.seal_context();
    let sealed = seal::seal_to(key.1, key.0, &random()?, context.as_bytes(), &plain);
    work.sealed = Some(sealed.map_err(|_| KitError::Randomness)?);
    Ok(())
}

fn random16() -> Result<[u8; 16], KitError> {
    crate::keys::randomness().map_err(|_| KitError::Randomness)
}

fn shanghai_day(at: Timestamp) -> jiff::civil::Date {
    at.to_zoned(TimeZone::fixed(tz::offset(8))).date()
}
