//! What an animal says: a report is numbered, written and signed here, well or badly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::proof::seal;
use events::proof::signature::{self, Purpose};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Defect;
use super::bundle::Bundle;
use super::state::{KeptReport, State};

/// How often a flooding animal sends the same at once.
const FLOOD_TIMES: usize = 40;
/// More than a message may hold, and less than the broker refuses by itself.
const OVERSIZE_BYTES: usize = 34 * 1024;

/// Writes the report of `news` about `work` and keeps it; returns its place.
pub fn write(
    state: &mut State,
    bundle: &Bundle,
    defect: Option<Defect>,
    work: usize,
    news: Value,
    text: Option<&str>,
    now: Timestamp,
) {
    let is = |it| defect == Some(it);
    let case = state.works[work].case.clone();
    let told = state.reports.iter().filter(|it| it.case == case).count() as u64;
    let number = match defect {
        Some(Defect::ReusesNumbers) => 1,
        Some(Defect::SkipsNumbers) => told * 2 + 1,
        _ => told + 1,
    };
    let kind = news["kind"].as_str().expect("news have a kind").to_owned();
    let mut data = data_of(state, bundle, defect, work, number, news);
    if let Some(text) = text
        && !is(Defect::LosesText)
    {
        let key = state.works[work].reply_key.clone().expect("whoever has a text has a key");
        data["sealed_text"] = json!(sealed(&data, &key, text, defect));
    }
    let id = Uuid::now_v7().to_string();
    let moment = now
        + match defect {
            Some(Defect::Backdates) => SignedDuration::from_hours(-72),
            Some(Defect::Postdates) => SignedDuration::from_hours(24),
            _ => SignedDuration::ZERO,
        };
    let body = envelope(&id, &moment, &kind, &data, defect);
    let signature = sign(&body, bundle, state, defect);
    state.reports.push(KeptReport {
        id,
        case,
        number,
        kind,
        work,
        body,
        signature,
        attempt: 0,
        step: 0,
        next_ms: Some(now.as_millisecond()),
        refused: false,
    });
}

fn data_of(
    state: &State,
    bundle: &Bundle,
    defect: Option<Defect>,
    work: usize,
    number: u64,
    mut news: Value,
) -> Value {
    let is = |it| defect == Some(it);
    let work = &state.works[work];
    if is(Defect::InventsAReason) && news.get("reason").is_some() {
        news["reason"] = json!("we-are-busy");
    }
    if is(Defect::ChangesTheReason) && news.get("reason").is_some() {
        news["reason"] = json!("other");
    }
    let digest = if is(Defect::WrongDigest) { "0".repeat(64) } else { work.digest.clone() };
    let neighbour = if bundle.province == "23" { "22" } else { "23" };
    let mut data = json!({
        "origin": if is(Defect::WrongOrigin) { "jilin.production" } else { &bundle.origin },
        "province": if is(Defect::WrongProvince) { neighbour } else { &bundle.province },
        "case": work.case,
        "request": work.request,
        "digest": digest,
        "number": number,
        "adapter": if is(Defect::NoVersion) { "" } else { "zoo/1" },
        "news": news,
    });
    if is(Defect::OversizeReport) && data["news"]["kind"] != "delivered" {
        data["attachment"] = json!("x".repeat(OVERSIZE_BYTES));
    }
    data
}

fn envelope(
    id: &str,
    moment: &Timestamp,
    kind: &str,
    data: &Value,
    defect: Option<Defect>,
) -> String {
    let case = data["case"].as_str().unwrap_or_default();
    let subject = match defect {
        Some(Defect::WrongEnvelope) => "case".to_owned(),
        _ => format!("case-{case}"),
    };
    let event = json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("province:{}", data["province"].as_str().unwrap_or_default()),
        "type": format!("cn.gov.mot.hub.report.{kind}.v1"),
        "subject": subject,
        "time": moment.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    });
    event.to_string()
}

fn sealed(data: &Value, reply_key: &str, text: &str, defect: Option<Defect>) -> String {
    let key: [u8; 32] =
        BASE64.decode(reply_key).ok().and_then(|it| it.try_into().ok()).expect("a reply key");
    let part = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let context = match defect {
        Some(Defect::TextInWrongContext) => String::new(),
        _ => format!(
            "text {} {} {} {}",
            part("origin"),
            part("province"),
            part("case"),
            data["number"]
        ),
    };
    let plain = match defect {
        // 照片 in GBK.
        Some(Defect::GbkAsUtf8) => b"\xd5\xd5\xc6\xac".to_vec(),
        Some(Defect::GarblesText) => {
            let common = |it: char| if u32::from(it) < 0x1_0000 { it } else { '?' };
            text.replace('·', "?").chars().map(common).collect::<String>().into_bytes()
        }
        _ => text.as_bytes().to_vec(),
    };
    BASE64.encode(seal::seal(&key, rand::random(), context.as_bytes(), &plain))
}

/// The signature, with whatever the defect makes of it.
pub fn sign(body: &str, bundle: &Bundle, state: &State, defect: Option<Defect>) -> String {
    let body = body.as_bytes();
    let (mut id, mut key) = (bundle.sign_key_id.clone(), bundle.sign_key.clone());
    if let (Some(Defect::OldKeyAfterRotation), Some((first_id, seed))) = (defect, &state.first_key)
    {
        (id, key) = (first_id.clone(), SigningKey::from_bytes(seed));
    }
    match defect {
        Some(Defect::WrongKeyId) => id = format!("{}-sign-99", bundle.province),
        Some(Defect::WrongSignature) => {
            return signature::sign(&key, &id, Purpose::Report, &[body, b" "].concat());
        }
        Some(Defect::WrongPurpose) => {
            return signature::sign(&key, &id, Purpose::ToProvince, body);
        }
        _ => {}
    }
    signature::sign(&key, &id, Purpose::Report, body)
}

/// One thing to publish.
pub struct Parcel {
    pub kind: String,
    pub message_id: String,
    pub body: String,
    pub signature: String,
}

/// What is due now, its attempts counted; the caller saves before it sends.
pub fn claim_due(
    state: &mut State,
    bundle: &Bundle,
    defect: Option<Defect>,
    now: Timestamp,
) -> Vec<Parcel> {
    let now_ms = now.as_millisecond();
    let mut parcels = Vec::new();
    for at in 0..state.reports.len() {
        if state.reports[at].next_ms.is_none_or(|it| it > now_ms) {
            continue;
        }
        if defect == Some(Defect::ChangesBytes) && state.reports[at].attempt > 0 {
            let mut event: Value = serde_json::from_str(&state.reports[at].body).expect("ours");
            event["time"] = json!(now.to_string());
            state.reports[at].body = event.to_string();
            state.reports[at].signature = sign(&state.reports[at].body, bundle, state, defect);
        }
        let report = &mut state.reports[at];
        report.attempt += 1;
        let wait = bundle.resend_after_ms[report.step.min(bundle.resend_after_ms.len() - 1)];
        report.step += 1;
        report.next_ms = match defect {
            Some(Defect::GivesUpResending) => None,
            _ => Some(now_ms + wait),
        };
        let times = if defect == Some(Defect::Floods) { FLOOD_TIMES } else { 1 };
        for nth in 0..times {
            report.attempt += u64::from(nth > 0);
            let attempt = if defect == Some(Defect::ReusesMessageIds) { 1 } else { report.attempt };
            parcels.push(Parcel {
                kind: report.kind.clone(),
                message_id: format!("{}.{attempt}", report.id),
                body: report.body.clone(),
                signature: report.signature.clone(),
            });
        }
    }
    parcels
}
