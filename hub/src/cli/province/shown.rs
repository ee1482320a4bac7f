//! Provinces on the screen: the table of all, and one with its keys.

use std::path::Path;

use events::enrolment::{AdapterFacts, BROKER_CA_FILE, Bundle, adapter_toml as write_toml};
use events::ids::ProvinceCode;
use events::province::KeyPurpose;
use serde_json::Value;

use crate::cli::{Verdict, output, remote};

/// All 32.
pub(super) fn list(config: &Path, as_json: bool) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, "/v1/provinces")?;
    if as_json {
        output::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(Verdict::Yes);
    }
    let rows = items(&answer, "provinces").iter().map(|row| {
        let state = match (&row["enrolled"], &row["paused"], &row["maintenance_until"]) {
            (Value::Bool(false), ..) => "– 未接入 not connected".to_owned(),
            (_, Value::Bool(true), _) => "‖ 暂停 paused".to_owned(),
            (_, _, Value::String(until)) => format!("~ 维护至 away until {until}"),
            _ => "✓ 已接入 connected".to_owned(),
        };
        let told = |key| cell(row, key);
        [
            told("code"),
            told("name"),
            state,
            told("received"),
            told("open"),
            told("on_time"),
            told("reported_late"),
            told("overdue"),
            told("last_heard_at"),
        ]
    });
    let head = [
        "code",
        "省份",
        "状态 state",
        "收件 received",
        "在途 open",
        "按时 on time",
        "迟报 late",
        "超期 overdue",
        "last heard",
    ];
    output::line(&output::table(head, rows))?;
    Ok(Verdict::Yes)
}

/// One, with every key that ever counted.
pub(super) fn show(
    config: &Path,
    province: ProvinceCode,
    as_json: bool,
) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, &format!("/v1/provinces/{province}"))?;
    if as_json {
        output::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(Verdict::Yes);
    }
    let yes = |key: &str| if answer[key] == true { "是 yes" } else { "否 no" };
    output::line(&format!(
        "{province} {} {}\n接入 enrolled {}  暂停 paused {}  已退出 left {}  维护至 away until {}",
        province.name(),
        province.name_en(),
        yes("enrolled"),
        yes("paused"),
        yes("left"),
        cell(&answer, "maintenance_until"),
    ))?;
    let certificate = &answer["certificate"];
    output::line(&format!(
        "认证 certificate {}  至 until {}",
        cell(certificate, "adapter_version"),
        cell(certificate, "expires_at")
    ))?;
    let rows = items(&answer, "keys").iter().map(|row| {
        ["key_id", "purpose", "fingerprint", "since", "until", "revoked_at", "revoked_because"]
            .map(|key| cell(row, key))
    });
    let head = [
        "密钥 key",
        "用途 for",
        "指纹 fingerprint",
        "自 since",
        "至 until",
        "吊销 revoked",
        "原因 because",
    ];
    output::line(&output::table(head, rows))?;
    Ok(Verdict::Yes)
}

/// The configuration that goes with a bundle; nothing while the province has no keys.
pub(super) fn adapter_toml(bundle: &Bundle) -> Option<String> {
    let latest = |purpose| {
        let key = bundle.keys.iter().rev().find(|it| it.purpose == purpose)?;
        Some(key.key_id.as_str())
    };
    Some(write_toml(&AdapterFacts {
        province: bundle.province,
        origin: &bundle.origin,
        broker_urls: &bundle.broker_urls,
        broker_ca_file: bundle.broker_ca.as_ref().map(|_| BROKER_CA_FILE),
        hub_public_key: &bundle.hub_public_key,
        hub_key_id: &bundle.hub_key_id,
        key_ids: [
            latest(KeyPurpose::Sign)?,
            latest(KeyPurpose::Seal)?,
            latest(KeyPurpose::Connect)?,
        ],
    }))
}

fn items<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn cell(row: &Value, key: &str) -> String {
    match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    }
}
