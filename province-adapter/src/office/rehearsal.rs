//! An adapter without a broker and a clock that stands still, for the tests of every connector.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::{seal, signature};
use events::report::ReportMessage;
use events::wire;
use events::work::{Work, WorkKind};
use rusqlite::Connection;

use super::codes::Codes;
use super::desk::Desk;
use crate::adapter::Adapter;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::receiving::keep_all;
use crate::reporter;
use crate::store::StoreError;
use crate::tests::{Hub, ORIGIN, identity, moment};

/// When every rehearsal begins; the case of the tests was submitted at this moment.
pub(crate) const START: &str = "2026-03-02T09:00:00+08:00";

/// A folder with keys and a store, and an adapter on it.
pub(crate) struct Rehearsal {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) hub: Hub,
    pub(crate) clock: ManualClock,
    adapter: Option<Adapter>,
}

impl Rehearsal {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (me, hub) = identity();
        std::fs::write(folder.path().join("sign.key"), BASE64.encode([7; 32])).unwrap();
        std::fs::write(folder.path().join("seal.key"), me.seal_key).unwrap();
        let clock = ManualClock::at(moment(START));
        let mut it = Self { folder, hub, clock, adapter: None };
        it.open();
        it
    }

    /// A configuration of this folder; `office` and what it needs are given.
    pub(crate) fn config(&self, office: &str, more: &str) -> String {
        let public = signature::public_key_text(&self.hub.key.verifying_key());
        format!(
            "province = \"22\"\norigin = \"{ORIGIN}\"\noffice = \"{office}\"\n\
             [broker]\nurls = [\"nats://127.0.0.1:1\"]\nnkey_seed_file = \"none\"\n\
             [keys]\nsign_key_file = \"sign.key\"\nsign_key_id = \"22-sign-1\"\n\
             seal_key_file = \"seal.key\"\nseal_key_id = \"22-seal-1\"\n\
             hub_public_key = \"{public}\"\nhub_key_id = \"hub-1\"\n\
             [store]\npath = \"adapter.db\"\n{more}\n"
        )
    }

    fn open(&mut self) {
        let path = self.folder.path().join("adapter.toml");
        std::fs::write(&path, self.config("simulated", "")).unwrap();
        let config = Config::load(&path).unwrap();
        self.adapter = Some(Adapter::open_at(&config, Clock::Manual(self.clock.clone())).unwrap());
    }

    /// The process is gone and comes back. Every desk and connector must have been dropped.
    pub(crate) async fn crash(&mut self) {
        let stopped = self.adapter().reporter().shared.store.stopped();
        self.adapter = None;
        stopped.await;
        self.open();
    }

    pub(crate) fn adapter(&self) -> &Adapter {
        self.adapter.as_ref().unwrap()
    }

    pub(crate) async fn desk(&self, codes: Codes) -> Desk {
        Desk::open(self.adapter().reporter(), Arc::new(codes)).await.unwrap()
    }

    /// The work of one request.
    pub(crate) fn work(&self, case: u128, request: u128, kind: WorkKind) -> Work {
        self.hub.work(case, request, kind)
    }

    /// The hub's message is here and durable; the office has not taken it.
    pub(crate) async fn arrive(&self, work: &Work) {
        let shared = self.adapter().reporter().shared;
        let arrivals = keep_all(&shared, vec![self.hub.letter(work)]).await;
        assert!(arrivals.iter().all(Option::is_some));
    }

    /// The office has everything that arrived.
    pub(crate) async fn take_all(&self) {
        self.write(|it| it.execute("UPDATE work SET taken_at = 1 WHERE taken_at IS NULL", []))
            .await;
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> T {
        let write = move |it: &Connection| Ok::<_, StoreError>(work(it)?);
        self.adapter().reporter().shared.store.write(write).await.unwrap()
    }

    /// What the office has reported of a case, in order, without the adapter's signatures for work.
    pub(crate) async fn told(&self, case: CaseId) -> Vec<ReportMessage> {
        let read = move |it: &Connection| {
            let mut select = it.prepare(
                "SELECT body FROM report WHERE token <> 'delivered' AND case_id = ?1 ORDER BY number",
            )?;
            let rows = select.query_map([crate::outbox::id(case.0)], |row| row.get(0))?;
            rows.collect::<Result<Vec<Vec<u8>>, _>>()
        };
        let bodies = self.write(read).await;
        bodies.iter().map(|it| wire::report_from_bytes(it).unwrap()).collect()
    }

    /// The free text of a report, opened as the hub would.
    pub(crate) fn text(&self, work: &Work, message: &ReportMessage) -> Option<String> {
        let sealed = BASE64.decode(message.report.sealed_text.as_ref()?).unwrap();
        let shared = self.adapter().reporter().shared;
        let key = reporter::reply_key(&shared.identity, work).unwrap();
        let plain = seal::open(&key, message.report.text_context().as_bytes(), &sealed).unwrap();
        Some(String::from_utf8(plain).unwrap())
    }

    /// The hub refused this report.
    pub(crate) async fn refuse(&self, message: &ReportMessage, code: &'static str) {
        let report = crate::outbox::id(message.id.0);
        self.write(move |it| {
            it.execute("UPDATE report SET refusal = ?2 WHERE report_id = ?1", (report, code))
        })
        .await;
    }
}
