use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::json;

use crate::in_process::{ControlPlane, reported, said};

const ACCOUNTS: &str = "/api/v1/accounts";

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn the_owners_of_the_founding_account_make_accounts_and_own_what_they_make() {
    let control_plane = ControlPlane::start().await;
    let made = control_plane.post(ACCOUNTS, json!({"name": "Kunde <b>1</b>'; --"})).await.ok();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["name"], &made["founding"]), (&json!("Kunde <b>1</b>'; --"), &json!(false)));
    let me = control_plane.get("/api/v1/session").await.ok()["userId"].as_str().unwrap().to_owned();
    let there = control_plane.token_of(&me, &id).await;
    let shown = control_plane.as_person(Method::GET, "/api/v1/session", &there, json!("")).await.ok();
    assert_eq!((&shown["role"], &shown["releaseManager"]), (&json!("owner"), &json!(true)));
    for name in ["KUNDE <b>1</b>'; --", "default"] {
        let taken = control_plane.post(ACCOUNTS, json!({"name": name})).await;
        assert_eq!(taken.problem(), problem(409, "name_taken"), "{name}");
    }
    for bad in [json!({"name": ""}), json!({"name": "a\nb"}), json!({"name": "x".repeat(129)}), json!({})] {
        assert_eq!(control_plane.post(ACCOUNTS, bad).await.problem(), problem(400, "invalid_request"));
    }
    let path = format!("{ACCOUNTS}/{id}");
    let renamed = control_plane.patch(&path, json!({"name": "Customer"})).await.ok();
    assert_eq!(renamed["name"], "Customer");
    assert_eq!(control_plane.get(ACCOUNTS).await.ok()["items"].as_array().unwrap().len(), 2);
    let own = control_plane.as_person(Method::GET, ACCOUNTS, &there, json!("")).await.ok();
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "from there only that one is seen");
}

#[tokio::test]
async fn nobody_else_keeps_accounts() {
    let control_plane = ControlPlane::start().await;
    let (account, owner) = control_plane.account("Customer").await;
    let admin = control_plane.somebody(control_plane.owner(), "house-admin", Role::Admin).await;
    let reason = json!({"reason": "x"});
    for (who, token) in [("its own owner", &owner.token), ("an admin of the house", &admin.token)] {
        for (method, path, body) in [
            (Method::POST, ACCOUNTS.to_owned(), json!({"name": "Mine"})),
            (Method::PATCH, format!("{ACCOUNTS}/{account}"), json!({"name": "Mine"})),
            (Method::POST, format!("{ACCOUNTS}/{account}/suspend"), reason.clone()),
            (Method::POST, format!("{ACCOUNTS}/{account}/resume"), reason.clone()),
        ] {
            let refused = control_plane.as_person(method, &path, token, body).await;
            assert_eq!(refused.problem(), problem(403, "forbidden"), "{who} {path}");
        }
    }
}

#[tokio::test]
async fn an_executor_on_trial_is_heard_to_its_end_though_its_account_is_suspended() {
    let control_plane = ControlPlane::start().await;
    let (account, owner) = control_plane.account("Customer").await;
    let scene = crate::probing::Scene::of(&control_plane, &owner.token, "customer").await;
    let report = |stage: &str| {
        let mut said = reported("customer-host", "1.0.0", &scene.ids["upgrades"], stage, "UNDERWAY");
        said["upgrade"]["attempt"] = json!(1);
        said
    };
    control_plane.sync(&scene.key, report("DOWNLOAD")).await.ok();
    let path = format!("{ACCOUNTS}/{account}");
    let why = || json!({"reason": "unpaid"});
    control_plane.post(&format!("{path}/suspend"), why()).await.ok();
    let refused = control_plane.sync(&scene.key, report("SWAP")).await;
    assert_eq!(refused.problem(), problem(403, "account_suspended"), "nothing is at stake before the swap");
    control_plane.post(&format!("{path}/resume"), why()).await.ok();
    control_plane.sync(&scene.key, report("SWAP")).await.ok();
    control_plane.post(&format!("{path}/suspend"), why()).await.ok();
    control_plane.sync(&scene.key, report("CHECK_HEALTH")).await.ok();
    let mut done = report("COMPLETED");
    done["upgrade"]["status"] = json!("COMPLETED");
    control_plane.sync(&scene.key, done.clone()).await.ok();
    assert_eq!(control_plane.sync(&scene.key, done).await.problem(), problem(403, "account_suspended"));
}

#[tokio::test]
async fn a_suspended_account_keeps_its_lists_and_nothing_in_it_can_act() {
    let control_plane = ControlPlane::start().await;
    let (account, owner) = control_plane.account("Customer").await;
    let ask = async |method: Method, path: &str, body| {
        control_plane.as_person(method, path, &owner.token, body).await
    };
    let key = ask(Method::POST, "/api/v1/executor-keys", json!({})).await.ok()["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let expires_at = control_plane.app.clock.now() + jiff::SignedDuration::from_hours(1);
    let enrolment = json!({"maxUses": 9, "expiresAt": expires_at.to_string()});
    let enrolment = ask(Method::POST, "/api/v1/enrolment-tokens", enrolment).await.ok();
    control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();

    let path = format!("{ACCOUNTS}/{account}");
    for (bad, code) in [
        (json!({}), "invalid_request"),
        (json!({"reason": ""}), "reason_required"),
        (json!({"reason": "  "}), "reason_required"),
        (json!({"reason": "x".repeat(1_025)}), "invalid_request"),
    ] {
        let refused = control_plane.post(&format!("{path}/suspend"), bad).await;
        assert_eq!(refused.problem(), problem(400, code));
    }
    let why = "<script>'; DROP TABLE accounts; --";
    for _ in 0..2 {
        let suspended = control_plane.post(&format!("{path}/suspend"), json!({"reason": why})).await.ok();
        assert_eq!(suspended["suspensionReason"], why);
    }
    let control_plane = control_plane.restart().await;
    let ask = async |method: Method, path: &str, body| {
        control_plane.as_person(method, path, &owner.token, body).await
    };
    let suspended = problem(403, "account_suspended");
    assert_eq!(control_plane.sync(&key, said("host-1", "1.0.0")).await.problem(), suspended);
    let body = json!({"name": "host-2", "kind": "agent"}).to_string();
    let secret = enrolment["secret"].as_str().unwrap();
    let enrolled = control_plane.call(Method::POST, "/api/v1/enroll", secret, body).await;
    assert_eq!(enrolled.problem(), suspended);
    let artifact = format!("/api/v1/artifacts/{}", "0".repeat(64));
    assert_eq!(control_plane.call(Method::GET, &artifact, &key, "").await.problem(), suspended);

    let list = ask(Method::GET, "/api/v1/executors", json!("")).await.ok();
    assert_eq!(list["items"][0]["name"], "host-1");
    assert_eq!(ask(Method::GET, &path, json!("")).await.ok()["suspensionReason"], why);
    let mut refused = 0;
    for operation in crate::routes::operations() {
        let changes = operation.right.is_for_people() && !operation.method.is_safe();
        if changes && !operation.right.outlives_suspension() {
            let path = operation
                .path
                .replace("{id}", &owner.id)
                .replace("{check}", "clock")
                .replace("{kind}", "agent");
            assert_eq!(
                ask(operation.method, &path, json!({})).await.problem(),
                suspended,
                "{}",
                operation.id
            );
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");

    control_plane.post(&format!("{path}/resume"), json!({"reason": "paid"})).await.ok();
    control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    ask(Method::POST, "/api/v1/executor-keys", json!({})).await.ok();
    let told = ask(Method::GET, "/api/v1/activity?limit=3", json!("")).await.ok();
    assert_eq!(
        (&told["items"][2]["action"], &told["items"][2]["reason"]),
        (&json!("account.suspended"), &json!(why))
    );
    assert_eq!(told["items"][1]["action"], "account.resumed");
    assert_eq!(control_plane.get("/api/v1/activity/verify").await.ok()["intact"], true);
}

#[tokio::test]
async fn the_founding_account_is_never_suspended() {
    let control_plane = ControlPlane::start().await;
    let house = control_plane.get("/api/v1/session").await.ok()["accountId"].as_str().unwrap().to_owned();
    let refused = control_plane.post(&format!("{ACCOUNTS}/{house}/suspend"), json!({"reason": "x"})).await;
    assert_eq!(refused.problem(), problem(409, "founding_account"));
}
