//! The keys and the certificate as they lie on this machine: names, rights, fingerprints; never a key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::certificate::{CERTIFICATE_BYTES_MAX, Certificate, SignedCertificate};
use events::enrolment::{Request, Signed, fingerprint};
use events::proof::{seal, signature};
use serde::Serialize;

use crate::config::Config;
use crate::keys::{read_key, read_text};

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// One key of the province.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySeen {
    /// `sign`, `seal`, `connect`.
    pub purpose: &'static str,
    /// Its name with the hub.
    pub key_id: String,
    /// The file of its private half.
    pub file: String,
    /// The fingerprint of its public half, to compare with what the hub registered.
    pub fingerprint: Option<String>,
    /// What is wrong with it; nothing if nothing is.
    pub fault: Option<String>,
    /// It is the one that was asked to be registered: `request-….json` lies beside the configuration.
    pub as_requested: Option<bool>,
}

/// A certificate of conformance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateSeen {
    /// For which version.
    pub adapter_version: String,
    /// Not valid after.
    pub expires_at: String,
    /// Days until then; less than nothing afterwards.
    pub days_left: i64,
    /// It is for this version of the adapter.
    pub fits: bool,
    /// What is wrong with the file; nothing if nothing is.
    pub fault: Option<String>,
}

/// The three keys of the configuration.
pub(crate) fn keys(config: &Config) -> Vec<KeySeen> {
    let keys = &config.keys;
    let connect_file = &config.broker.nkey_seed_file;
    let connect_id = connect_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let sign = read_key(&keys.sign_key_file)
        .map(|it| signature::public_key_text(&SigningKey::from_bytes(&it).verifying_key()))
        .map_err(|it| crate::check::chain(&it));
    let seal = read_key(&keys.seal_key_file)
        .map_err(|it| crate::check::chain(&it))
        .and_then(|it| seal::public_of(&BASE64.encode(it)).map_err(|it| crate::check::chain(&it)));
    let connect = read_text(connect_file)
        .map_err(|it| crate::check::chain(&it))
        .and_then(|it| nkeys::KeyPair::from_seed(it.trim()).map_err(|_| "not an nkey seed".into()))
        .map(|it| it.public_key());
    let requested = requested(&config.folder);
    let seen = |purpose, key_id: &str, file: &Path, public: Result<String, String>| {
        let asked = requested.iter().find(|it| it.0 == key_id);
        KeySeen {
            purpose,
            key_id: key_id.to_owned(),
            file: file.display().to_string(),
            fingerprint: public.as_ref().ok().map(|it| fingerprint(it)),
            fault: public.as_ref().err().cloned().or_else(|| open_to_others(file)),
            as_requested: asked.and_then(|it| Some(it.1 == *public.as_ref().ok()?)),
        }
    };
    vec![
        seen("sign", &keys.sign_key_id, &keys.sign_key_file, sign),
        seen("seal", &keys.seal_key_id, &keys.seal_key_file, seal),
        seen("connect", &connect_id, connect_file, connect),
    ]
}

/// Whoever reads a key speaks for the province.
fn open_to_others(file: &Path) -> Option<String> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then(|| {
        format!("别的用户可读 others may read it (mode {mode:03o}); chmod 600 {}", file.display())
    })
}

/// Names and public halves of the requests that lie beside the configuration.
fn requested(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("request-") || !name.ends_with(".json") {
            continue;
        }
        let Some(text) = small_text(&entry.path()) else { continue };
        let Ok(signed) = serde_json::from_str::<Signed>(&text) else { continue };
        let Ok(request) = serde_json::from_str::<Request>(&signed.payload) else { continue };
        found.extend(request.keys.into_iter().map(|it| (it.key_id, it.public_key)));
    }
    found
}

fn small_text(path: &Path) -> Option<String> {
    let bytes = std::fs::metadata(path).ok()?.len();
    if bytes > CERTIFICATE_BYTES_MAX as u64 {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

pub(super) fn certificate(config: &Config) -> Option<CertificateSeen> {
    let path = config.certificate_file.as_ref()?;
    let read = || -> Option<Certificate> {
        let signed: SignedCertificate = serde_json::from_str(&small_text(path)?).ok()?;
        serde_json::from_str(&signed.certificate).ok()
    };
    Some(match read() {
        Some(it) => {
            let left = it.expires_at.duration_since(config.clock().told_now());
            let fits = it.adapter_version == crate::outbox::ADAPTER_VERSION
                && it.province == config.province;
            CertificateSeen {
                expires_at: it.expires_at.to_string(),
                days_left: left.as_secs().div_euclid(86_400),
                fits,
                fault: None,
                adapter_version: it.adapter_version,
            }
        }
        None => CertificateSeen {
            adapter_version: String::new(),
            expires_at: String::new(),
            days_left: 0,
            fits: false,
            fault: Some(format!(
                "`{}` 不是合格证书 is no certificate of conformance",
                path.display()
            )),
        },
    })
}
