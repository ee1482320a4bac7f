//! The certificate of conformance: which adapter passed which kit, until when, and who says so. The
//! kit writes it, the hub reads it, an auditor checks it without either.
//!
//! The file is JSON with two texts: `certificate`, whose exact UTF-8 bytes are signed, and
//! `signature`, the detached JWS over them. Without a signature it is self-tested and convinces nobody.

use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ProvinceCode;
use crate::proof::signature::{self, Purpose};

/// Longest file that is read, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// What is certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The certificate's own version.
    pub v: u32,
    /// Which kit was run.
    pub kit_version: String,
    /// The adapter as it names itself in its reports.
    pub adapter_version: String,
    /// For which province it spoke.
    pub province: ProvinceCode,
    /// The origin of the sandbox in which it was run.
    pub environment: String,
    /// SHA-256 of the exact bytes of the report, hexadecimal.
    pub result_digest: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Not valid after.
    pub expires_at: Timestamp,
    /// Nobody but the tester says so.
    pub self_tested: bool,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCertificate {
    /// The certificate as JSON; these exact bytes are signed.
    pub certificate: String,
    /// The detached JWS of the test centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// Why a certificate does not count. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the file, or not a certificate inside it.
    #[error("not a certificate of conformance")]
    Unreadable,
    /// Nobody signed it.
    #[error("the adapter was tested by its own maker only")]
    SelfTested,
    /// Signed by somebody whom nobody here trusts.
    #[error("signed with a key that is not trusted here")]
    UntrustedKey,
    /// The signature does not fit.
    #[error("the certificate's signature does not fit")]
    DoesNotFit,
}

impl CertificateError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "certificate-unreadable",
            Self::SelfTested => "certificate-self-tested",
            Self::UntrustedKey => "certificate-untrusted-key",
            Self::DoesNotFit => "certificate-wrong-signature",
        }
    }
}

impl SignedCertificate {
    /// Writes `certificate` down and signs it; without a key it is marked as self-tested.
    pub fn write(certificate: Certificate, key: Option<(&SigningKey, &str)>) -> Self {
        let certificate = Certificate { self_tested: key.is_none(), ..certificate };
        let text = serde_json::to_string(&certificate).expect("plain structs always serialize");
        let signature =
            key.map(|(key, id)| signature::sign(key, id, Purpose::Certificate, text.as_bytes()));
        Self { certificate: text, signature }
    }

    /// Reads a file and checks who signed it; `trusted` gives the key of an id. Says nothing about
    /// the expiry: whoever asks knows the time.
    pub fn open(
        file: &[u8],
        trusted: impl Fn(&str) -> Option<VerifyingKey>,
    ) -> Result<Certificate, CertificateError> {
        if file.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::Unreadable);
        }
        let signed: Self =
            serde_json::from_slice(file).map_err(|_| CertificateError::Unreadable)?;
        let certificate: Certificate =
            serde_json::from_str(&signed.certificate).map_err(|_| CertificateError::Unreadable)?;
        if certificate.v != 1 {
            return Err(CertificateError::Unreadable);
        }
        let jws = signed.signature.filter(|_| !certificate.self_tested);
        let jws = jws.ok_or(CertificateError::SelfTested)?;
        let id = signature::key_id(&jws).map_err(|_| CertificateError::DoesNotFit)?;
        let key = trusted(&id).ok_or(CertificateError::UntrustedKey)?;
        signature::verify(&key, Purpose::Certificate, &jws, signed.certificate.as_bytes())
            .map_err(|_| CertificateError::DoesNotFit)?;
        Ok(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Certificate {
        Certificate {
            v: 1,
            kit_version: "conformance-kit/0.1.0".into(),
            adapter_version: "province-adapter/0.1.0".into(),
            province: ProvinceCode::new(22).unwrap(),
            environment: "sandbox.kit/1".into(),
            result_digest: "0".repeat(64),
            issued_at: "2026-11-22T00:00:00Z".parse().unwrap(),
            expires_at: "2027-11-22T00:00:00Z".parse().unwrap(),
            self_tested: false,
        }
    }

    #[test]
    fn a_certificate_counts_only_as_its_trusted_test_centre_signed_it() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signed = SignedCertificate::write(certificate(), Some((&key, "centre-1")));
        let trusted = |id: &str| (id == "centre-1").then(|| key.verifying_key());
        let open = |it: &SignedCertificate| {
            SignedCertificate::open(&serde_json::to_vec(it).unwrap(), trusted)
        };
        assert_eq!(open(&signed), Ok(certificate()));
        let changed = signed.certificate.replace("2027", "2037");
        let changed = SignedCertificate { certificate: changed, ..signed.clone() };
        assert_eq!(open(&changed), Err(CertificateError::DoesNotFit));
        let stranger = SignedCertificate::write(certificate(), Some((&key, "centre-2")));
        assert_eq!(open(&stranger), Err(CertificateError::UntrustedKey));
        let own = SignedCertificate::write(certificate(), None);
        assert_eq!(open(&own), Err(CertificateError::SelfTested));
        // A mark that was taken away is a changed byte; a signature that was taken away is none.
        let bare = SignedCertificate { signature: None, ..signed };
        assert_eq!(open(&bare), Err(CertificateError::SelfTested));
        assert_eq!(SignedCertificate::open(b"{}", trusted), Err(CertificateError::Unreadable));
    }
}
