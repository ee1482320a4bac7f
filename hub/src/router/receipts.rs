//! What ends a province's re-sending. A lost receipt is no loss: the report comes again, and so does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::ids::ProvinceCode;
use events::proof::signature::Purpose;
use events::work::{Receipt, Receipts};
use events::{subjects, wire};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::router::Chain;
use crate::router::compose::{CannotSend, random};
use crate::router::connector::{Connector, Outgoing};
use crate::router::handover::Origin;
use crate::signer::Signer;

/// Receipts that may wait to be sent; whoever hands in more waits.
pub const RECEIPTS_WAITING_MAX: usize = 4_096;

/// A receipt and whom it is for.
pub type ReceiptFor = (ProvinceCode, Receipt);

/// Where receipts are handed in, and where they come out.
pub fn channel() -> (mpsc::Sender<ReceiptFor>, mpsc::Receiver<ReceiptFor>) {
    mpsc::channel(RECEIPTS_WAITING_MAX)
}

/// Packs, signs and sends receipts.
pub struct ReceiptSender<C> {
    /// The pipe.
    pub connector: C,
    /// The hub's hand.
    pub signer: Arc<Signer>,
    /// Whose words these are.
    pub origin: Origin,
    /// What time it is.
    pub clock: Clock,
}

impl<C: Connector> ReceiptSender<C> {
    /// Sends what is handed in, many under one signature, until nobody can hand in any more.
    pub async fn run(self, mut receipts: mpsc::Receiver<ReceiptFor>) {
        let mut waiting = Vec::new();
        while receipts.recv_many(&mut waiting, RECEIPTS_WAITING_MAX).await > 0 {
            self.send(std::mem::take(&mut waiting)).await;
        }
    }

    /// Sends these. What the broker does not take is not tried again: the adapter will ask.
    pub async fn send(&self, receipts: Vec<ReceiptFor>) {
        let mut messages = Vec::new();
        for (province, receipts) in by_province(receipts) {
            for chunk in receipts.chunks(subjects::RECEIPTS_A_MESSAGE_MAX) {
                match self.message(province, chunk) {
                    Ok(message) => messages.push(message),
                    Err(error) => warn!(error = %Chain(&error), "cannot compose receipts"),
                }
            }
        }
        let outcomes = self.connector.publish(messages).await;
        for answer in &outcomes {
            let outcome = if answer.is_ok() { "sent" } else { "lost" };
            metrics::counter!("hub_receipt_messages_total", "outcome" => outcome).increment(1);
            if let Err(error) = answer {
                debug!(error = %Chain(error), "receipts were not sent; the adapter will ask again");
            }
        }
    }

    fn message(&self, province: ProvinceCode, chunk: &[Receipt]) -> Result<Outgoing, CannotSend> {
        let id = uuid::Builder::from_random_bytes(random()?).into_uuid();
        let (origin, epoch) = (self.origin.name.clone(), self.origin.epoch);
        let (mut receipts, mut statements) = (Vec::new(), Vec::new());
        for receipt in chunk {
            match receipt {
                Receipt::Report(it) => receipts.push(it.clone()),
                Receipt::Statement(it) => statements.push(it.clone()),
            }
        }
        let receipts = Receipts { origin, province, epoch, receipts, statements };
        let payload = wire::receipts_to_bytes(id, self.clock.now(), &receipts);
        Ok(Outgoing {
            subject: subjects::work(province, subjects::RECEIPTS_TOKEN),
            message_id: id.to_string(),
            signature: self.signer.sign(Purpose::ToProvince, &payload),
            trace: None,
            payload: payload.into(),
        })
    }
}

fn by_province(receipts: Vec<ReceiptFor>) -> BTreeMap<ProvinceCode, Vec<Receipt>> {
    let mut sorted: BTreeMap<ProvinceCode, Vec<Receipt>> = BTreeMap::new();
    for (province, receipt) in receipts {
        sorted.entry(province).or_default().push(receipt);
    }
    sorted
}
