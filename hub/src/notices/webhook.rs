//! A program is called as Standard Webhooks has it: id, moment and signature in three headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::Url;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::carrier::BringError;
use super::compose::{Letter, Sender, webhook_body};

/// What secrets begin with.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of a secret, as the specification has it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs what a webhook is told.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookSecret {
    /// From `whsec_` and base64; nothing, if it is not that.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.trim().strip_prefix(SECRET_PREFIX)?).ok()?;
        SECRET_BYTES.contains(&bytes.len()).then(|| Self(Zeroizing::new(bytes)))
    }

    /// `v1,` and the signature over id, moment and body.
    pub fn sign(&self, id: &str, at_s: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length fits");
        mac.update(format!("{id}.{at_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// A program that is called.
pub struct Webhook {
    pub(crate) url: Url,
    pub(crate) secret: WebhookSecret,
    pub(crate) http: reqwest::Client,
}

impl Webhook {
    /// One call; an answer of 2xx has it.
    pub(crate) async fn bring(
        &self,
        letter: &Letter,
        sender: &Sender,
        now: Timestamp,
    ) -> Result<(), BringError> {
        let body = webhook_body(letter, sender);
        let (id, at_s) = (format!("msg_{}", letter.message.simple()), now.as_second());
        let request = self
            .http
            .post(self.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", at_s)
            .header("webhook-signature", self.secret.sign(&id, at_s, &body))
            .body(body);
        super::carrier::answered(request).await
    }
}
