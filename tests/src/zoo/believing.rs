//! What an animal believes: signature, province, origin, epoch, seal; and where a broken one looks away.

use async_nats::Message;
use events::proof::seal;
use events::proof::signature::{self, Purpose};
use events::subjects;
use events::wire::{self, ToProvince};
use events::work::{Receipts, Work, WorkKind};
use serde_json::Value;

use super::Defect;
use super::animal::Animal;

/// What an animal makes of a message.
pub(super) enum Content {
    Work(Box<Work>, Option<Value>),
    Receipts(Receipts),
}

impl Animal {
    /// The content of a message that is the hub's, for us, whole and readable.
    pub(super) fn believe(&self, message: &Message) -> Option<Content> {
        if message.payload.len() > subjects::PAYLOAD_BYTES_MAX {
            return None;
        }
        if !self.is(Defect::VerifiesNothing) {
            let jws = message.headers.as_ref()?.get(subjects::SIGNATURE_HEADER)?.as_str();
            if signature::key_id(jws).ok()? != self.bundle.hub_key_id {
                return None;
            }
            let key = &self.bundle.hub_key;
            signature::verify(key, Purpose::ToProvince, jws, &message.payload).ok()?;
        }
        let read = wire::to_province_from_bytes(&message.payload);
        if read.is_err() && self.is(Defect::CrashesOnBadWork) {
            std::process::exit(101);
        }
        if self.is(Defect::TripsOverUnknownFields) && has_unknown_fields(&message.payload) {
            return None;
        }
        let content = read.ok()?;
        let (province, origin, epoch) = match &content {
            ToProvince::Work(it) => (it.province, &it.origin, it.epoch),
            ToProvince::Receipts(it) => (it.province, &it.origin, it.epoch),
            // No animal compares.
            ToProvince::Order(_) => return None,
        };
        let others = province.to_string() != self.bundle.province;
        if others && !self.is(Defect::TakesOthersWork) {
            return None;
        }
        if *origin != self.bundle.origin && !self.is(Defect::TakesOtherOrigins) {
            return None;
        }
        if epoch < self.state.epoch && !self.is(Defect::AcceptsLowerEpoch) {
            return None;
        }
        match content {
            ToProvince::Receipts(it) => Some(Content::Receipts(it)),
            ToProvince::Order(_) => None,
            ToProvince::Work(work) => match self.open(&work) {
                Some(personal) => Some(Content::Work(Box::new(work), Some(personal))),
                None if work.kind == WorkKind::Withdrawal || self.is(Defect::OpensNothing) => {
                    Some(Content::Work(Box::new(work), None))
                }
                None => None,
            },
        }
    }

    fn open(&self, work: &Work) -> Option<Value> {
        let sealed = work.sealed.as_ref()?;
        let private = self.bundle.seal_keys.get(&sealed.key_id)?;
        let plain = seal::open_with(private, work.seal_context().as_bytes(), sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// As a strict reader sees it: whatever it writes back differs from what came.
fn has_unknown_fields(bytes: &[u8]) -> bool {
    let Ok(ToProvince::Work(work)) = wire::to_province_from_bytes(bytes) else { return false };
    let told: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let known = serde_json::to_value(&work).unwrap_or_default();
    let names = |it: &Value| it.as_object().map_or(0, serde_json::Map::len);
    names(&told["data"]) > names(&known)
}
