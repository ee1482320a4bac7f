//! Seals. Under a case's own key (AES-256-GCM), and to a province's key (HPKE, RFC 9180).
//!
//! The algorithm's name travels with each seal, so that an SM2/SM4 profile can follow. Randomness is
//! given by the caller: this page stays pure.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// AES-256-GCM with a 96-bit nonce; the first byte of a sealed part.
pub const AES_256_GCM: u8 = 1;
/// The only way so far to seal to a province.
pub const HPKE_X25519: &str = "hpke-x25519-hkdf-sha256-aes256gcm";

/// The seal does not open: another key, other associated data, or a changed byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal does not open")]
pub struct DoesNotOpen;

/// Seals under a symmetric key: algorithm ‖ nonce ‖ ciphertext and tag. A nonce is used once.
pub fn seal(key: &[u8; 32], nonce: [u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key));
    let payload = Payload { msg: plain, aad: associated };
    let sealed =
        cipher.encrypt(Nonce::from_slice(&nonce), payload).expect("a message is far below 64 GiB");
    [&[AES_256_GCM], nonce.as_slice(), &sealed].concat()
}

/// Opens what `seal` sealed.
pub fn open(key: &[u8; 32], associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
    let (algorithm, rest) = sealed.split_first().ok_or(DoesNotOpen)?;
    if *algorithm != AES_256_GCM || rest.len() < 12 + 16 {
        return Err(DoesNotOpen);
    }
    let (nonce, ciphertext) = rest.split_at(12);
    let cipher = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key));
    cipher
        .decrypt(Nonce::from_slice(nonce), Payload { msg: ciphertext, aad: associated })
        .map_err(|_| DoesNotOpen)
}

/// A key derived from a case's key for one use, e.g. `reply` or `check`.
pub fn derive(key: &[u8; 32], label: &str) -> [u8; 32] {
    let mut derived = [0; 32];
    Hkdf::<Sha256>::new(Some(b"hub-derive-v1"), key)
        .expand(label.as_bytes(), &mut derived)
        .expect("32 bytes are a valid length");
    derived
}

/// Something sealed to a province's X25519 key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedTo {
    /// How.
    pub algorithm: String,
    /// To which registered key.
    pub key_id: String,
    /// The encapsulated key, base64url.
    pub encapsulated: String,
    /// Ciphertext and tag, base64url.
    pub ciphertext: String,
}

/// A fresh X25519 pair (private, public), base64url, from 32 bytes of randomness.
pub fn key_pair(randomness: &[u8; 32]) -> (String, String) {
    let (private, public) = X25519HkdfSha256::derive_keypair(randomness);
    (BASE64.encode(private.to_bytes()), BASE64.encode(public.to_bytes()))
}

/// The public key of a private one, base64url.
pub fn public_of(private: &str) -> Result<String, DoesNotOpen> {
    let private = BASE64.decode(private).map_err(|_| DoesNotOpen)?;
    let private = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(&private)
        .map_err(|_| DoesNotOpen)?;
    Ok(BASE64.encode(X25519HkdfSha256::sk_to_pk(&private).to_bytes()))
}

/// Seals `plain` to the public key of `key_id`; `associated` must be told again to open it.
pub fn seal_to(
    public: &str,
    key_id: &str,
    randomness: &[u8; 32],
    associated: &[u8],
    plain: &[u8],
) -> Result<SealedTo, DoesNotOpen> {
    let public = BASE64.decode(public).map_err(|_| DoesNotOpen)?;
    let public =
        <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&public).map_err(|_| DoesNotOpen)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Base,
            &public,
            HPKE_X25519.as_bytes(),
            plain,
            associated,
            &mut Given::new(randomness),
        )
        .map_err(|_| DoesNotOpen)?;
    Ok(SealedTo {
        algorithm: HPKE_X25519.to_owned(),
        key_id: key_id.to_owned(),
        encapsulated: BASE64.encode(encapsulated.to_bytes()),
        ciphertext: BASE64.encode(ciphertext),
    })
}

/// Opens what `seal_to` sealed, with the private key.
pub fn open_with(
    private: &str,
    associated: &[u8],
    sealed: &SealedTo,
) -> Result<Vec<u8>, DoesNotOpen> {
    if sealed.algorithm != HPKE_X25519 {
        return Err(DoesNotOpen);
    }
    let private = BASE64.decode(private).map_err(|_| DoesNotOpen)?;
    let private = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(&private)
        .map_err(|_| DoesNotOpen)?;
    let encapsulated = BASE64.decode(&sealed.encapsulated).map_err(|_| DoesNotOpen)?;
    let encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(&encapsulated)
        .map_err(|_| DoesNotOpen)?;
    let ciphertext = BASE64.decode(&sealed.ciphertext).map_err(|_| DoesNotOpen)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        HPKE_X25519.as_bytes(),
        &ciphertext,
        associated,
    )
    .map_err(|_| DoesNotOpen)
}

/// Randomness that the caller drew: HPKE asks once, for the ephemeral key's 32 bytes.
struct Given<'a> {
    left: &'a [u8],
}

impl<'a> Given<'a> {
    fn new(randomness: &'a [u8; 32]) -> Self {
        Self { left: randomness }
    }
}

impl rand_core::RngCore for Given<'_> {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }
    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        assert!(
            out.len() <= self.left.len(),
            "HPKE asked for more randomness than one ephemeral key"
        );
        let (now, later) = self.left.split_at(out.len());
        out.copy_from_slice(now);
        self.left = later;
    }
}
impl rand_core::CryptoRng for Given<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_part_opens_only_where_it_belongs() {
        let key = [1; 32];
        let sealed = seal(&key, [2; 12], b"case-a event-1", b"secret");
        assert_eq!(open(&key, b"case-a event-1", &sealed).unwrap(), b"secret");
        assert_eq!(open(&key, b"case-b event-1", &sealed), Err(DoesNotOpen));
        assert_eq!(open(&[3; 32], b"case-a event-1", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"case-a event-1", &changed), Err(DoesNotOpen), "byte {at}");
        }
    }

    #[test]
    fn what_is_sealed_to_a_province_opens_with_its_key_only() {
        let (private, public) = key_pair(&[5; 32]);
        let (other, _) = key_pair(&[6; 32]);
        assert_eq!(public_of(&private).unwrap(), public);
        let sealed = seal_to(&public, "22-seal-1", &[7; 32], b"case", b"secret").unwrap();
        assert_eq!(open_with(&private, b"case", &sealed).unwrap(), b"secret");
        assert_eq!(open_with(&other, b"case", &sealed), Err(DoesNotOpen));
        assert_eq!(open_with(&private, b"esac", &sealed), Err(DoesNotOpen));
    }
}
