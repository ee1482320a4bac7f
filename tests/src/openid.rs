//! A small OpenID provider on its own listener: discovery, keys, and a token endpoint that checks PKCE and the
//! client, and signs what it is told to, also what no provider should.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey};
use hub::clock::Clock;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// What the hub is called here, and its secret.
pub const CLIENT: (&str, &str) = ("hub", "a-secret-of-the-hub");
/// Where the hub says that browsers come back.
pub const REDIRECT: &str = "http://127.0.0.1:1/sign-in/oidc/callback";

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// Another sign-in's nonce.
    Nonce,
    /// For another client.
    Audience,
    /// For this client and another one.
    TwoAudiences,
    /// Somebody else's.
    Issuer,
    /// Two minutes too old.
    Expired,
    /// Too old by less than clocks may differ.
    JustExpired,
    /// Issued in two minutes.
    FromTheFuture,
    /// `alg: none` and no signature.
    Unsigned,
    /// Signed with a key that the provider does not show.
    ForeignKey,
    /// Changed after signing.
    Changed,
    /// There is none.
    Missing,
}

/// Who signs in at the provider.
#[derive(Debug, Clone)]
pub struct Somebody {
    /// For ever.
    pub subject: String,
    /// As it is today.
    pub name: String,
    /// `roles`
    pub roles: Value,
    /// What is wrong with the token.
    pub twist: Twist,
}

impl Somebody {
    /// With a token as it should be.
    pub fn new(subject: &str, name: &str, role: &str) -> Self {
        let (subject, name) = (subject.to_owned(), name.to_owned());
        Self { subject, name, roles: json!([role]), twist: Twist::None }
    }
}

struct Grant {
    somebody: Somebody,
    nonce: String,
    challenge: String,
}

/// The provider.
#[derive(Clone)]
pub struct OpenId {
    /// Its issuer.
    pub issuer: String,
    grants: Arc<Mutex<HashMap<String, Grant>>>,
}

impl OpenId {
    /// Listens until the test ends.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = Self { issuer, grants: Arc::default() };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        provider
    }

    /// What `somebody` does at the page that the hub sent the browser to; the query to come back with.
    pub fn authorize(&self, page: &str, somebody: &Somebody) -> String {
        let url = Url::parse(page).expect("an address");
        assert!(page.starts_with(&format!("{}/authorize?", self.issuer)), "{page}");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], CLIENT.0);
        assert_eq!(asked["redirect_uri"], REDIRECT);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|it| it == "openid"), "{}", asked["scope"]);
        let mut grants = self.grants.lock().unwrap();
        let code = format!("code-{}", grants.len());
        let grant = Grant {
            somebody: somebody.clone(),
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
        };
        grants.insert(code.clone(), grant);
        format!("code={code}&state={}", asked["state"])
    }

    fn id_token(&self, grant: &Grant) -> Option<String> {
        let now = Clock::real_now().as_second();
        let Somebody { subject, name, roles, twist } = &grant.somebody;
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT.0, "sub": subject, "nonce": grant.nonce,
            "iat": now, "exp": now + 300,
            "preferred_username": name, "name": "李四", "roles": roles,
        });
        match twist {
            Twist::Missing => return None,
            Twist::Nonce => claims["nonce"] = "another".into(),
            Twist::Audience => claims["aud"] = "somebody-else".into(),
            Twist::TwoAudiences => claims["aud"] = json!([CLIENT.0, "somebody-else"]),
            Twist::Issuer => claims["iss"] = "https://elsewhere.example".into(),
            Twist::Expired => claims["exp"] = (now - 120).into(),
            Twist::JustExpired => claims["exp"] = (now - 20).into(),
            Twist::FromTheFuture => claims["iat"] = (now + 120).into(),
            Twist::None | Twist::Unsigned | Twist::ForeignKey | Twist::Changed => {}
        }
        let algorithm = if *twist == Twist::Unsigned { "none" } else { "EdDSA" };
        let head = BASE64.encode(json!({"alg": algorithm, "kid": "k1"}).to_string());
        let signed = format!("{head}.{}", BASE64.encode(claims.to_string()));
        let key = if *twist == Twist::ForeignKey { foreign_key() } else { key() };
        let signature = match twist {
            Twist::Unsigned => String::new(),
            _ => BASE64.encode(key.sign(signed.as_bytes()).to_bytes()),
        };
        if *twist == Twist::Changed {
            claims["roles"] = json!(["admins"]);
            return Some(format!("{head}.{}.{signature}", BASE64.encode(claims.to_string())));
        }
        Some(format!("{signed}.{signature}"))
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn foreign_key() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

async fn discovery(State(provider): State<OpenId>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "none"],
    }))
}

async fn keys() -> Json<Value> {
    let x = BASE64.encode(key().verifying_key().as_bytes());
    Json(json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k1", "x": x}
    ]}))
}

async fn token(
    State(provider): State<OpenId>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let wrong = || (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    let (id, secret) = CLIENT;
    let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    if headers.get(header::AUTHORIZATION).is_none_or(|it| it.to_str().ok() != Some(&expected)) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"})))
            .into_response();
    }
    // A code counts once.
    let grant = provider.grants.lock().unwrap().remove(&form["code"]);
    let Some(grant) = grant else { return wrong().into_response() };
    let challenge = BASE64.encode(Sha256::digest(&form["code_verifier"]));
    if challenge != grant.challenge || form["redirect_uri"] != REDIRECT {
        return wrong().into_response();
    }
    let mut answer = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60});
    if let Some(token) = provider.id_token(&grant) {
        answer["id_token"] = token.into();
    }
    Json(answer).into_response()
}
