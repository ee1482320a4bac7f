//! The rooms that tell people of alerts: one plans, and each carrier brings for itself.

use tokio::task::JoinSet;

use super::House;
use crate::notices::Notices;
use crate::notices::open::CarrierNeeds;

/// Starts the planner and every configured carrier. One that is down delays no other.
pub(super) fn start(house: &House, rooms: &mut JoinSet<()>) -> anyhow::Result<()> {
    let config = &house.config.alerts;
    let needs = CarrierNeeds {
        views: house.views.clone(),
        registrar: house.registrar.clone(),
        clock: house.clock.clone(),
    };
    let carriers = config.carriers(&house.config.sender(), &needs)?;
    let notices = Notices {
        pace: config.pace(),
        carriers: carriers.iter().map(|it| it.name.clone()).collect(),
        views: house.views.clone(),
        readers: house.readers.clone(),
        registrar: house.registrar.clone(),
        alarms: house.alarms.clone(),
        clock: house.clock.clone(),
    };
    rooms.spawn(notices.run(house.viewed.listen()));
    for carrier in carriers {
        rooms.spawn(carrier.at_work().run(house.viewed.listen()));
    }
    Ok(())
}
