//! What the adapter under test is given: one folder, readable in any language.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::ids::ProvinceCode;
use events::proof::{seal, signature};
use events::subjects;
use serde_json::json;

use super::KitError;
use crate::keys::randomness;

/// How the hub's key is called.
pub(crate) const HUB_KEY_ID: &str = "hub-1";
/// Short, so that a run takes a minute.
const RESEND_AFTER_MS: [u64; 3] = [500, 1_000, 2_000];

/// Everything secret in a sandbox; made fresh for each.
pub(crate) struct Keys {
    pub(crate) hub_user: nkeys::KeyPair,
    pub(crate) adapter_user: nkeys::KeyPair,
    pub(crate) hub: SigningKey,
    /// The province's signing keys, the newest last.
    pub(crate) sign: Vec<SigningKey>,
    /// The province's sealing pairs (private, public), the newest last.
    pub(crate) seal: Vec<(String, String)>,
}

impl Keys {
    pub(crate) fn generate() -> Result<Self, KitError> {
        let mut keys = Self {
            hub_user: nkeys::KeyPair::new_user(),
            adapter_user: nkeys::KeyPair::new_user(),
            hub: SigningKey::from_bytes(&random()?),
            sign: Vec::new(),
            seal: Vec::new(),
        };
        keys.rotate()?;
        Ok(keys)
    }

    /// A further signing and sealing key for the province; the older ones still count.
    pub(crate) fn rotate(&mut self) -> Result<(), KitError> {
        self.sign.push(SigningKey::from_bytes(&random()?));
        self.seal.push(seal::key_pair(&random()?));
        Ok(())
    }
}

/// `22-sign-1`
pub(crate) fn sign_key_id(province: ProvinceCode, nth: usize) -> String {
    format!("{province}-sign-{nth}")
}

/// `22-seal-1`
pub(crate) fn seal_key_id(province: ProvinceCode, nth: usize) -> String {
    format!("{province}-seal-{nth}")
}

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<[u8; 32], KitError> {
    randomness().map_err(|_| KitError::Randomness)
}

/// What the folder says.
pub(crate) struct Sandbox<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) province: ProvinceCode,
    pub(crate) origin: &'a str,
    pub(crate) broker_url: &'a str,
    pub(crate) keys: &'a Keys,
}

impl Sandbox<'_> {
    /// Writes all of it; written again after a rotation, only what changed is new.
    pub(crate) fn write(&self) -> Result<(), KitError> {
        for folder in ["", "keys", "state"] {
            let path = self.folder.join(folder);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| KitError::Files { path, source })?;
        }
        let seed = self.keys.adapter_user.seed().map_err(|_| KitError::Randomness)?;
        let (_, sign, _, seal) = self.newest();
        self.file("keys/nkey.seed", &format!("{seed}\n"))?;
        self.file(&self.sign_file(), &format!("{}\n", BASE64.encode(sign.as_bytes())))?;
        self.file(&self.seal_file(), &format!("{seal}\n"))?;
        self.file("sandbox.json", &self.json())?;
        self.file("adapter.toml", &self.toml())?;
        let env: String =
            self.environment().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        self.file("sandbox.env", &env)
    }

    fn newest(&self) -> (usize, &SigningKey, usize, &str) {
        let (sign, seal) = (&self.keys.sign, &self.keys.seal);
        let newest = sign.last().zip(seal.last()).expect("keys are made with one pair each");
        (sign.len(), newest.0, seal.len(), &newest.1.0)
    }

    fn sign_file(&self) -> String {
        format!("keys/{}.key", sign_key_id(self.province, self.keys.sign.len()))
    }

    fn seal_file(&self) -> String {
        format!("keys/{}.key", seal_key_id(self.province, self.keys.seal.len()))
    }

    fn hub_public(&self) -> String {
        signature::public_key_text(&self.keys.hub.verifying_key())
    }

    fn json(&self) -> String {
        let (signs, _, seals, _) = self.newest();
        let value = json!({
            "v": 1,
            "origin": self.origin,
            "province": self.province,
            "broker": {
                "urls": [self.broker_url],
                "nkey_seed_file": "keys/nkey.seed",
                "inbox_prefix": subjects::inbox(self.province),
                "api_prefix": subjects::PROVINCE_API_PREFIX,
                "stream": subjects::WORK_STREAM,
                "consumer": subjects::consumer(self.province),
                "report_subject": format!("hub.v1.report.{}", self.province),
            },
            "keys": {
                "sign_key_file": self.sign_file(),
                "sign_key_id": sign_key_id(self.province, signs),
                "seal_key_file": self.seal_file(),
                "seal_key_id": seal_key_id(self.province, seals),
                "hub_public_key": self.hub_public(),
                "hub_key_id": HUB_KEY_ID,
            },
            "pace": { "resend_after_ms": RESEND_AFTER_MS },
            "state_dir": "state",
        });
        format!("{value:#}\n")
    }

    fn toml(&self) -> String {
        let (signs, _, seals, _) = self.newest();
        format!(
            "# Our own sidecar in a sandbox; other adapters read sandbox.json.\n\
             province = \"{province}\"\norigin = \"{origin}\"\noffice = \"obedient\"\n\n\
             [broker]\nurls = [\"{url}\"]\nnkey_seed_file = \"keys/nkey.seed\"\n\n\
             [keys]\nsign_key_file = \"{sign_file}\"\nsign_key_id = \"{sign_id}\"\n\
             seal_key_file = \"{seal_file}\"\nseal_key_id = \"{seal_id}\"\n\
             hub_public_key = \"{hub}\"\nhub_key_id = \"{HUB_KEY_ID}\"\n\n\
             [store]\npath = \"state/adapter.db\"\n\n\
             [pace]\nresend_after_ms = {RESEND_AFTER_MS:?}\n",
            province = self.province,
            origin = self.origin,
            url = self.broker_url,
            sign_file = self.sign_file(),
            sign_id = sign_key_id(self.province, signs),
            seal_file = self.seal_file(),
            seal_id = seal_key_id(self.province, seals),
            hub = self.hub_public(),
        )
    }

    /// The same for the process's environment; paths are absolute.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let (signs, _, seals, _) = self.newest();
        let at = |file: &str| self.folder.join(file).display().to_string();
        let resend: Vec<String> = RESEND_AFTER_MS.iter().map(u64::to_string).collect();
        vec![
            ("HUB_SANDBOX", self.folder.display().to_string()),
            ("HUB_ORIGIN", self.origin.to_owned()),
            ("HUB_PROVINCE", self.province.to_string()),
            ("HUB_BROKER_URL", self.broker_url.to_owned()),
            ("HUB_NKEY_SEED_FILE", at("keys/nkey.seed")),
            ("HUB_INBOX_PREFIX", subjects::inbox(self.province)),
            ("HUB_API_PREFIX", subjects::PROVINCE_API_PREFIX.to_owned()),
            ("HUB_STREAM", subjects::WORK_STREAM.to_owned()),
            ("HUB_CONSUMER", subjects::consumer(self.province)),
            ("HUB_REPORT_SUBJECT", format!("hub.v1.report.{}", self.province)),
            ("HUB_SIGN_KEY_FILE", at(&self.sign_file())),
            ("HUB_SIGN_KEY_ID", sign_key_id(self.province, signs)),
            ("HUB_SEAL_KEY_FILE", at(&self.seal_file())),
            ("HUB_SEAL_KEY_ID", seal_key_id(self.province, seals)),
            ("HUB_PUBLIC_KEY", self.hub_public()),
            ("HUB_KEY_ID", HUB_KEY_ID.to_owned()),
            ("HUB_RESEND_AFTER_MS", resend.join(",")),
            ("HUB_STATE_DIR", at("state")),
        ]
    }

    fn file(&self, name: &str, text: &str) -> Result<(), KitError> {
        let path = self.folder.join(name);
        let write = || -> std::io::Result<()> {
            use std::io::Write as _;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|source| KitError::Files { path: PathBuf::from(&path), source })
    }
}
