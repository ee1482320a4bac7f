//! Inside a quarantined report: its shape with every value masked; what came only with a purpose that is on record first.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use events::personal::has_identity_number;
use events::proof::signature::key_id;
use events::subjects::SIGNATURE_HEADER;
use serde::Deserialize;
use serde_json::Value;

use super::deeds::PURPOSES;
use super::form::Posted;
use super::parked_words::{ParkedWords, reason};
use super::shell::{Shell, shanghai, told};
use super::tiles::grouped;
use super::{May, Visitor};
use crate::problem::Problem;
use crate::quarantine::{Kept, KeptFilter, Stray};
use crate::redrive::{headers_label, province_of};
use crate::web::api::admin::note;
use crate::web::{Rooms, acting};
use crate::words::Language;

/// Most bytes of what came that a page shows.
const SHOWN_BYTES_MAX: usize = 16 * 1024;
/// Longest plain value that is not masked, in characters.
const PLAIN_CHARACTERS_MAX: usize = 80;
/// A telephone number has so many digits in a row; nothing plain has.
const DIGITS_IN_A_ROW_MAX: usize = 10;
/// Fields that hold our own words and ids; their values are shown if they look like one.
const PLAIN: [&str; 14] = [
    "specversion",
    "type",
    "id",
    "source",
    "time",
    "kind",
    "case",
    "request",
    "number",
    "province",
    "adapter",
    "origin",
    "datacontenttype",
    "work",
];

#[derive(Template)]
#[template(path = "console/inside.html")]
struct Inside {
    shell: Shell,
    words: &'static ParkedWords,
    number: u64,
    facts: Vec<(&'static str, String)>,
    body: Option<String>,
    cut: bool,
    clear: bool,
    may_reveal: bool,
    purposes: Vec<(&'static str, &'static str)>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Response {
    told(&visitor, page(&rooms, &visitor, &number, false).await)
}

#[derive(Deserialize)]
pub(super) struct Reveal {
    purpose: String,
    ticket: String,
}

/// Written down first; then shown once, on this page only.
pub(super) async fn reveal(
    State(rooms): State<Rooms>,
    Path(number): Path<String>,
    Posted(visitor, given): Posted<Reveal>,
) -> Response {
    let shown = async {
        let (kept, _) = find(&rooms, &visitor, &number).await?;
        if !PURPOSES.iter().any(|it| it.0 == given.purpose) {
            return Err(Problem::at("unknown-value", "/purpose"));
        }
        let ticket = note(given.ticket, "/ticket")?;
        let operator = visitor.account()?.name.clone();
        let target =
            format!("report {} of {}: {}: {ticket}", kept.number, kept.source, given.purpose);
        acting::record(&rooms, &operator, "look-into-quarantine", target).await?;
        page(&rooms, &visitor, &number, true).await
    };
    told(&visitor, shown.await)
}

async fn find(rooms: &Rooms, visitor: &Visitor, number: &str) -> Result<(Kept, Stray), Problem> {
    let unknown = || Problem::new("not-found");
    let number: u64 = number.parse().map_err(|_| unknown())?;
    let found = rooms
        .waiting(move |it| {
            let filter = KeptFilter { only: vec![number], ..KeptFilter::default() };
            let kept = it.quarantine.kept(&filter, false, 1)?.pop();
            Ok(kept.zip(it.quarantine.one(number)?))
        })
        .await?;
    let (kept, stray) = found.ok_or_else(unknown)?;
    // Somebody else's is as if it were not there.
    if !visitor.sees().shows(province_of(&stray.source)) {
        return Err(unknown());
    }
    Ok((kept, stray))
}

async fn page(
    rooms: &Rooms,
    visitor: &Visitor,
    number: &str,
    clear: bool,
) -> Result<Inside, Problem> {
    let (kept, stray) = find(rooms, visitor, number).await?;
    let words = ParkedWords::of(visitor.language);
    let headers = stray.headers.as_ref();
    let headers = headers.and_then(|it| rooms.opener.open_stray(&headers_label(&stray.source), it));
    let payload = rooms.opener.open_stray(&stray.source, &stray.sealed);
    let (body, cut) = match payload {
        None => (Some(words.gone.to_owned()), false),
        Some(bytes) if clear => {
            let cut = bytes.len() > SHOWN_BYTES_MAX;
            let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
            (Some(String::from_utf8_lossy(shown).into_owned()), cut)
        }
        Some(bytes) => (masked_text(&bytes), false),
    };
    let mut facts = vec![
        (words.at, shanghai(kept.at)),
        (words.source, kept.source.clone()),
        (words.subject, masked_line(&kept.subject)),
        (words.reason, format!("{} ({})", reason(&kept.reason, visitor.language), kept.reason)),
        (words.size, grouped(kept.size_bytes)),
        (words.tries, kept.tries.to_string()),
    ];
    facts.extend(told_headers(headers.as_deref(), words));
    let english = visitor.language == Language::English;
    Ok(Inside {
        shell: Shell::of(rooms, visitor).await?,
        words,
        number: kept.number,
        facts,
        body,
        cut,
        clear,
        may_reveal: May::OPERATOR.has(visitor.is()),
        purposes: PURPOSES.iter().map(|it| (it.0, if english { it.2 } else { it.1 })).collect(),
    })
}

/// The names of the headers, and which key the signature names: never a value.
fn told_headers(lines: Option<&[u8]>, words: &ParkedWords) -> Vec<(&'static str, String)> {
    let Some(lines) = lines else { return vec![(words.headers, words.unable.to_owned())] };
    let lines: Vec<(String, String)> = serde_json::from_slice(lines).unwrap_or_default();
    let names: Vec<String> = lines.iter().map(|it| masked_line(&it.0)).collect();
    let signature = lines.iter().find(|it| it.0.eq_ignore_ascii_case(SIGNATURE_HEADER));
    let key = signature.and_then(|it| key_id(&it.1).ok()).map(|it| masked_line(&it));
    let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
    vec![(words.headers, names), (words.key, key.unwrap_or_else(|| "–".to_owned()))]
}

/// A short text of ours from outside: dots, if it could be anything else.
fn masked_line(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { dots(text) }
}

fn dots(text: &str) -> String {
    format!("•••({})", text.chars().count())
}

fn is_plain(text: &str) -> bool {
    let ours = text.len() <= PLAIN_CHARACTERS_MAX && text.bytes().all(|it| it.is_ascii_graphic());
    let digits = text.split(|it: char| !it.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let is_id = text.parse::<events::ids::CaseId>().is_ok();
    ours && !has_identity_number(text) && (is_id || digits <= DIGITS_IN_A_ROW_MAX)
}

/// The shape of JSON without its values; nothing, if it is none.
fn masked_text(bytes: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let text = serde_json::to_string_pretty(&masked(&value, "")).ok()?;
    Some(text.chars().take(SHOWN_BYTES_MAX).collect())
}

fn masked(value: &Value, key: &str) -> Value {
    match value {
        Value::Object(fields) => {
            let masked = fields.iter().map(|(key, value)| (masked_line(key), masked(value, key)));
            Value::Object(masked.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|it| masked(it, key)).collect()),
        Value::String(text) if PLAIN.contains(&key) => Value::String(masked_line(text)),
        Value::String(text) => Value::String(dots(text)),
        Value::Number(number) if number.to_string().len() > 6 => Value::String("•••".to_owned()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_leaves_the_shape_and_our_own_words_and_nothing_of_a_person() {
        let came = serde_json::json!({
            "type": "report.accepted.v1", "id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "source": "11010519491231002X", "case": "13800000000", "name": "古丽",
            "110105194912310026": 110105194912310026_u64, "number": 3,
            "data": {"phone": ["13800000000"], "adapter": "1.0.0", "kind": "古丽<script>"},
        });
        let text = masked_text(came.to_string().as_bytes()).unwrap();
        for canary in ["古丽", "1949", "13800000000", "script"] {
            assert!(!text.contains(canary), "`{canary}` in {text}");
        }
        for ours in ["report.accepted.v1", "01890a5d-ac96-774b-bcce-b302099a8057", "1.0.0", ": 3"] {
            assert!(text.contains(ours), "`{ours}` not in {text}");
        }
        assert_eq!(masked_text(b"\xff\xfe"), None);
    }
}
