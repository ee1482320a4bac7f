//! Would it work? Every question that an operator asks before the first start, one line each, in
//! Chinese and English, with what to do where the answer is no.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use events::proof::{seal, signature};

use crate::clock::Clock;
use crate::config::{Config, Office};
use crate::connection;
use crate::office::{folder, http, pull, table};
use crate::store::{StoreError, open_to_look};

/// For the broker's answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// A machine that tells an earlier moment (milliseconds since 1970) has lost its clock: 2026-01-01.
const PLAUSIBLE_FROM_MS: i64 = 1_767_225_600_000;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Is it as it should be?
    pub fine: bool,
    /// What was asked, in Chinese and English.
    pub question: &'static str,
    /// What was found; never a secret.
    pub found: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.fine { "✓" } else { "✗" };
        write!(f, "{mark} {}: {}", self.question, self.found)
    }
}

pub(crate) fn line(question: &'static str, result: Result<String, String>) -> Line {
    let fine = result.is_ok();
    Line { fine, question, found: result.unwrap_or_else(|it| it) }
}

/// Asks everything; nothing is changed except for a file that is written and removed again.
pub async fn check(config: &Config) -> Vec<Line> {
    let mut lines = vec![
        line(
            "配置 the configuration",
            Ok(format!("{} {}", config.province, config.province.name())),
        ),
        line("密钥 the keys", keys(config)),
        line("时间 the machine's time", time(&config.clock())),
        line("磁盘 the disk", disk(&config.store)),
        line("存储 the store", store(&config.store)),
    ];
    lines.extend(office(config).await);
    lines.extend(broker(config).await);
    lines
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
fn keys(config: &Config) -> Result<String, String> {
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

fn time(clock: &Clock) -> Result<String, String> {
    let now = clock.real_now();
    if now.as_millisecond() < PLAUSIBLE_FROM_MS {
        return Err(format!("{now} cannot be true; set the clock"));
    }
    Ok(match clock {
        Clock::Lapse(lapse) => format!("{now}; time lapse × {}: a demonstration", lapse.rate),
        Clock::Machine | Clock::Manual(_) => now.to_string(),
    })
}

fn disk(store: &Path) -> Result<String, String> {
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

async fn broker(config: &Config) -> Vec<Line> {
    const REACHED: &str = "消息服务器 the broker";
    const CONSUMER: &str = "本省消费者 this province's consumer";
    let connected = match connection::options(&config.broker, config.province) {
        Ok(options) => {
            let connecting =
                options.connection_timeout(BROKER_TIMEOUT).connect(config.broker.urls.clone());
            connecting.await.map_err(|it| chain(&it))
        }
        Err(error) => Err(chain(&error)),
    };
    let client = match connected {
        Ok(client) => client,
        Err(error) => {
            let unknown = Err("unknown, the broker was not reached".to_owned());
            return vec![line(REACHED, Err(error)), line(CONSUMER, unknown)];
        }
    };
    let version = format!("nats-server {}", client.server_info().version);
    let found = connection::find_consumer(config.province, &client).await;
    let found = match found {
        Ok(it) => {
            Ok(format!("`{}`, {} waiting", it.cached_info().name, it.cached_info().num_pending))
        }
        Err(error) => Err(format!("{}; has the hub enrolled this province?", chain(&error))),
    };
    vec![line(REACHED, Ok(version)), line(CONSUMER, found)]
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
