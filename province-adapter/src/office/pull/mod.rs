//! `pull`: a small HTTP API on this machine, so that an office in any language fetches its work and
//! answers it. What is answered with 2xx is durable; everything may be said twice.
//!
//! The contract is `schemas/v1/office-api.openapi.json`, served at `/openapi.json`.

mod checking;
mod feed;
pub(crate) mod listen;
mod problem;
mod routes;
pub mod settings;

use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::{error, info};

use super::codes::Codes;
use super::desk::Desk;
use super::{OfficeSystem, TakeError, TakenWork};
use crate::keys;
use crate::reporter::Reporter;
use crate::store::StoreError;
use settings::Settings;

pub use checking::check;

/// The API cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The token.
    #[error("cannot use the office's token: {0}")]
    Token(String),
    /// The address.
    #[error("cannot listen at {address}\n(is another adapter running? see `pull.listen`)")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file for the address.
    #[error("cannot write the address into `{path}`", path = path.display())]
    AddressFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The desk.
    #[error("cannot prepare the desk")]
    Store(#[from] StoreError),
}

/// The API, listening.
pub struct PullOffice {
    settings: Settings,
    desk: Desk,
    token: String,
    listener: Arc<TcpListener>,
}

impl PullOffice {
    /// Reads the token and listens; nobody is answered before `run`.
    pub async fn open(
        settings: Settings,
        codes: Arc<Codes>,
        reporter: Reporter,
    ) -> Result<Self, PullError> {
        let token = checking::token(&settings.token_file).map_err(PullError::Token)?;
        let listening = |source| PullError::Listen { address: settings.listen.clone(), source };
        let listener = TcpListener::bind(&settings.listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        if let Some(path) = &settings.address_file {
            std::fs::write(path, address.to_string())
                .map_err(|source| PullError::AddressFile { path: path.clone(), source })?;
        }
        let desk = Desk::open(reporter, codes).await?;
        info!(address = %address, "the office may fetch its work");
        Ok(Self { settings, desk, token, listener: Arc::new(listener) })
    }

    /// Answers the office for ever. Dropping it cuts whoever is being answered; that is harmless.
    pub async fn run(&self) {
        let app = routes::router(&self.settings, self.desk.clone(), self.token.clone());
        listen::serve(Arc::clone(&self.listener), app, listen::Bounds::of(&self.settings)).await;
        error!("the office's API has stopped");
    }
}

impl OfficeSystem for PullOffice {
    async fn take(&self, _work: TakenWork) -> Result<(), TakeError> {
        Err(TakeError::not_now("this office fetches its work itself"))
    }

    fn fetches(&self) -> bool {
        true
    }
}

fn read_token(path: &std::path::Path) -> Result<String, String> {
    let text = keys::read_text(path).map_err(|it| crate::check::chain(&it))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests;
