//! Joining, in three commands: `init` here, `hub province enroll` there, `join` here. A private key is
//! made where it is used, never overwritten, and never leaves; what goes out is public and signed.

mod files;
mod text;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::authority::{AuthorityFault, certificates};
use events::enrolment::{
    AdapterFacts, BROKER_CA_FILE, Bundle, BundleFault, Request, RequestKind, Signed, VERSION,
    adapter_toml, fingerprint, key_ids, read_bundle, sign_request,
};
use events::ids::ProvinceCode;
use events::proof::{seal, signature};
use events::province::{KeyPurpose, KeyRegistered};
use jiff::Timestamp;

use crate::config::{Config, ConfigError};
use crate::keys::{KeyError, randomness, read_key, read_text};
use crate::outbox::ADAPTER_VERSION;
use files::{private_folder, read_small, write_new, write_over};

/// What stands in a draft until the hub has answered; no log has this name.
const NOT_YET: &str = "to-be-told-by-the-hub";
/// The first test vector of RFC 8032: a key that no hub has, so that a draft can be read but not trusted.
const NO_HUB_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Why joining does not go on. Nothing that was there is changed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// A file exists: it may be the only copy of a key.
    #[error("`{}` is there already and is never overwritten\n(another folder, or a higher --nth)", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be written or read.
    #[error("cannot {operation} `{}`", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A key file is not usable.
    #[error("cannot use a key")]
    Key(#[from] KeyError),
    /// The broker key's file does not hold an nkey seed.
    #[error("`{}` is not an nkey seed of a user", path.display())]
    NotAnNkey {
        /// The file.
        path: PathBuf,
    },
    /// It is not what the hub gave out.
    #[error("`{}` is not a signed bundle of a hub", path.display())]
    NotABundle {
        /// The file.
        path: PathBuf,
    },
    /// It was changed on the way.
    #[error("cannot use the bundle")]
    Bundle(#[from] BundleFault),
    /// The certificates in it do not count.
    #[error("the bundle's certificates of the broker cannot be used")]
    Authority(#[from] AuthorityFault),
    /// Another hub's, or somebody stands between.
    #[error(
        "the bundle is signed by a hub whose key has the fingerprint {found}\n(expected: {expected})"
    )]
    OtherHub {
        /// As it is.
        found: String,
        /// As it should be.
        expected: String,
    },
    /// It is for another province.
    #[error("the bundle is for province {found}, this folder is {expected}'s")]
    OtherProvince {
        /// For whom it is.
        found: ProvinceCode,
        /// Whose folder it is.
        expected: ProvinceCode,
    },
    /// The hub registered a key that is not here.
    #[error("the hub has registered no {purpose} key whose private half lies in `{}`", folder.display())]
    NoSuchKeyHere {
        /// Which kind.
        purpose: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Key files are found by their ids.
    #[error("the key `{key_id}` lies in `{}`; a rotation needs it as `keys/{key_id}.key`\n(rename the file and say so in the configuration)", path.display())]
    OtherFileName {
        /// The key.
        key_id: String,
        /// Where it lies.
        path: PathBuf,
    },
    /// The configuration that is there, or the one that was made, is unusable.
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
}

/// What was made or changed: for the screen. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Files, in the order of making.
    pub files: Vec<PathBuf>,
    /// The public keys' names and fingerprints.
    pub keys: Vec<(String, String)>,
    /// What goes to the ministry, if anything does.
    pub request: Option<PathBuf>,
    /// The hub's fingerprint, once it is known.
    pub hub: Option<String>,
}

/// Three fresh keys of a province, private and public.
struct NewKeys {
    sign: SigningKey,
    seal_private: String,
    connect: nkeys::KeyPair,
    public: Vec<KeyRegistered>,
}

impl NewKeys {
    fn draw(province: ProvinceCode, nth: u32) -> Result<Self, KeyError> {
        let sign = SigningKey::from_bytes(&randomness()?);
        let (seal_private, seal_public) = seal::key_pair(&randomness()?);
        let connect = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, randomness()?)
            .expect("32 bytes are a seed");
        let [sign_id, seal_id, connect_id] = key_ids(province, nth);
        let key = |key_id, purpose, algorithm: &str, public_key| KeyRegistered {
            key_id,
            purpose,
            algorithm: algorithm.to_owned(),
            public_key,
        };
        let sign_public = signature::public_key_text(&sign.verifying_key());
        let public = vec![
            key(sign_id, KeyPurpose::Sign, "ed25519", sign_public),
            key(seal_id, KeyPurpose::Seal, "x25519", seal_public),
            key(connect_id, KeyPurpose::Connect, "nkey", connect.public_key()),
        ];
        Ok(Self { sign, seal_private, connect, public })
    }

    fn id(&self, at: usize) -> &str {
        &self.public[at].key_id
    }

    /// Refuses before the first file is written if any of them exists.
    fn write(&self, folder: &Path, made: &mut Made) -> Result<(), EnrolError> {
        let place = |at: usize| folder.join(events::enrolment::key_file(self.id(at)));
        for at in 0..self.public.len() {
            if place(at).exists() {
                return Err(EnrolError::Exists { path: place(at) });
            }
        }
        private_folder(&folder.join("keys"))?;
        let seed = self.connect.seed().expect("a pair made from a seed has it");
        let texts = [BASE64.encode(self.sign.as_bytes()), self.seal_private.clone(), seed];
        for (at, text) in texts.iter().enumerate() {
            write_new(&place(at), &format!("{text}\n"))?;
            made.files.push(place(at));
        }
        made.keys.extend(told(&self.public));
        Ok(())
    }
}

fn told(keys: &[KeyRegistered]) -> Vec<(String, String)> {
    keys.iter().map(|it| (it.key_id.clone(), fingerprint(&it.public_key))).collect()
}

/// Makes a province's `nth` keys, a request to have them counted, and a draft of `adapter.toml`.
/// Again in the same folder: refused, nothing is overwritten.
pub fn init(
    folder: &Path,
    province: ProvinceCode,
    nth: u32,
    broker_urls: &[String],
    now: Timestamp,
) -> Result<Made, EnrolError> {
    let request_file = folder.join(format!("request-{province}-{nth}.json"));
    let draft = folder.join("adapter.toml");
    for path in [&request_file, &draft] {
        if path.exists() {
            return Err(EnrolError::Exists { path: path.clone() });
        }
    }
    private_folder(folder)?;
    let keys = NewKeys::draw(province, nth)?;
    let mut made = Made { files: vec![], keys: vec![], request: None, hub: None };
    keys.write(folder, &mut made)?;
    let request = Request {
        v: VERSION,
        kind: RequestKind::Enrolment,
        province,
        origin: None,
        made_at: now,
        adapter: ADAPTER_VERSION.to_owned(),
        keys: keys.public.clone(),
    };
    let signed = sign_request(&request, (&keys.sign, keys.id(0)), None);
    write_new(&request_file, &text::pretty(&signed))?;
    let facts = AdapterFacts {
        province,
        origin: NOT_YET,
        broker_urls,
        broker_ca_file: None,
        hub_public_key: NO_HUB_KEY,
        hub_key_id: NOT_YET,
        key_ids: [keys.id(0), keys.id(1), keys.id(2)],
    };
    write_new(&draft, &adapter_toml(&facts))?;
    made.files.extend([request_file.clone(), draft]);
    made.request = Some(request_file);
    Ok(made)
}

/// Makes the next keys and a request that the key in use signs. The adapter goes on as it is; work
/// that is sealed to the new key opens from now on, without a restart.
pub fn rotate(config_file: &Path, now: Timestamp) -> Result<Made, EnrolError> {
    let config = Config::load(config_file)?;
    let identity = config.identity()?;
    let folder = config_file.parent().unwrap_or(Path::new(""));
    for (key_id, path) in [
        (&config.keys.sign_key_id, &config.keys.sign_key_file),
        (&config.keys.seal_key_id, &config.keys.seal_key_file),
    ] {
        // Folders may be told in many ways; the file's name and its folder's must be ours.
        if !path.ends_with(events::enrolment::key_file(key_id)) {
            return Err(EnrolError::OtherFileName { key_id: key_id.clone(), path: path.clone() });
        }
    }
    let nth = text::next_number(&config.keys.sign_key_id);
    let request_file = folder.join(format!("request-{}-{nth}.json", config.province));
    if request_file.exists() {
        return Err(EnrolError::Exists { path: request_file });
    }
    let keys = NewKeys::draw(config.province, nth)?;
    let mut made = Made { files: vec![], keys: vec![], request: None, hub: None };
    keys.write(folder, &mut made)?;
    let request = Request {
        v: VERSION,
        kind: RequestKind::Rotation,
        province: config.province,
        origin: Some(config.origin.clone()),
        made_at: now,
        adapter: ADAPTER_VERSION.to_owned(),
        keys: keys.public.clone(),
    };
    let current = (&identity.sign_key, identity.sign_key_id.as_str());
    let signed = sign_request(&request, (&keys.sign, keys.id(0)), Some(current));
    write_new(&request_file, &text::pretty(&signed))?;
    made.files.push(request_file.clone());
    made.request = Some(request_file);
    Ok(made)
}

/// Takes the hub's bundle: writes `adapter.toml`, or brings the one that is there up to date and leaves
/// everything else in it as it is. The latest registered keys whose private halves lie here are used.
/// Again with the same bundle: nothing changes. `hub_fingerprint` pins the hub.
pub fn join(
    config_file: &Path,
    bundle_file: &Path,
    hub_fingerprint: Option<&str>,
) -> Result<Made, EnrolError> {
    let not_one = || EnrolError::NotABundle { path: bundle_file.to_owned() };
    let signed: Signed = serde_json::from_str(&read_small(bundle_file)?).map_err(|_| not_one())?;
    let bundle = read_bundle(&signed)?;
    let hub = fingerprint(&bundle.hub_public_key);
    if let Some(expected) = hub_fingerprint
        && expected != hub
        && expected != bundle.hub_public_key
    {
        return Err(EnrolError::OtherHub { found: hub, expected: expected.to_owned() });
    }
    let folder = config_file.parent().unwrap_or(Path::new(""));
    let chosen = choose(&bundle, folder)?;
    let [sign, seal, connect] = &chosen;
    let authority = bundle.broker_ca.as_deref().map(certificates).transpose()?;
    let facts = AdapterFacts {
        province: bundle.province,
        origin: &bundle.origin,
        broker_urls: &bundle.broker_urls,
        broker_ca_file: authority.as_ref().map(|_| BROKER_CA_FILE),
        hub_public_key: &bundle.hub_public_key,
        hub_key_id: &bundle.hub_key_id,
        key_ids: [&sign.key_id, &seal.key_id, &connect.key_id],
    };
    let text = if config_file.exists() {
        let known = Config::load(config_file)?;
        if known.province != bundle.province {
            let (found, expected) = (bundle.province, known.province);
            return Err(EnrolError::OtherProvince { found, expected });
        }
        text::brought_up_to_date(&read_small(config_file)?, &facts)
    } else {
        adapter_toml(&facts)
    };
    let mut files = vec![config_file.to_owned()];
    if let Some(authority) = authority {
        let path = folder.join(BROKER_CA_FILE);
        write_over(&path, &authority, |_| Ok(()))?;
        files.push(path);
    }
    write_over(config_file, &text, |new| Config::load(new).map(|_| ()).map_err(EnrolError::from))?;
    Ok(Made { files, keys: told(&chosen.map(Clone::clone)), request: None, hub: Some(hub) })
}

/// For each purpose the latest registered key whose private half lies in the folder.
fn choose<'a>(bundle: &'a Bundle, folder: &Path) -> Result<[&'a KeyRegistered; 3], EnrolError> {
    let latest = |purpose, name| {
        let mut fitting = bundle.keys.iter().rev().filter(|it| it.purpose == purpose);
        fitting
            .find(|it| public_half(folder, it).is_ok_and(|public| public == it.public_key))
            .ok_or(EnrolError::NoSuchKeyHere { purpose: name, folder: folder.to_owned() })
    };
    Ok([
        latest(KeyPurpose::Sign, "signing")?,
        latest(KeyPurpose::Seal, "sealing")?,
        latest(KeyPurpose::Connect, "connection")?,
    ])
}

/// The public key that belongs to the private one in the file of that name.
fn public_half(folder: &Path, key: &KeyRegistered) -> Result<String, EnrolError> {
    let path = folder.join(events::enrolment::key_file(&key.key_id));
    Ok(match key.purpose {
        KeyPurpose::Sign => {
            let sign = SigningKey::from_bytes(&read_key(&path)?);
            signature::public_key_text(&sign.verifying_key())
        }
        KeyPurpose::Seal => seal::public_of(&BASE64.encode(read_key(&path)?))
            .map_err(|_| KeyError::Shape { path: path.clone() })?,
        KeyPurpose::Connect => {
            let pair = nkeys::KeyPair::from_seed(read_text(&path)?.trim());
            pair.map_err(|_| EnrolError::NotAnNkey { path: path.clone() })?.public_key()
        }
    })
}

#[cfg(test)]
mod tests;
