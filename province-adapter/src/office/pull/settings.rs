//! The settings of `pull`: where it listens, who may ask, and how much may be asked at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Shorter tokens can be guessed.
pub(super) const TOKEN_CHARACTERS_MIN: usize = 32;
/// Longer ones are something else.
pub(super) const TOKEN_CHARACTERS_MAX: usize = 512;

/// The table `[pull]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the office asks. Not this machine alone only with `remote`.
    pub listen: String,
    /// Others than this machine may ask: then something in front must encrypt.
    pub remote: bool,
    /// Where the address is written once it listens; for port 0.
    pub address_file: Option<PathBuf>,
    /// A file with the token on one line, which only the adapter's user may read.
    pub token_file: PathBuf,
    /// Connections at once.
    pub connections_max: usize,
    /// How long one connection is kept at most.
    pub connection_age_ms_max: u64,
    /// For the whole header of a request.
    pub header_read_ms: u64,
    /// For the whole body of a request.
    pub body_read_ms: u64,
    /// Largest body.
    pub body_bytes_max: usize,
    /// For an answer, beside what the office itself wants to wait for work.
    pub request_ms: u64,
    /// Longest time that the office may wait for work in one request.
    pub wait_ms_max: u64,
    /// Most pieces of work in one answer.
    pub page_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7780".to_owned(),
            remote: false,
            address_file: None,
            token_file: PathBuf::from("keys/office.token"),
            connections_max: 64,
            connection_age_ms_max: 3_600_000,
            header_read_ms: 5_000,
            body_read_ms: 10_000,
            body_bytes_max: 65_536,
            request_ms: 15_000,
            wait_ms_max: 60_000,
            page_max: 100,
        }
    }
}

impl Settings {
    /// What cannot be, all of it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self.listen.parse::<SocketAddr>() {
            Err(_) => problems.push("`pull.listen` must be an address and a port, e.g. 127.0.0.1:7780".to_owned()),
            Ok(it) if !it.ip().is_loopback() && !self.remote => problems.push(
                "`pull.listen` is open to other machines, and personal data would travel in clear; \
                 say `remote = true` if something in front of it encrypts".to_owned(),
            ),
            Ok(_) => {}
        }
        let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        for (name, value, min, max) in [
            ("connections_max", count(self.connections_max), 1, 4_096),
            ("connection_age_ms_max", self.connection_age_ms_max, 1_000, 86_400_000),
            ("header_read_ms", self.header_read_ms, 100, 60_000),
            ("body_read_ms", self.body_read_ms, 100, 60_000),
            ("body_bytes_max", count(self.body_bytes_max), 1_024, 1_048_576),
            ("request_ms", self.request_ms, 100, 120_000),
            ("wait_ms_max", self.wait_ms_max, 0, 300_000),
            ("page_max", count(self.page_max), 1, 1_000),
        ] {
            if !(min..=max).contains(&value) {
                problems
                    .push(format!("`pull.{name}` is {value}; it must lie between {min} and {max}"));
            }
        }
        problems
    }

    /// With its paths taken from `folder`.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.token_file = folder.join(&self.token_file);
        self.address_file = self.address_file.map(|it| folder.join(it));
        self
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn body_read(&self) -> Duration {
        Duration::from_millis(self.body_read_ms)
    }

    pub(super) fn wait_max(&self) -> Duration {
        Duration::from_millis(self.wait_ms_max)
    }
}
