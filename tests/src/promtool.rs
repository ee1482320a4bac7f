//! Prometheus' own judge of our rules: Debian's package, unpacked beside the other fetched tools and never installed.

use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use crate::broker::not_run;
use crate::debian::{download, run};

static PROMTOOL: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();

/// The program. If there is none, `test` is told as not run; on the build server that fails.
pub async fn promtool(test: &str) -> Option<PathBuf> {
    match PROMTOOL.get_or_init(find).await {
        Ok(program) => Some(program.clone()),
        Err(why) => {
            not_run(test, why);
            None
        }
    }
}

async fn find() -> Result<PathBuf, String> {
    let here = Path::new(".");
    if run("promtool", &["--version"], here).await.is_ok() {
        return Ok("promtool".into());
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let whole = tools.join("prometheus");
    let program = whole.join("usr/bin/promtool");
    if program.exists() {
        return Ok(program);
    }
    let making = tools.join(format!("prometheus.{}", std::process::id()));
    std::fs::create_dir_all(&making).map_err(|it| it.to_string())?;
    download("prometheus", &making).await?;
    run("sh", &["-c", "dpkg -x prometheus_*.deb . && rm prometheus_*.deb"], &making).await?;
    // Another process may have been faster: then its copy is as good.
    if std::fs::rename(&making, &whole).is_err() {
        let _ = std::fs::remove_dir_all(&making);
    }
    if program.exists() { Ok(program) } else { Err("the package holds no promtool".to_owned()) }
}
