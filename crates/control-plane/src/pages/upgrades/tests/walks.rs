//! Upgrades from their request to their end, as a person follows them in a browser.

use super::*;
use crate::in_process::{OWNER, reported};

struct Walk {
    control_plane: ControlPlane,
    key: String,
    path: String,
    upgrade_id: String,
}

impl Walk {
    async fn of(order: Value) -> Self {
        let control_plane = ControlPlane::start().await;
        let draft = control_plane.draft("1.1.0", &[7; 4_000]).await["id"].as_str().unwrap().to_owned();
        let patch = json!({
            "status": "published", "prerequisites": ["drain it", "tell the shift"], "postrequisites": ["fill it"]
        });
        control_plane.patch(&format!("/api/v1/releases/{draft}"), patch).await.ok();
        let (key, executor_id) = control_plane.executor("host-1", "1.0.0").await;
        let mut whole = json!({"targetVersion": "1.1.0"});
        whole.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        let asked = control_plane.post(&format!("/api/v1/executors/{executor_id}/upgrade"), whole).await.ok();
        let upgrade_id = asked["id"].as_str().unwrap().to_owned();
        Self { control_plane, key, path: format!("/upgrades/{upgrade_id}"), upgrade_id }
    }

    async fn page(&self) -> Html {
        page(&self.control_plane, &self.path).await
    }

    /// The bar as the page shows it: `Downloading: now`.
    async fn bar(&self) -> Vec<String> {
        let page = self.page().await;
        let names = texts(&page, ".stage-bar .name");
        let states = texts(&page, ".stage-bar .state");
        let word = |state: &String| state.split(',').next().unwrap().to_owned();
        names.iter().zip(&states).map(|(name, state)| format!("{name}: {}", word(state))).collect()
    }

    async fn form(&self, verb: &str, fields: &[(&str, &str)]) -> Answered {
        send(&self.control_plane, &format!("{}/{verb}", self.path), OWNER, fields).await
    }

    async fn report(&self, stage: &str, status: &str, more: Value) {
        let mut said = reported("host-1", "1.0.0", &self.upgrade_id, stage, status);
        said["upgrade"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.control_plane.sync(&self.key, said).await.ok();
    }
}

#[tokio::test]
async fn an_upgrade_is_followed_from_its_request_to_its_last_word() {
    let walk = Walk::of(json!({"confirmStart": "manual", "confirm": "manual"})).await;
    let bar = walk.bar().await;
    assert_eq!(
        (bar.len(), bar[0].as_str(), bar[1].as_str()),
        (9, "Waiting to start: now", "Checking the host: to come")
    );

    let asked = page(&walk.control_plane, &format!("{}/start", walk.path)).await;
    assert_eq!(texts(&asked, "fieldset label.tick").len(), 2, "each step has a box");
    let refused = walk.form("start", &[("done", "1")]).await;
    assert_eq!(refused.status, 409);
    let refused = html(&refused);
    let alert = texts(&refused, "[role=alert]").concat();
    assert!(alert.contains("The upgrade cannot start: the prerequisites 2 of its release"), "{alert}");
    assert_eq!(texts(&refused, "fieldset label.tick").len(), 1, "what was ticked is kept");
    let started = walk.form("start", &[("done", "2")]).await;
    assert_eq!((started.status.as_u16(), started.header("location")), (303, walk.path.as_str()));

    walk.report("PREFLIGHT", "UNDERWAY", json!({})).await;
    assert_eq!(
        walk.bar().await[..3],
        ["Waiting to start: done", "Checking the host: now", "Downloading: to come"]
    );
    walk.report("DOWNLOAD", "UNDERWAY", json!({"bytesDone": 0, "bytesTotal": 4_000})).await;
    walk.control_plane.wait_ms(2_000);
    walk.report("DOWNLOAD", "UNDERWAY", json!({"bytesDone": 3_000, "bytesTotal": 4_000})).await;
    assert_eq!(walk.bar().await[2], "Downloading: now");
    let download = texts(&walk.page().await, ".download").concat();
    assert_eq!(download, "3.0 kB of 4.0 kB, 1.5 kB/s on average");

    walk.form("pause", &[("reason", "lunch")]).await;
    walk.report("DOWNLOAD", "PAUSED", json!({})).await;
    assert_eq!(walk.bar().await[2], "Downloading: paused here");
    assert_eq!(walk.form("continue", &[]).await.status, 400, "it wants a reason");
    assert_eq!(walk.form("continue", &[("reason", "coffee")]).await.status, 303);

    walk.report("CHECK_HEALTH", "UNDERWAY", json!({})).await;
    assert_eq!(
        walk.bar().await[6..],
        ["On trial: now", "Waiting for a person: to come", "Completed: to come"]
    );
    walk.report("CONFIRM_COMPLETION", "UNDERWAY", json!({})).await;
    let shown = walk.page().await;
    assert!(texts(&shown, "#upgrade-now .notice").concat().contains("a person has to complete it"));
    assert_eq!(walk.form("complete", &[]).await.status, 303);
    walk.report("COMPLETED", "COMPLETED", json!({})).await;
    let bar = walk.bar().await;
    assert!(bar.iter().all(|mark| mark.ends_with(": done")), "{bar:?}");
    let shown = walk.page().await;
    assert_eq!(texts(&shown, ".head .badge"), ["Completed"]);
    let story = texts(&shown, "#upgrade-facts").concat();
    for said in ["start requested", "pause requested", "lunch", "complete requested"] {
        assert!(story.contains(said), "{said}: {story}");
    }
    check_list(&walk, "completed", "Completed").await;
}

#[tokio::test]
async fn one_that_was_rolled_back_says_why_on_top_and_where_it_happened() {
    let walk = Walk::of(json!({})).await;
    walk.form("start", &[("done", "1"), ("done", "2")]).await;
    let numbers = json!({"numbers": [1, 2]});
    walk.control_plane.post(&format!("/api/v1{}/prerequisites/acknowledge", walk.path), numbers).await.ok();
    walk.report("CHECK_HEALTH", "UNDERWAY", json!({})).await;
    let message = format!("the service ended 3 times within 60 s {HOSTILE}");
    let error = json!({
        "code": "unhealthy", "stage": "CHECK_HEALTH", "message": message, "timestamp": "2026-11-21T08:00:00Z"
    });
    walk.report("ROLLEDBACK", "ROLLEDBACK", json!({"error": error})).await;
    let shown = walk.page().await;
    let first = texts(&shown, "main .notice, main section").remove(0);
    assert!(first.starts_with("Rolled back"), "the reason stands above everything else: {first}");
    assert!(
        first.contains(&format!(
            "On trial: The service ended 3 times within 60 s {HOSTILE}. host-1 runs 1.0.0 again."
        )),
        "{first}"
    );
    assert_eq!(walk.bar().await[6..], ["On trial: ended here", "Rolled back: the end"]);
    assert!(texts(&shown, "script").concat().is_empty(), "nothing of it is run");
    check_list(&walk, "error", "Rolled back").await;
}

/// It stands in the list of that state with that badge, and in no other.
async fn check_list(walk: &Walk, state: &str, badge: &str) {
    for one in ["pending", "running", "completed", "error", ""] {
        let list = page(&walk.control_plane, &format!("/upgrades/?state={one}")).await;
        let expected = if one == state || one.is_empty() { vec![badge] } else { vec![] };
        assert_eq!(texts(&list, "tbody .badge"), expected, "{one}");
    }
}
