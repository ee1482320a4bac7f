//! What a province may rely on: everything it signed is receipted or held; nothing unsigned is believed.

use bytes::Bytes;
use events::report::News;
use events::vocabulary::{Outcome, Reason};

use super::*;
use crate::tests::{ORIGIN, Stage, accepted, delivered, province};

pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) desk: ReportDesk,
    receipts: mpsc::Receiver<(ProvinceCode, Receipt)>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let stage = Stage::new();
        stage.enroll(22).await;
        stage.enroll(23).await;
        let (handing, receipts) = mpsc::channel(1_000);
        let desk = ReportDesk {
            origin: ORIGIN.into(),
            membership: stage.membership.clone(),
            registrar: stage.registrar.clone(),
            readers: stage.readers.clone(),
            quarantine: stage.quarantine.clone(),
            opener: stage.opener.clone(),
            clock: stage.clock.clone(),
            receipts: handing,
            comparisons: mpsc::channel(1).0,
        };
        Self { stage, desk, receipts }
    }

    async fn take(&mut self, batch: &[Message]) -> (Vec<Settled>, Vec<ReportReceipt>) {
        let (settled, receipts) = self.take_all(batch).await;
        let of_reports = receipts.into_iter().map(|it| match it {
            Receipt::Report(it) => it,
            Receipt::Statement(it) => panic!("nobody stated anything: {it:?}"),
        });
        (settled, of_reports.collect())
    }

    pub(super) async fn take_all(&mut self, batch: &[Message]) -> (Vec<Settled>, Vec<Receipt>) {
        let settled = self.desk.take(province(22), batch).await;
        let mut receipts = Vec::new();
        while let Ok((to, receipt)) = self.receipts.try_recv() {
            assert_eq!(to, province(22));
            receipts.push(receipt);
        }
        (settled, receipts)
    }

    pub(super) fn strays(&self) -> Vec<(String, String, u64)> {
        self.stage.quarantine.counts().unwrap()
    }
}

fn completed(outcome: Outcome) -> News {
    let reasons = if outcome == Outcome::Denied { vec![Reason::OverAge] } else { vec![] };
    let decision_number = "决-1".into();
    News::Completed { outcome, decision_number, reasons, result: Default::default() }
}

fn outcomes(settled: &[Settled]) -> Vec<&'static str> {
    settled.iter().map(|it| it.outcome).collect()
}

#[tokio::test]
async fn what_is_recorded_is_receipted_with_its_place_and_only_then_acknowledged() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let batch = [
        scene.stage.report(case, 1, delivered()),
        scene.stage.report(case, 2, accepted()),
        scene.stage.report(case, 3, completed(Outcome::Approved)),
    ];
    let (settled, receipts) = scene.take(&batch).await;
    assert_eq!(outcomes(&settled), ["recorded"; 3]);
    assert!(settled.iter().all(|it| it.fate == Fate::Acknowledge && it.went_on == Some(case)));
    let story = scene.stage.story(case);
    for receipt in &receipts {
        let recorded = story.iter().find(|it| Some(it.position.0) == receipt.position).unwrap();
        assert_eq!(receipt.hash, Some(recorded.hash));
        assert_eq!(recorded.envelope.caused_by, Some(receipt.report.0));
        assert!(recorded.envelope.evidence.is_some());
        assert_eq!(receipt.refused, None);
    }
    assert_eq!(receipts.len(), 3);
}

#[tokio::test]
async fn every_old_report_again_changes_nothing_and_brings_the_same_receipts() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let batch = [
        scene.stage.report(case, 1, delivered()),
        scene.stage.report(case, 2, completed(Outcome::Approved)),
        scene.stage.report(case, 3, accepted()),
        scene.stage.report(case, 4, completed(Outcome::Approved)),
        scene.stage.report(case, 5, completed(Outcome::Denied)),
    ];
    let (_, first) = scene.take(&batch).await;
    let before = scene.stage.events_count();
    for _again in 0..2 {
        let (settled, receipts) = scene.take(&batch).await;
        assert_eq!(outcomes(&settled), ["known"; 5]);
        assert_eq!(receipts, first);
    }
    assert_eq!(scene.stage.events_count(), before);
    let refused: Vec<_> = first.iter().map(|it| it.refused.as_deref()).collect();
    let expected = [None, Some("out-of-order"), None, None, Some("conflicting-decision")];
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_report_without_its_predecessor_is_held_and_taken_when_that_came() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let early = scene.stage.report(case, 2, accepted());
    let (settled, receipts) = scene.take(std::slice::from_ref(&early)).await;
    assert_eq!(settled[0].fate, Fate::Hold { case, number: 2 });
    assert!(receipts.is_empty(), "nothing is receipted that is not on record");
    let first = scene.stage.report(case, 1, delivered());
    let (settled, _) = scene.take(&[first]).await;
    assert_eq!(settled[0].went_on, Some(case));
    let (settled, receipts) = scene.take(&[early]).await;
    assert_eq!((outcomes(&settled), receipts.len()), (vec!["recorded"], 1));
}

#[tokio::test]
async fn what_never_can_be_recorded_is_kept_receipted_with_its_code_and_not_sent_again() {
    let mut scene = Scene::new().await;
    let (ours, theirs) = (scene.stage.submit(1, 22).await, scene.stage.submit(2, 23).await);
    let nobodys = CaseId(uuid::Uuid::from_u128(99));
    let before = scene.stage.events_count();
    let batch = [
        scene.stage.report_by(nobodys, 1, delivered(), Some(22)),
        scene.stage.report_by(theirs, 1, delivered(), Some(22)),
    ];
    let (settled, receipts) = scene.take(&batch).await;
    assert!(settled.iter().all(|it| it.fate == Fate::Acknowledge));
    let codes: Vec<_> = receipts.iter().map(|it| it.refused.as_deref().unwrap()).collect();
    assert_eq!(codes, ["unknown-case", "not-your-case"]);
    assert_eq!(outcomes(&settled), codes);
    assert_eq!(scene.strays().iter().map(|it| it.2).sum::<u64>(), 2);
    assert_eq!(scene.stage.events_count(), before);
    assert_eq!(scene.stage.story(ours).len(), 2);
}

#[tokio::test]
async fn an_identity_number_in_clear_reaches_neither_the_log_nor_its_evidence() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let first = [scene.stage.report(case, 1, delivered()), scene.stage.report(case, 2, accepted())];
    scene.take(&first).await;
    let before = scene.stage.events_count();
    let result = events::case::CaseResult {
        certificate_id: Some("11010519491231002X".to_owned()),
        ..Default::default()
    };
    let (outcome, decision_number) = (Outcome::Approved, "决-1".to_owned());
    let news = News::Completed { outcome, decision_number, reasons: vec![], result };
    let (settled, receipts) = scene.take(&[scene.stage.report(case, 3, news)]).await;
    assert_eq!(settled[0].fate, Fate::Acknowledge);
    assert_eq!(receipts[0].refused.as_deref(), Some("identity-number-in-clear"));
    assert_eq!((receipts[0].position, scene.stage.events_count()), (None, before));
    assert_eq!(scene.strays().iter().map(|it| it.2).sum::<u64>(), 1);
    // The number is still free.
    let again = scene.stage.report(case, 3, completed(Outcome::Approved));
    assert_eq!(outcomes(&scene.take(&[again]).await.0), ["recorded"]);
}

#[tokio::test]
async fn what_nobody_signed_is_kept_by_name_and_terminated_without_a_receipt() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let before = scene.stage.events_count();
    let good = scene.stage.report(case, 1, delivered());
    let bare = Message { headers: None, ..good.clone() };
    let deputy = Message { headers: None, payload: Bytes::from_static(b"+ACK"), ..good.clone() };
    let mut changed = good.payload.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let changed = Message { payload: changed.into(), ..good.clone() };
    let elsewhere = Message { subject: "hub.v1.report.23.delivered".into(), ..good };
    let (settled, receipts) = scene.take(&[bare, deputy, changed, elsewhere]).await;
    assert!(settled.iter().all(|it| it.fate == Fate::Terminate && it.went_on.is_none()));
    let named = ["no-signature", "no-signature", "wrong-signature", "wrong-subject"];
    assert_eq!(outcomes(&settled), named);
    assert!(receipts.is_empty());
    assert_eq!(scene.strays().iter().map(|it| it.2).sum::<u64>(), 4);
    assert_eq!(scene.stage.events_count(), before);
}

#[tokio::test]
async fn what_cannot_be_kept_is_left_to_the_broker() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let good = scene.stage.report(case, 1, delivered());
    let bare = Message { headers: None, ..good.clone() };
    scene.stage.break_quarantine();
    let (settled, receipts) = scene.take(&[bare, good]).await;
    assert_eq!(settled[0], Settled::LEFT);
    assert_eq!((settled[1].fate, receipts.len()), (Fate::Acknowledge, 1));
}

#[tokio::test]
async fn nothing_is_acknowledged_when_nobody_sends_receipts() {
    let mut scene = Scene::new().await;
    let case = scene.stage.submit(1, 22).await;
    let report = scene.stage.report(case, 1, delivered());
    scene.receipts.close();
    let (settled, _) = scene.take(&[report]).await;
    assert_eq!(settled[0].fate, Fate::Leave);
}
