//! Over a real broker: reports whose key was registered late are kept, let in again, and the case completes once.

use events::case::CaseEvent;
use events::ids::{CaseId, ProvinceCode, RedriveId, ReportId, StreamName};
use events::keeping::redrive::{RedriveOf, RedriveOrdered, RedriveSelection};
use events::proof::signature::{Purpose, public_key_text, sign};
use events::province::{KeyPurpose, KeyRegistered};
use events::report::{News, Report, ReportMessage};
use events::subjects;
use events::vocabulary::Outcome;
use events::wire::report_to_bytes;
use events::work::WorkKind;
use hub::clock::Clock;
use hub::nats::streams::StreamLimits;
use hub::quarantine::KeptFilter;
use hub::registrar::{What, case_event};
use hub_core::province::ProvinceCommand;
use hub_core::redrive::{Phase, RedriveCommand};
use tests::broker::{TestBroker, VERSIONS};
use tests::journey::{Journey, ORIGIN};

/// An office that signs with a key that nobody has registered yet.
struct Office<'a> {
    journey: &'a Journey,
    key: ed25519_dalek::SigningKey,
    province: ProvinceCode,
    line: async_nats::jetstream::Context,
}

impl Office<'_> {
    async fn report(&self, case: CaseId, number: u64, news: News) {
        let story = self.journey.readers.read(|log| log.read_stream(&StreamName::Case(case)));
        let story = story.unwrap();
        let request = story.iter().find_map(|it| match case_event(it) {
            Some(CaseEvent::CaseRouted(it)) => Some(it.request),
            _ => None,
        });
        let digest = story.iter().find_map(|it| match case_event(it) {
            Some(CaseEvent::CaseSubmitted(it)) => Some(it.digest),
            _ => None,
        });
        let report = Report {
            origin: ORIGIN.into(),
            province: self.province,
            case,
            request: request.unwrap(),
            digest: digest.unwrap(),
            number,
            adapter: "1.0.0".into(),
            news,
            sealed_text: None,
        };
        let subject = subjects::report(self.province, report.news.token());
        let (id, occurred_at) = (ReportId(uuid::Uuid::now_v7()), Clock::Machine.now());
        let payload = report_to_bytes(&ReportMessage { id, occurred_at, report });
        let signature = sign(&self.key, "22-sign-2", Purpose::Report, &payload);
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(subjects::SIGNATURE_HEADER, signature.as_str());
        let sent = self.line.publish_with_headers(subject, headers, payload.into()).await;
        sent.unwrap().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_whose_key_was_registered_late_are_let_in_again_and_the_case_completes() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("late-key", version, &[22]).await else { continue };
        let journey = Journey::start(broker).await;
        let case = journey.submit(22).await;
        let key = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
        let province = tests::broker::province(22);
        journey.broker.ensure(&journey.connection, &StreamLimits::default()).await;
        let mut line = async_nats::jetstream::new(journey.broker.client(22).await);
        line.set_timeout(std::time::Duration::from_secs(60));
        let office = Office { journey: &journey, key: key.clone(), province, line };
        let completed = News::Completed {
            outcome: Outcome::Approved,
            decision_number: "决-1".into(),
            reasons: vec![],
            result: Default::default(),
        };
        let told = [
            News::Delivered { work: WorkKind::Case },
            News::Accepted { acceptance_number: "受-1".into() },
            completed,
        ];
        for (number, news) in (1..).zip(told) {
            office.report(case, number, news).await;
        }
        journey.until("all three are kept", || journey.strays() == 3).await;
        journey.drained(22).await;
        assert_eq!(journey.completed(&[case]), 0);
        let register = ProvinceCommand::RegisterKey(KeyRegistered {
            key_id: "22-sign-2".into(),
            purpose: KeyPurpose::Sign,
            algorithm: "ed25519".into(),
            public_key: public_key_text(&key.verifying_key()),
        });
        journey.tell(What::Province { province, command: register }).await;
        let redrive: RedriveId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let selection = RedriveSelection {
            of: RedriveOf::QuarantinedReports,
            province: Some(province),
            why: Some("unknown-key".into()),
            since: None,
            until: journey.quarantine.last_number().unwrap(),
            only: vec![],
        };
        let order = RedriveOrdered {
            redrive,
            operator: "o".into(),
            reason: "the key came late".into(),
            selection,
            count: 3,
            per_minute: 600,
            route_to: None,
            needs_second: false,
        };
        journey.tell(What::Redrive(RedriveCommand::Order { order, confirm_above: 100 })).await;
        journey.until("the case completes", || journey.completed(&[case]) == 1).await;
        let finished = || {
            let row = journey.views.redrive(redrive).ok().flatten();
            row.is_some_and(|it| it.phase == Phase::Finished && it.done() == 3)
        };
        journey.until("the order has finished", finished).await;
        assert_eq!(journey.quarantine.count(&KeptFilter::default()).unwrap().0, 0);
        let decided = journey.story(case).into_iter().filter(|it| *it == "case.completed.v1");
        assert_eq!(decided.count(), 1);
    }
}
