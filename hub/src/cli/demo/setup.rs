//! What the demo writes down before anything starts: everybody's keys and configurations.

use std::path::Path;

use events::ids::ProvinceCode;
use events::proof::Hash;
use serde_json::{Value, json};
use sha2::Digest as _;

use super::stage::Setting;
use crate::clock::Clock;
use crate::nats::keys::{self, ProvinceKeys, UserKey};

/// Writes the hub's keys and configuration; returns the national client's token.
pub(super) fn write_hub(
    folder: &Path,
    broker: &str,
    user: &UserKey,
    setting: &Setting<'_>,
) -> anyhow::Result<String> {
    let secret = || -> anyhow::Result<String> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes))
    };
    let hashed = |token: &str| Hash(sha2::Sha256::digest(token.as_bytes()).into()).to_string();
    let (national, operator) = (secret()?, secret()?);
    keys::write_secret(&folder.join("hub.nkey"), user.seed())?;
    keys::write_secret(&folder.join("hub.sign"), &secret()?)?;
    keys::write_secret(&folder.join("hub.wrap"), &secret()?)?;
    keys::write_secret(&folder.join("operator.token"), &operator)?;
    std::fs::create_dir(folder.join("checkpoints"))?;
    let lapse = toml::to_string(&setting.lapse)?;
    // Chosen once, so that a page that is open survives the hub's restart.
    let listen = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let text = format!(
        r#"origin = "hub.demo/{seed}"
data = "data"
checkpoints = "checkpoints/checkpoints.txt"
wrapping_key_file = "hub.wrap"
sign_key_file = "hub.sign"
pace_ms = {pace:?}

[http]
listen = "{listen}"
address_file = "hub.address"
status_page = true

[http.limits]
connections_loopback_max = 512

[broker]
url = "{broker}"
nkey_seed_file = "hub.nkey"

[[clients]]
name = "national"
role = "national"
token_sha256 = "{national}"
rate = {{ requests_a_second = 100000, requests_burst_max = 100000 }}

[[clients]]
name = "operator"
role = "operator"
token_sha256 = "{operator}"

[time_lapse]
{lapse}"#,
        seed = setting.seed,
        pace = PACE_MS,
        national = hashed(&national),
        operator = hashed(&operator),
    );
    std::fs::write(folder.join("hub.toml"), text)?;
    Ok(national)
}

/// Shorter waits than the usual ones: everything is on one machine. Real time, whatever is told.
const PACE_MS: [u64; 5] = [2_000, 5_000, 10_000, 20_000, 30_000];

pub(super) fn signature_public(folder: &Path) -> anyhow::Result<String> {
    let key = keys::read_signing_key(&folder.join("hub.sign"))?;
    Ok(events::proof::signature::public_key_text(&key.verifying_key()))
}

/// What the province sends to the ministry to be enrolled.
pub(super) fn enrolment(folder: &Path, province: ProvinceCode) -> anyhow::Result<Value> {
    let generated = ProvinceKeys::read_from(&folder.join(format!("p{province}/keys")))?;
    Ok(json!({
        "sign": {"key_id": keys::sign_key_id(province, 1), "public_key": generated.sign_public()},
        "seal": {"key_id": keys::seal_key_id(province, 1), "public_key": generated.seal_public()},
        "connect": {"key_id": format!("{province}-connect-1"), "public_key": generated.user.public()},
    }))
}

pub(super) fn write_adapter(
    folder: &Path,
    broker: &str,
    province: ProvinceCode,
    generated: &ProvinceKeys,
    hub_public: &str,
    setting: &Setting<'_>,
) -> anyhow::Result<()> {
    let place = folder.join(format!("p{province}"));
    std::fs::create_dir(&place)?;
    generated.write_to(&place.join("keys"))?;
    let text = adapter_config(broker, province, hub_public, setting)?;
    std::fs::write(place.join("adapter.toml"), text)?;
    Ok(())
}

/// The configuration of one province's adapter with its simulated office.
fn adapter_config(
    broker: &str,
    province: ProvinceCode,
    hub_public: &str,
    setting: &Setting<'_>,
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

[limits]
hand_over_per_minute_max = {office_per_minute}

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
        office_per_minute = setting.office_per_minute,
        closed = days(year.map(|it| it.holidays.as_slice())),
        open = days(year.map(|it| it.makeup_workdays.as_slice())),
        lapse = toml::to_string(&setting.lapse)?,
    ))
}
