//! The protocol, as the library has it, over our own HTTP client: discovery, the way out with PKCE, state and
//! nonce, the code for a token, and every check of the token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _,
};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use tracing::warn;

use super::{Begun, OidcSettings, Person, Returned, StartError, claims};
use crate::clock::Clock;
use crate::problem::{Problem, RETRY_AFTER_BUSY_S};

/// What the provider tells of itself and its keys is asked for again after this long.
const METADATA_FRESH: Duration = Duration::from_secs(60);
/// Largest answer of a provider, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Somebody else who knows people.
pub struct Provider {
    settings: OidcSettings,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    secret: Option<ClientSecret>,
    http: reqwest::Client,
    metadata: tokio::sync::Mutex<Option<(Instant, CoreProviderMetadata)>>,
    attempts: Mutex<HashMap<String, Attempt>>,
}

/// A sign-in under way, by its `state`. Taken out when it comes back, so that it comes back once.
struct Attempt {
    browser: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    next: String,
    until: Instant,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.issuer)
    }
}

/// Why a provider gave no answer that can be read.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no answer from the provider")]
    NoAnswer(#[source] reqwest::Error),
    #[error("an answer of more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("an answer that is not HTTP")]
    NotHttp(#[source] axum::http::Error),
}

impl Provider {
    /// Reads the secret. The provider itself is asked when somebody wants to sign in: a provider that is
    /// away keeps nobody with a local account out.
    pub fn start(settings: &OidcSettings) -> Result<Self, StartError> {
        let secret = match &settings.client_secret_file {
            None => None,
            Some(path) => {
                let read = std::fs::read_to_string(path);
                let text =
                    read.map_err(|source| StartError::Secret { path: path.clone(), source })?;
                Some(ClientSecret::new(text.trim().to_owned()))
            }
        };
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_millis(settings.answer_ms_max.get()))
            .build()
            .map_err(StartError::Client)?;
        let address = |setting| move |_| StartError::Address { setting };
        Ok(Self {
            issuer: IssuerUrl::new(settings.issuer.clone()).map_err(address("issuer"))?,
            redirect: RedirectUrl::new(settings.redirect_url.clone())
                .map_err(address("redirect_url"))?,
            settings: settings.clone(),
            secret,
            http,
            metadata: tokio::sync::Mutex::default(),
            attempts: Mutex::default(),
        })
    }

    /// For the button.
    pub fn settings(&self) -> &OidcSettings {
        &self.settings
    }

    /// Sends a browser to the provider; it comes back within the set time, or not at all.
    pub async fn begin(&self, next: &str) -> Result<Begun, Problem> {
        let client = CoreClient::from_provider_metadata(
            self.metadata().await?,
            ClientId::new(self.settings.client_id.clone()),
            self.secret.clone(),
        )
        .set_redirect_uri(self.redirect.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = self.settings.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        let browser = CsrfToken::new_random().secret().clone();
        let now = Instant::now();
        let until = now + Duration::from_secs(self.settings.attempt_s_max.get());
        let attempt =
            Attempt { browser: browser.clone(), nonce, verifier, next: next.to_owned(), until };
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, it| it.until > now);
        if attempts.len() >= self.settings.attempts_max.get() as usize {
            return Err(Problem::new("busy").retry_after(RETRY_AFTER_BUSY_S));
        }
        attempts.insert(state.secret().clone(), attempt);
        Ok(Begun { url: url.into(), browser })
    }

    /// Who came back. Every check that fails has its own code; what the provider wrote is not repeated.
    pub async fn finish(&self, returned: Returned) -> Result<Person, Problem> {
        let attempt = self.take(&returned)?;
        if returned.issuer.as_deref().is_some_and(|it| it != self.settings.issuer) {
            return Err(Problem::new("oidc-issuer"));
        }
        let code = match (returned.error, returned.code) {
            (None, Some(code)) => AuthorizationCode::new(code),
            _ => return Err(Problem::new("oidc-refused")),
        };
        let client = CoreClient::from_provider_metadata(
            self.metadata().await?,
            ClientId::new(self.settings.client_id.clone()),
            self.secret.clone(),
        )
        .set_redirect_uri(self.redirect.clone());
        let request = client.exchange_code(code).map_err(|_| Problem::new("oidc-unreachable"))?;
        let ask = |it| call(self.http.clone(), it);
        let answer = request.set_pkce_verifier(attempt.verifier).request_async(&ask).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(_) => Problem::new("oidc-refused"),
            other => unreachable_provider(&other),
        })?;
        let token = answer.id_token().ok_or_else(|| Problem::new("oidc-token"))?;
        let verifier = self.bounded(client.id_token_verifier());
        let verified = token.claims(&verifier, &attempt.nonce).map_err(|it| refused(&it))?;
        let account = claims::account(&self.settings, &whole(token)?)?;
        let binding = claims::binding(&self.settings.issuer, verified.subject().as_str());
        Ok(Person { account, binding, next: attempt.next })
    }

    /// The attempt that comes back, once, in time, and in the browser that began it.
    fn take(&self, returned: &Returned) -> Result<Attempt, Problem> {
        let unknown = || Problem::new("oidc-state");
        let state = returned.state.as_deref().ok_or_else(unknown)?;
        let browser = returned.browser.as_deref().unwrap_or("");
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.remove(state).ok_or_else(unknown)?;
        let same = bool::from(attempt.browser.as_bytes().ct_eq(browser.as_bytes()));
        if same && attempt.until > Instant::now() { Ok(attempt) } else { Err(unknown()) }
    }

    async fn metadata(&self) -> Result<CoreProviderMetadata, Problem> {
        let mut kept = self.metadata.lock().await;
        if let Some((at, metadata)) = &*kept
            && at.elapsed() < METADATA_FRESH
        {
            return Ok(metadata.clone());
        }
        let ask = |it| call(self.http.clone(), it);
        let asked = CoreProviderMetadata::discover_async(self.issuer.clone(), &ask).await;
        let metadata = asked.map_err(|it| unreachable_provider(&it))?;
        *kept = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// Only the algorithms that are set, only this client, and clocks that differ by no more than is set.
    fn bounded<'a>(&self, verifier: CoreIdTokenVerifier<'a>) -> CoreIdTokenVerifier<'a> {
        let skew = TimeDelta::seconds(i64::try_from(self.settings.clock_skew_s_max).unwrap_or(0));
        let algorithms: Vec<_> =
            self.settings.algorithms.iter().filter_map(|it| algorithm(it)).collect();
        verifier
            .set_allowed_algs(algorithms)
            .set_other_audience_verifier_fn(|_| false)
            .set_time_fn(move || now() - skew)
            .set_issue_time_verifier_fn(move |issued| {
                if issued > now() + skew { Err("issued in the future".to_owned()) } else { Ok(()) }
            })
    }
}

fn algorithm(name: &str) -> Option<CoreJwsSigningAlgorithm> {
    match name {
        "RS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        "PS256" => Some(CoreJwsSigningAlgorithm::RsaSsaPssSha256),
        "ES256" => Some(CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        "EdDSA" => Some(CoreJwsSigningAlgorithm::EdDsa),
        _ => None,
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(Clock::real_now().as_second(), 0).unwrap_or_default()
}

/// All claims of a token that has been verified: the library knows only the standard's own.
fn whole(token: &CoreIdToken) -> Result<Map<String, Value>, Problem> {
    let unreadable = || Problem::new("oidc-token");
    let text = token.to_string();
    let payload = text.split('.').nth(1).ok_or_else(unreadable)?;
    let bytes = BASE64.decode(payload).map_err(|_| unreadable())?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable())
}

fn refused(error: &ClaimsVerificationError) -> Problem {
    Problem::new(match error {
        ClaimsVerificationError::Expired(_) => "oidc-expired",
        ClaimsVerificationError::InvalidAudience(_) => "oidc-audience",
        ClaimsVerificationError::InvalidIssuer(_) => "oidc-issuer",
        ClaimsVerificationError::InvalidNonce(_) => "oidc-nonce",
        ClaimsVerificationError::SignatureVerification(_) => "oidc-signature",
        _ => "oidc-token",
    })
}

fn unreachable_provider(error: &dyn std::error::Error) -> Problem {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        chain.push_str(&format!(": {it}"));
        cause = it.source();
    }
    warn!(error = %chain, "the OpenID provider gave no usable answer");
    Problem::new("oidc-unreachable").retry_after(RETRY_AFTER_BUSY_S)
}

async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let failed = |it: reqwest::Error| Fault::NoAnswer(it.without_url());
    let request = reqwest::Request::try_from(request).map_err(failed)?;
    let mut answer = http.execute(request).await.map_err(failed)?;
    let mut response = axum::http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    response.body(body).map_err(Fault::NotHttp)
}
