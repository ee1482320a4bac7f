//! What goes wrong in the demo, and when: an office that goes dark, a killed hub, a wiped broker.

use events::ids::ProvinceCode;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::check::Kills;
use super::stage::Stage;

/// One piece of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The adapter is killed; the office cannot be reached.
    Dark(ProvinceCode),
    /// It is started again.
    Light(ProvinceCode),
    /// The hub is killed with SIGKILL and started again.
    KillHub,
    /// The broker is killed, its store is wiped, and it is started again.
    WipeBroker,
    /// The broker is killed and started again with what it has on disk.
    KillBroker,
    /// The broker is stopped, and started again with the store it had at the last such moment.
    RollBackBroker,
    /// One adapter is killed and started again.
    KillAdapter(ProvinceCode),
}

impl Trouble {
    /// For the live table.
    pub(super) fn told(self) -> String {
        match self {
            Self::Dark(it) => format!("{} 断线 goes dark (its adapter is killed)", it.name()),
            Self::Light(it) => format!("{} 恢复 comes back", it.name()),
            Self::KillHub => "枢纽被终止并重启 the hub is killed and started again".to_owned(),
            Self::WipeBroker => {
                "消息中间件被终止并清空 the broker is killed and its store wiped".to_owned()
            }
            Self::KillBroker => {
                "消息中间件被终止并重启 the broker is killed and started again".to_owned()
            }
            Self::RollBackBroker => {
                "消息中间件退回旧存储 the broker is rolled back to an older store".to_owned()
            }
            Self::KillAdapter(it) => {
                format!("{}适配器被终止并重启 its adapter is killed and started again", it.name())
            }
        }
    }
}

impl Kills {
    /// Counts one more.
    pub(super) fn count(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::KillHub => self.hub += 1,
            Trouble::Dark(_) | Trouble::KillAdapter(_) => self.adapter += 1,
            Trouble::KillBroker => self.broker += 1,
            Trouble::WipeBroker => self.wiped += 1,
            Trouble::RollBackBroker => self.rolled_back += 1,
            Trouble::Light(_) => {}
        }
    }
}

/// The trouble of a demo of this told length, in order.
pub(super) fn timeline(
    start: Timestamp,
    span: SignedDuration,
    dark: Option<ProvinceCode>,
) -> Vec<(Timestamp, Trouble)> {
    let at = |percent: i32| start + (span / 100) * percent;
    let mut timeline = vec![(at(25), Trouble::KillHub), (at(37), Trouble::WipeBroker)];
    if let Some(province) = dark {
        timeline.push((at(13), Trouble::Dark(province)));
        timeline.push((at(57), Trouble::Light(province)));
    }
    timeline.sort_by_key(|it| it.0);
    timeline
}

/// Kills at random moments, about one each `every` of told time; repeatable by `seed`.
pub(super) fn random_timeline(
    seed: u64,
    start: Timestamp,
    span: SignedDuration,
    every: SignedDuration,
    provinces: &[ProvinceCode],
) -> Vec<(Timestamp, Trouble)> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x006b_696c_6c73);
    let count = (span.as_millis() / every.as_millis().max(1)).clamp(0, i128::from(u32::MAX)) as u32;
    let mut timeline: Vec<_> = (0..count)
        .map(|_| {
            let at =
                start + SignedDuration::from_millis(rng.random_range(0..span.as_millis() as i64));
            let trouble = match rng.random_range(0..10) {
                0..4 => Trouble::KillHub,
                4..7 => {
                    Trouble::KillAdapter(*provinces.choose(&mut rng).expect("a demo has provinces"))
                }
                7 => Trouble::KillBroker,
                8 => Trouble::WipeBroker,
                _ => Trouble::RollBackBroker,
            };
            (at, trouble)
        })
        .collect();
    timeline.sort_by_key(|it| it.0);
    timeline
}

/// A long absence of everybody, and a catching-up during which only adapters die; repeatable by `seed`. What
/// follows it is calm.
pub(super) fn absence_timeline(
    seed: u64,
    start: Timestamp,
    span: SignedDuration,
    every: SignedDuration,
    provinces: &[ProvinceCode],
) -> Vec<(Timestamp, Trouble)> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x0061_6273_656e);
    let at = |percent: i32| start + (span / 100) * percent;
    let mut timeline: Vec<_> = provinces.iter().map(|it| (at(5), Trouble::Dark(*it))).collect();
    timeline.extend(provinces.iter().map(|it| (at(45), Trouble::Light(*it))));
    let mut next = at(45) + every;
    while next < at(80) {
        let province = *provinces.choose(&mut rng).expect("a demo has provinces");
        timeline.push((next, Trouble::KillAdapter(province)));
        next += every;
    }
    timeline
}

/// Makes it happen. Returns the hub's new address if that changed.
pub(super) async fn happen(stage: &mut Stage, trouble: Trouble) -> anyhow::Result<Option<String>> {
    match trouble {
        Trouble::Dark(province) => stage.kill_adapter(province).await,
        Trouble::Light(province) => stage.start_adapter(province)?,
        Trouble::KillHub => {
            stage.kill_hub().await;
            return stage.start_hub().await.map(Some);
        }
        Trouble::WipeBroker => {
            stage.broker.kill().await;
            stage.broker.wipe().await?;
            stage.broker.restart().await?;
        }
        Trouble::KillBroker => {
            stage.broker.kill().await;
            stage.broker.restart().await?;
        }
        Trouble::RollBackBroker => stage.roll_back_broker().await?,
        Trouble::KillAdapter(province) => {
            stage.kill_adapter(province).await;
            stage.start_adapter(province)?;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_an_absence_only_adapters_die_and_everybody_comes_back_first() {
        let provinces: Vec<_> = ProvinceCode::all().take(3).collect();
        let (start, hour) =
            ("2026-03-31T07:00:00Z".parse().unwrap(), SignedDuration::from_hours(1));
        let timeline = absence_timeline(1, start, hour * 100, hour, &provinces);
        let told: Vec<_> = timeline.iter().map(|it| it.1).collect();
        assert_eq!(told[..3], [0, 1, 2].map(|it| Trouble::Dark(provinces[it])));
        assert_eq!(told[3..6], [0, 1, 2].map(|it| Trouble::Light(provinces[it])));
        assert_eq!(timeline[3].0.duration_since(timeline[0].0), hour * 40);
        assert!(told[6..].iter().all(|it| matches!(it, Trouble::KillAdapter(_))));
        assert_eq!(told.len(), 6 + 34);
    }
}
