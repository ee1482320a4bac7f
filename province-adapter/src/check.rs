//! Would it work? Every question that an operator asks before the first start, one line each, in
//! Chinese and English, with what to do where the answer is no.

mod broker;

use std::error::Error;
use std::fmt;
use std::path::Path;

use events::proof::{seal, signature};
use serde::Serialize;

use crate::clock::Clock;
use crate::config::{Config, Office};
use crate::office::{folder, http, pull, table};
use crate::outbox::ADAPTER_VERSION;
use crate::status::shown::{Level, sections};
use crate::status::{self, Status};
use crate::store::{StoreError, open_to_look};

/// A machine that tells an earlier moment (milliseconds since 1970) has lost its clock: 2026-01-01.
const PLAUSIBLE_FROM_MS: i64 = 1_767_225_600_000;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Is it as it should be?
    #[serde(serialize_with = "code")]
    pub level: Level,
    /// What was asked, in Chinese and English.
    pub question: &'static str,
    /// What was found; never a secret.
    pub found: String,
    /// What to do, where that is not in the answer.
    pub advice: Option<String>,
}

fn code<S: serde::Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.code())
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.level.mark(), self.question, self.found)?;
        match &self.advice {
            Some(advice) => write!(f, "\n    → {advice}"),
            None => Ok(()),
        }
    }
}

pub(crate) fn line(question: &'static str, result: Result<String, String>) -> Line {
    let level = if result.is_ok() { Level::Fine } else { Level::Bad };
    Line { level, question, found: result.unwrap_or_else(|it| it), advice: None }
}

/// The same, with what to do where the answer is no.
fn advised(question: &'static str, result: Result<String, String>, advice: &str) -> Line {
    let advice = result.is_err().then(|| advice.to_owned());
    Line { advice, ..line(question, result) }
}

/// It works, and somebody should look.
fn warning(question: &'static str, found: String, advice: &str) -> Line {
    Line { level: Level::Warn, question, found, advice: Some(advice.to_owned()) }
}

/// Asks everything; nothing is changed except for a file that is written and removed again.
pub async fn check(config: &Config) -> Vec<Line> {
    let who = format!("{} {}", config.province, config.province.name());
    let mut lines =
        vec![line("配置 the configuration", Ok(who)), line("版本 versions", Ok(versions()))];
    lines.extend(keys(config));
    lines.push(time(&config.clock()));
    lines.extend(machine(config));
    lines.extend(office(config).await);
    lines.extend(broker::check(config).await);
    lines
}

fn versions() -> String {
    let contract = "schemas v1";
    format!("{ADAPTER_VERSION}, {contract}, SQLite {}", rusqlite::version())
}

/// What only the connector of the configured office knows.
async fn office(config: &Config) -> Vec<Line> {
    let counts = config.codes.counts();
    let codes = if counts.is_empty() {
        "none: the office speaks the hub's codes".to_owned()
    } else {
        counts.iter().map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![line("代码对照 the office's codes", Ok(codes))];
    match &config.office {
        Office::Simulated(_) | Office::Obedient => {}
        Office::Http(settings) => lines.extend(http::check(settings).await),
        Office::Pull(settings) => lines.extend(pull::check(settings).await),
        Office::Table(settings) => lines.extend(table::check(settings).await),
        Office::Folder(settings) => lines.extend(folder::check(settings)),
    }
    lines
}

/// The public halves are shown, so that somebody can compare them with what the hub registered.
fn keys(config: &Config) -> Vec<Line> {
    const KEYS: &str = "密钥 the keys";
    const REGISTERED: &str = "密钥登记 the keys as registered";
    const RIGHTS: &str = "密钥权限 rights on the key files";
    let mut lines = vec![advised(
        KEYS,
        sign_and_seal(config),
        "把密钥文件放回原处；没有副本时运行 `rotate` 并重新登记 put the key file back; without a copy make new ones with `rotate`",
    )];
    let seen = status::keys::keys(config);
    let open: Vec<&str> = seen
        .iter()
        .filter(|it| it.fingerprint.is_some())
        .filter_map(|it| it.fault.as_deref())
        .collect();
    if !open.is_empty() {
        let advice = "只有适配器的用户可以读 only the adapter's user may read them";
        lines.push(warning(RIGHTS, open.join("; "), advice));
    } else if seen.iter().all(|it| it.fault.is_none()) {
        lines.push(line(RIGHTS, Ok("600".to_owned())));
    }
    let wrong: Vec<&str> = seen
        .iter()
        .filter(|it| it.as_requested == Some(false))
        .map(|it| it.key_id.as_str())
        .collect();
    let fingerprints: Vec<String> = seen
        .iter()
        .filter_map(|it| Some(format!("{} {}", it.key_id, it.fingerprint.as_ref()?)))
        .collect();
    let result = if wrong.is_empty() {
        Ok(fingerprints.join(", "))
    } else {
        Err(format!(
            "{} 与 request-*.json 中申请的公钥不同 not the key of the request",
            wrong.join(", ")
        ))
    };
    lines.push(advised(
        REGISTERED,
        result,
        "用申请时的密钥文件；或重新申请 use the key file that the request was made with, or ask anew",
    ));
    lines
}

fn sign_and_seal(config: &Config) -> Result<String, String> {
    let identity = config.identity().map_err(|it| chain(&it))?;
    let sign = signature::public_key_text(&identity.sign_key.verifying_key());
    let seal = seal::public_of(&identity.seal_key).map_err(|it| chain(&it))?;
    let probe = identity.sign_report(b"probe");
    let verdict = signature::verify(
        &identity.sign_key.verifying_key(),
        signature::Purpose::Report,
        &probe,
        b"probe",
    );
    verdict.map_err(|it| chain(&it))?;
    Ok(format!("{} = {sign}, {} = {seal}", identity.sign_key_id, identity.seal_key_id))
}

fn time(clock: &Clock) -> Line {
    const TIME: &str = "时间 the machine's time";
    let now = clock.real_now();
    let plausible = match clock {
        _ if now.as_millisecond() < PLAUSIBLE_FROM_MS => Err(format!("{now} cannot be true")),
        Clock::Lapse(it) => Ok(format!("{now}; time lapse × {}: a demonstration", it.rate)),
        Clock::Machine | Clock::Manual(_) => Ok(now.to_string()),
    };
    advised(TIME, plausible, "校时（NTP） set the clock, best by NTP")
}

/// Disk, store, page, and what a running adapter has seen of itself.
fn machine(config: &Config) -> Vec<Line> {
    const DISK: &str = "磁盘 the disk";
    const RUNNING: &str = "运行 the running adapter";
    let mut lines = vec![advised(
        DISK,
        writable(&config.store),
        "检查目录属主、只读挂载和剩余空间 look at the folder's owner, a read-only mount, the free space",
    )];
    if let Some(free) = status::free_bytes(&config.store) {
        let (found, least) =
            (format!("剩余 free {} MiB", free >> 20), config.limits.disk_free_bytes_min);
        lines.push(if free < least {
            warning(
                "磁盘空间 the disk's space",
                format!("{found} < {} MiB", least >> 20),
                "清理空间；满了适配器停止签收，有空间后自动恢复 make space; on a full disk nothing is taken until there is some",
            )
        } else {
            line("磁盘空间 the disk's space", Ok(found))
        });
    }
    lines.push(line("存储 the store", store(&config.store)));
    let Ok(status) = Status::look(config) else { return lines };
    // The rows that are not fine, in the words of `status`; whether it runs is no fault before the first start.
    for row in sections(&status).into_iter().flat_map(|it| it.rows) {
        let about_itself = row.name[1] == "running" || row.name[1] == "broker";
        if row.level != Level::Fine && status.alive && !about_itself {
            let [name, said] = [row.name.join(" "), row.said.join(" / ")];
            let advice = "详见 see `province-adapter status`";
            lines.push(warning(RUNNING, format!("{name}: {said}"), advice));
        }
    }
    lines
}

fn writable(store: &Path) -> Result<String, String> {
    let folder = store.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".adapter-check-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Ok(format!("`{}` is writable", folder.display())),
        Err(error) => Err(format!("cannot write in `{}`: {error}", folder.display())),
    }
}

fn store(path: &Path) -> Result<String, String> {
    if !path.exists() {
        return Ok("not there yet; `serve` makes it".to_owned());
    }
    let opened: Result<_, StoreError> = open_to_look(path);
    opened.map(|_| format!("`{}` is an adapter's", path.display())).map_err(|it| chain(&it))
}

/// The error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text.push_str(": ");
        text.push_str(&it.to_string());
        cause = it.source();
    }
    text
}
