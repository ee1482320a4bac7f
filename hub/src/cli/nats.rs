//! `hub nats render`: the broker's configuration from what the log says of the provinces.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Verdict, output, serve};
use crate::config::Config;
use crate::enrolment::broker::{tls_files, users};
use crate::enrolment::probe::Probe;
use crate::nats::keys::UserKey;
use crate::nats::release::Release;
use crate::nats::render::{BrokerPlan, render};
use crate::nats::streams::StreamLimits;
use crate::views::membership::Membership;

/// The broker commands.
#[derive(Debug, Subcommand)]
pub(super) enum NatsCommands {
    /// Print the nats-server configuration: one account a province, allow-lists only.
    Render(RenderArguments),
}

/// `nats render`
#[derive(Debug, Args)]
pub(super) struct RenderArguments {
    /// The server's version: an old one refuses settings that it does not know.
    #[arg(long, default_value = "2.12.12")]
    server: Release,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on.
    #[arg(long, default_value_t = 4222)]
    port: u16,
    /// Where JetStream keeps its files.
    #[arg(long, default_value = "/var/lib/nats")]
    store: PathBuf,
    /// Where the server writes its process id; see `broker.server.pid_file`.
    #[arg(long)]
    pid_file: Option<PathBuf>,
    /// The server's certificate in PEM: it speaks TLS only. Without: in clear.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Synchronise each message to disk. Slower; buys quiet, not safety: the log re-drives what is lost.
    #[arg(long)]
    sync_always: bool,
}

pub(super) fn run(config: &Path, command: NatsCommands) -> anyhow::Result<Verdict> {
    let NatsCommands::Render(arguments) = command;
    let config = Config::load(config)?;
    let membership = serve::readers(&config)?.read(|log| Membership::load(log))?;
    let hub = UserKey::read(&config.broker.nkey_seed_file)?;
    let provinces = users(&membership, hub.public());
    let plan = BrokerPlan {
        release: arguments.server,
        host: arguments.host,
        port: Some(arguments.port),
        ports_dir: None,
        pid_file: arguments.pid_file,
        tls: tls_files(arguments.tls_cert, arguments.tls_key),
        monitoring_port: None,
        store_dir: arguments.store,
        store_bytes_max: StreamLimits::default().store_bytes(provinces.len()),
        sync_always: arguments.sync_always,
        hub_users: vec![hub.public().to_owned()],
        probe_user: Some(Probe::key(&hub).public().to_owned()),
        provinces,
    };
    output::line(render(&plan).context("cannot render the broker's configuration")?.trim_end())?;
    Ok(Verdict::Yes)
}
