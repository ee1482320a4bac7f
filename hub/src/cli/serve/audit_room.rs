//! Hands the auditor's page what lies in rooms beside it: the checkpoints' file, and the walk over the log.

use std::sync::Arc;

use events::proof::note::Checkpoint;

use crate::audit::verify::{Against, verify};
use crate::config::Config;
use crate::log::checkpoint;
use crate::notices::chain;
use crate::signer::Signer;
use crate::web::audit_desk::{AuditDesk, SignedHead, Verified};

/// Reads and walks the same files as `hub verify`.
pub(super) fn desk(config: &Config, signer: &Signer) -> AuditDesk {
    let key = signer.public_key();
    let (log, checkpoints) = (config.log_path(), config.checkpoints.clone());
    let kept = checkpoints.clone();
    let heads = move || {
        let all = checkpoint::read(&kept, &key).map_err(|it| chain(&it))?;
        let head = |it: Checkpoint| SignedHead { position: it.position, hash: it.hash };
        Ok(all.unwrap_or_default().into_iter().rev().map(head).collect())
    };
    let walk = move || {
        let against = Against { hub_key: Some(&key), checkpoints: Some(&checkpoints) };
        match verify(&log, against, &mut |_, _| {}) {
            Ok(report) => Verified {
                fine: report.is_clean(),
                events: report.events,
                checkpoints: report.checkpoints,
                problem: report.damage.map(|it| match it.position {
                    Some(position) => format!("{position}: {}", it.what),
                    None => it.what,
                }),
            },
            Err(error) => {
                let problem = Some(chain(&error));
                Verified { fine: false, events: 0, checkpoints: 0, problem }
            }
        }
    };
    AuditDesk::new(Arc::new(heads), Arc::new(walk))
}
