//! What goes wrong in the demo, and when: an office that goes dark, a killed hub, a wiped broker.

use events::ids::ProvinceCode;
use jiff::{SignedDuration, Timestamp};

use super::stage::{Setting, Stage};
use crate::clock::Clock;
use crate::nats::keys;

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
}

impl Trouble {
    /// For the live table.
    pub(super) fn told(self) -> String {
        match self {
            Self::Dark(it) => format!("{} 断线 goes dark (its adapter is killed)", it.name()),
            Self::Light(it) => format!("{} 恢复 comes back", it.name()),
            Self::KillHub => "枢纽被终止并重启 the hub is killed and started again".to_owned(),
            Self::WipeBroker => "消息中间件被终止并清空 the broker is killed and its store wiped".to_owned(),
        }
    }
}

/// The trouble of a demo of this told length, in order.
pub(super) fn timeline(start: Timestamp, span: SignedDuration, dark: Option<ProvinceCode>) -> Vec<(Timestamp, Trouble)> {
    let at = |percent: i32| start + (span / 100) * percent;
    let mut timeline = vec![(at(25), Trouble::KillHub), (at(37), Trouble::WipeBroker)];
    if let Some(province) = dark {
        timeline.push((at(13), Trouble::Dark(province)));
        timeline.push((at(57), Trouble::Light(province)));
    }
    timeline.sort_by_key(|it| it.0);
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
    }
    Ok(None)
}

/// The configuration of one province's adapter with its simulated office.
pub(super) fn adapter_config(
    broker: &str, province: ProvinceCode, hub_public: &str, setting: &Setting<'_>,
) -> anyhow::Result<String> {
    let year = Clock::Lapse(setting.lapse).today().year();
    let years = crate::reference::calendars();
    let year = years.iter().rfind(|it| it.year == year);
    let days = |days: Option<&[jiff::civil::Date]>| {
        let days: Vec<_> = days.unwrap_or_default().iter().map(|it| format!("\"{it}\"")).collect();
        days.join(", ")
    };
    let twice = if setting.twice == Some(province) { 5 } else { 0 };
    Ok(format!(
        r#"province = "{province}"
origin = "hub.demo/{seed}"
office = "simulated"

[broker]
urls = ["{broker}"]
nkey_seed_file = "keys/{nkey}"

[keys]
sign_key_file = "keys/{sign}"
sign_key_id = "{sign_id}"
seal_key_file = "keys/{seal}"
seal_key_id = "{seal_id}"
hub_public_key = "{hub_public}"
hub_key_id = "hub-1"

[store]
path = "adapter.db"

[pace]
resend_after_ms = [2000, 5000, 10000, 20000, 30000]

[simulated]
seed = {seed}
closed_days = [{closed}]
open_days = [{open}]
duplicate_decision_of = {twice}

[time_lapse]
{lapse}"#,
        seed = setting.seed,
        nkey = keys::NKEY_FILE,
        sign = keys::SIGN_FILE,
        sign_id = keys::sign_key_id(province, 1),
        seal = keys::SEAL_FILE,
        seal_id = keys::seal_key_id(province, 1),
        closed = days(year.map(|it| it.holidays.as_slice())),
        open = days(year.map(|it| it.makeup_workdays.as_slice())),
        lapse = toml::to_string(&setting.lapse)?,
    ))
}
