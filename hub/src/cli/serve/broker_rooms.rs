//! The rooms that speak through the broker: router, receipts, feedback, and the pull of each province's reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use events::ids::ProvinceCode;
use events::reconcile::Span;
use hub_core::plan::Pace;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{error, warn};

use super::House;
use crate::intake::pull::{PullConfig, ReportPull};
use crate::intake::reports::ReportDesk;
use crate::nats::keys::UserKey;
use crate::nats::streams::StreamLimits;
use crate::nats::{connect, streams};
use crate::redrive::Waiting;
use crate::redrive::run::Redriver;
use crate::router::compose::Composer;
use crate::router::connector::JetStreamConnector;
use crate::router::feedback::{FeedbackConfig, FeedbackNeeds, FeedbackSender, Webhook};
use crate::router::handover::Origin;
use crate::router::receipts::{self, ReceiptSender};
use crate::router::reconcile::{self, Reconciler};
use crate::router::{Router, RouterConfig};
use crate::signer::Signer;

/// How long to wait before the streams are looked at again when the broker is away.
const STREAMS_AGAIN: Duration = Duration::from_secs(2);
/// How often somebody new is looked for.
const MEMBERSHIP_TICK: Duration = Duration::from_millis(200);
/// How often the streams are looked at while all is well: somebody may have wiped the broker.
const STREAMS_TICK: Duration = Duration::from_secs(5);

/// Connects to the broker and starts what speaks through it. A broker that is away stops nothing.
pub(super) async fn start(
    house: &Arc<House>,
    rooms: &mut JoinSet<()>,
    wishes: mpsc::Receiver<(ProvinceCode, Span)>,
) -> anyhow::Result<()> {
    let user = UserKey::read(&house.config.broker.nkey_seed_file)?;
    let connection = connect::connect(&house.config.broker.address(), &user).await?;
    let signer = Arc::new(house.signer.clone());
    let origin = Origin { name: house.config.origin.clone(), epoch: house.epoch };
    let connector = JetStreamConnector::new(connection.jetstream.clone());
    let (receipt_door, receipt_queue) = receipts::channel();
    let sender = ReceiptSender {
        connector: JetStreamConnector::new(connection.jetstream.clone()),
        signer: signer.clone(),
        origin: origin.clone(),
        clock: house.clock.clone(),
    };
    rooms.spawn(sender.run(receipt_queue));
    let (comparison_door, comparisons) = mpsc::channel(reconcile::WAITING_MAX);
    let reconciler = Reconciler {
        connector: JetStreamConnector::new(connection.jetstream.clone()),
        signer: signer.clone(),
        origin: origin.clone(),
        clock: house.clock.clone(),
        views: house.views.clone(),
        readers: house.readers.clone(),
        registrar: house.registrar.clone(),
        inventory_every: reconcile::INVENTORY_EVERY,
        memory: reconcile::Memory::default(),
    };
    rooms.spawn(reconciler.run(comparisons, wishes));
    rooms.spawn(feedback(house, signer.clone())?.run(house.viewed.listen()));
    let composer = Arc::new(Composer {
        readers: house.readers.clone(),
        opener: house.opener.clone(),
        membership: house.membership.clone(),
        signer,
        origin,
        clock: house.clock.clone(),
    });
    let pace = Pace { waits_ms: house.config.pace_ms.clone() };
    let router_config = RouterConfig { pace, ..RouterConfig::default() };
    let router = Router::new(
        composer,
        house.views.clone(),
        house.registrar.clone(),
        connector,
        router_config,
    );
    rooms.spawn(router.run(house.viewed.listen()));
    let desk = Arc::new(ReportDesk {
        origin: house.config.origin.clone(),
        membership: house.membership.clone(),
        registrar: house.registrar.clone(),
        readers: house.readers.clone(),
        quarantine: house.quarantine.clone(),
        opener: house.opener.clone(),
        clock: house.clock.clone(),
        receipts: receipt_door,
        comparisons: comparison_door,
    });
    let redriver = redriver(house, &desk);
    rooms.spawn(redriver.run(house.viewed.listen(), super::TICK));
    let (keeper, readers) = (house.enrolment.keeper.clone(), house.readers.clone());
    let (registrar, clock) = (house.registrar.clone(), house.clock.clone());
    rooms.spawn(async move { keeper.run(readers, registrar, clock).await });
    rooms.spawn(super::gauges::run(house.clone(), connection.clone()));
    rooms.spawn(keep_streams(house.clone(), connection.jetstream, desk, user));
    Ok(())
}

/// Lets in again what somebody ordered.
fn redriver(house: &House, desk: &Arc<ReportDesk>) -> Redriver<Arc<ReportDesk>> {
    Redriver {
        waiting: Waiting { views: house.views.clone(), quarantine: house.quarantine.clone() },
        registrar: house.registrar.clone(),
        readers: house.readers.clone(),
        clock: house.clock.clone(),
        desk: desk.clone(),
        seen: None,
    }
}

/// Brings results to the national systems that want to be called; the others read the feed.
fn feedback(house: &House, signer: Arc<Signer>) -> anyhow::Result<FeedbackSender> {
    let mut hooks = Vec::new();
    for client in &house.config.clients {
        if let Some(hook) = &client.webhook {
            let url = hook
                .url
                .parse()
                .with_context(|| format!("the webhook of `{}` is not an address", client.name))?;
            hooks.push(Webhook { client: client.name.clone(), url });
        }
    }
    let needs = FeedbackNeeds {
        hooks,
        views: house.views.clone(),
        readers: house.readers.clone(),
        opener: house.opener.clone(),
        registrar: house.registrar.clone(),
        signer,
        origin: house.config.origin.clone(),
        clock: house.clock.clone(),
    };
    let pace = Pace { waits_ms: house.config.pace_ms.clone() };
    Ok(FeedbackSender::new(needs, FeedbackConfig { pace, ..FeedbackConfig::default() })?)
}

/// Makes missing streams for whoever is enrolled, starts taking the reports of who is new, and stops
/// taking those of who has left.
async fn keep_streams(
    house: Arc<House>,
    jetstream: async_nats::jetstream::Context,
    desk: Arc<ReportDesk>,
    user: UserKey,
) {
    let limits = StreamLimits::default();
    let config = PullConfig {
        reports_a_second_max: house.config.broker.reports_per_second_max,
        ..PullConfig::default()
    };
    let mut pulling: BTreeMap<ProvinceCode, AbortHandle> = BTreeMap::new();
    let mut pulls = JoinSet::new();
    loop {
        let enrolled = house.membership.enrolled();
        let wait = match streams::ensure(&jetstream, &enrolled, &limits).await {
            Ok(_) => STREAMS_TICK,
            Err(error) => {
                warn!(error = %crate::cli::output::chain(&error.into()), "the broker's streams are not ready");
                STREAMS_AGAIN
            }
        };
        pulling.retain(|province, pull| {
            let stays = enrolled.contains(province);
            if !stays {
                pull.abort();
            }
            stays
        });
        for province in &enrolled {
            pulling.entry(*province).or_insert_with(|| {
                let line = reports_line(house.clone(), user.clone());
                let (desk, limits, config) = (desk.clone(), limits.clone(), config.clone());
                let province = *province;
                pulls.spawn(async move {
                    let connection = line.await;
                    ReportPull::new(desk, connection, province, limits, config).run().await;
                })
            });
        }
        let until = tokio::time::Instant::now() + wait;
        while tokio::time::Instant::now() < until && house.membership.enrolled() == enrolled {
            tokio::time::sleep(MEMBERSHIP_TICK).await;
            // One province's reports would wait for ever: this room ends too, and with it the hub.
            while let Some(ended) = pulls.try_join_next() {
                if !ended.is_err_and(|it| it.is_cancelled()) {
                    error!("the intake of a province's reports ended, which it never should");
                    return;
                }
            }
        }
    }
}

/// A line of its own for the reports of one province: what it puts into its headers may cost the
/// line, and only it may feel that.
async fn reports_line(house: Arc<House>, user: UserKey) -> connect::HubConnection {
    loop {
        match connect::connect(&house.config.broker.address(), &user).await {
            Ok(it) => return it,
            // The same address was good enough for the first line.
            Err(error) => {
                warn!(error = %crate::cli::output::chain(&error.into()), "no line for reports");
                tokio::time::sleep(STREAMS_AGAIN).await;
            }
        }
    }
}
