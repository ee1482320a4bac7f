//! `hub doctor`: everything a hub needs, looked at, and what is missing said in plain words.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Verdict, output, serve};
use crate::config::Config;
use crate::nats::{connect, keys};
use crate::notices::open::NamedWay;

/// Longest wait for the broker.
const BROKER_WAIT_MAX: Duration = Duration::from_secs(5);

/// `hub doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    fine: bool,
    said: String,
}

pub(super) fn check_config(path: &Path) -> anyhow::Result<Verdict> {
    let config = Config::load(path)?;
    say!(
        "`{}` is usable: origin {}, data in {}",
        path.display(),
        config.origin,
        config.data.display()
    );
    Ok(Verdict::Yes)
}

pub(super) fn run(path: &Path, arguments: DoctorArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(path)?;
    let findings = look(&config);
    let fine = findings.iter().all(|it| it.fine);
    if arguments.json {
        let list: Vec<_> = findings
            .iter()
            .map(|it| json!({"what": it.what, "fine": it.fine, "said": it.said}))
            .collect();
        output::line(&json!({"fine": fine, "findings": list}).to_string())?;
    } else {
        let mark = |fine: bool| if fine { "✔ 正常 fine" } else { "✘ 待处理 mend" };
        let rows =
            findings.into_iter().map(|it| [it.what.to_owned(), mark(it.fine).to_owned(), it.said]);
        output::line(&output::table(["检查 what", "结果", "说明"], rows))?;
    }
    Ok(if fine { Verdict::Yes } else { Verdict::No })
}

fn look(config: &Config) -> Vec<Finding> {
    let finding = |what, result: Result<String, String>| match result {
        Ok(said) => Finding { what, fine: true, said },
        Err(said) => Finding { what, fine: false, said },
    };
    let text = |error: &dyn std::error::Error| {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(it) = cause {
            said = format!("{said}: {it}");
            cause = it.source();
        }
        said
    };
    let secret = |path: &Path| {
        keys::read_secret(path).map(|_| path.display().to_string()).map_err(|it| text(&it))
    };
    let mut findings = vec![
        finding("签名密钥 sign key", secret(&config.sign_key_file)),
        finding("封装密钥 wrapping key", secret(&config.wrapping_key_file)),
        finding("消息中间件密钥 nkey", secret(&config.broker.nkey_seed_file)),
        finding("数据目录 data folder", writable(&config.data)),
        finding(
            "检查点目录 checkpoints",
            writable(config.checkpoints.parent().unwrap_or(Path::new("."))),
        ),
        finding("日志 log", log(config)),
        finding("监听地址 listen", listen(config)),
        finding("消息中间件 broker", broker(config)),
    ];
    findings.extend(carriers(config).into_iter().map(|it| finding("预警渠道 alerts", it)));
    findings
}

/// Whether every carrier of alerts can be reached, without telling it anything.
fn carriers(config: &Config) -> Vec<Result<String, String>> {
    let (ways, runtime) = match (config.alerts.ways(), super::remote::runtime()) {
        (Ok(ways), Ok(runtime)) => (ways, runtime),
        (Err(error), _) => return vec![Err(crate::notices::chain(&error))],
        (_, Err(error)) => return vec![Err(error.to_string())],
    };
    let look = |(name, way): &NamedWay| match runtime.block_on(way.probe(BROKER_WAIT_MAX)) {
        Ok(()) => Ok(format!("{name} can be reached (`hub alerts test` sends a message)")),
        Err(error) => Err(format!("{name}: {}", crate::notices::chain(&error))),
    };
    ways.iter().map(look).collect()
}

/// Whether a file can be made there; the file is removed again.
fn writable(folder: &Path) -> Result<String, String> {
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    if !folder.exists() {
        return Err(format!(
            "`{}` is not there yet (the hub makes `data`; make the others)",
            folder.display()
        ));
    }
    std::fs::write(&probe, b"")
        .map_err(|it| format!("cannot write in `{}`: {it}", folder.display()))?;
    let _ = std::fs::remove_file(&probe);
    Ok(folder.display().to_string())
}

fn log(config: &Config) -> Result<String, String> {
    if !config.log_path().exists() {
        return Ok("none yet: the first start makes it".to_owned());
    }
    let head = serve::readers(config).map_err(|it| format!("{it:#}"))?.read(|log| log.head());
    match head {
        Ok(Some((position, hash))) => Ok(format!("{position} events, head {hash}")),
        Ok(None) => Ok("empty".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn listen(config: &Config) -> Result<String, String> {
    match TcpListener::bind(config.http.listen) {
        Ok(_) => Ok(format!("{} is free", config.http.listen)),
        Err(error) => {
            Err(format!("cannot bind {}: {error} (is another hub running?)", config.http.listen))
        }
    }
}

fn broker(config: &Config) -> Result<String, String> {
    let user = keys::UserKey::read(&config.broker.nkey_seed_file).map_err(|it| it.to_string())?;
    let runtime = super::remote::runtime().map_err(|it| it.to_string())?;
    runtime.block_on(async {
        let mut connection =
            connect::connect(&config.broker.address(), &user).await.map_err(|it| it.to_string())?;
        let up = connection.up.wait_for(|up| *up);
        match tokio::time::timeout(BROKER_WAIT_MAX, up).await {
            Ok(Ok(_)) => Ok(format!(
                "{} answers, version {}",
                config.broker.url,
                connection.client.server_info().version
            )),
            _ => Err(format!(
                "{} does not answer, refuses the hub's nkey, or TLS does not come about \
                 (`broker.ca_file`); the log of `hub serve` names the reason",
                config.broker.url
            )),
        }
    })
}
