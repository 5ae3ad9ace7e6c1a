//! For tests: what somebody of one account finds of another, over every operation there is. A new operation is probed by
//! itself, with an id of what the `POST` of its collection makes of its example; where there is none, it is red.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request};
use novacula_protocol::people::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::example;
use crate::in_process::{ControlPlane, TARGET, comment, form, said, signer};
use crate::operation::Operation;
use crate::right::Right;
use crate::routes::operations;
use crate::secrets::hex;

const PROBE: &str = "<script>alert(1)</script>'; DROP TABLE users; -- \"=1+1";

/// One of everything that an account can have.
pub(crate) struct Scene {
    token: String,
    pub(crate) key: String,
    pub(crate) ids: BTreeMap<String, String>,
}

impl Scene {
    /// In the account of `token`, whose person may do everything there. `mark` is in every name.
    pub(crate) async fn of(control_plane: &ControlPlane, token: &str, mark: &str) -> Self {
        let ask =
            async |method, path: &str, body| control_plane.as_person(method, path, token, body).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let host = format!("{mark}-host");
        let key = ask(Method::POST, "/api/v1/executor-keys", json!({"name": host})).await;
        let secret = text(&key["secret"]);
        let mut labelled = said(&host, "1.0.0");
        labelled["labels"] = json!({"upgrade-wave": "canary"});
        control_plane.sync(&secret, labelled).await.ok();
        let executors = ask(Method::GET, "/api/v1/executors", json!("")).await;
        let executor = text(&executors["items"][0]["id"]);

        let (bytes, version) = (mark.as_bytes(), "1.1.0");
        let signature = signer("trusted").sign(bytes, &comment(version, TARGET));
        let notes = format!("{mark}-notes");
        let fields: &[(&str, &[u8])] = &[
            ("kind", b"agent"),
            ("version", version.as_bytes()),
            ("notes", notes.as_bytes()),
            ("signature", signature.as_bytes()),
            ("artifact", bytes),
        ];
        let upload = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/releases")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "multipart/form-data; boundary=XYZ")
            .body(Body::from(form(fields)))
            .unwrap();
        let release = text(&control_plane.send(upload).await.ok()["id"]);
        let path = format!("/api/v1/releases/{release}");
        ask(Method::PATCH, &path, json!({"status": "published"})).await;
        let path = format!("/api/v1/executors/{executor}/upgrade");
        let upgrade = text(&ask(Method::POST, &path, json!({"targetVersion": version})).await["id"]);

        let expires_at = control_plane.app.clock.now() + jiff::SignedDuration::from_hours(1);
        let enrolment = json!({"maxUses": 1, "expiresAt": expires_at.to_string()});
        let enrolment = text(&ask(Method::POST, "/api/v1/enrolment-tokens", enrolment).await["id"]);
        let personal = json!({"name": format!("{mark}-token")});
        let personal = text(&ask(Method::POST, "/api/v1/tokens", personal).await["id"]);
        let user = control_plane.somebody(token, &format!("{mark}-user"), Role::Viewer).await.id;
        let account = text(&ask(Method::GET, "/api/v1/session", json!("")).await["accountId"]);
        let path = format!("/api/v1/releases/agent/batch-upgrade?targetVersion={version}");
        let batch = text(&ask(Method::POST, &path, json!({})).await["id"]);
        let mut plan: Value = serde_json::from_str(example::PLAN_DOCUMENT).unwrap();
        plan["metadata"]["name"] = format!("{mark}-plan").into();
        plan["spec"]["targetVersion"] = version.into();
        let plan = text(&ask(Method::POST, "/api/v1/fleet/plans", plan).await["id"]);
        let mut group: Value = serde_json::from_str(example::GROUP_REQUEST).unwrap();
        group["name"] = format!("{mark}-group").into();
        let group = text(&ask(Method::POST, "/api/v1/fleet/groups", group).await["id"]);
        let ids = [
            ("fleet/plans", plan),
            ("fleet/groups", group),
            ("batches", batch),
            ("executors", executor),
            ("executor-keys", text(&key["id"])),
            ("enrolment-tokens", enrolment),
            ("releases", release),
            ("upgrades", upgrade),
            ("users", user),
            ("tokens", personal),
            ("accounts", account),
            ("artifacts", hex(&Sha256::digest(bytes))),
        ];
        let mut ids = BTreeMap::from(ids.map(|(collection, id)| (collection.to_owned(), id)));
        // Whatever else there is, as its own example says.
        for operation in operations().into_iter().filter(|o| o.method == Method::POST && is_for_people(o)) {
            let collection = operation.path.trim_start_matches("/api/v1/").to_owned();
            if !operation.body.is_empty() && !collection.contains('/') && !ids.contains_key(&collection) {
                let made =
                    control_plane.as_person(Method::POST, &operation.path, token, body(&operation)).await;
                ids.insert(collection, text(&made.ok()["id"]));
            }
        }
        let tried = format!("/api/v1/webhooks/{}/test", ids["webhooks"]);
        ids.insert("deliveries".to_owned(), text(&ask(Method::POST, &tried, json!({})).await["id"]));
        Self { token: token.to_owned(), key: secret, ids }
    }

    /// What stands for the id in a path of this collection.
    fn id(&self, operation: &Operation) -> &str {
        let collection = operation.path.trim_start_matches("/api/v1/").split("/{").next().unwrap();
        self.ids.get(collection).unwrap_or_else(|| {
            panic!("{} has ids of a kind that is not probed: make one of it in `Scene::of`", operation.id)
        })
    }

    /// A path of the operation with ids of this account.
    fn path(&self, operation: &Operation) -> String {
        let mut path =
            operation.path.replace("{check}", "clock").replace("{kind}", "agent").replace("{number}", "1");
        path = path.replace("{deliveryId}", &self.ids["deliveries"]);
        for name in ["{id}", "{sha256}"] {
            if path.contains(name) {
                path = path.replace(name, self.id(operation));
            }
        }
        assert!(!path.contains('{'), "{path} has an id that is not probed");
        path
    }

    /// All that its own people see of it.
    pub(crate) async fn everything(&self, control_plane: &ControlPlane) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let looks = |o: &Operation| o.method == Method::GET && o.right == Right::See && !is_endless(o);
        for operation in operations().into_iter().filter(looks) {
            let path = self.path(&operation);
            let answer = control_plane.call(Method::GET, &path, &self.token, "").await;
            all.insert(path, if answer.status.is_success() { answer.json() } else { Value::Null });
        }
        all
    }
}

fn body(operation: &Operation) -> Value {
    operation.body.first().and_then(|body| body.example.clone()).unwrap_or_else(|| json!({}))
}

fn is_endless(operation: &Operation) -> bool {
    let mut forms = operation.answers.iter().flat_map(|answer| &answer.content);
    forms.any(|form| form.media_type == "text/event-stream")
}

fn has_an_id(operation: &Operation) -> bool {
    operation.path_parameters().any(|name| matches!(name, "id" | "sha256"))
}

fn is_for_people(operation: &Operation) -> bool {
    operation.right.is_for_people()
}

async fn two_accounts() -> (ControlPlane, Scene, Scene) {
    let control_plane = ControlPlane::start().await;
    let house = Scene::of(&control_plane, control_plane.owner(), "house").await;
    let (_, owner) = control_plane.account("Customer").await;
    let customer = Scene::of(&control_plane, &owner.token, "customer").await;
    (control_plane, house, customer)
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_there_and_does_not_change() {
    let (control_plane, house, customer) = two_accounts().await;
    let mut probed = 0;
    for (mine, theirs, is_from_the_house) in [(&customer, &house, false), (&house, &customer, true)] {
        let before = theirs.everything(&control_plane).await;
        for operation in operations().iter().filter(|operation| is_for_people(operation)) {
            let is_the_houses = operation.right == Right::House || operation.path.contains("/accounts/");
            if !has_an_id(operation) || is_from_the_house && is_the_houses {
                continue;
            }
            let path = theirs.path(operation);
            let answer =
                control_plane.as_person(operation.method.clone(), &path, &mine.token, body(operation)).await;
            // Who has no business with other accounts at all is told so, whether there is one or not.
            let expected = if operation.right == Right::House { 403 } else { 404 };
            assert_eq!(answer.problem().0, expected, "{} {path}", operation.id);
            probed += 1;
        }
        assert_eq!(theirs.everything(&control_plane).await, before);
    }
    assert!(probed > 60, "{probed}");
}

#[tokio::test]
async fn no_list_names_anything_of_another_account() {
    let (control_plane, house, customer) = two_accounts().await;
    let lists = operations().into_iter().filter(|o| o.method == Method::GET && is_for_people(o));
    let mut looked = 0;
    for operation in lists.filter(|o| !has_an_id(o)) {
        for (mine, mark, theirs) in [(&customer, "house-", &house), (&house, "customer-", &customer)] {
            let path = mine.path(&operation);
            let answer = control_plane.as_person(Method::GET, &path, &mine.token, json!("")).await;
            let text = String::from_utf8_lossy(&answer.bytes).into_owned();
            assert!(!text.contains(mark), "{} names `{mark}…`: {text}", operation.id);
            let is_the_houses = operation.id == "listAccounts" || operation.id == "listActivity";
            for (collection, id) in &theirs.ids {
                let is_seen = text.contains(id.as_str());
                // The house keeps the accounts and tells what it did with them.
                assert!(
                    !is_seen || is_the_houses && collection == "accounts",
                    "{} {collection}",
                    operation.id
                );
            }
            looked += 1;
        }
    }
    assert!(looked > 16, "{looked}");
    let foreign = format!("/api/v1/upgrades?executorId={}", house.ids["executors"]);
    let found = control_plane.as_person(Method::GET, &foreign, &customer.token, json!("")).await.ok();
    assert_eq!(found["items"], json!([]));
}

#[tokio::test]
async fn an_executor_gets_nothing_of_another_account() {
    let (control_plane, house, customer) = two_accounts().await;
    let path = format!("/api/v1/artifacts/{}", house.ids["artifacts"]);
    assert_eq!(control_plane.call(Method::GET, &path, &house.key, "").await.status, 200);
    assert_eq!(control_plane.call(Method::GET, &path, &customer.key, "").await.problem().0, 404);
    let key = json!({"name": "house-host"});
    let key = control_plane.as_person(Method::POST, "/api/v1/executor-keys", &customer.token, key).await.ok();
    let answer = control_plane.sync(key["secret"].as_str().unwrap(), said("house-host", "1.0.0")).await.ok();
    assert_eq!(answer["pendingUpgrade"], Value::Null, "a name is one's own in each account");
}

/// The same body once for each of its strings, with a probe in its place.
fn probes(body: &Value) -> Vec<Value> {
    match body {
        Value::String(_) => vec![PROBE.into()],
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                probes(value).into_iter().map(move |probe| {
                    let mut whole = body.clone();
                    whole[name] = probe;
                    whole
                })
            })
            .collect(),
        Value::Array(rows) => rows.first().into_iter().flat_map(probes).map(|probe| json!([probe])).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_probe_in_any_string_is_refused_or_comes_back_as_it_went() {
    let (control_plane, house, _) = two_accounts().await;
    let (mut refused, mut taken) = (0, 0);
    for operation in operations().into_iter().filter(|o| is_for_people(o) && !o.method.is_safe()) {
        for body in probes(&body(&operation)) {
            let path = house.path(&operation);
            let answer =
                control_plane.as_person(operation.method.clone(), &path, &house.token, body.clone()).await;
            match answer.status.as_u16() {
                200..300 => taken += 1,
                400..500 => refused += 1,
                other => panic!("{} {other} {body}", operation.id),
            }
        }
        // Nothing that stands in a query or in a path is taken for more than it is either.
        let probe = "%3Cscript%3E'%3B%20DROP%20TABLE%20users%3B%20--";
        for path in
            [operation.path.replace("{id}", probe), format!("{}?cursor={probe}", house.path(&operation))]
        {
            let path = path.replace("{check}", probe).replace("{sha256}", probe).replace("{kind}", probe);
            let answer = control_plane.as_person(Method::GET, &path, &house.token, json!("")).await;
            assert!(answer.status.as_u16() < 500, "{path}");
        }
    }
    assert!(refused > 5 && taken > 5, "{refused} refused, {taken} taken");
    let all = house.everything(&control_plane).await;
    let text = json!(all).to_string();
    assert!(text.contains("DROP TABLE users"), "what was taken is shown");
    for (path, answer) in all.iter().filter(|(_, answer)| answer["items"].is_array()) {
        for found in strings(answer).into_iter().filter(|text| text.contains("DROP TABLE users")) {
            assert!(found.contains(PROBE), "{path}: {found}");
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        Value::Array(rows) => rows.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
