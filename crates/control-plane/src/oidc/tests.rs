use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use openidconnect::PrivateSigningKey as _;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJsonWebKeySet};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::in_process::people::request;
use crate::in_process::{Answered, ControlPlane};

const CLIENT: &str = "novacula";
const SECRET: &str = "the secret of the client";
const BEGIN: &str = "/api/v1/session/oidc";

/// An OpenID provider that answers with whatever a test has laid down.
#[derive(Clone)]
struct Provider {
    issuer: String,
    said: Arc<Mutex<Said>>,
}

struct Said {
    id_token: Value,
    challenge: String,
    keys: CoreJsonWebKeySet,
    asked_for_keys: u32,
}

fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let sextets = |chunk: &[u8]| {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |n| bits >> (18 - 6 * n) & 63).collect::<Vec<_>>()
    };
    bytes.chunks(3).flat_map(sextets).map(|n| char::from(alphabet[n as usize])).collect()
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    base64(bytes.as_ref(), *b"-_")
}

fn key(seed: u8) -> CoreEdDsaPrivateSigningKey {
    let mut der = crate::secrets::unhex("302e020100300506032b657004220420").unwrap();
    der.extend([seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", base64(&der, *b"+/"));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, None).unwrap()
}

fn keys(seed: u8) -> CoreJsonWebKeySet {
    CoreJsonWebKeySet::new(vec![key(seed).as_verification_key()])
}

fn signed(seed: u8, header: &Value, claims: &Value) -> Value {
    let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let signature = key(seed).sign(&Alg::EdDsa, signed.as_bytes()).unwrap();
    format!("{signed}.{}", base64url(signature)).into()
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let said = Said { id_token: Value::Null, challenge: String::new(), keys: keys(1), asked_for_keys: 0 };
        let provider = Self { issuer, said: Arc::new(Mutex::new(said)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(Self::describe))
            .route("/keys", get(Self::show_keys))
            .route("/token", post(Self::exchange))
            .with_state(provider.clone());
        tokio::spawn(axum::serve(listener, routes).into_future());
        provider
    }

    async fn describe(State(provider): State<Self>) -> Json<Value> {
        let at = |path: &str| format!("{}{path}", provider.issuer);
        Json(json!({
            "issuer": provider.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
            // What a provider says of its signatures is not what we trust.
            "id_token_signing_alg_values_supported": ["EdDSA", "none", "HS256"],
        }))
    }

    async fn show_keys(State(provider): State<Self>) -> Json<Value> {
        let mut said = provider.said.lock().unwrap();
        said.asked_for_keys += 1;
        Json(serde_json::to_value(&said.keys).unwrap())
    }

    async fn exchange(
        State(provider): State<Self>,
        Form(asked): Form<HashMap<String, String>>,
    ) -> (StatusCode, Json<Value>) {
        let said = provider.said.lock().unwrap();
        let shown = base64url(Sha256::digest(asked["code_verifier"].as_bytes()));
        if asked["code"] != "the-code" || shown != said.challenge {
            return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
        }
        let answer = json!({"access_token": "x", "token_type": "Bearer", "id_token": said.id_token});
        (StatusCode::OK, Json(answer))
    }

    fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: IssuerUrl::new(self.issuer.clone()).unwrap(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(SECRET.to_owned()),
            redirect: RedirectUrl::new(format!("http://cp.test:3000{CALLBACK}")).unwrap(),
        }
    }
}

/// A browser that has been sent to the provider.
struct Sent {
    cookie: String,
    state: String,
    nonce: String,
}

async fn send_off(control_plane: &ControlPlane, provider: &Provider) -> Sent {
    let answer = control_plane.send(request(Method::GET, BEGIN, &[], "")).await;
    assert_eq!(answer.status, 303);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
    let url: axum::http::Uri = answer.header("location").parse().unwrap();
    assert!(url.to_string().starts_with(&format!("{}/authorize?", provider.issuer)), "{url}");
    let query = axum::extract::Query::<HashMap<String, String>>::try_from_uri(&url).unwrap().0;
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("code_challenge_method", "S256"),
        ("scope", "openid email"),
        ("redirect_uri", "http://cp.test:3000/api/v1/session/oidc/callback"),
    ] {
        assert_eq!(query[name], expected);
    }
    let secret = cookie.split([';', '=']).nth(1).unwrap();
    assert!(!url.to_string().contains(secret), "the secret stays in the browser");
    query["code_challenge"].clone_into(&mut provider.said.lock().unwrap().challenge);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    Sent { cookie, state: query["state"].clone(), nonce: query["nonce"].clone() }
}

async fn come_back(control_plane: &ControlPlane, sent: &Sent, query: &str) -> Answered {
    let path = format!("{CALLBACK}?{query}");
    control_plane.send(request(Method::GET, &path, &[("cookie", &sent.cookie)], "")).await
}

fn claims(control_plane: &ControlPlane, provider: &Provider, sent: &Sent) -> Value {
    let now = control_plane.app.clock.now().as_second();
    json!({
        "iss": provider.issuer, "aud": CLIENT, "sub": "jane-at-provider", "nonce": sent.nonce,
        "iat": now, "exp": now + 300, "email": "jane@example.com", "email_verified": true,
    })
}

async fn both() -> (ControlPlane, Provider) {
    let provider = Provider::start().await;
    let control_plane = ControlPlane::with_oidc(provider.settings()).await;
    (control_plane, provider)
}

#[tokio::test]
async fn a_person_is_known_by_subject_or_by_a_verified_address_and_nobody_else_is() {
    let (control_plane, provider) = both().await;
    for user in [
        json!({"name": "jane@example.com", "role": "viewer"}),
        json!({"name": "linked", "role": "viewer", "oidcSubject": "linked-at-provider"}),
        json!({"name": "linked@example.com", "role": "owner", "oidcSubject": "somebody-else"}),
        json!({"name": "disabled@example.com", "role": "viewer"}),
    ] {
        let added = control_plane.post("/api/v1/users", user).await.ok();
        if added["name"] == "disabled@example.com" {
            let path = format!("/api/v1/users/{}", added["id"].as_str().unwrap());
            control_plane.patch(&path, json!({"disabled": true})).await.ok();
        }
    }
    for (sentence, subject, email, is_verified, expected) in [
        ("a verified address", "1", "Jane@example.com", json!(true), Some("jane@example.com")),
        ("an address that nobody checked", "1", "jane@example.com", json!(false), None),
        ("an address without a word", "1", "jane@example.com", Value::Null, None),
        ("a subject", "linked-at-provider", "other@example.com", json!(false), Some("linked")),
        ("an address linked to another subject", "2", "linked@example.com", json!(true), None),
        ("a stranger", "3", "stranger@example.com", json!(true), None),
        ("one who is disabled", "4", "disabled@example.com", json!(true), None),
    ] {
        let sent = send_off(&control_plane, &provider).await;
        let mut claims = claims(&control_plane, &provider, &sent);
        claims["sub"] = subject.into();
        claims["email"] = email.into();
        claims["email_verified"] = is_verified;
        if claims["email_verified"].is_null() {
            claims.as_object_mut().unwrap().remove("email_verified");
        }
        provider.said.lock().unwrap().id_token = signed(1, &json!({"alg": "EdDSA"}), &claims);
        let query =
            format!("state={}&code=the-code&session_state=whatever&iss={}", sent.state, provider.issuer);
        let answer = come_back(&control_plane, &sent, &query).await;
        let Some(name) = expected else {
            assert_eq!(answer.problem(), (403, "unknown_person".to_owned()), "{sentence}");
            continue;
        };
        assert_eq!(answer.status, 200, "{sentence}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        let cookies: Vec<_> =
            answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
        assert!(cookies[0].contains("SameSite=Strict") && cookies[1].contains("Max-Age=0"), "{cookies:?}");
        let session = cookies[0].split(';').next().unwrap();
        let shown = control_plane
            .send(request(Method::GET, "/api/v1/session", &[("cookie", session)], ""))
            .await
            .ok();
        assert_eq!(shown["name"], name, "{sentence}");
    }
}

#[tokio::test]
async fn an_answer_that_is_forged_old_or_for_somebody_else_logs_nobody_in() {
    let (control_plane, provider) = both().await;
    control_plane.post("/api/v1/users", json!({"name": "jane@example.com", "role": "owner"})).await.ok();
    let eddsa = json!({"alg": "EdDSA"});
    type Change = fn(&mut Value);
    let cases: &[(&str, Value, u8, Change)] = &[
        ("signed by another key", eddsa.clone(), 2, |_| {}),
        ("another nonce", eddsa.clone(), 1, |claims| claims["nonce"] = "0".repeat(64).into()),
        ("no nonce", eddsa.clone(), 1, |claims| {
            claims.as_object_mut().unwrap().remove("nonce");
        }),
        ("another issuer", eddsa.clone(), 1, |claims| claims["iss"] = "https://evil.example".into()),
        ("for another client", eddsa.clone(), 1, |claims| claims["aud"] = "another".into()),
        ("for two clients", eddsa.clone(), 1, |claims| claims["aud"] = json!([CLIENT, "another"])),
        ("expired", eddsa.clone(), 1, |claims| claims["exp"] = (claims["iat"].as_i64().unwrap() - 1).into()),
        ("expired just now", eddsa.clone(), 1, |claims| claims["exp"] = claims["iat"].clone()),
        ("alg none", json!({"alg": "none"}), 1, |_| {}),
        ("alg HS256 over our secret", json!({"alg": "HS256"}), 1, |_| {}),
        ("alg RS256 with a key of another kind", json!({"alg": "RS256"}), 1, |_| {}),
    ];
    for (sentence, header, seed, change) in cases {
        let sent = send_off(&control_plane, &provider).await;
        let mut claims = claims(&control_plane, &provider, &sent);
        change(&mut claims);
        let mut token = signed(*seed, header, &claims);
        let whole = token.as_str().unwrap();
        if header["alg"] == "none" {
            token = format!("{}.", whole.rsplit_once('.').unwrap().0).into();
        } else if header["alg"] == "HS256" {
            let hmac = openidconnect::core::CoreHmacKey::new(SECRET);
            let signed = whole.rsplit_once('.').unwrap().0;
            let mac = hmac.sign(&Alg::HmacSha256, signed.as_bytes()).unwrap();
            token = format!("{signed}.{}", base64url(mac)).into();
        }
        provider.said.lock().unwrap().id_token = token;
        let answer = come_back(&control_plane, &sent, &format!("state={}&code=the-code", sent.state)).await;
        assert_eq!(answer.problem(), (403, "oidc_refused".to_owned()), "{sentence}");
        assert_eq!(answer.header("set-cookie"), "", "{sentence}");
    }
}

#[tokio::test]
async fn an_answer_counts_only_in_the_browser_that_asked_and_with_its_code() {
    let (control_plane, provider) = both().await;
    control_plane.post("/api/v1/users", json!({"name": "jane@example.com", "role": "owner"})).await.ok();
    let (attacker, sent) =
        (send_off(&control_plane, &provider).await, send_off(&control_plane, &provider).await);
    let token = signed(1, &json!({"alg": "EdDSA"}), &claims(&control_plane, &provider, &sent));
    provider.said.lock().unwrap().id_token = token;
    let (state, issuer) = (&sent.state, &provider.issuer);
    let nobody = Sent { cookie: "a=b".to_owned(), ..attacker };
    for (sentence, browser, query, expected) in [
        (
            "another browser's state",
            &sent,
            format!("state={}&code=the-code", nobody.state),
            (400, "oidc_state"),
        ),
        ("no cookie", &nobody, format!("state={state}&code=the-code"), (400, "oidc_state")),
        ("no state", &sent, "code=the-code".to_owned(), (400, "oidc_state")),
        ("an empty state", &sent, "state=&code=the-code".to_owned(), (400, "oidc_state")),
        ("the provider says no", &sent, format!("state={state}&error=access_denied"), (403, "oidc_refused")),
        ("another code", &sent, format!("state={state}&code=stolen"), (403, "oidc_refused")),
        (
            "another provider",
            &sent,
            format!("state={state}&code=the-code&iss={issuer}x"),
            (403, "oidc_refused"),
        ),
        ("the right one", &sent, format!("state={state}&code=the-code"), (200, "")),
    ] {
        let answer = come_back(&control_plane, browser, &query).await;
        assert_eq!(
            (answer.status.as_u16(), code_of(&answer)),
            (expected.0, expected.1.to_owned()),
            "{sentence}"
        );
    }
}

fn code_of(answer: &Answered) -> String {
    if answer.status.is_success() { String::new() } else { answer.problem().1 }
}

#[tokio::test]
async fn a_provider_may_change_its_keys_and_is_not_asked_for_them_all_the_time() {
    let (control_plane, provider) = both().await;
    control_plane.post("/api/v1/users", json!({"name": "jane@example.com", "role": "owner"})).await.ok();
    let log_in = async |seed| {
        let sent = send_off(&control_plane, &provider).await;
        let mut header = json!({"alg": "EdDSA"});
        header["kid"] = format!("key-{seed}").into();
        let token = signed(seed, &header, &claims(&control_plane, &provider, &sent));
        provider.said.lock().unwrap().id_token = token;
        come_back(&control_plane, &sent, &format!("state={}&code=the-code", sent.state)).await.status.as_u16()
    };
    let publish = |seed: u8| {
        let mut named = serde_json::to_value(key(seed).as_verification_key()).unwrap();
        named["kid"] = format!("key-{seed}").into();
        provider.said.lock().unwrap().keys = serde_json::from_value(json!({"keys": [named]})).unwrap();
    };
    publish(1);
    assert_eq!(log_in(1).await, 200);
    publish(3);
    assert_eq!(log_in(3).await, 403, "asked a moment ago");
    control_plane.wait_ms(60_000);
    assert_eq!(log_in(3).await, 200);
    for _ in 0..5 {
        assert_eq!(log_in(1).await, 403, "the old key is no key now");
    }
    assert_eq!(provider.said.lock().unwrap().asked_for_keys, 2);
}

#[tokio::test]
async fn without_a_provider_or_with_one_that_is_away_it_is_said() {
    let control_plane = ControlPlane::start().await;
    for path in [BEGIN, CALLBACK] {
        let refused = control_plane.send(request(Method::GET, path, &[], "")).await;
        assert_eq!(refused.problem(), (404, "oidc_off".to_owned()));
    }
    let away = OidcSettings {
        issuer: IssuerUrl::new("http://127.0.0.1:1".to_owned()).unwrap(),
        client_id: CLIENT.to_owned(),
        client_secret: None,
        redirect: RedirectUrl::new(format!("http://cp.test:3000{CALLBACK}")).unwrap(),
    };
    assert!(
        !format!("{:?}", OidcSettings { client_secret: Some(SECRET.into()), ..away.clone() })
            .contains(SECRET)
    );
    let control_plane = ControlPlane::with_oidc(away).await;
    let refused = control_plane.send(request(Method::GET, BEGIN, &[], "")).await;
    assert_eq!(refused.problem(), (502, "oidc_unavailable".to_owned()));
}
