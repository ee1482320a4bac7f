//! The checkpoint: a signed statement of the log's head, kept away from the log.
//!
//! ```text
//! hub.example/log
//! 4711
//! <chain hash, hexadecimal>
//!
//! — <key id> <detached JWS without its header's padding>
//! ```
//! The text above the empty line is what is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::proof::Hash;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log and its environment.
    pub origin: String,
    /// The last position.
    pub position: u64,
    /// The chain hash there.
    pub hash: Hash,
}

/// Why a note is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the three lines, an empty one, and a signature.
    #[error("not a checkpoint")]
    Malformed,
    /// The signature does not fit the text and the key.
    #[error("the checkpoint's signature does not fit")]
    DoesNotFit,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.position, self.hash)
    }

    /// The signed note. Deterministic.
    pub fn sign(&self, key: &SigningKey, key_id: &str) -> String {
        let text = self.text();
        let signature = BASE64.encode(key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n— {key_id} {signature}\n")
    }

    /// Reads a note and checks that `key` signed it.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, NoteError> {
        let (text, signatures) = note.split_once("\n\n").ok_or(NoteError::Malformed)?;
        let text = format!("{text}\n");
        let mut lines = text.lines();
        let (Some(origin), Some(position), Some(hash), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Malformed);
        };
        let fits = signatures.lines().any(|line| {
            let signature = line.strip_prefix("— ").and_then(|it| it.rsplit_once(' '));
            let signature = signature.and_then(|it| BASE64.decode(it.1).ok());
            let signature = signature.and_then(|it| Signature::from_slice(&it).ok());
            signature.is_some_and(|it| key.verify_strict(text.as_bytes(), &it).is_ok())
        });
        if !fits {
            return Err(NoteError::DoesNotFit);
        }
        let position = position.parse().map_err(|_| NoteError::Malformed)?;
        let hash = hash.parse().map_err(|_| NoteError::Malformed)?;
        Ok(Self { origin: origin.to_owned(), position, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_of_a_note_is_noticed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let checkpoint =
            Checkpoint { origin: "hub.test".into(), position: 42, hash: Hash([9; 32]) };
        let note = checkpoint.sign(&key, "hub-1");
        assert_eq!(Checkpoint::open(&note, &key.verifying_key()), Ok(checkpoint));
        let signed = note.find("\n\n").unwrap();
        for at in 0..signed {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Checkpoint::open(&changed, &key.verifying_key()).is_err(), "byte {at}");
        }
    }
}
