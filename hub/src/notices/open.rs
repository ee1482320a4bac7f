//! From the configuration to carriers: secrets are read, connections prepared, nothing is called yet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use lettre::AsyncSmtpTransport;
use lettre::Tokio1Executor;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use reqwest::Url;
use zeroize::Zeroizing;

use super::alertmanager::{self, Alertmanager};
use super::carrier::{Carrier, Patience, Way};
use super::compose::Sender;
use super::config::{MailConfig, NoticesConfig, Security};
use super::mail::Mail;
use super::webhook::{Webhook, WebhookSecret};
use crate::clock::Clock;
use crate::registrar::Registrar;
use crate::views::reader::ViewReader;

/// Largest secret or certificate file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A whole mail may take so many times as long as one answer.
const DIALOGUE_WAITS: u32 = 4;

/// Why a carrier cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// A file cannot be read.
    #[error("cannot read `{path}` of `{carrier}`")]
    File {
        carrier: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A secret is none.
    #[error("`{path}` of `{carrier}` holds no secret: `whsec_` and 24 to 64 bytes in base64")]
    Secret { carrier: String, path: PathBuf },
    /// An address or a certificate is not usable.
    #[error("cannot make the carrier `{carrier}`")]
    Unusable {
        carrier: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What carriers need of the house.
#[derive(Clone)]
pub struct CarrierNeeds {
    pub views: ViewReader,
    pub registrar: Registrar,
    pub clock: Clock,
}

/// The way of one carrier, by its name.
pub type NamedWay = (String, Way);

impl NoticesConfig {
    /// Every way, by the name of its carrier.
    pub fn ways(&self) -> Result<Vec<NamedWay>, CarrierError> {
        let mut ways = Vec::new();
        for it in &self.webhooks {
            let name = format!("webhook-{}", it.name);
            let secret = secret(&name, &it.secret_file)?;
            let url = Url::parse(&it.url).map_err(|it| unusable(&name, it))?;
            let http = http(self.answer_wait()).map_err(|it| unusable(&name, it))?;
            ways.push((name, Way::Webhook(Webhook { url, secret, http })));
        }
        for it in &self.alertmanagers {
            let name = format!("alertmanager-{}", it.name);
            let url = alertmanager::api(&it.url).ok_or_else(|| unusable(&name, "no address"))?;
            let http = http(self.answer_wait()).map_err(|it| unusable(&name, it))?;
            let resend = Duration::from_secs(it.resend_s);
            ways.push((name, Way::Alertmanager(Alertmanager { url, resend, http })));
        }
        for it in &self.mails {
            let name = format!("mail-{}", it.name);
            let mail = mail(&name, it, self.answer_wait())?;
            ways.push((name, Way::Mail(Box::new(mail))));
        }
        Ok(ways)
    }

    /// The same, ready to be put to work.
    pub fn carriers(
        &self,
        sender: &Sender,
        needs: &CarrierNeeds,
    ) -> Result<Vec<Carrier>, CarrierError> {
        let carrier = |(name, way)| Carrier {
            name,
            way,
            sender: sender.clone(),
            patience: self.patience(),
            views: needs.views.clone(),
            registrar: needs.registrar.clone(),
            clock: needs.clock.clone(),
        };
        Ok(self.ways()?.into_iter().map(carrier).collect())
    }

    fn patience(&self) -> Patience {
        Patience {
            retry: self.retry_ms.iter().map(|it| Duration::from_millis(*it)).collect(),
            attempts_max: self.attempts_max,
            keep_trying: SignedDuration::from_secs(self.keep_trying_s as i64),
        }
    }
}

fn unusable(
    carrier: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CarrierError {
    CarrierError::Unusable { carrier: carrier.to_owned(), source: source.into() }
}

/// No redirects, no proxies: messages go where the configuration says.
fn http(wait: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(wait)
        .timeout(wait)
        .build()
}

fn file(carrier: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, CarrierError> {
    let failed =
        |source| CarrierError::File { carrier: carrier.to_owned(), path: path.to_owned(), source };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(failed(std::io::Error::other("not a file of at most 64 KiB")));
    }
    std::fs::read(path).map(Zeroizing::new).map_err(failed)
}

fn words(carrier: &str, path: &Path) -> Result<Zeroizing<String>, CarrierError> {
    let bytes = file(carrier, path)?;
    let text = std::str::from_utf8(&bytes).map_err(|it| unusable(carrier, it))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn secret(carrier: &str, path: &Path) -> Result<WebhookSecret, CarrierError> {
    let text = words(carrier, path)?;
    WebhookSecret::read(&text)
        .ok_or_else(|| CarrierError::Secret { carrier: carrier.to_owned(), path: path.to_owned() })
}

fn mail(name: &str, config: &MailConfig, wait: Duration) -> Result<Mail, CarrierError> {
    let mut tls = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca_file {
        let pem = file(name, path)?;
        tls =
            tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|it| unusable(name, it))?);
    }
    let tls = match config.security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(tls.build().map_err(|it| unusable(name, it))?),
        Security::Tls => Tls::Wrapper(tls.build().map_err(|it| unusable(name, it))?),
    };
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
            .port(config.port)
            .tls(tls)
            .timeout(Some(wait));
    if let (Some(user), Some(path)) = (&config.user, &config.password_file) {
        let password = words(name, path)?;
        transport = transport.credentials(Credentials::new(user.clone(), password.to_string()));
    }
    let mailbox = |text: &String| text.parse().map_err(|it| unusable(name, it));
    Ok(Mail {
        transport: transport.build(),
        dialogue_wait_max: wait * DIALOGUE_WAITS,
        from: mailbox(&config.from)?,
        to: config.to.iter().map(mailbox).collect::<Result<_, CarrierError>>()?,
    })
}
