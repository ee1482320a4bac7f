//! A submission that fits its schema becomes a command, if the person's particulars hold.

use events::ids::{CaseId, CaseNumber, RequestId};
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use hub_core::command::Submit;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::desk::{Desk, Read};
use super::personal::{self, Wrong};
use crate::problem::{PLACES_MAX, Place, Problem};

/// What is handed to the registrar, and the person's number to look for duplicates.
pub(super) struct Submission {
    pub(super) submit: Submit,
    pub(super) personal: Vec<u8>,
    pub(super) identity_number: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    client_reference: Option<String>,
    item: Item,
    category: Category,
    channel: Channel,
    submitted_at: String,
    authority: IssuingAuthority,
    applicant: Applicant,
    materials: Value,
    #[serde(default)]
    remarks: Option<String>,
}

#[derive(Deserialize)]
struct Applicant {
    name: String,
    identity_number: String,
    certificate_number: String,
    #[serde(default)]
    phone: Option<String>,
}

/// Applies the rules of this page; names all places that break one.
pub(super) fn read(desk: &Desk, read: &Read) -> Result<Submission, Problem> {
    // The schema has been checked; what it cannot say is said here.
    let body: Body =
        serde::Deserialize::deserialize(&read.body).map_err(|_| Problem::new("schema"))?;
    let mut places = Vec::new();
    let number = personal::identity_number(&body.applicant.identity_number, desk.clock.today());
    note(&mut places, "/applicant/name", personal::name(&body.applicant.name));
    let number_verdict = number.as_ref().map(|_| ()).map_err(|it| (*it, None));
    note(&mut places, "/applicant/identity_number", number_verdict);
    note(&mut places, "/authority/name", personal::open_text(&body.authority.name));
    let code = body.authority.code.as_deref().unwrap_or("");
    note(&mut places, "/authority/code", personal::open_text(code));
    let reference = body.client_reference.as_deref().unwrap_or("");
    note(&mut places, "/client_reference", personal::open_text(reference));
    let remarks = body.remarks.as_deref().unwrap_or("");
    note(&mut places, "/remarks", personal::remarks(remarks));
    let submitted_at = moment(&body.submitted_at);
    note(&mut places, "/submitted_at", submitted_at.map(|_| ()).ok_or(("bad-moment", None)));
    let (Ok(identity_number), Some(submitted_at), true) = (number, submitted_at, places.is_empty())
    else {
        return Err(broken(places));
    };
    let case = CaseId(desk.fresh_id());
    let personal = sealed_part(&body, &identity_number);
    let submit = Submit {
        case,
        number: CaseNumber::of(case, desk.clock.today()),
        request: RequestId(desk.fresh_id()),
        client: read.caller.name.clone(),
        client_reference: body.client_reference,
        item: body.item,
        category: body.category,
        channel: body.channel,
        authority: body.authority,
        submitted_at,
        digest: desk.opener.fingerprint(&read.bytes),
    };
    Ok(Submission { submit, personal, identity_number })
}

/// What only the vault and the province may read.
fn sealed_part(body: &Body, identity_number: &str) -> Vec<u8> {
    let mut applicant = json!({
        "name": body.applicant.name,
        "identity_number": identity_number,
        "certificate_number": body.applicant.certificate_number,
    });
    if let Some(phone) = &body.applicant.phone {
        applicant["phone"] = phone.as_str().into();
    }
    let mut personal = json!({ "applicant": applicant, "materials": body.materials });
    if let Some(remarks) = &body.remarks {
        personal["remarks"] = remarks.as_str().into();
    }
    serde_json::to_vec(&personal).expect("a JSON value always serializes")
}

/// RFC 3339 with an offset, as the schema has it: 24:00, leap seconds and 30 February are no moments.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let hour = text.get(11..13)?;
    let second = text.get(17..19)?;
    if hour > "23" || second > "59" {
        return None;
    }
    text.parse().ok()
}

fn note(places: &mut Vec<Place>, pointer: &str, verdict: Result<(), Wrong>) {
    if let Err((code, hint)) = verdict {
        places.push(Place { pointer: pointer.to_owned(), code, hint });
    }
}

/// The problem that names these places.
pub(super) fn broken(mut places: Vec<Place>) -> Problem {
    places.truncate(PLACES_MAX);
    let code = places.first().map_or("schema", |it| it.code);
    Problem { places, ..Problem::new(code) }
}
