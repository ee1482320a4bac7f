//! `init`, `join`, `rotate` on the screen: what was made, what to compare by telephone, what comes next.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use events::ids::ProvinceCode;
use province_adapter::check;
use province_adapter::clock::Clock;
use province_adapter::enrol::{self, EnrolError, Made};

use super::{Role, tell, tell_error};

/// `init`
#[derive(Args)]
pub(super) struct Init {
    /// Its two digits. 省级代码
    #[arg(long)]
    province: ProvinceCode,
    /// The folder for the keys, the request and the draft; made if missing. 输出目录
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the broker listens, if the ministry has said so already; the bundle tells it anyway.
    #[arg(long, value_name = "URL", default_value = "nats://127.0.0.1:4222")]
    broker_url: Vec<String>,
    /// Which set of keys this is: 2 or more when the province joins again after having left.
    #[arg(long, default_value_t = 1)]
    nth: u32,
}

/// `join`
#[derive(Args)]
pub(super) struct Join {
    /// What `hub province enroll` or `rotate-keys` wrote. 接入包
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The fingerprint or public key of the hub, as the ministry published it: another hub is refused.
    #[arg(long, value_name = "FINGERPRINT")]
    hub: Option<String>,
}

/// Runs a role that needs no configuration to begin with; nothing for the others.
pub(super) fn run(role: &Role, config: &Path) -> Option<ExitCode> {
    let now = Clock::Machine.real_now();
    let (made, next) = match role {
        Role::Init(it) => {
            let made = enrol::init(&it.out, it.province, it.nth, &it.broker_url, now);
            (
                made,
                format!(
                    "hub province enroll {} --request <file> --bundle bundle.json",
                    it.province
                ),
            )
        }
        Role::Rotate => (
            enrol::rotate(config, now),
            "hub province rotate-keys <province> --request <file> --bundle bundle.json".to_owned(),
        ),
        Role::Join(it) => (
            enrol::join(config, &it.bundle, it.hub.as_deref()),
            format!("province-adapter --config {} check, then (re)start it", config.display()),
        ),
        Role::Serve
        | Role::Check { .. }
        | Role::Publicity(_)
        | Role::Reconcile(_)
        | Role::Status { .. }
        | Role::Certify(_)
        | Role::Sandbox(_) => {
            return None;
        }
    };
    Some(answer(made, &next))
}

fn answer(made: Result<Made, EnrolError>, next: &str) -> ExitCode {
    let made = match made {
        Ok(made) => made,
        Err(error) => return tell_error(&check::chain(&error)),
    };
    match tell(&text(&made, next)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell_error(&format!("{failure:#}")),
    }
}

fn text(made: &Made, next: &str) -> String {
    let mut text = String::new();
    let mut line = |told: std::fmt::Arguments<'_>| {
        writeln!(text, "{told}").expect("writing into a String cannot fail");
    };
    for path in &made.files {
        line(format_args!("已写入 wrote    {}", path.display()));
    }
    for (key_id, fingerprint) in &made.keys {
        line(format_args!("指纹 fingerprint {fingerprint}  {key_id}"));
    }
    if let Some(hub) = &made.hub {
        line(format_args!(
            "枢纽指纹 hub      {hub}  (与部里公布的核对 compare with what the ministry published)"
        ));
    }
    if let Some(request) = &made.request {
        line(format_args!(
            "请送交部里（仅含公钥） send to the ministry (public keys only): {}",
            request.display()
        ));
    }
    line(format_args!("下一步 next      {next}"));
    text
}
