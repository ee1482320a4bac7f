//! What an animal is given: the kit's folder, read as any adapter would read it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{SigningKey, VerifyingKey};
use events::proof::signature;
use serde_json::Value;

/// `sandbox.json` and the keys beside it.
pub struct Bundle {
    pub origin: String,
    pub province: String,
    pub urls: Vec<String>,
    pub nkey_seed: String,
    pub inbox_prefix: String,
    pub pull_subject: String,
    pub report_subject: String,
    pub sign_key: SigningKey,
    pub sign_key_id: String,
    /// Private keys by their ids.
    pub seal_keys: HashMap<String, String>,
    pub hub_key: VerifyingKey,
    pub hub_key_id: String,
    pub resend_after_ms: Vec<i64>,
    pub state_dir: PathBuf,
}

impl Bundle {
    /// Reads the folder; a sandbox that is not as described ends the animal.
    pub fn read(folder: &Path) -> Self {
        let text = std::fs::read(folder.join("sandbox.json")).expect("the kit wrote sandbox.json");
        let told: Value = serde_json::from_slice(&text).expect("sandbox.json is JSON");
        let (broker, keys) = (&told["broker"], &told["keys"]);
        let text = |it: &Value| it.as_str().expect("a text of sandbox.json").to_owned();
        let secret = |it: &Value| {
            let path = folder.join(text(it));
            std::fs::read_to_string(path).expect("the kit wrote the keys").trim().to_owned()
        };
        let seed = BASE64.decode(secret(&keys["sign_key_file"])).expect("base64url");
        let consumer = format!("{}.{}", text(&broker["stream"]), text(&broker["consumer"]));
        let urls = broker["urls"].as_array().expect("urls");
        let waits = told["pace"]["resend_after_ms"].as_array().expect("waits");
        Self {
            origin: text(&told["origin"]),
            province: text(&told["province"]),
            urls: urls.iter().map(text).collect(),
            nkey_seed: secret(&broker["nkey_seed_file"]),
            inbox_prefix: text(&broker["inbox_prefix"]),
            pull_subject: format!("{}.CONSUMER.MSG.NEXT.{consumer}", text(&broker["api_prefix"])),
            report_subject: text(&broker["report_subject"]),
            sign_key: SigningKey::from_bytes(&seed.try_into().expect("32 bytes")),
            sign_key_id: text(&keys["sign_key_id"]),
            seal_keys: HashMap::from([(
                text(&keys["seal_key_id"]),
                secret(&keys["seal_key_file"]),
            )]),
            hub_key: signature::public_key(&text(&keys["hub_public_key"])).expect("a key"),
            hub_key_id: text(&keys["hub_key_id"]),
            resend_after_ms: waits.iter().map(|it| it.as_i64().expect("a wait")).collect(),
            state_dir: folder.join(text(&told["state_dir"])),
        }
    }
}
