//! The pages say what the API says.

use serde_json::json;

use crate::in_process::{ControlPlane, said, signer};

async fn page(control_plane: &ControlPlane, path: &str) -> String {
    let answer = control_plane.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.bytes));
    String::from_utf8(answer.bytes).unwrap()
}

#[tokio::test]
async fn the_catalogue_shows_every_release_with_who_runs_and_who_signed_it() {
    let control_plane = ControlPlane::start().await;
    assert!(page(&control_plane, "/releases/").await.contains("There is no release yet"));
    for name in ["a", "b"] {
        control_plane.executor(name, "1.1.0").await;
    }
    control_plane.executor("c", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    control_plane.draft("1.2.0", b"two").await;
    let shown = page(&control_plane, "/releases/").await;
    let (newer, older) = (shown.find(">1.2.0</a>").unwrap(), shown.find(">1.1.0</a>").unwrap());
    assert!(newer < older, "newest first");
    for part in [
        "href=\"/executors/?version=1.1.0\">2 of 3</a>",
        "2 of 3 executors run 1.1.0",
        ">test</a>",
        "21 bytes",
    ] {
        let part = part.replace("21 bytes", "5 bytes");
        assert!(shown.contains(&part), "{part}: {shown}");
    }
    let drafts = page(&control_plane, "/releases/?status=draft&kind=agent").await;
    assert!(drafts.contains(">1.2.0</a>") && !drafts.contains(">1.1.0</a>"));
    assert!(page(&control_plane, "/releases/?kind=operator").await.contains("No release is like that"));
    assert_eq!(control_plane.get("/releases/?status=gone").await.status, 400);
}

#[tokio::test]
async fn the_catalogue_goes_on_behind_fifty() {
    let control_plane = ControlPlane::start().await;
    for minor in 0..51 {
        control_plane.draft(&format!("1.{minor}.0"), b"same").await;
    }
    let first = page(&control_plane, "/releases/?status=draft").await;
    assert!(first.contains(">1.50.0</a>") && !first.contains(">1.0.0</a>"));
    let start = first.find("/releases/?status=draft&#38;cursor=").unwrap();
    let href = first[start..].split('"').next().unwrap().replace("&#38;", "&");
    let second = page(&control_plane, &href).await;
    assert!(second.contains(">1.0.0</a>") && !second.contains(">1.50.0</a>"), "{href}");
}

#[tokio::test]
async fn a_release_is_shown_with_its_artifacts_signature_and_where_it_runs() {
    let control_plane = ControlPlane::start().await;
    let release = control_plane.publish("1.1.0").await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    let upgrade = control_plane.request(&id, "1.1.0").await.ok();
    let shown = page(&control_plane, &format!("/releases/{}", release["id"].as_str().unwrap())).await;
    for part in [
        release["artifacts"][0]["sha256"].as_str().unwrap(),
        &signer("trusted").id(),
        "kind:agent version:1.1.0 target:x86_64-unknown-linux-musl",
        &format!("/upgrades/{}", upgrade["id"].as_str().unwrap()),
        "Waiting to start",
        "/yank",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(control_plane.get("/releases/01a1fd44-ec13-72dc-be3d-6f6dbcc5687c").await.status, 404);
}

#[tokio::test]
async fn the_keys_say_whether_one_may_sign_yet() {
    let control_plane = ControlPlane::start().await;
    let ours = signer("trusted").id();
    assert!(page(&control_plane, "/releases/keys").await.contains("There is no executor yet"));
    let (key, _) = control_plane.executor("host-1", "1.0.0").await;
    let draft = control_plane.draft("1.1.0", b"one").await;
    let offer = format!("/releases/{}/publish", draft["id"].as_str().unwrap());
    let silent = page(&control_plane, "/releases/keys").await;
    assert!(silent.contains("1 does not say") && silent.contains("Not known of all"), "{silent}");
    assert!(page(&control_plane, &offer).await.contains("1 executor is too old to say"));

    let mut sync = said("host-1", "1.0.0");
    sync["trustedKeys"] = json!(["E5BE0EC76B6AA375"]);
    control_plane.sync(&key, sync.clone()).await.ok();
    let lacking = page(&control_plane, "/releases/keys").await;
    for part in [
        "0 of 1 executor trust it, 1 does not. Do not sign with it before all do",
        ">host-1</a>",
        "Unknown key",
    ] {
        assert!(lacking.contains(part), "{part}: {lacking}");
    }
    let asked = page(&control_plane, &offer).await;
    assert!(asked.contains("1 executor says that it does not trust"), "{asked}");

    sync["trustedKeys"] = json!([ours]);
    control_plane.sync(&key, sync).await.ok();
    let shown = page(&control_plane, "/releases/keys").await;
    assert!(shown.contains("May sign") && shown.contains("The only executor trusts it"), "{shown}");
    assert!(!page(&control_plane, &offer).await.contains("does not trust"));
}
