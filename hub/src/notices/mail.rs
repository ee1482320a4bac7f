//! People get mail, over SMTP, from a server that is named in the configuration.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::carrier::BringError;
use super::compose::{Letter, Sender, subject, text};

/// The way to a mail server, and who gets what.
pub struct Mail {
    pub(crate) transport: AsyncSmtpTransport<Tokio1Executor>,
    pub(crate) from: Mailbox,
    pub(crate) to: Vec<Mailbox>,
    /// Longest that one mail may take.
    pub(crate) dialogue_wait_max: Duration,
}

/// Tells other machines that no person wrote this: no absence notes come back (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Mail {
    /// One dialogue; the server has it when it says so after the last line.
    pub(crate) async fn bring(&self, letter: &Letter, sender: &Sender) -> Result<(), BringError> {
        let message = self.message(letter, sender)?;
        let envelope = self.envelope()?;
        let message = message.formatted();
        let sent = self.in_time(self.transport.send_raw(&envelope, &message)).await?;
        sent.map(drop).map_err(|it| BringError { reason: reason(&it), source: it.into() })
    }

    /// The library bounds each line of the dialogue and not the TLS handshake; this bounds all of it.
    async fn in_time<T>(&self, dialogue: impl Future<Output = T>) -> Result<T, BringError> {
        let ended = tokio::time::timeout(self.dialogue_wait_max, dialogue).await;
        ended.map_err(|it| BringError { reason: "timed-out", source: it.into() })
    }

    /// Whether the server is there and lets us in.
    pub(crate) async fn probe(&self) -> Result<(), BringError> {
        match self.in_time(self.transport.test_connection()).await? {
            Ok(true) => Ok(()),
            Ok(false) => Err(BringError { reason: "refused", source: "it does not answer".into() }),
            Err(it) => Err(BringError { reason: reason(&it), source: it.into() }),
        }
    }

    fn envelope(&self) -> Result<Envelope, BringError> {
        let to = self.to.iter().map(|it| it.email.clone()).collect();
        Envelope::new(Some(self.from.email.clone()), to).map_err(unwritable)
    }

    fn message(&self, letter: &Letter, sender: &Sender) -> Result<Message, BringError> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject(letter, sender))
            .message_id(Some(format!("<{}@{}>", letter.message, self.from.email.domain())))
            .date(moment(letter))
            .header(AutoSubmitted);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let part = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64)
            .body(text(letter, sender));
        message.singlepart(part).map_err(unwritable)
    }
}

fn moment(letter: &Letter) -> std::time::SystemTime {
    letter.planned_at.into()
}

fn unwritable(error: lettre::error::Error) -> BringError {
    BringError { reason: "refused", source: error.into() }
}

fn reason(error: &SmtpError) -> &'static str {
    if error.is_timeout() {
        "timed-out"
    } else if error.is_permanent() || error.is_transient() || error.is_response() {
        "refused"
    } else {
        "unreachable"
    }
}
