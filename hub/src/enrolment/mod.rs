//! A province joins, changes its keys, and leaves, while the others do not notice.
//!
//! What happened is on record first; the broker's configuration is then made from the record, again
//! and again the same. Whoever calls twice gets the same bundle; whoever is interrupted calls again.

pub mod broker;
pub mod facts;
pub mod probe;

use std::sync::Arc;

use events::enrolment::{
    Bundle, Head, Request, RequestFault, Signed, VERSION, read_enrolment, read_rotation,
};
use events::envelope::{Actor, Recorded};
use events::ids::ProvinceCode;
use events::proof::signature::{self, Purpose};
use events::province::KeyPurpose;
use hub_core::command::Command;
use hub_core::province::{Province, ProvinceCommand};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::log::Readers;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, Registrar, What};
use crate::signer::Signer;
use crate::views::membership::Membership;
use crate::views::reader::{CaseFilter, ViewReader};
use broker::{BrokerKeeper, Told};

/// Cases that are looked at together when a province leaves.
const CASES_A_PAGE: usize = 200;
/// How far ahead the end of an overlap may lie, in hours: a year.
const OVERLAP_HOURS_MAX: i64 = 366 * 24;

/// Everything that membership needs. Copies share.
#[derive(Clone)]
pub struct EnrolmentDesk {
    /// The only road into the log.
    pub registrar: Registrar,
    /// What the log says now; a view may be a moment behind.
    pub readers: Readers,
    /// Which cases are open.
    pub views: ViewReader,
    /// Signs bundles.
    pub signer: Signer,
    /// The log and environment.
    pub origin: Arc<str>,
    /// What provinces connect to.
    pub broker_urls: Arc<[String]>,
    /// Certificates that count for it, in PEM, if the system's do not.
    pub broker_ca: Option<Arc<str>>,
    /// What time it is.
    pub clock: Clock,
    /// Tells the broker.
    pub keeper: Arc<BrokerKeeper>,
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// What was recorded; empty: all of it was known.
    pub events: Vec<Recorded>,
    /// What the broker heard of it.
    pub broker: Told,
}

impl EnrolmentDesk {
    /// Lets a province join with the keys of its request. Again: nothing new, the same keys.
    pub async fn enroll(
        &self,
        operator: &str,
        province: ProvinceCode,
        signed: &Signed,
    ) -> Result<Done, Problem> {
        let request = read_enrolment(signed, province).map_err(refused)?;
        self.check_keys(&request).await?;
        let mut commands = vec![ProvinceCommand::Enroll { operator: operator.to_owned() }];
        commands.extend(request.keys.into_iter().map(ProvinceCommand::RegisterKey));
        self.record(operator, province, commands).await
    }

    /// Lets further keys count beside those that do. With `old_until` these end at that moment;
    /// without it they count until somebody revokes them. Again: nothing new.
    pub async fn rotate(
        &self,
        operator: &str,
        province: ProvinceCode,
        signed: &Signed,
        old_until: Option<Timestamp>,
    ) -> Result<Done, Problem> {
        let known = self.province(province).await?;
        let counts = |key_id: &str| {
            let key = known.keys.get(key_id).filter(|it| it.purpose == KeyPurpose::Sign)?;
            signature::public_key(&key.public_key).ok()
        };
        let request = read_rotation(signed, province, &self.origin, counts).map_err(refused)?;
        self.check_keys(&request).await?;
        let mut commands = Vec::new();
        if let Some(until) = old_until {
            self.check_overlap(until)?;
            let is_new = |id: &&String| request.keys.iter().any(|it| it.key_id == **id);
            let old = known.key_order.iter().filter(|it| !is_new(it));
            commands
                .extend(old.map(|it| ProvinceCommand::SetKeyExpiry { key_id: it.clone(), until }));
        }
        // First the new ones: a province never stands without a key.
        let new = request.keys.into_iter().map(ProvinceCommand::RegisterKey);
        commands.splice(0..0, new);
        self.record(operator, province, commands).await
    }

    /// Ends a key now: at the intake with the next report, at the broker with its reload.
    pub async fn revoke(
        &self,
        operator: &str,
        province: ProvinceCode,
        key_id: String,
        reason: String,
    ) -> Result<Done, Problem> {
        let command = ProvinceCommand::RevokeKey { key_id, reason };
        self.record(operator, province, vec![command]).await
    }

    /// Records that a province left and parks what is open with it, so that an operator decides where
    /// it goes. Called again it goes on where it was interrupted.
    pub async fn leave(
        &self,
        operator: &str,
        province: ProvinceCode,
        reason: String,
    ) -> Result<Done, Problem> {
        let operator = operator.to_owned();
        let command = ProvinceCommand::Leave { operator: operator.clone(), reason };
        let mut done = self.record(&operator, province, vec![command]).await?;
        for case in self.open_cases(province).await? {
            let by = format!("{operator} (province {province} left)");
            let command = Command::Park { operator: by };
            let what = What::Case { case, command, personal: None, evidence: None, key: None };
            match self.ask(&operator, what).await {
                Ok(recorded) => done.events.extend(recorded),
                // It ended in the meantime.
                Err(problem) if problem.code == "case-ended" => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(done)
    }

    /// All that the province's adapter must know, signed. Its keys that count are in it.
    pub async fn bundle(&self, province: ProvinceCode) -> Result<Signed, Problem> {
        let known = self.province(province).await?;
        let head = self.readers.read_aside(|log| log.head()).await?;
        let bundle = Bundle {
            v: VERSION,
            province,
            origin: self.origin.to_string(),
            made_at: self.clock.now(),
            broker_urls: self.broker_urls.to_vec(),
            broker_ca: self.broker_ca.as_deref().map(str::to_owned),
            hub_key_id: self.signer.key_id().to_owned(),
            hub_public_key: signature::public_key_text(&self.signer.public_key()),
            keys: known.key_order.iter().filter_map(|it| known.keys.get(it)).cloned().collect(),
            calendar_revision: self.registrar.rules().calendar.revision(),
            head: head.map(|(position, hash)| Head { position: position.0, hash }),
        };
        let payload = serde_json::to_string(&bundle).map_err(|_| Problem::new("internal"))?;
        let signature = self.signer.sign(Purpose::Bundle, payload.as_bytes());
        Ok(Signed { payload, signature, new_key_signature: None })
    }

    /// Records one after the other and tells the broker; the first refusal ends it. What was recorded
    /// before it stays: each can be repeated.
    pub async fn record(
        &self,
        operator: &str,
        province: ProvinceCode,
        commands: Vec<ProvinceCommand>,
    ) -> Result<Done, Problem> {
        let mut events = Vec::new();
        let news = self.keeper.news().await;
        for command in commands {
            events.extend(self.ask(operator, What::Province { province, command }).await?);
        }
        let broker = self.keeper.look_since(news, &self.readers).await?;
        Ok(Done { events, broker })
    }

    async fn ask(&self, operator: &str, what: What) -> Result<Vec<Recorded>, Problem> {
        let actor = Actor::Operator(operator.to_owned());
        let ask = Ask { actor, occurred_at: self.clock.now(), caused_by: None, what };
        match self.registrar.ask(ask).await? {
            Answer::Recorded(recorded) => Ok(recorded),
            Answer::NothingNew(_) => Ok(Vec::new()),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }

    /// As the log tells it now.
    async fn province(&self, province: ProvinceCode) -> Result<Province, Problem> {
        Ok(self.readers.read_aside(|log| Membership::load(log)).await?.province(province))
    }

    /// One key for two provinces, or the hub's own: the broker would let one in as the other.
    async fn check_keys(&self, request: &Request) -> Result<(), Problem> {
        let membership = self.readers.read_aside(|log| Membership::load(log)).await?;
        for key in &request.keys {
            if key.purpose == KeyPurpose::Connect && !broker::is_user_key(&key.public_key) {
                return Err(refused(RequestFault::BadKey(KeyPurpose::Connect)));
            }
            let elsewhere = ProvinceCode::all().any(|province| {
                let known = membership.province(province).keys;
                known.values().any(|it| {
                    it.public_key == key.public_key
                        && (province, &it.key_id) != (request.province, &key.key_id)
                })
            });
            let hubs = [signature::public_key_text(&self.signer.public_key())];
            let of_hub = hubs.contains(&key.public_key) || self.keeper.is_hub(&key.public_key);
            if elsewhere || of_hub {
                return Err(Problem::new("key-in-use"));
            }
        }
        Ok(())
    }

    fn check_overlap(&self, until: Timestamp) -> Result<(), Problem> {
        let now = self.clock.now();
        let farthest = now.checked_add(jiff::SignedDuration::from_hours(OVERLAP_HOURS_MAX));
        let fine = until > now && farthest.is_ok_and(|it| until <= it);
        if fine { Ok(()) } else { Err(Problem::at("out-of-bounds", "/old_until")) }
    }

    async fn open_cases(
        &self,
        province: ProvinceCode,
    ) -> Result<Vec<events::ids::CaseId>, Problem> {
        let views = self.views.clone();
        let look = move || {
            let filter =
                CaseFilter { province: Some(province), open: Some(true), ..CaseFilter::default() };
            let (mut cases, mut after) = (Vec::new(), None);
            loop {
                let page = views.cases(&filter, after, CASES_A_PAGE)?;
                cases.extend(page.rows.iter().map(|it| it.case));
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(cases),
                }
            }
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(cases) => cases.map_err(|error: crate::views::reader::ViewError| error.into()),
            Err(_died) => Err(Problem::new("internal")),
        }
    }
}

fn refused(fault: RequestFault) -> Problem {
    Problem::new(fault.code()).detail(fault.to_string())
}
