//! Detached JWS (RFC 7515 appendix F, EdDSA of RFC 8037) over the exact bytes of a message.
//!
//! The protected header carries `alg`, `kid` and `typ`. The algorithm that counts is the one in the
//! key registry: a header with another one is refused, never followed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// What was signed: a signature over one kind never counts for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A province's report.
    Report,
    /// The hub's work or receipts for a province.
    ToProvince,
    /// The hub's receipt for a submission.
    SubmissionReceipt,
    /// The hub's feedback of a result to a national system.
    Feedback,
    /// A province's request to have keys counted.
    KeyRequest,
    /// The hub's answer to it: all that an adapter must know.
    Bundle,
    /// A test centre's certificate of conformance.
    Certificate,
}

impl Purpose {
    fn typ(self) -> &'static str {
        match self {
            Self::Report => "hub-report+ce",
            Self::ToProvince => "hub-work+ce",
            Self::SubmissionReceipt => "hub-receipt+json",
            Self::Feedback => "hub-feedback+ce",
            Self::KeyRequest => "hub-key-request+json",
            Self::Bundle => "hub-bundle+json",
            Self::Certificate => "hub-certificate+json",
        }
    }
}

/// Why a signature does not count. None of the texts repeats what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not `header..signature` with a readable header.
    #[error("not a detached JWS")]
    Malformed,
    /// Another algorithm than the key's.
    #[error("the algorithm is not the key's")]
    WrongAlgorithm,
    /// Signed for another purpose.
    #[error("signed for another purpose")]
    WrongPurpose,
    /// The bytes are not what the key signed.
    #[error("the signature does not fit the bytes and the key")]
    DoesNotFit,
    /// The public key is not a usable Ed25519 key.
    #[error("not a usable public key")]
    BadKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: std::borrow::Cow<'a, str>,
    kid: std::borrow::Cow<'a, str>,
    typ: std::borrow::Cow<'a, str>,
}

/// Longest detached JWS that is looked at, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 512;

/// Signs `payload`. Deterministic: the same again gives the same text.
pub fn sign(key: &SigningKey, key_id: &str, purpose: Purpose, payload: &[u8]) -> String {
    let header = Header { alg: "EdDSA".into(), kid: key_id.into(), typ: purpose.typ().into() };
    let header = BASE64.encode(serde_json::to_vec(&header).expect("three texts always serialize"));
    let signature = key.sign(&signing_input(&header, payload));
    format!("{header}..{}", BASE64.encode(signature.to_bytes()))
}

/// The key that a signature claims, to look it up. Nothing is checked yet.
pub fn key_id(jws: &str) -> Result<String, SignatureError> {
    Ok(split(jws)?.1.kid.into_owned())
}

/// Checks `jws` over `payload` with the registered Ed25519 `key`; strict about small-order points
/// and non-canonical encodings.
pub fn verify(
    key: &VerifyingKey,
    purpose: Purpose,
    jws: &str,
    payload: &[u8],
) -> Result<(), SignatureError> {
    let (encoded, header, signature) = split(jws)?;
    if header.alg != "EdDSA" {
        return Err(SignatureError::WrongAlgorithm);
    }
    if header.typ != purpose.typ() {
        return Err(SignatureError::WrongPurpose);
    }
    key.verify_strict(&signing_input(encoded, payload), &signature)
        .map_err(|_| SignatureError::DoesNotFit)
}

/// A registered public key, from base64url.
pub fn public_key(text: &str) -> Result<VerifyingKey, SignatureError> {
    let bytes = BASE64.decode(text).map_err(|_| SignatureError::BadKey)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| SignatureError::BadKey)?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| SignatureError::BadKey)?;
    if key.is_weak() { Err(SignatureError::BadKey) } else { Ok(key) }
}

/// A public key as it is registered: base64url.
pub fn public_key_text(key: &VerifyingKey) -> String {
    BASE64.encode(key.as_bytes())
}

fn signing_input(header: &str, payload: &[u8]) -> Vec<u8> {
    let mut input = Vec::with_capacity(header.len() + 1 + payload.len() * 4 / 3 + 3);
    input.extend_from_slice(header.as_bytes());
    input.push(b'.');
    let at = input.len();
    input.resize(at + payload.len().div_ceil(3) * 4, 0);
    let written = BASE64.encode_slice(payload, &mut input[at..]).unwrap_or(0);
    input.truncate(at + written);
    input
}

fn split(jws: &str) -> Result<(&str, Header<'static>, Signature), SignatureError> {
    let malformed = SignatureError::Malformed;
    if jws.len() > SIGNATURE_BYTES_MAX {
        return Err(malformed);
    }
    let (encoded, signature) = jws.split_once("..").ok_or(malformed)?;
    let header = BASE64.decode(encoded).map_err(|_| malformed)?;
    let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| malformed)?;
    let signature = BASE64.decode(signature).map_err(|_| malformed)?;
    let signature = Signature::from_slice(&signature).map_err(|_| malformed)?;
    let owned = Header {
        alg: header.alg.into_owned().into(),
        kid: header.kid.into_owned().into(),
        typ: header.typ.into_owned().into(),
    };
    Ok((encoded, owned, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_for_its_bytes_its_key_and_its_purpose_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let jws = sign(&key, "22-sign-1", Purpose::Report, b"payload");
        let public = public_key(&public_key_text(&key.verifying_key())).unwrap();
        assert_eq!(key_id(&jws).unwrap(), "22-sign-1");
        assert_eq!(verify(&public, Purpose::Report, &jws, b"payload"), Ok(()));
        assert_eq!(
            verify(&public, Purpose::Report, &jws, b"paylord"),
            Err(SignatureError::DoesNotFit)
        );
        assert_eq!(
            verify(&public, Purpose::ToProvince, &jws, b"payload"),
            Err(SignatureError::WrongPurpose)
        );
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(
            verify(&other, Purpose::Report, &jws, b"payload"),
            Err(SignatureError::DoesNotFit)
        );
    }

    #[test]
    fn no_signature_counts_for_another_kind_of_document() {
        const ALL: [Purpose; 6] = [
            Purpose::Report,
            Purpose::ToProvince,
            Purpose::SubmissionReceipt,
            Purpose::Feedback,
            Purpose::KeyRequest,
            Purpose::Bundle,
        ];
        let key = SigningKey::from_bytes(&[7; 32]);
        for signed in ALL {
            let jws = sign(&key, "k", signed, b"payload");
            for asked in ALL {
                let counts = verify(&key.verifying_key(), asked, &jws, b"payload").is_ok();
                assert_eq!(counts, signed == asked, "{signed:?} taken for {asked:?}");
            }
        }
    }

    #[test]
    fn another_algorithm_in_the_header_is_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let header = BASE64.encode(br#"{"alg":"none","kid":"k","typ":"hub-report+ce"}"#);
        let signature = BASE64.encode(key.sign(&signing_input(&header, b"x")).to_bytes());
        let jws = format!("{header}..{signature}");
        let verdict = verify(&key.verifying_key(), Purpose::Report, &jws, b"x");
        assert_eq!(verdict, Err(SignatureError::WrongAlgorithm));
    }

    #[test]
    fn small_order_points_are_no_keys() {
        assert_eq!(public_key(&BASE64.encode([0; 32])), Err(SignatureError::BadKey));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(public_key(&BASE64.encode(identity)), Err(SignatureError::BadKey));
    }
}
