use axum::http::Method;
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use crate::in_process::{Answered, ControlPlane};

const USERS: &str = "/api/v1/users";
const PASSWORD: &str = "correct horse battery";

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect()
}

async fn add(control_plane: &ControlPlane, by: &str, body: Value) -> Answered {
    control_plane.as_person(Method::POST, USERS, by, body).await
}

async fn change(control_plane: &ControlPlane, by: &str, id: &str, body: Value) -> Answered {
    control_plane.as_person(Method::PATCH, &format!("{USERS}/{id}"), by, body).await
}

async fn remove(control_plane: &ControlPlane, by: &str, id: &str) -> Answered {
    control_plane.as_person(Method::DELETE, &format!("{USERS}/{id}"), by, json!("")).await
}

#[tokio::test]
async fn what_a_role_allows_is_what_its_person_can_do() {
    let control_plane = ControlPlane::start().await;
    let (_, executor) = control_plane.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{executor}/preflight");
    for (role, sees, steers, administers) in [
        (Role::Viewer, 200, 403, 403),
        (Role::Editor, 200, 202, 403),
        (Role::Admin, 200, 202, 201),
        (Role::Owner, 200, 202, 201),
    ] {
        let token = control_plane.somebody(control_plane.owner(), &format!("the-{role}"), role).await.token;
        for (method, path, expected) in [
            (Method::GET, "/api/v1/users", sees),
            (Method::POST, path.as_str(), steers),
            (Method::POST, "/api/v1/executor-keys", administers),
            (Method::POST, "/api/v1/releases", 403),
        ] {
            let answer = control_plane.as_person(method, path, &token, json!({})).await;
            assert_eq!(answer.status.as_u16(), expected, "{role} {path}");
        }
    }
}

#[tokio::test]
async fn admins_keep_everybody_but_owners_and_owners_keep_all() {
    let control_plane = ControlPlane::start().await;
    let owner = control_plane.owner();
    let admin = control_plane.somebody(owner, "admin", Role::Admin).await;
    let editor = control_plane.somebody(owner, "editor", Role::Editor).await;
    let second = control_plane.somebody(owner, "second-owner", Role::Owner).await;
    for (sentence, by, id, body, expected) in [
        (
            "an editor makes nobody anything",
            &editor.token,
            &editor.id,
            json!({"role": "admin"}),
            problem(403, "forbidden"),
        ),
        ("an admin makes an admin", &admin.token, &editor.id, json!({"role": "admin"}), problem(200, "")),
        (
            "an admin makes an admin a viewer",
            &admin.token,
            &editor.id,
            json!({"role": "viewer"}),
            problem(200, ""),
        ),
        (
            "an admin makes no owner",
            &admin.token,
            &editor.id,
            json!({"role": "owner"}),
            problem(403, "forbidden"),
        ),
        (
            "not even of themselves",
            &admin.token,
            &admin.id,
            json!({"role": "owner"}),
            problem(403, "forbidden"),
        ),
        (
            "an admin lets nobody publish",
            &admin.token,
            &admin.id,
            json!({"releaseManager": true}),
            problem(403, "forbidden"),
        ),
        (
            "an admin does not demote an owner",
            &admin.token,
            &second.id,
            json!({"role": "viewer"}),
            problem(403, "forbidden"),
        ),
        (
            "an admin does not disable an owner",
            &admin.token,
            &second.id,
            json!({"disabled": true}),
            problem(403, "forbidden"),
        ),
        (
            "an admin does not link an owner",
            &admin.token,
            &second.id,
            json!({"oidcSubject": "x"}),
            problem(403, "forbidden"),
        ),
        (
            "an owner lets one publish",
            &second.token,
            &admin.id,
            json!({"releaseManager": true}),
            problem(200, ""),
        ),
        ("an admin links a viewer", &admin.token, &editor.id, json!({"oidcSubject": "x"}), problem(200, "")),
        (
            "nobody else is linked to the same",
            &second.token,
            &admin.id,
            json!({"oidcSubject": "x"}),
            problem(409, "subject_taken"),
        ),
        ("an owner makes an owner", &second.token, &editor.id, json!({"role": "owner"}), problem(200, "")),
        (
            "an unknown field",
            &second.token,
            &editor.id,
            json!({"name": "x"}),
            problem(400, "invalid_request"),
        ),
    ] {
        assert_eq!(change(&control_plane, by, id, body).await.problem(), expected, "{sentence}");
    }
    let path = format!("{USERS}/{}/password", second.id);
    let reset = control_plane.as_person(Method::POST, &path, &admin.token, json!("")).await;
    assert_eq!(reset.problem(), problem(403, "forbidden"), "an admin does not log in as an owner");
    assert_eq!(remove(&control_plane, &admin.token, &second.id).await.problem(), problem(403, "forbidden"));
    let body = json!({"name": "x", "role": "owner"});
    assert_eq!(add(&control_plane, &admin.token, body).await.problem(), problem(403, "forbidden"));
}

#[tokio::test]
async fn an_account_never_loses_its_last_owner() {
    let control_plane = ControlPlane::start().await;
    let owner = control_plane.owner();
    let me = control_plane.get("/api/v1/session").await.ok()["userId"].as_str().unwrap().to_owned();
    let refused = problem(409, "last_owner");
    for body in [json!({"role": "admin"}), json!({"disabled": true})] {
        assert_eq!(change(&control_plane, owner, &me, body.clone()).await.problem(), refused, "{body}");
    }
    assert_eq!(remove(&control_plane, owner, &me).await.problem(), refused);
    control_plane.get("/api/v1/users").await.ok();

    let second = control_plane.somebody(owner, "second", Role::Owner).await;
    change(&control_plane, owner, &second.id, json!({"disabled": true})).await.ok();
    assert_eq!(
        remove(&control_plane, owner, &me).await.problem(),
        refused,
        "one who can do nothing does not count"
    );
    change(&control_plane, owner, &second.id, json!({"disabled": false})).await.ok();
    remove(&control_plane, owner, &me).await.ok();
    assert_eq!(control_plane.get("/api/v1/users").await.problem().0, 401, "and is gone at once");
}

#[tokio::test]
async fn two_owners_who_remove_each_other_leave_one() {
    let control_plane = ControlPlane::start().await;
    let me = control_plane.get("/api/v1/session").await.ok()["userId"].as_str().unwrap().to_owned();
    let second = control_plane.somebody(control_plane.owner(), "second", Role::Owner).await;
    let (one, other) = tokio::join!(
        remove(&control_plane, control_plane.owner(), &second.id),
        remove(&control_plane, &second.token, &me)
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 204);
    assert!(matches!(statuses[1], 401 | 409), "{statuses:?}");
}

#[tokio::test]
async fn whoever_is_removed_or_disabled_is_out_with_the_next_request() {
    let control_plane = ControlPlane::start().await;
    let owner = control_plane.owner();
    let (path, look) = ("/api/v1/executors", Method::GET);
    for way in ["removed", "disabled"] {
        let id = control_plane.with_password(way, Role::Editor, PASSWORD).await;
        let account =
            control_plane.get("/api/v1/session").await.ok()["accountId"].as_str().unwrap().to_owned();
        let token = control_plane.token_of(&id, &account).await;
        let browser = control_plane.logged_in(way, PASSWORD).await;
        control_plane.as_person(look.clone(), path, &token, json!("")).await.ok();
        match way {
            "removed" => remove(&control_plane, owner, &id).await.ok(),
            _ => change(&control_plane, owner, &id, json!({"disabled": true})).await.ok(),
        };
        assert_eq!(
            control_plane.as_person(look.clone(), path, &token, json!("")).await.problem().0,
            401,
            "{way}"
        );
        assert_eq!(
            control_plane.browse(&browser, look.clone(), path, json!("")).await.problem().0,
            401,
            "{way}"
        );
        assert_eq!(control_plane.try_login(way, PASSWORD).await.problem().0, 401, "{way}");
        match way {
            "removed" => add(&control_plane, owner, json!({"name": way, "role": "viewer"})).await.ok(),
            _ => change(&control_plane, owner, &id, json!({"disabled": false})).await.ok(),
        };
        assert_eq!(
            control_plane.as_person(look.clone(), path, &token, json!("")).await.problem().0,
            401,
            "{way}: what has ended does not come back"
        );
    }
    assert_eq!(
        control_plane.try_login("removed", PASSWORD).await.problem().0,
        401,
        "the old password neither"
    );
    control_plane.logged_in("disabled", PASSWORD).await;
}

#[tokio::test]
async fn a_demotion_counts_from_the_next_request() {
    let control_plane = ControlPlane::start().await;
    let admin = control_plane.somebody(control_plane.owner(), "admin", Role::Admin).await;
    let ask = async || {
        control_plane.as_person(Method::POST, "/api/v1/executor-keys", &admin.token, json!({})).await
    };
    ask().await.ok();
    change(&control_plane, control_plane.owner(), &admin.id, json!({"role": "viewer"})).await.ok();
    assert_eq!(ask().await.problem(), problem(403, "forbidden"));
}

#[tokio::test]
async fn a_password_that_is_reset_is_a_one_time_one_and_ends_all_sessions() {
    let control_plane = ControlPlane::start().await;
    let id = control_plane.with_password("jane", Role::Viewer, PASSWORD).await;
    let browser = control_plane.logged_in("jane", PASSWORD).await;
    let reset = control_plane.post(&format!("{USERS}/{id}/password"), json!("")).await.ok();
    let first = reset["oneTimePassword"].as_str().unwrap();
    assert_eq!(reset["mustChangePassword"], true);
    let look = control_plane.browse(&browser, Method::GET, "/api/v1/executors", json!("")).await;
    assert_eq!(look.problem().0, 401);
    assert_eq!(control_plane.try_login("jane", PASSWORD).await.problem().0, 401);
    control_plane.logged_in("jane", first).await;
    let told = control_plane.get("/api/v1/activity").await.ok();
    assert!(told.to_string().contains("user.passwordReset") && !told.to_string().contains(first));
}

#[tokio::test]
async fn a_user_is_shared_only_by_who_knows_them_and_nobody_logs_in_as_them_elsewhere() {
    let control_plane = ControlPlane::start().await;
    let (_, foreign) = control_plane.account("Foreign").await;
    let squatter = json!({"name": "bob@corp.example", "role": "viewer", "oneTimePassword": true});
    add(&control_plane, &foreign.token, squatter.clone()).await.ok();
    let mine = json!({"name": "BOB@corp.example", "role": "admin"});
    let refused = add(&control_plane, control_plane.owner(), mine.clone()).await;
    assert_eq!(
        refused.problem(),
        problem(409, "name_taken"),
        "or the other account's admin could log in here"
    );

    // One person who administers both accounts may bring a user from one into the other.
    let both = control_plane.post("/api/v1/accounts", json!({"name": "Second"})).await.ok();
    let me = control_plane.get("/api/v1/session").await.ok()["userId"].as_str().unwrap().to_owned();
    let in_second = control_plane.token_of(&me, both["id"].as_str().unwrap()).await;
    let jane = control_plane.somebody(&in_second, "jane", Role::Viewer).await;
    let with_login = json!({"name": "jane", "role": "owner", "oneTimePassword": true});
    let refused = add(&control_plane, control_plane.owner(), with_login).await;
    assert_eq!(refused.problem(), problem(409, "user_exists"));
    add(&control_plane, control_plane.owner(), json!({"name": "jane", "role": "editor"})).await.ok();
    let again = add(&control_plane, control_plane.owner(), json!({"name": "jane", "role": "editor"})).await;
    assert_eq!(again.problem(), problem(409, "already_member"));

    // Whoever administers only one of them cannot log in as the user.
    let admin = control_plane.somebody(control_plane.owner(), "admin", Role::Admin).await;
    let path = format!("{USERS}/{}/password", jane.id);
    let reset = control_plane.as_person(Method::POST, &path, &admin.token, json!("")).await;
    assert_eq!(reset.problem(), problem(403, "forbidden"));
    let linked = change(&control_plane, &admin.token, &jane.id, json!({"oidcSubject": "mine"})).await;
    assert_eq!(linked.problem(), problem(403, "forbidden"));
    change(&control_plane, &admin.token, &jane.id, json!({"role": "viewer"})).await.ok();
    control_plane.post(&path, json!("")).await.ok();
    let there = "/api/v1/activity?action=user.passwordReset";
    let told = control_plane.as_person(Method::GET, there, &in_second, json!("")).await.ok();
    assert_eq!(told["items"][0]["target"], jane.id, "what counts in both accounts is told in both");
}

#[tokio::test]
async fn users_are_listed_in_pages_and_told_in_the_activity() {
    let control_plane = ControlPlane::start().await;
    for name in ["a", "b"] {
        control_plane.somebody(control_plane.owner(), name, Role::Viewer).await;
    }
    let page = control_plane.get(&format!("{USERS}?limit=2")).await.ok();
    assert_eq!(names(&page), ["b", "a"]);
    let next = page["nextCursor"].as_str().unwrap();
    let rest = control_plane.get(&format!("{USERS}?limit=2&cursor={next}")).await.ok();
    assert_eq!(names(&rest), ["owner"]);
    let id = page["items"][0]["id"].as_str().unwrap();
    change(&control_plane, control_plane.owner(), id, json!({"role": "editor"})).await.ok();
    change(&control_plane, control_plane.owner(), id, json!({"role": "editor"})).await.ok();
    remove(&control_plane, control_plane.owner(), id).await.ok();
    let told = control_plane.get(&format!("/api/v1/activity?target={id}")).await.ok();
    let told: Vec<_> =
        told["items"].as_array().unwrap().iter().map(|e| (&e["action"], &e["after"])).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[1], (&json!("user.changed"), &json!({"role": "editor"})));
}

#[tokio::test]
async fn what_is_no_user_is_not_made() {
    let control_plane = ControlPlane::start().await;
    for bad in [
        json!({"name": "", "role": "viewer"}),
        json!({"name": "<script>", "role": "viewer"}),
        json!({"name": "a' OR 1=1 --", "role": "viewer"}),
        json!({"name": "x".repeat(65), "role": "viewer"}),
        json!({"name": "x", "role": "god"}),
        json!({"name": "x"}),
        json!({"name": "x", "role": "viewer", "password": "hunter2hunter2"}),
        json!({"name": "x", "role": "viewer", "oidcSubject": ""}),
        json!({"name": "x", "role": "viewer", "oidcSubject": "x".repeat(256)}),
    ] {
        let refused = add(&control_plane, control_plane.owner(), bad.clone()).await;
        assert_eq!(refused.problem(), problem(400, "invalid_request"), "{bad}");
    }
    let taken = add(&control_plane, control_plane.owner(), json!({"name": "OWNER", "role": "viewer"})).await;
    assert_eq!(taken.problem(), problem(409, "already_member"));
}
