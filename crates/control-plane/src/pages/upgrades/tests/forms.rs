//! What forms do, what they show when they are refused, and who may not send them.

use novacula_protocol::people::Role;

use super::*;
use crate::in_process::{OWNER, said};

/// An upgrade that waits for its start.
async fn waiting() -> (ControlPlane, String, String) {
    let control_plane = ControlPlane::start().await;
    let draft = control_plane.draft("1.1.0", b"1.1.0").await["id"].as_str().unwrap().to_owned();
    let patch = json!({"status": "published", "prerequisites": [HOSTILE], "postrequisites": ["fill it"]});
    control_plane.patch(&format!("/api/v1/releases/{draft}"), patch).await.ok();
    let (key, executor_id) = control_plane.executor("host-1", "1.0.0").await;
    let order = json!({"targetVersion": "1.1.0", "confirmStart": "manual"});
    let asked = control_plane.post(&format!("/api/v1/executors/{executor_id}/upgrade"), order).await.ok();
    (control_plane, format!("/upgrades/{}", asked["id"].as_str().unwrap()), key)
}

#[tokio::test]
async fn the_tab_of_the_instructions_stands_out_until_somebody_has_done_them() {
    let (control_plane, path, key) = waiting().await;
    let instructions = format!("{path}/instructions");
    assert_eq!(texts(&page(&control_plane, &path).await, ".tabs .unread").len(), 1);
    let shown = page(&control_plane, &instructions).await;
    assert_eq!(texts(&shown, ".steps .lines"), [HOSTILE, "fill it"]);
    let why = texts(&shown, "#upgrade-postrequisites .why").concat();
    assert_eq!(why, "The steps after an upgrade can be acknowledged once it has completed.");
    let early = send(&control_plane, &format!("{instructions}/postrequisites/1"), OWNER, &[]).await;
    assert_eq!(early.status, 409);
    assert!(texts(&html(&early), "[role=alert]").concat().contains("once it has completed"));

    let done = send(&control_plane, &format!("{instructions}/prerequisites/1"), OWNER, &[]).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, instructions.as_str()));
    let shown = texts(&page(&control_plane, &instructions).await, "#upgrade-prerequisites").concat();
    assert!(shown.contains("says owner"), "{shown}");
    assert_eq!(send(&control_plane, &format!("{path}/start"), OWNER, &[]).await.status, 303);
    let upgrade_id = path.rsplit('/').next().unwrap();
    let over = crate::in_process::reported("host-1", "1.0.0", upgrade_id, "COMPLETED", "COMPLETED");
    control_plane.sync(&key, over).await.ok();
    assert_eq!(texts(&page(&control_plane, &path).await, ".tabs .unread").len(), 1, "one is left");
    assert_eq!(
        send(&control_plane, &format!("{instructions}/postrequisites/1"), OWNER, &[]).await.status,
        303
    );
    assert!(texts(&page(&control_plane, &path).await, ".tabs .unread").is_empty());
    for gone in ["prerequisites/7", "others/1"] {
        assert_eq!(
            send(&control_plane, &format!("{instructions}/{gone}"), OWNER, &[]).await.status,
            404,
            "{gone}"
        );
    }
}

#[tokio::test]
async fn another_time_is_kept_and_one_too_soon_is_refused_with_what_was_typed() {
    let (control_plane, path, _) = waiting().await;
    let now = control_plane.app.clock.now();
    let at = |minutes| crate::pages::words::as_field(&(now + jiff::SignedDuration::from_mins(minutes)));
    let place = format!("{path}/reschedule");
    let soon = at(20);
    let refused = send(&control_plane, &place, OWNER, &[("at", &soon), ("reason", HOSTILE)]).await;
    assert_eq!(refused.status, 409);
    let refused = html(&refused);
    assert!(texts(&refused, "[role=alert]").concat().contains("The new time must lie between"));
    let field = |name: &str| {
        let selector = Selector::parse(&format!("input[name={name}]")).unwrap();
        refused.select(&selector).next().unwrap().value().attr("value").unwrap().to_owned()
    };
    assert_eq!((field("at"), field("reason")), (soon, HOSTILE.to_owned()));
    assert_eq!(send(&control_plane, &place, OWNER, &[("at", "soon")]).await.status, 400);
    assert_eq!(send(&control_plane, &place, OWNER, &[]).await.status, 400);
    assert_eq!(send(&control_plane, &place, OWNER, &[("at", &at(90))]).await.status, 303);
    let shown = texts(&page(&control_plane, &path).await, "#upgrade-schedule").concat();
    assert!(shown.contains("in 89 min"), "{shown}");
}

#[tokio::test]
async fn a_freeze_is_gone_past_by_a_choice_of_its_own_and_with_a_reason() {
    let (control_plane, path, _) = waiting().await;
    let now = control_plane.app.clock.now();
    let freeze = json!({
        "reason": "year's end", "startsAt": now.to_string(),
        "endsAt": (now + jiff::SignedDuration::from_hours(9)).to_string()
    });
    control_plane.post("/api/v1/freezes", freeze).await.ok();
    let start = format!("{path}/start");
    let plain = send(&control_plane, &start, OWNER, &[("done", "1")]).await;
    assert_eq!(plain.status, 409);
    let notices = texts(&html(&plain), ".notice").concat();
    assert!(notices.contains("year's end"), "{notices}");
    assert_eq!(
        send(&control_plane, &start, OWNER, &[("force", "yes")]).await.status,
        400,
        "it wants a reason"
    );
    let forced = send(&control_plane, &start, OWNER, &[("force", "yes"), ("reason", "a hole")]).await;
    assert_eq!(forced.status, 303);
    let facts = texts(&page(&control_plane, &path).await, "#upgrade-facts").concat();
    assert!(facts.contains("past windows, freezes and older upgrades"), "{facts}");
}

#[tokio::test]
async fn a_viewer_sees_everything_and_why_nothing_works() {
    let (control_plane, path, _) = waiting().await;
    let viewer = control_plane.somebody(OWNER, "vera", Role::Viewer).await.token;
    let get = async |path: &str| html(&control_plane.call(axum::http::Method::GET, path, &viewer, "").await);
    const WHY: &str = "This needs the role owner, admin or editor; you are viewer.";
    for place in
        [path.clone(), format!("{path}/instructions"), format!("{path}/start"), "/upgrades/".to_owned()]
    {
        let shown = get(&place).await;
        assert!(texts(&shown, "main form").is_empty(), "{place}");
        let why = texts(&shown, "main .why");
        assert!(!why.is_empty() && why.iter().all(|why| why == WHY), "{place}: {why:?}");
    }
    let refused = send(&control_plane, &format!("{path}/start"), &viewer, &[]).await;
    assert_eq!(refused.status, 403);
    assert!(texts(&html(&refused), "[role=alert]").concat().contains("you are viewer"));
}

#[tokio::test]
async fn the_second_pair_of_eyes_approves_and_the_first_cannot() {
    let control_plane = ControlPlane::start().await;
    control_plane.publish("1.1.0").await;
    let eyes = json!({"channels": ["stable"]}).to_string();
    control_plane.call(axum::http::Method::PUT, "/api/v1/four-eyes", OWNER, eyes).await.ok();
    let (_, executor_id) = control_plane.executor("host-1", "1.0.0").await;
    let id = control_plane.request(&executor_id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/upgrades/{id}");
    let list = page(&control_plane, "/upgrades/").await;
    assert!(texts(&list, ".reason").concat().contains("wants the approval of somebody else than owner"));
    assert!(
        texts(&page(&control_plane, &path).await, ".verbs .why")[0..]
            .iter()
            .any(|why| why.contains("somebody else has to approve it"))
    );
    let jane = control_plane.person("jane").await;
    assert_eq!(send(&control_plane, &format!("{path}/approve"), &jane, &[]).await.status, 303);
    let facts = texts(&page(&control_plane, &path).await, "#upgrade-facts").concat();
    assert!(facts.contains("by jane"), "{facts}");
}

#[tokio::test]
async fn a_list_is_never_whole_and_says_what_to_do_where_it_is_empty() {
    let control_plane = ControlPlane::start().await;
    let empty = texts(&page(&control_plane, "/upgrades/").await, ".empty").concat();
    assert!(empty.contains("Choose an executor"), "{empty}");
    control_plane.publish("1.1.0").await;
    let (key, executor_id) = control_plane.executor("host-1", "1.0.0").await;
    for _ in 0..51 {
        let id = control_plane.request(&executor_id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
        let path = format!("/upgrades/{id}/abandon");
        assert_eq!(send(&control_plane, &path, OWNER, &[("reason", "no")]).await.status, 303);
        control_plane.sync(&key, said("host-1", "1.0.0")).await.ok();
    }
    let first = page(&control_plane, "/upgrades/?state=error").await;
    assert_eq!(texts(&first, "tbody tr").len(), 50);
    let older = Selector::parse(".pager a").unwrap();
    let older = first.select(&older).next().unwrap().value().attr("href").unwrap().to_owned();
    assert_eq!(texts(&page(&control_plane, &older).await, "tbody tr").len(), 1);
    let narrowed = page(&control_plane, &format!("/upgrades/?executorId={executor_id}&state=pending")).await;
    assert!(texts(&narrowed, ".empty").concat().contains("No upgrade is here now"));
    assert_eq!(control_plane.get("/upgrades/?state=gone").await.status, 400);
    let unknown = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
    for gone in
        [unknown, &format!("{unknown}/explode"), &format!("{unknown}/start"), "counts", "..%2Fexecutors"]
    {
        assert_eq!(control_plane.get(&format!("/upgrades/{gone}")).await.status, 404, "{gone}");
    }
}

#[tokio::test]
async fn a_browser_sends_the_token_of_its_page_and_nothing_is_done_without_it() {
    let (control_plane, path, _) = waiting().await;
    control_plane.with_password("eva", Role::Editor, "a long enough password").await;
    let browser = control_plane.logged_in("eva", "a long enough password").await;
    let browse = async |method: axum::http::Method, path: &str, body: String| {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "cp.test:3000")
            .header("cookie", &browser.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        control_plane.send(request.body(body.into()).unwrap()).await
    };
    let place = format!("{path}/pause");
    let asked = html(&browse(axum::http::Method::GET, &place, String::new()).await);
    let field = Selector::parse("main input[name=csrf]").unwrap();
    let token = asked.select(&field).next().unwrap().value().attr("value").unwrap().to_owned();
    let other = "0".repeat(64);
    let refused = browse(axum::http::Method::POST, &place, format!("csrf={other}&reason=x")).await;
    assert_eq!(refused.status, 403, "{}", String::from_utf8_lossy(&refused.bytes));
    let done = browse(axum::http::Method::POST, &place, format!("csrf={token}&reason=x")).await;
    assert_eq!(done.status, 303, "{}", String::from_utf8_lossy(&done.bytes));
    assert_eq!(texts(&page(&control_plane, &path).await, ".head .badge"), ["Paused"]);
}
