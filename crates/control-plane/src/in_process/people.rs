//! For tests: other people, other accounts, and people in browsers.

use axum::body::Body;
use axum::http::{Method, Request};
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use super::{Answered, ControlPlane};
use crate::secrets::{self, SecretHash};
use crate::store::{NewToken, Person};

/// A person with a token.
pub(crate) struct Somebody {
    pub id: String,
    pub token: String,
}

/// A person in a browser.
#[derive(Clone)]
pub(crate) struct Browser {
    pub cookie: String,
    pub csrf: String,
}

impl ControlPlane {
    /// The token of another owner of the account.
    pub(crate) async fn person(&self, name: &str) -> String {
        self.somebody(self.owner(), name, Role::Owner).await.token
    }

    /// Somebody new in the account that `by` acts in, without the right to publish.
    pub(crate) async fn somebody(&self, by: &str, name: &str, role: Role) -> Somebody {
        let body = json!({"name": name, "role": role});
        let id = self.as_person(Method::POST, "/api/v1/users", by, body).await.ok()["id"].clone();
        let id = id.as_str().unwrap().to_owned();
        let account =
            self.as_person(Method::GET, "/api/v1/session", by, json!("")).await.ok()["accountId"].clone();
        let token = self.token_of(&id, account.as_str().unwrap()).await;
        Somebody { id, token }
    }

    /// A new account, with the token of its only owner, who publishes too and is nowhere else.
    pub(crate) async fn account(&self, name: &str) -> (String, Somebody) {
        let account = self.post("/api/v1/accounts", json!({"name": name})).await.ok();
        let account = account["id"].as_str().unwrap().to_owned();
        let me = self.get("/api/v1/session").await.ok()["userId"].as_str().unwrap().to_owned();
        let maker = self.token_of(&me, &account).await;
        let owner = self.somebody(&maker, &format!("owner-of-{account}"), Role::Owner).await;
        let path = format!("/api/v1/users/{}", owner.id);
        self.as_person(Method::PATCH, &path, &maker, json!({"releaseManager": true})).await.ok();
        self.as_person(Method::DELETE, &format!("/api/v1/users/{me}"), &owner.token, json!("")).await.ok();
        (account, owner)
    }

    /// A token that nobody asked for, because nobody else can make one for somebody else.
    pub(crate) async fn token_of(&self, user_id: &str, account_id: &str) -> String {
        let token = secrets::issue("nvu_").unwrap();
        let now = self.app.clock.now();
        let by = Person {
            account_id: account_id.parse().unwrap(),
            user_id: user_id.parse().unwrap(),
            name: "a test".to_owned(),
            role: Role::Viewer,
            is_release_manager: false,
            is_in_founding_account: false,
        };
        let (hash, expires_at) = (SecretHash::of(&token), now + jiff::SignedDuration::from_hours(24 * 365));
        let new = NewToken { by, id: self.app.clock.new_id(), hash, name: "test".into(), expires_at, now };
        self.app.store.add_token(new).await.unwrap();
        token
    }

    pub(crate) async fn as_person(&self, method: Method, path: &str, token: &str, body: Value) -> Answered {
        self.call(method, path, token, body.to_string()).await
    }

    /// Somebody with a password that is theirs.
    pub(crate) async fn with_password(&self, name: &str, role: Role, password: &str) -> String {
        let body = json!({"name": name, "role": role, "oneTimePassword": true});
        let added = self.post("/api/v1/users", body).await.ok();
        let first = added["oneTimePassword"].as_str().unwrap().to_owned();
        let browser = self.logged_in(name, &first).await;
        let change = json!({"current": first, "new": password});
        self.browse(&browser, Method::PUT, "/api/v1/session/password", change).await.ok();
        self.browse(&browser, Method::DELETE, "/api/v1/session", json!("")).await.ok();
        added["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn try_login(&self, name: &str, password: &str) -> Answered {
        let body = json!({"name": name, "password": password}).to_string();
        self.send(request(Method::POST, "/api/v1/session", &[], body)).await
    }

    pub(crate) async fn logged_in(&self, name: &str, password: &str) -> Browser {
        let answer = self.try_login(name, password).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let csrf = answer.ok()["csrfToken"].as_str().unwrap().to_owned();
        Browser { cookie, csrf }
    }

    /// A call as our own pages make it.
    pub(crate) async fn browse(
        &self,
        browser: &Browser,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answered {
        let headers = [
            ("cookie", browser.cookie.as_str()),
            ("x-csrf-token", browser.csrf.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send(request(method, path, &headers, body.to_string())).await
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let start = Request::builder().method(method).uri(path).header("host", "cp.test:3000");
    let whole = headers.iter().fold(start, |request, (name, value)| request.header(*name, *value));
    whole.body(body.into()).unwrap()
}
