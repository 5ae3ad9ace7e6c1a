//! A control plane with hosts, and people who steer a plan by forms.

use axum::body::Body;
use axum::http::{Method, Request};
use novacula_protocol::people::Role;
use serde_json::{Value, json};

use crate::in_process::people::Somebody;
use crate::in_process::{Answered, ControlPlane, OWNER, said};
use crate::pages::sample::as_written;
use crate::pages::words;

/// One host and whether it does what it is asked.
pub(super) struct Host {
    key: String,
    name: String,
    wave: &'static str,
    version: String,
}

pub(super) struct Fleet {
    pub control_plane: ControlPlane,
    hosts: Vec<Host>,
}

impl Fleet {
    /// Releases 1.0.0 and 1.1.0, and hosts at 1.0.0 by the label `wave`.
    pub(super) async fn with(waves: &[(&'static str, usize)]) -> Self {
        let control_plane = ControlPlane::start().await;
        for version in ["1.0.0", "1.1.0"] {
            control_plane.publish(version).await;
        }
        let mut fleet = Self { control_plane, hosts: Vec::new() };
        for (wave, count) in waves {
            for number in 0..*count {
                let (key, name) = (fleet.control_plane.key().await, format!("{wave}-{number}"));
                fleet.hosts.push(Host { key, name, wave, version: "1.0.0".to_owned() });
            }
        }
        fleet.all_sync().await;
        fleet
    }

    async fn all_sync(&mut self) {
        for host in &mut self.hosts {
            let mut body = said(&host.name, &host.version);
            body["labels"] = json!({"wave": host.wave});
            let answer = self.control_plane.sync(&host.key, body.clone()).await.ok();
            let pending = &answer["pendingUpgrade"];
            if pending.is_null() {
                continue;
            }
            host.version = pending["targetVersion"].as_str().unwrap().to_owned();
            body["currentVersion"] = json!(host.version);
            body["upgrade"] = json!({"upgradeId": pending["upgradeId"], "attempt": pending["attempt"],
                "stage": "COMPLETED", "status": "COMPLETED"});
            self.control_plane.sync(&host.key, body).await.ok();
        }
        self.control_plane.app.tick().await.unwrap();
    }

    /// So long passes; whoever is asked for an upgrade completes it.
    pub(super) async fn pass_s(&mut self, seconds: i64) {
        for _ in 0..seconds / 10 {
            self.control_plane.wait_ms(10_000);
            self.all_sync().await;
        }
    }

    /// Sends a form of the console.
    pub(super) async fn form(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answered {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "cp.test:3000")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(words::query(fields.iter().copied())))
            .unwrap();
        self.control_plane.send(request).await
    }

    pub(super) async fn page(&self, path: &str, token: &str) -> String {
        let answer = self.control_plane.call(Method::GET, path, token, "").await;
        let text = as_written(&answer.bytes);
        assert_eq!(answer.status.as_u16(), 200, "{path}: {text}");
        text
    }

    async fn plan(&self, id: &str) -> Value {
        self.control_plane.get(&format!("/api/v1/fleet/plans/{id}")).await.ok()
    }

    pub(super) async fn apply(&self, waves: Value) -> String {
        let document = json!({"apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "monthly"},
            "spec": {"targetVersion": "1.1.0", "waves": waves}});
        let plan = self.control_plane.post("/api/v1/fleet/plans", document).await.ok();
        plan["id"].as_str().unwrap().to_owned()
    }

    async fn viewer(&self) -> Somebody {
        self.control_plane.somebody(OWNER, "vera", Role::Viewer).await
    }
}

fn wave(name: &str, automated: bool) -> Value {
    json!({"name": name, "clusterSelector": {"matchLabels": {"wave": name}},
        "validation": {"healthCheckDuration": "60s", "automated": automated}})
}

/// What is locked on a page, with the reason.
fn locked(page: &str) -> Vec<(String, String)> {
    let html = scraper::Html::parse_document(page);
    let select = |what: &str| scraper::Selector::parse(what).unwrap();
    let text = |element: scraper::ElementRef<'_>| element.text().collect::<String>();
    html.select(&select(".locked"))
        .map(|one| {
            let part = |what: &str| one.select(&select(what)).next().map(text).unwrap_or_default();
            (part("[aria-disabled]"), part(".why"))
        })
        .collect()
}

#[tokio::test]
async fn a_wave_that_waits_for_a_person_is_approved_by_a_form() {
    let mut fleet = Fleet::with(&[("a", 2), ("b", 1)]).await;
    let id = fleet.apply(json!([wave("a", false), wave("b", true)])).await;
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    let locked = locked(&page);
    assert!(
        locked.iter().any(|(what, why)| what == "Approve" && why.contains("when it has soaked")),
        "{locked:?}"
    );
    fleet.pass_s(120).await;
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    assert!(page.contains("needs approval"), "the picture says that a person is asked");
    assert!(page.contains("Wave `a`: It waits for its gate `approval`"), "{page}");
    let path = format!("/plans/{id}/approve");
    assert!(page.contains(&format!("{path}?wave=a")), "{page}");
    let asked = fleet.page(&format!("{path}?wave=a"), OWNER).await;
    assert!(asked.contains("Approve a of monthly") && asked.contains("data-fragment"), "{asked}");
    let refused = fleet.form(&path, OWNER, &[("wave", "a"), ("reason", " ")]).await;
    assert_eq!(refused.status.as_u16(), 400);
    let text = as_written(&refused.bytes);
    assert!(text.contains("role=\"alert\"") && text.contains("must say why"), "{text}");
    let approved = fleet.form(&path, OWNER, &[("wave", "a"), ("reason", "a quiet day")]).await;
    assert_eq!(
        (approved.status.as_u16(), approved.header("location")),
        (303, format!("/plans/{id}").as_str())
    );
    assert_eq!(fleet.plan(&id).await["waves"][0]["state"], "passed");
    fleet.pass_s(120).await;
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    assert_eq!(fleet.plan(&id).await["state"], "completed");
    assert!(page.contains("Completed") && page.contains("a quiet day"), "the log tells why: {page}");
}

#[tokio::test]
async fn a_plan_is_halted_resumed_rolled_back_and_deleted_by_forms() {
    let mut fleet = Fleet::with(&[("a", 2), ("b", 1)]).await;
    let id = fleet.apply(json!([wave("a", true), wave("b", true)])).await;
    fleet.pass_s(20).await;
    let at = |verb: &str| format!("/plans/{id}/{verb}");
    let early = fleet.form(&at("delete"), OWNER, &[("reason", "x")]).await;
    assert_eq!(early.status.as_u16(), 409);
    assert!(as_written(&early.bytes).contains("halt it first"));
    let halted = fleet.form(&at("halt"), OWNER, &[("reason", "the tills <b>are</b> slow")]).await;
    assert_eq!(halted.status.as_u16(), 303);
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    assert!(page.contains("Halted") && page.contains("the tills &#60;b&#62;are&#60;/b&#62; slow"), "{page}");
    let again = fleet.form(&at("halt"), OWNER, &[("reason", "still")]).await;
    let text = as_written(&again.bytes);
    assert_eq!(again.status.as_u16(), 409);
    assert!(text.contains("still</textarea>"), "what was typed is kept: {text}");
    for (verb, state) in [("resume", "running"), ("rollback", "rollingBack")] {
        let done = fleet.form(&at(verb), OWNER, &[("reason", "as agreed")]).await;
        assert_eq!(done.status.as_u16(), 303, "{verb}");
        assert_eq!(fleet.plan(&id).await["state"], state, "{verb}");
    }
    fleet.pass_s(60).await;
    assert_eq!(fleet.plan(&id).await["state"], "rolledBack");
    let gone = fleet.form(&at("delete"), OWNER, &[("reason", "done with it")]).await;
    assert_eq!((gone.status.as_u16(), gone.header("location")), (303, "/plans/"));
    let list = fleet.page("/plans/", OWNER).await;
    assert!(!list.contains("monthly") && list.contains("No plan yet"), "{list}");
    let told = fleet.control_plane.get("/api/v1/activity?action=plan.deleted").await.ok();
    assert_eq!(told["items"][0]["reason"], "done with it");
}

#[tokio::test]
async fn a_gate_is_skipped_by_a_form_and_that_stays_visible() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let id = fleet.apply(json!([wave("a", true)])).await;
    let fields = [("wave", "a"), ("gate", "restarts"), ("reason", "it is the cable")];
    let done = fleet.form(&format!("/plans/{id}/skip-gate"), OWNER, &fields).await;
    assert_eq!(done.status.as_u16(), 303);
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    assert!(page.contains("Skipped by owner"), "{page}");
    let fields = [("wave", "a"), ("gate", "z"), ("reason", "x")];
    assert_eq!(fleet.form(&format!("/plans/{id}/skip-gate"), OWNER, &fields).await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_viewer_sees_why_each_button_is_locked() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let id = fleet.apply(json!([wave("a", true)])).await;
    let viewer = fleet.viewer().await;
    let page = fleet.page(&format!("/plans/{id}"), &viewer.token).await;
    let locked = locked(&page);
    for what in ["Approve", "Halt", "Resume", "Roll back", "Delete", "Roll back this wave"] {
        let why = locked.iter().find(|(label, _)| label == what).map(|(_, why)| why.as_str());
        assert_eq!(why, Some("This needs the role owner, admin or editor; you are viewer."), "{what}");
    }
    let skip = locked.iter().find(|(label, _)| label == "Skip").map(|(_, why)| why.as_str());
    assert_eq!(skip, Some("This needs the role owner or admin; you are viewer."));
    let list = fleet.page("/plans/", &viewer.token).await;
    assert!(!list.contains("href=\"/plans/new\""), "{list}");
    let refused = fleet.form(&format!("/plans/{id}/halt"), &viewer.token, &[("reason", "x")]).await;
    assert_eq!(refused.status.as_u16(), 403);
}

#[tokio::test]
async fn executors_are_listed_by_wave_and_outcome_with_links() {
    let mut fleet = Fleet::with(&[("a", 2), ("b", 1)]).await;
    let id = fleet.apply(json!([wave("a", true), wave("b", true)])).await;
    fleet.pass_s(20).await;
    let done = fleet.page(&format!("/plans/{id}?wave=a&outcome=completed"), OWNER).await;
    let found = fleet.control_plane.get("/api/v1/executors?name=a-0").await.ok();
    assert!(
        done.contains(&format!("href=\"/executors/{}\"", found["items"][0]["id"].as_str().unwrap())),
        "{done}"
    );
    let none = fleet.page(&format!("/plans/{id}?outcome=failed"), OWNER).await;
    assert!(none.contains("No executor is like that."), "{none}");
    let odd = fleet.page(&format!("/plans/{id}?wave=zzz"), OWNER).await;
    assert!(odd.contains("The plan has no wave `zzz`."), "{odd}");
    assert!(
        odd.contains(&format!("data-follow=\"/plans/{id}?wave=zzz\"")),
        "it is followed as it is asked for"
    );
}

#[tokio::test]
async fn groups_are_made_changed_and_deleted_by_forms() {
    let fleet = Fleet::with(&[("a", 2)]).await;
    let made = fleet.form("/groups/new", OWNER, &[("name", "<b>front</b>"), ("selector", "wave=a")]).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (303, "/groups/"));
    let list = fleet.page("/groups/", OWNER).await;
    assert!(list.contains("&#60;b&#62;front") && list.contains("2 executors"), "{list}");
    let listed = fleet.control_plane.get("/api/v1/fleet/groups").await.ok();
    let at = format!("/groups/{}", listed["items"][0]["id"].as_str().unwrap());
    for (fields, sentence) in [
        ([("name", "x"), ("selector", "a within b")], "Expected requirements like"),
        ([("name", "x"), ("selector", "")], "must"),
        ([("name", " "), ("selector", "wave=a")], "The name must be filled in."),
    ] {
        let refused = fleet.form(&at, OWNER, &fields).await;
        assert_eq!(refused.status.as_u16(), 400, "{fields:?}");
        let text = as_written(&refused.bytes);
        assert!(text.contains(sentence) && text.contains("role=\"alert\""), "{fields:?}: {text}");
    }
    let changed = fleet.form(&at, OWNER, &[("name", "back"), ("selector", "wave in (b)")]).await;
    assert_eq!(changed.status.as_u16(), 303);
    assert!(fleet.page(&at, OWNER).await.contains("wave=b"));
    let viewer = fleet.viewer().await;
    let refused = fleet.form(&format!("{at}/delete"), &viewer.token, &[]).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert!(fleet.page(&format!("{at}/delete"), OWNER).await.contains("Delete the group back"));
    assert_eq!(fleet.form(&format!("{at}/delete"), OWNER, &[]).await.status.as_u16(), 303);
    assert!(fleet.page("/groups/", OWNER).await.contains("No group yet"));
}

#[tokio::test]
async fn a_selector_that_does_not_fit_on_a_line_is_not_changed_by_accident() {
    let fleet = Fleet::with(&[]).await;
    let selector = json!({"matchLabels": {"site": "a,b"}, "matchExpressions": []});
    let body = json!({"name": "odd", "selector": selector});
    let group = fleet.control_plane.post("/api/v1/fleet/groups", body).await.ok();
    let at = format!("/groups/{}", group["id"].as_str().unwrap());
    assert!(fleet.page(&at, OWNER).await.contains("does not fit on a line"));
    let renamed = fleet.form(&at, OWNER, &[("name", "even"), ("selector", "site=x")]).await;
    assert_eq!(renamed.status.as_u16(), 303);
    let group = fleet.control_plane.get(&format!("/api/v1/fleet{at}")).await.ok();
    assert_eq!((&group["name"], &group["selector"]), (&json!("even"), &selector));
}

#[tokio::test]
async fn where_four_eyes_are_wanted_who_applied_a_plan_is_told_that_somebody_else_approves_it() {
    let fleet = Fleet::with(&[("a", 1)]).await;
    let channels = json!({"channels": ["stable"]}).to_string();
    fleet.control_plane.call(Method::PUT, "/api/v1/four-eyes", OWNER, channels).await.ok();
    let id = fleet.apply(json!([wave("a", true)])).await;
    let page = fleet.page(&format!("/plans/{id}"), OWNER).await;
    let locked = locked(&page);
    let why = locked.iter().find(|(what, _)| what == "Approve").map(|(_, why)| why.as_str());
    assert_eq!(why, Some("Owner applied the plan; somebody else has to approve it."), "{page}");
    let other = fleet.control_plane.somebody(OWNER, "eve", Role::Editor).await;
    let page = fleet.page(&format!("/plans/{id}"), &other.token).await;
    assert!(page.contains(&format!("href=\"/plans/{id}/approve\"")), "{page}");
    let approved =
        fleet.form(&format!("/plans/{id}/approve"), &other.token, &[("reason", "I read it")]).await;
    assert_eq!(approved.status.as_u16(), 303);
    assert!(fleet.page(&format!("/plans/{id}"), OWNER).await.contains("approved by eve"));
}
