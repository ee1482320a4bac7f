//! What must hold after every history, by name. Each check says what it found, or nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use events::case::CaseEvent;
use events::envelope::{Event, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::proof::Hash;
use events::proof::chain::Link;
use events::proof::signature::{self, Purpose};
use events::wire;
use hub_core::case::{Case, evolve};

use crate::stage::TestHub;
use crate::stage::province::Keys;

/// The case's event, if it is one.
pub fn case_event(recorded: &Recorded) -> Option<(CaseId, &CaseEvent)> {
    match (recorded.envelope.stream, &recorded.envelope.event) {
        (StreamName::Case(case), Event::Case(event)) => Some((case, event)),
        _ => None,
    }
}

/// Every case as the log tells it.
pub fn cases(log: &[Recorded]) -> BTreeMap<CaseId, Case> {
    let mut cases: BTreeMap<CaseId, Option<Case>> = BTreeMap::new();
    for (case, event) in log.iter().filter_map(case_event) {
        let before = cases.remove(&case).flatten();
        cases.insert(case, evolve(before, event));
    }
    cases.into_iter().filter_map(|(id, case)| Some((id, case?))).collect()
}

/// "chain": every hash covers its event and the hash before; no gaps; moments never go back.
pub fn chain(origin: &str, log: &[Recorded]) -> Vec<String> {
    let (mut previous, mut at, mut found) = (Hash::ZERO, None, Vec::new());
    let mut versions: BTreeMap<StreamName, u64> = BTreeMap::new();
    for (place, it) in (1..).zip(log) {
        let (stream, envelope) = (it.envelope.stream.to_string(), &it.envelope);
        let link = Link {
            origin,
            position: it.position.0,
            stream: &stream,
            version: it.version.0,
            recorded_at: it.recorded_at.as_microsecond(),
            epoch: it.epoch,
            previous,
            body: &it.body,
            sealed: envelope.sealed.as_deref(),
            evidence: envelope.evidence.as_ref().map(|it| it.bytes.as_slice()),
            evidence_signature: envelope.evidence.as_ref().map(|it| it.signature.as_str()),
        };
        let version = versions.entry(envelope.stream).or_default();
        *version += 1;
        let whole = link.hash() == it.hash && it.previous == previous;
        let gapless = it.position.0 == place && it.version.0 == *version;
        let forward = at.is_none_or(|at| at <= it.recorded_at);
        let read = wire::event_from_bytes(&it.body).is_ok_and(|read| read.event == envelope.event);
        if !(whole && gapless && forward && read) {
            found.push(format!("chain: broken at position {place}"));
            break;
        }
        (previous, at) = (it.hash, Some(it.recorded_at));
    }
    found
}

/// "kept": everything that was answered as recorded is in the log.
pub fn kept(log: &[Recorded], answered: &BTreeSet<CaseId>) -> Vec<String> {
    let there = cases(log);
    let lost = answered.iter().filter(|it| !there.contains_key(it));
    lost.map(|it| format!("kept: case {it} was answered and is not in the log")).collect()
}

/// "once": one case for one request, one acceptance, one end, one event for one report.
pub fn once(log: &[Recorded]) -> Vec<String> {
    let (mut digests, mut reports, mut found) = (HashSet::new(), HashSet::new(), Vec::new());
    let mut facts: HashSet<(CaseId, &str)> = HashSet::new();
    let mut asked_again = HashSet::new();
    for it in log {
        let Some((case, event)) = case_event(it) else { continue };
        let fact = match event {
            CaseEvent::CaseSubmitted(it) => {
                if !digests.insert(it.digest) {
                    found.push(format!("once: the request of case {case} is recorded twice"));
                }
                "submitted"
            }
            CaseEvent::CaseAccepted(_) => "accepted",
            CaseEvent::CaseCompleted(_)
            | CaseEvent::CaseDeclined(_)
            | CaseEvent::CaseWithdrawn(_)
            | CaseEvent::CorrectionLapsed(_) => "ended",
            CaseEvent::DeemedAccepted(_) => "deemed accepted",
            CaseEvent::ResultFedBack(_) => "fed back",
            _ => "",
        };
        if !fact.is_empty() && !facts.insert((case, fact)) {
            found.push(format!("once: case {case} is {fact} twice"));
        }
        // A report may lead to several events, but they lie together.
        // What was asked again may be signed for with the bytes of the first time, once.
        match event {
            CaseEvent::CaseAskedAgain(it) => {
                asked_again.insert((case, it.request));
            }
            CaseEvent::CaseDelivered(it) if asked_again.remove(&(case, it.request)) => continue,
            _ => {}
        }
        if let Some(report) = it.envelope.caused_by {
            let together = reports.contains(&(report, it.position.0 - 1));
            if reports.iter().any(|(known, _)| *known == report) && !together {
                found.push(format!("once: report {report} is recorded twice"));
            }
            reports.insert((report, it.position.0));
        }
    }
    found
}

/// "authentic": whatever a province is said to have said bears its own signature, over these bytes.
pub fn authentic(log: &[Recorded]) -> Vec<String> {
    let keys: BTreeMap<ProvinceCode, _> =
        ProvinceCode::all().map(|it| (it, Keys::of(it).sign.verifying_key())).collect();
    let mut found = Vec::new();
    for it in log {
        let Some(evidence) = &it.envelope.evidence else { continue };
        let Ok(message) = wire::report_from_bytes(&evidence.bytes) else {
            found.push(format!("authentic: the evidence at {} is no report", it.position));
            continue;
        };
        let key = &keys[&message.report.province];
        let signed = signature::verify(key, Purpose::Report, &evidence.signature, &evidence.bytes);
        let fits = it.envelope.caused_by == Some(message.id.0)
            && it.envelope.stream == StreamName::Case(message.report.case);
        if signed.is_err() || !fits {
            found.push(format!("authentic: nobody entitled said what stands at {}", it.position));
        }
    }
    found
}

/// "delivered": nothing waits for a province's signature.
pub fn delivered(hub: &TestHub) -> Vec<String> {
    let waiting = hub.views().outbox(10_000).expect("the outbox can be read");
    let line = |it: &hub::views::rows::OutboxRow| {
        format!("delivered: case {} waits for {}", it.waiting.case, it.waiting.province)
    };
    waiting.iter().map(line).collect()
}

/// "ended": each case has ended, or is open for a reason that an operator sees.
pub fn ended(log: &[Recorded]) -> Vec<String> {
    let open = |it: &(CaseId, Case)| it.1.is_open() && it.1.parked.is_none();
    let line = |it: (CaseId, Case)| format!("ended: case {} is still {}", it.0, it.1.stage());
    cases(log).into_iter().filter(open).map(line).collect()
}

/// "views": what is shown is what the log says, row by row.
pub fn views(hub: &TestHub) -> Vec<String> {
    let path = hub.path("views.db");
    let compared = hub::audit::replay::compare(&path, hub.readers(), &mut |_| {});
    let (_, compared) = compared.expect("the views can be replayed");
    let line = |it: &hub::audit::replay::Compared| {
        format!("views: `{}` is not what the log says: {:?}", it.view, it.first_difference)
    };
    compared.iter().filter(|it| !it.is_equal()).map(line).collect()
}
