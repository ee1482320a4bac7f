//! Does a report count, and does it say what was wanted? The rules of the wire, one after the other, in
//! the order in which the hub asks them; each no is a finding by its own name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::VerifyingKey;
use events::ids::{CaseId, ProvinceCode};
use events::proof::signature::{self, Purpose, SignatureError};
use events::proof::{Hash, seal};
use events::report::{News, ReportMessage};
use events::subjects;
use events::wire::{self, Comparison, WireError};
use events::work::{ReportReceipt, WorkKind};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::book::{Book, Given, Said, SeenReport, TestCase};
use super::order;

/// How far an adapter's clock may run ahead of the hub's; the hub refuses what is later.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How far it may run behind.
const CLOCK_BEHIND_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A message as it came from the broker.
pub(crate) struct Incoming<'a> {
    pub(crate) subject: &'a str,
    pub(crate) signature: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

/// Whom and what the sandbox hub believes.
pub(crate) struct Trust {
    pub(crate) province: ProvinceCode,
    pub(crate) origin: String,
    /// Registered signing keys by their ids.
    pub(crate) keys: Vec<(String, VerifyingKey)>,
    /// How many keys from the front sign nothing new any more.
    pub(crate) retired: usize,
    /// Since when: what happened before may still come, signed with them.
    pub(crate) retired_at: Option<Timestamp>,
    /// Texts of test applicants that must never stand in clear.
    pub(crate) secrets: Vec<String>,
}

/// Why a report is none: the finding, and what was seen.
type Fault = (&'static str, String);

impl Trust {
    /// Judges one stored report and writes down everything about it. The receipts that are owed for
    /// it now; none for what a hub could not trust, read or place yet.
    pub(crate) fn judge(
        &self,
        book: &mut Book,
        message: &Incoming<'_>,
        now: Timestamp,
    ) -> Vec<ReportReceipt> {
        self.look_for_secrets(book, message, now);
        if self.is_comparison(message) {
            if let Err((finding, seen)) = self.read_comparison(message) {
                book.blame(now, finding, None, seen);
            }
            return Vec::new();
        }
        let report = match self.read(message) {
            Ok(report) => report,
            Err((finding, seen)) => {
                // Who it claims to concern helps to find it; it is not believed any further.
                let case = wire::report_from_bytes(message.bytes).ok().map(|it| it.report.case);
                book.blame(now, finding, case, seen);
                return Vec::new();
            }
        };
        let (id, case) = (report.id, report.report.case);
        let kind = report.report.news.token();
        if let Some(known) = book.reports.get(&id)
            && !known.bytes.is_empty()
        {
            let receipt = known.receipt.clone().filter(|_| !known.receipt_waits);
            if known.bytes != message.bytes {
                let seen = format!("report {id} ({kind}) came with other bytes than before");
                book.blame(now, "changes-bytes-when-repeating", Some(case), seen);
            }
            return receipt.into_iter().collect();
        }
        let seen = book.reports.entry(id).or_insert_with(SeenReport::new);
        seen.bytes = message.bytes.to_vec();
        seen.attempts = seen.attempts.max(1);
        book.note(now, Some(case), format!("{kind} #{} {id}", report.report.number));
        self.note_adapter(book, &report, now);
        if !book.cases.contains_key(&case) {
            let seen = format!("{kind} for case {case}, which was never handed out");
            book.blame(now, "reports-unknown-case", None, seen);
            return vec![receipt(book, &report, Some("unknown-case"))];
        }
        order::place(book, report, now)
    }

    /// An inventory, a list or publicity: the sandbox keeps no log of it, and answers nothing.
    fn is_comparison(&self, message: &Incoming<'_>) -> bool {
        [subjects::INVENTORY_TOKEN, subjects::HOLDINGS_TOKEN, subjects::PUBLICITY_TOKEN]
            .iter()
            .any(|it| message.subject == subjects::report(self.province, it))
    }

    fn read_comparison(&self, message: &Incoming<'_>) -> Result<(), Fault> {
        self.check_signature(message)?;
        let wrong = |it| ("not-a-report", format!("on `{}`: {it}", message.subject));
        let stated = subjects::report(self.province, subjects::PUBLICITY_TOKEN);
        let (province, origin) = if message.subject == stated {
            let told = wire::statement_from_bytes(message.bytes).map_err(wrong)?.told;
            (told.province, told.origin)
        } else {
            match wire::comparison_from_bytes(message.bytes).map_err(wrong)? {
                Comparison::Inventory(_, it) => (it.province, it.origin),
                Comparison::Holdings(it) => (it.province, it.origin),
            }
        };
        if province != self.province {
            return Err(("wrong-province", format!("the message speaks for {province}")));
        }
        if origin != self.origin {
            return Err(("wrong-origin", format!("the message's origin is `{origin}`")));
        }
        Ok(())
    }

    /// Signature, envelope, and whether it is this province's and this sandbox's.
    fn read(&self, message: &Incoming<'_>) -> Result<ReportMessage, Fault> {
        if message.bytes.len() > subjects::PAYLOAD_BYTES_MAX {
            return Err(("too-large", format!("{} bytes", message.bytes.len())));
        }
        if let Err(error) = std::str::from_utf8(message.bytes) {
            let seen = format!("not UTF-8 from byte {} on", error.valid_up_to());
            return Err(("text-not-utf8", seen));
        }
        let nth = self.check_signature(message)?;
        let report = wire::report_from_bytes(message.bytes).map_err(|it| match it {
            WireError::Unreadable { source, .. } => ("not-a-report", source.to_string()),
            WireError::UnknownKind { kind } => ("not-a-report", format!("unknown type `{kind}`")),
            WireError::Contradiction { field } => {
                ("wrong-envelope", format!("`{field}` contradicts the data"))
            }
        })?;
        let retired =
            nth < self.retired && self.retired_at.is_some_and(|it| report.occurred_at > it);
        if retired {
            let seen = format!("signed with `{}` after it had been exchanged", self.keys[nth].0);
            return Err(("signs-with-an-old-key", seen));
        }
        let data = &report.report;
        if data.province != self.province {
            return Err(("wrong-province", format!("the report speaks for {}", data.province)));
        }
        if data.origin != self.origin {
            return Err(("wrong-origin", format!("the report's origin is `{}`", data.origin)));
        }
        let subject = subjects::report(self.province, data.news.token());
        if message.subject != subject {
            let seen = format!("{} was published on `{}`", data.news.token(), message.subject);
            return Err(("wrong-subject", seen));
        }
        Ok(report)
    }

    /// The place of the key that signed it.
    fn check_signature(&self, message: &Incoming<'_>) -> Result<usize, Fault> {
        let jws = message
            .signature
            .ok_or_else(|| ("unsigned", format!("no header `{}`", subjects::SIGNATURE_HEADER)))?;
        let malformed = |it: SignatureError| ("wrong-signature", it.to_string());
        let key_id = signature::key_id(jws).map_err(malformed)?;
        let known = self.keys.iter().position(|it| it.0 == key_id);
        let Some(nth) = known else {
            return Err(("unknown-key", format!("signed with key `{key_id}`")));
        };
        match signature::verify(&self.keys[nth].1, Purpose::Report, jws, message.bytes) {
            Ok(()) => Ok(nth),
            Err(SignatureError::WrongPurpose) => {
                Err(("wrong-purpose", "`typ` is not `hub-report+ce`".to_owned()))
            }
            Err(error) => Err(("wrong-signature", format!("key `{key_id}`: {error}"))),
        }
    }

    fn look_for_secrets(&self, book: &mut Book, message: &Incoming<'_>, now: Timestamp) {
        let told = |secret: &String| {
            let secret = secret.as_bytes();
            message.bytes.windows(secret.len()).any(|it| it == secret)
        };
        if self.secrets.iter().any(told) {
            let seen = format!("a report on `{}` holds it in clear", message.subject);
            book.blame(now, "leaks-personal-data", None, seen);
        }
    }

    fn note_adapter(&self, book: &mut Book, report: &ReportMessage, now: Timestamp) {
        let told = &report.report.adapter;
        let length = told.chars().count();
        if length == 0 || length > 64 {
            let seen = format!("`adapter` has {length} characters");
            book.blame(now, "no-adapter-version", Some(report.report.case), seen);
        }
        match &book.adapter {
            Some(known) if known != told => {
                let seen = format!("`{known}` before, `{told}` now");
                book.blame(now, "changes-its-version", Some(report.report.case), seen);
            }
            Some(_) => {}
            None => book.adapter = Some(told.clone()),
        }
    }
}

impl SeenReport {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            attempts: 0,
            recent: Vec::new(),
            receipt: None,
            receipt_waits: false,
            receipted_at: None,
        }
    }
}

/// What must be right wherever in the story it stands: fingerprint and moment.
pub(crate) fn check_answer(
    book: &mut Book,
    case: CaseId,
    given: &Given,
    message: &ReportMessage,
    now: Timestamp,
) -> bool {
    let (report, kind) = (&message.report, message.report.news.token());
    let mut fine = true;
    let mut blame = |finding, seen| {
        book.blame(now, finding, Some(case), seen);
        fine = false;
    };
    if report.digest != given.digest {
        let seen = format!("{kind} #{} names the digest {}", report.number, report.digest);
        blame("wrong-digest", seen);
    }
    if message.occurred_at.duration_since(now) > CLOCK_AHEAD_MAX {
        let seen =
            format!("{kind} #{} happened at {}, now is {now}", report.number, message.occurred_at);
        blame("postdates", seen);
    }
    if let Some(given_at) = given.given_at
        && given_at.duration_since(message.occurred_at) > CLOCK_BEHIND_MAX
    {
        let seen = format!(
            "{kind} #{} happened at {}, the work was handed out at {given_at}",
            report.number, message.occurred_at
        );
        blame("backdates", seen);
    }
    fine
}

/// The text for the applicant: sealed, and what the office was told to write.
pub(crate) fn check_text(
    case: &TestCase,
    wanted: Option<&str>,
    message: &ReportMessage,
) -> Result<(), Fault> {
    let report = &message.report;
    let sealed = match (&report.sealed_text, wanted) {
        (None, None) => return Ok(()),
        (None, Some(_)) => {
            return Err(("loses-text", format!("{} has no `sealed_text`", report.news.token())));
        }
        (Some(sealed), _) => sealed,
    };
    let no = |why: &str| ("text-does-not-open", format!("`sealed_text` {why}"));
    let sealed = BASE64.decode(sealed).map_err(|_| no("is not base64url"))?;
    let plain = seal::open(&case.reply_key, report.text_context().as_bytes(), &sealed)
        .map_err(|_| no("does not open with the reply key and this report's context"))?;
    let Ok(text) = String::from_utf8(plain) else {
        return Err(("text-not-utf8", "the opened text is not UTF-8".to_owned()));
    };
    match wanted {
        Some(wanted) if wanted != text => {
            let seen = format!(
                "{} characters instead of {}",
                text.chars().count(),
                wanted.chars().count()
            );
            Err(("garbles-text", seen))
        }
        Some(_) | None => Ok(()),
    }
}

/// A receipt; with a code it says why the report was refused.
pub(crate) fn receipt(
    book: &mut Book,
    message: &ReportMessage,
    refused: Option<&str>,
) -> ReportReceipt {
    book.position += 1;
    let place = refused.is_none().then_some(book.position);
    let refused = refused.map(str::to_owned);
    let hash = place.map(|it| Hash([it as u8; 32]));
    let case = message.report.case;
    let (report, position, next_number) = (message.id, place, None);
    let receipt = ReportReceipt { report, case, position, hash, refused, next_number };
    if let Some(seen) = book.reports.get_mut(&message.id) {
        seen.receipt = Some(receipt.clone());
    }
    receipt
}

/// Remembers news that counted.
pub(crate) fn remember(book: &mut Book, case: CaseId, message: &ReportMessage) {
    let life = book.life;
    if let Some(case) = book.cases.get_mut(&case) {
        let (id, request) = (message.id, message.report.request);
        case.said.push(Said { id, request, news: message.report.news.clone(), life });
    }
}

/// Sent once more, counted also where the broker drops the copy.
pub(crate) fn attempt(
    book: &mut Book,
    message_id: Option<&str>,
    bytes: &[u8],
    now: Timestamp,
    at: Instant,
) {
    let Ok(report) = wire::report_from_bytes(bytes) else { return };
    let (id, case) = (report.id, report.report.case);
    if message_id.is_none() {
        let seen = format!("report {id} came without the header");
        book.blame(now, "no-message-id", Some(case), seen);
    }
    if let Some(message_id) = message_id
        && !book.message_ids.insert(message_id.to_owned())
    {
        let seen = format!("`{message_id}` was used for two attempts of report {id}");
        book.blame(now, "reuses-message-ids", Some(case), seen);
    }
    let seen = book.reports.entry(id).or_insert_with(SeenReport::new);
    seen.attempts += 1;
    seen.recent.retain(|it| at.duration_since(*it) < order::FLOOD_WINDOW);
    seen.recent.push(at);
    let (count, receipted) = (seen.recent.len(), seen.receipted_at);
    let refused = seen.receipt.as_ref().is_some_and(|it| it.refused.is_some());
    if count == order::FLOOD_ATTEMPTS_MAX {
        let seen = format!("report {id} was sent {count} times within {:?}", order::FLOOD_WINDOW);
        book.blame(now, "floods", Some(case), seen);
    }
    if receipted.is_some_and(|it| at.duration_since(it) > order::RECEIPT_GRACE) {
        let finding = if refused { "insists-on-refused-reports" } else { "ignores-receipts" };
        let seen = format!("report {id} was sent again after its receipt had been taken in");
        book.blame(now, finding, Some(case), seen);
    }
}

/// The finding for a kind of work that was signed for although it must not be believed.
pub(crate) fn is_delivery_of_bad(case: &TestCase, message: &ReportMessage) -> Option<&'static str> {
    let wanted = match message.report.news {
        News::Delivered { work } => Some(work),
        _ => None,
    };
    case.given
        .iter()
        .filter(|it| it.request == message.report.request)
        .filter(|it| wanted.is_none_or(|work: WorkKind| work == it.kind))
        .find_map(|it| it.bad)
}
