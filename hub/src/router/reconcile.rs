//! Comparing with the provinces: what an adapter says that it holds, beside what the log says. One
//! desk, one comparison after the other, so that a province that compares all day costs the others
//! nothing but their turn. Forgotten in a restart: then the adapter tells its inventory again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use events::case::AgainGround;
use events::envelope::{Actor, Position};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::keeping::{KeepingEvent, Reconciled};
use events::proof::signature::Purpose;
use events::reconcile::{Held, Holdings, Inventory, Occasion, Order, Span, day_hash};
use events::wire::Comparison;
use events::{subjects, wire};
use hub_core::calendar::shanghai_date;
use hub_core::case::Case;
use hub_core::command::Command;
use hub_core::reconcile::{difference, held};
use jiff::civil::Date;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::registrar::{Ask, Registrar, What};
use crate::router::Chain;
use crate::router::compose::random;
use crate::router::connector::{Connector, Outgoing};
use crate::router::handover::Origin;
use crate::signer::Signer;
use crate::views::reader::{ViewError, ViewReader};

/// Comparisons that may wait; more are dropped, and their adapters tell them again.
pub const WAITING_MAX: usize = 512;
/// Cases of one province in one comparison.
const CASES_MAX: usize = 500_000;
/// A province's next inventory is taken up after this long; the same one again at once.
pub const INVENTORY_EVERY: Duration = Duration::from_secs(5);
/// Cases that are asked again in one go.
const ASKS_AT_ONCE_MAX: usize = 200;
/// Cases in one order.
const CASES_AN_ORDER_MAX: usize = 400;

/// Why a comparison stopped. The adapter tells its inventory again.
#[derive(Debug, thiserror::Error)]
enum CannotCompare {
    #[error("cannot read which cases there are")]
    Cases(#[source] ViewError),
    #[error("cannot read a story")]
    Story(#[source] ReadError),
    #[error("the comparison died")]
    Died,
}

/// An inventory of which lists are still missing.
struct Open {
    id: Uuid,
    occasion: Occasion,
    span: String,
    differences: u64,
    /// What is known here of each day that was asked for.
    cases: BTreeMap<Date, Vec<CaseId>>,
    /// The parts that came of each day that was asked for.
    missing: BTreeMap<Date, BTreeSet<u32>>,
}

/// Takes comparisons in, one after the other.
pub struct Reconciler<C> {
    /// The pipe.
    pub connector: C,
    /// The hub's hand.
    pub signer: Arc<Signer>,
    /// Whose words these are.
    pub origin: Origin,
    /// What time it is.
    pub clock: Clock,
    /// Which cases there are.
    pub views: ViewReader,
    /// What their stories say.
    pub readers: Readers,
    /// What follows from it.
    pub registrar: Registrar,
    /// `INVENTORY_EVERY`, unless a test is in a hurry.
    pub inventory_every: Duration,
    /// What is being compared now.
    pub memory: Memory,
}

/// Inventories of which lists are missing, and when each province's last one was taken up.
#[derive(Default)]
pub struct Memory {
    open: HashMap<ProvinceCode, Open>,
    taken_up: HashMap<ProvinceCode, (Uuid, Instant)>,
}

/// What both sides hold, and what must be said again.
#[derive(Default)]
struct Compared {
    ask_again: Vec<CaseId>,
    report_again: Vec<CaseId>,
    differing: u64,
}

impl Compared {
    fn look(&mut self, case: &Case, province: ProvinceCode, ours: &Held, theirs: Option<&Held>) {
        let found = difference(case, province, ours, theirs);
        self.differing += u64::from(found.any());
        if found.ask_again {
            self.ask_again.push(ours.case);
        }
        if found.report_again {
            self.report_again.push(ours.case);
        }
    }
}

impl<C: Connector> Reconciler<C> {
    /// Compares what provinces tell, and asks for what operators `wish`, until nobody can any more.
    pub async fn run(
        mut self,
        mut told: mpsc::Receiver<(ProvinceCode, Position, Comparison)>,
        mut wishes: mpsc::Receiver<(ProvinceCode, Span)>,
    ) {
        loop {
            tokio::select! {
                told = told.recv() => match told {
                    None => return,
                    Some((province, as_of, told)) => self.take(province, as_of, told).await,
                },
                Some((province, span)) = wishes.recv() => {
                    self.order(province, None, |order| order.take = Some(span)).await;
                }
            }
        }
    }

    /// One thing that `province` told, when the log's head was at `as_of`.
    pub async fn take(&mut self, province: ProvinceCode, as_of: Position, told: Comparison) {
        let done = match told {
            Comparison::Inventory(id, inventory) => {
                let last = self.memory.taken_up.get(&province);
                if last.is_some_and(|it| it.0 != id && it.1.elapsed() < self.inventory_every) {
                    debug!(province.code = %province, "an inventory came too soon");
                    return;
                }
                self.memory.taken_up.insert(province, (id, Instant::now()));
                self.memory.open.remove(&province);
                let open = self.inventory(province, as_of, id, inventory).await;
                open.map(|it| self.memory.open.extend(it.map(|it| (province, it))))
            }
            Comparison::Holdings(list) => self.holdings(province, as_of, list).await,
        };
        if let Err(why) = done {
            error!(province.code = %province, error = %Chain(&why), "cannot compare with {province}");
        }
    }

    /// Compares day by day; what is left is a list to be asked for, or nothing.
    async fn inventory(
        &self,
        province: ProvinceCode,
        as_of: Position,
        id: Uuid,
        inventory: Inventory,
    ) -> Result<Option<Open>, CannotCompare> {
        let (occasion, until) = (inventory.occasion, inventory.until);
        let since = inventory.since;
        let ours = self.held_since(province, as_of, since, until).await?;
        let mut days: BTreeSet<Date> = inventory.days.iter().map(|it| it.day).collect();
        days.extend(ours.keys().copied());
        let (mut compared, mut list) = (Compared::default(), Vec::new());
        let none = Vec::new();
        for day in days.into_iter().filter(|it| since.is_none_or(|since| *it >= since)) {
            let ours = ours.get(&day).unwrap_or(&none);
            let theirs = inventory.days.iter().find(|it| it.day == day);
            let held: Vec<Held> = ours.iter().map(|it| it.1.clone()).collect();
            let (count, hash) = day_hash(&held);
            match theirs {
                Some(line) if (line.count, line.hash) == (count, hash) => {}
                Some(line) if line.count > 0 => list.push(day),
                // Nothing is held of that day: there is no list to ask for.
                _ => ours.iter().for_each(|it| compared.look(&it.0, province, &it.1, None)),
            }
        }
        list.truncate(events::reconcile::DAYS_A_MESSAGE_MAX);
        let span = since.map_or_else(|| format!("until {until}"), |it| format!("{it}/{until}"));
        let missing = list.iter().map(|day| (*day, BTreeSet::new())).collect();
        let differences = compared.differing;
        let known = |day: &Date| ours.get(day).map(|it| it.iter().map(|it| it.1.case).collect());
        let cases = list.iter().map(|it| (*it, known(it).unwrap_or_default())).collect();
        let open = Open { id, occasion, span, differences, cases, missing };
        self.mend(province, id, occasion, &compared).await;
        if list.is_empty() {
            self.settle(province, &open).await;
            return Ok(None);
        }
        self.order(province, Some(id), |order| order.list = list).await;
        Ok(Some(open))
    }

    async fn holdings(
        &mut self,
        province: ProvinceCode,
        as_of: Position,
        list: Holdings,
    ) -> Result<(), CannotCompare> {
        let (id, day, part, parts) = (list.inventory, list.day, list.part, list.parts);
        // Of an inventory that nobody remembers: it comes again, and then this list too.
        let waiting = self.memory.open.get(&province).filter(|it| it.id == id);
        let Some(waiting) = waiting else { return Ok(()) };
        if waiting.missing.get(&day).is_none_or(|it| it.contains(&part)) {
            return Ok(());
        }
        let occasion = waiting.occasion;
        let known = waiting.cases.get(&day).into_iter().flatten().copied();
        let known: Vec<CaseId> = known.filter(|it| list.speaks_for(*it)).collect();
        let compared = self.compare_list(province, as_of, known, list).await?;
        self.mend(province, id, occasion, &compared).await;
        let Some(waiting) = self.memory.open.get_mut(&province) else { return Ok(()) };
        waiting.differences += compared.differing;
        let came = waiting.missing.entry(day).or_default();
        came.insert(part);
        if came.len() >= parts as usize {
            waiting.missing.remove(&day);
        }
        if waiting.missing.is_empty()
            && let Some(done) = self.memory.open.remove(&province)
        {
            self.settle(province, &done).await;
        }
        Ok(())
    }

    async fn compare_list(
        &self,
        province: ProvinceCode,
        as_of: Position,
        known: Vec<CaseId>,
        list: Holdings,
    ) -> Result<Compared, CannotCompare> {
        let ours = self.read(known, province, as_of).await?;
        let mut compared = Compared::default();
        for (case, held) in &ours {
            let theirs = list.cases.iter().find(|it| it.case == held.case);
            compared.look(case, province, held, theirs);
        }
        // Cases that are with another province by now, or of which the log knows nothing.
        let elsewhere: Vec<Held> = list
            .cases
            .into_iter()
            .filter(|it| ours.iter().all(|(_, held)| held.case != it.case))
            .collect();
        for theirs in elsewhere {
            match self.read(vec![theirs.case], province, as_of).await?.pop() {
                Some((case, ours)) => compared.look(&case, province, &ours, Some(&theirs)),
                None => {
                    compared.differing += 1;
                    warn!(case.id = %theirs.case, province.code = %province, "{province} holds a case that the log does not know");
                }
            }
        }
        Ok(compared)
    }

    /// By day, what the province should hold.
    async fn held_since(
        &self,
        province: ProvinceCode,
        as_of: Position,
        since: Option<Date>,
        until: Date,
    ) -> Result<BTreeMap<Date, Vec<(Case, Held)>>, CannotCompare> {
        let views = self.views.clone();
        let look = move || views.cases_since(province, since, CASES_MAX);
        let rows = tokio::task::spawn_blocking(look).await.map_err(|_| CannotCompare::Died)?;
        let rows = rows.map_err(CannotCompare::Cases)?;
        let cases = rows.iter().filter(|it| shanghai_date(it.submitted_at) <= until);
        let held = self.read(cases.map(|it| it.case).collect(), province, as_of).await?;
        let mut days: BTreeMap<Date, Vec<(Case, Held)>> = BTreeMap::new();
        for it in held {
            days.entry(shanghai_date(it.0.submitted_at)).or_default().push(it);
        }
        Ok(days)
    }

    /// As the log was when the province took stock.
    async fn read(
        &self,
        cases: Vec<CaseId>,
        province: ProvinceCode,
        as_of: Position,
    ) -> Result<Vec<(Case, Held)>, CannotCompare> {
        let readers = self.readers.clone();
        let read = move || {
            let mut found = Vec::with_capacity(cases.len());
            for case in cases {
                let stream = StreamName::Case(case);
                let mut story = readers.read(|log| log.read_stream(&stream))?;
                story.truncate(story.partition_point(|it| it.position <= as_of));
                found.extend(held(case, &story, province));
            }
            Ok(found)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|_| CannotCompare::Died)?;
        read.map_err(CannotCompare::Story)
    }

    /// What the adapter lacks is recorded as asked again, and the router sends it; what the hub
    /// lacks is ordered.
    async fn mend(
        &self,
        province: ProvinceCode,
        inventory: Uuid,
        occasion: Occasion,
        compared: &Compared,
    ) {
        let because = match occasion {
            Occasion::NewStore => AgainGround::NewStore,
            Occasion::Connected | Occasion::Daily | Occasion::Asked => AgainGround::Reconciliation,
        };
        for cases in compared.ask_again.chunks(ASKS_AT_ONCE_MAX) {
            let asks = cases.iter().map(|case| self.ask_again(*case, province, &because)).collect();
            for (case, answer) in cases.iter().zip(self.registrar.ask_all(asks).await) {
                if let Err(why) = answer {
                    warn!(case.id = %case, %why, "cannot ask again; the next comparison will");
                }
            }
        }
        for cases in compared.report_again.chunks(CASES_AN_ORDER_MAX) {
            let cases = cases.to_vec();
            self.order(province, Some(inventory), |order| order.report_again = cases).await;
        }
    }

    fn ask_again(&self, case: CaseId, province: ProvinceCode, because: &AgainGround) -> Ask {
        let command = Command::AskAgain { province, because: because.clone() };
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        Ask { actor: Actor::Hub, occurred_at: self.clock.now(), caused_by: None, what }
    }

    async fn settle(&self, province: ProvinceCode, done: &Open) {
        let differences = done.differences;
        metrics::counter!("hub_reconciled_total", "province" => province.to_string()).increment(1);
        metrics::counter!("hub_reconciled_differences_total", "province" => province.to_string())
            .increment(differences);
        // A connection that comes back often and finds nothing is no news for ever.
        if differences > 0 || done.occasion != Occasion::Connected {
            let subject = format!("province-{province} {} {}", done.span, done.occasion.token());
            let what = What::Keeping(KeepingEvent::Reconciled(Reconciled { subject, differences }));
            let occurred_at = self.clock.now();
            let ask = Ask { actor: Actor::Hub, occurred_at, caused_by: None, what };
            if let Err(why) = self.registrar.ask_patiently(ask).await {
                warn!(province.code = %province, %why, "cannot record a comparison; it comes again");
                return;
            }
        }
        info!(province.code = %province, differences, "compared with {province}: {differences} differences");
        self.order(province, Some(done.id), |order| order.settled = Some(differences)).await;
    }

    /// What the broker does not take is not tried again: the adapter tells its inventory again.
    async fn order(
        &self,
        province: ProvinceCode,
        inventory: Option<Uuid>,
        fill: impl FnOnce(&mut Order),
    ) {
        let (origin, epoch) = (self.origin.name.clone(), self.origin.epoch);
        let (list, report_again) = (Vec::new(), Vec::new());
        let (take, settled) = (None, None);
        let mut order =
            Order { origin, province, epoch, inventory, take, list, report_again, settled };
        fill(&mut order);
        let Ok(id) = random().map(|it| uuid::Builder::from_random_bytes(it).into_uuid()) else {
            error!("cannot draw randomness for an order");
            return;
        };
        let payload = wire::order_to_bytes(id, self.clock.now(), &order);
        let message = Outgoing {
            subject: subjects::work(province, subjects::RECONCILE_TOKEN),
            message_id: id.to_string(),
            signature: self.signer.sign(Purpose::ToProvince, &payload),
            trace: None,
            payload: payload.into(),
        };
        for answer in self.connector.publish(vec![message]).await {
            if let Err(error) = answer {
                debug!(error = %Chain(&error), "an order was not sent; the adapter will ask again");
            }
        }
    }
}
