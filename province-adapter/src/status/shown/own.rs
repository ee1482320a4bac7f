//! What is told of the machine, the keys and the certificate.

use super::{Level, Row, age, row, warn_if};
use crate::status::{StatementSeen, Status};

pub(super) fn machine(it: &Status) -> Vec<Row> {
    let free = it.disk.free_bytes.map_or("-".to_owned(), |it| format!("{} MiB", it >> 20));
    let mut rows = vec![row(
        warn_if(it.disk.low),
        ["磁盘剩余", "disk free"],
        if it.disk.low {
            format!("{free}，低于 limits.disk_free_mb_min；请清理")
        } else {
            free.clone()
        },
        if it.disk.low {
            format!("{free}, less than limits.disk_free_mb_min; make space")
        } else {
            free
        },
    )];
    rows.extend(it.disk.full_since_seconds.map(|since| {
        let since = age(since);
        row(
            Level::Bad,
            ["磁盘已满", "disk full"],
            format!("已 {}：不签收、不接受答复；有空间后自动恢复，不丢失", since[0]),
            format!("for {}: nothing is acknowledged, no answer taken; it goes on by itself with space, nothing is lost", since[1]),
        )
    }));
    let who = format!("{} {} {}", it.province, it.origin, it.office);
    rows.push(row(Level::Fine, ["省份与日志", "province and log"], who.clone(), who));
    let version = format!("{}, epoch {}", it.adapter, it.epoch);
    rows.push(row(Level::Fine, ["版本", "version"], version.clone(), version));
    rows
}

/// A month's table; an hour without the hub's receipt is long.
pub(super) fn publicity(it: &StatementSeen) -> Row {
    const NAME: [&str; 2] = ["宣传推广统计表", "publicity table"];
    let (month, stated) = (&it.month, age(it.stated_seconds));
    match (&it.refused, it.settled_seconds) {
        (Some(code), _) => row(
            Level::Warn,
            NAME,
            format!("{month}：被中枢拒绝 {code}（见 schemas/refusals.md），更正后重报"),
            format!(
                "{month}: refused by the hub: {code} (schemas/refusals.md); correct it and state it again"
            ),
        ),
        (None, Some(settled)) => {
            let settled = age(settled);
            let place = it.position.map_or("-".to_owned(), |it| it.to_string());
            row(
                Level::Fine,
                NAME,
                format!("{month}：中枢 {} 前已收讫（日志位置 {place}）", settled[0]),
                format!("{month}: taken by the hub {} ago (position {place})", settled[1]),
            )
        }
        (None, None) => row(
            warn_if(it.stated_seconds > 3_600),
            NAME,
            format!("{month}：待回执，{} 前填报，发过 {} 次", stated[0], it.attempts),
            format!(
                "{month}: waits for a receipt, stated {} ago, sent {} times",
                stated[1], it.attempts
            ),
        ),
    }
}

pub(super) fn keys(it: &Status) -> Vec<Row> {
    let mut rows: Vec<Row> = it
        .keys
        .iter()
        .map(|it| {
            let name = match it.purpose {
                "sign" => ["签名密钥", "signing key"],
                "seal" => ["解封密钥", "sealing key"],
                _ => ["连接密钥", "connection key"],
            };
            let fingerprint = it.fingerprint.as_deref().unwrap_or("-");
            match (&it.fault, it.as_requested) {
                (Some(fault), _) => {
                    let level = if it.fingerprint.is_some() { Level::Warn } else { Level::Bad };
                    row(
                        level,
                        name,
                        format!("{}：{fault}", it.key_id),
                        format!("{}: {fault}", it.key_id),
                    )
                }
                (None, Some(false)) => row(
                    Level::Bad,
                    name,
                    format!("{} 与申请登记的公钥不符", it.key_id),
                    format!("{} is not the key that was asked to be registered", it.key_id),
                ),
                (None, _) => row(
                    Level::Fine,
                    name,
                    format!("{}，指纹 {fingerprint}；有效至中枢撤销", it.key_id),
                    format!(
                        "{}, fingerprint {fingerprint}; counts until the hub revokes it",
                        it.key_id
                    ),
                ),
            }
        })
        .collect();
    rows.extend(it.certificate.as_ref().map(|it| {
        const NAME: [&str; 2] = ["合格证书", "certificate"];
        match &it.fault {
            Some(fault) => row(Level::Bad, NAME, fault.clone(), fault.clone()),
            None => {
                let (level, version) =
                    (certificate_level(it.days_left, it.fits), &it.adapter_version);
                let (days, until) = (it.days_left, &it.expires_at);
                row(
                    level,
                    NAME,
                    format!("{version}，还有 {days} 天（{until}）；到期前用 `certify` 重新取得"),
                    format!("{version}, {days} days left ({until}); run `certify` again before"),
                )
            }
        }
    }));
    rows
}

fn certificate_level(days_left: i64, fits: bool) -> Level {
    match days_left {
        _ if !fits => Level::Bad,
        ..0 => Level::Bad,
        0..30 => Level::Warn,
        _ => Level::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_warns_a_month_before_it_ends() {
        let levels = [(31, true), (29, true), (-1, true), (300, false)]
            .map(|(days, fits)| certificate_level(days, fits).code());
        assert_eq!(levels, ["ok", "warn", "bad", "bad"]);
    }
}
