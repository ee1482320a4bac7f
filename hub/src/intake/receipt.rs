//! The receipt of a submission: made from what was recorded, so that the same events give the same bytes.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::StreamName;
use events::proof::signature::Purpose;
use events::work::SubmissionReceipt;

use crate::problem::Problem;
use crate::registrar::case_event;
use crate::signer::Signer;

/// A receipt's bytes with the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    body: Vec<u8>,
    signature: String,
    location: String,
}

/// A receipt that nobody has signed yet.
pub(super) struct Unsigned(SubmissionReceipt);

/// The receipt for a story that begins with these events; nothing if they are not the beginning.
pub(super) fn of(origin: &str, events: &[Recorded]) -> Option<Unsigned> {
    let first = events.first()?;
    let StreamName::Case(case_id) = first.envelope.stream else { return None };
    let Some(CaseEvent::CaseSubmitted(submitted)) = case_event(first) else { return None };
    // The first route: a later one does not change what was promised.
    let province = events.iter().find_map(|it| match case_event(it) {
        Some(CaseEvent::CaseRouted(routed)) => Some(routed.province),
        _ => None,
    })?;
    Some(Unsigned(SubmissionReceipt {
        origin: origin.to_owned(),
        case_id,
        case_number: submitted.number.clone(),
        position: first.position.0,
        hash: first.hash,
        recorded_at: first.recorded_at,
        province,
        acceptance_due: submitted.due.clone(),
        digest: submitted.digest,
    }))
}

impl Unsigned {
    pub(super) fn signed(self, signer: &Signer) -> Receipt {
        let body = serde_json::to_vec(&self.0).expect("plain structs always serialize");
        let signature = signer.sign(Purpose::SubmissionReceipt, &body);
        Receipt { body, signature, location: format!("/v1/cases/{}", self.0.case_id) }
    }
}

impl Receipt {
    pub(super) fn answer(self, status: StatusCode) -> Result<Response<Body>, Problem> {
        Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .header(header::LOCATION, self.location)
            .header("signature", self.signature)
            .body(Body::from(self.body))
            .map_err(|_| Problem::new("internal"))
    }
}
