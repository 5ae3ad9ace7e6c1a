use novacula_protocol::people::{Opening, Operator, Requirement, Role};
use serde_json::{Value, json};

use super::*;
use crate::in_process::ControlPlane;
use crate::pages::rules::desk::Desk;
use crate::pages::sample::{HOSTILE, check, layout, now};

const ID: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";
const SATURDAY: [(&str, &str); 5] = [
    ("name", "nights"),
    ("cron", "0 2 * * 6"),
    ("minutes", "120"),
    ("zone", "Europe/Berlin"),
    ("selector", "ring=canary,!held"),
];

fn window() -> Window {
    let requirement =
        Requirement { key: HOSTILE.to_owned(), operator: Operator::NotIn, values: vec![HOSTILE.to_owned()] };
    let opening = Opening {
        opens_at: now(),
        closes_at: now(),
        opens_at_local: HOSTILE.to_owned(),
        closes_at_local: HOSTILE.to_owned(),
        zone: HOSTILE.to_owned(),
        window: HOSTILE.to_owned(),
    };
    Window {
        id: Some(ID.to_owned()),
        name: HOSTILE.to_owned(),
        selector: Selector { match_labels: Default::default(), match_expressions: vec![requirement] },
        cron: HOSTILE.to_owned(),
        duration_ms: 7_200_000,
        zone: HOSTILE.to_owned(),
        created_by: HOSTILE.to_owned(),
        created_at: now(),
        is_open: true,
        closes_at: Some(now()),
        next: vec![opening],
    }
}

fn freeze(is_in_force: bool) -> Freeze {
    Freeze {
        id: ID.to_owned(),
        reason: HOSTILE.to_owned(),
        starts_at: now(),
        ends_at: now() + jiff::SignedDuration::from_hours(1),
        starts_at_local: HOSTILE.to_owned(),
        ends_at_local: HOSTILE.to_owned(),
        zone: HOSTILE.to_owned(),
        selector: Selector::default(),
        is_in_force,
        created_by: HOSTILE.to_owned(),
        created_at: now(),
        ended_by: Some(HOSTILE.to_owned()),
        end_reason: Some(HOSTILE.to_owned()),
    }
}

#[test]
fn the_page_renders() {
    let hostile = HOSTILE.to_owned();
    let action = Action::new("New window", "/windows/new", Look::First);
    let shut = Window { is_open: false, next: vec![], ..window() };
    let page = WindowsPage {
        layout: layout(Room::Windows),
        new_window: action.clone(),
        windows: vec![listed_window(window(), None), listed_window(shut, Some(&hostile))],
        windows_pager: Pager::default(),
        new_freeze: action.clone(),
        freezes: vec![
            listed_freeze(freeze(true), now(), None),
            listed_freeze(freeze(false), now(), Some(&hostile)),
        ],
        freezes_pager: Pager::default(),
        change_four_eyes: action.unless(Some(hostile)),
        four_eyes: vec![Channel::Stable],
    };
    check("windows", &page);
    let (windows, freezes, four_eyes) = (vec![], vec![], vec![]);
    check("no windows", &WindowsPage { windows, freezes, four_eyes, ..page });
}

#[test]
fn local_times_are_said_as_people_read_them() {
    for (local, expected) in [
        ("2026-11-22T02:00:00+01:00", "2026-11-22, 02:00 (UTC+01:00)"),
        ("2026-11-22T02:00:30-03:30", "2026-11-22, 02:00:30 (UTC-03:30)"),
        ("whenever", "whenever"),
    ] {
        assert_eq!(clock(local), expected);
    }
}

/// What the form sends once it has shown when the window would open.
fn looked_at(html: &str) -> String {
    let page = scraper::Html::parse_document(html);
    let field = scraper::Selector::parse("input[name=looked-at]").unwrap();
    page.select(&field).next().unwrap().value().attr("value").unwrap().to_owned()
}

async fn windows(control_plane: &ControlPlane) -> Vec<Value> {
    control_plane.get("/api/v1/windows").await.ok()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_window_is_looked_at_before_it_is_kept_and_only_what_was_looked_at_is() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    assert!(!desk.see("/windows/new").await.ok().html.contains("Keep it"), "nothing to keep yet");
    let shown = desk.send("/windows/new", &SATURDAY).await.ok();
    assert!(
        shown.text().contains("It would open") && shown.text().contains("UTC for 2 h"),
        "{}",
        shown.text()
    );
    assert!(shown.html.contains("value=\"ring=canary,!held\""), "what was typed is kept");
    assert_eq!(windows(&control_plane).await.len(), 0, "a look keeps nothing");
    let shown = looked_at(&shown.html);
    let keep = [("do", "keep"), ("looked-at", shown.as_str())];
    let mut other = SATURDAY;
    other[2] = ("minutes", "60");
    let again = desk.send("/windows/new", &[&other[..], &keep].concat()).await.ok();
    assert!(again.text().contains("UTC for 60 min"), "what differs is shown first: {}", again.text());
    assert_eq!(windows(&control_plane).await.len(), 0);
    desk.send("/windows/new", &[&SATURDAY[..], &keep].concat()).await.led_to("/windows/");
    let kept = &windows(&control_plane).await[0];
    assert_eq!((&kept["name"], &kept["durationMs"]), (&json!("nights"), &json!(7_200_000)));
    assert_eq!(kept["selector"]["matchLabels"], json!({"ring": "canary"}));
    let page = desk.see("/windows/").await.ok().text();
    assert!(page.contains("nights closed ring=canary,!held 0 2 * * 6 for 2 h, Europe/Berlin"), "{page}");
    assert_eq!(page.matches("(UTC+0").count(), 3, "the next three times, local and in UTC: {page}");
}

#[tokio::test]
async fn what_no_window_can_mean_is_refused_where_it_was_typed() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    for (at, value, why) in [
        (0, "", "The name must be filled in."),
        (1, "every night", "`cron`"),
        (2, "0", "`durationMs`"),
        (2, "18446744073709551615", "`durationMs`"),
        (3, "Mars/Olympus", "zone"),
        (4, "ring in canary", "Expected requirements like"),
    ] {
        let mut fields = SATURDAY;
        fields[at].1 = value;
        desk.send("/windows/new", &fields).await.was_refused(400, why);
    }
}

#[tokio::test]
async fn a_window_is_changed_and_deleted_and_a_selector_that_fits_no_field_stays() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let selector = json!({"matchExpressions": [{"key": "a b", "operator": "In", "values": ["x,y"]}]});
    let body = json!({"name": "odd", "cron": "0 2 * * 6", "durationMs": 3_600_000, "zone": "UTC", "selector": selector});
    let made = control_plane.post("/api/v1/windows", body).await.ok();
    let at = |verb: &str| format!("/windows/{}/{verb}", made["id"].as_str().unwrap());
    let form = desk.see(&at("change")).await.ok();
    assert!(
        form.text().contains("stays as it is") && !form.html.contains("name=\"selector\""),
        "{}",
        form.text()
    );
    let fields = [("name", "even"), ("cron", "0 3 * * 6"), ("minutes", "30"), ("zone", "UTC")];
    let shown = looked_at(&desk.send(&at("change"), &fields).await.ok().html);
    let keep = [("do", "keep"), ("looked-at", shown.as_str())];
    desk.send(&at("change"), &[&fields[..], &keep].concat()).await.led_to("/windows/");
    let kept = &windows(&control_plane).await[0];
    assert_eq!((&kept["name"], &kept["cron"]), (&json!("even"), &json!("0 3 * * 6")));
    assert_eq!(kept["selector"], made["selector"]);
    assert!(desk.see(&at("delete")).await.ok().text().contains("always open"));
    desk.send(&at("delete"), &[]).await.led_to("/windows/");
    assert_eq!(windows(&control_plane).await.len(), 0);
}

#[tokio::test]
async fn a_freeze_is_made_ended_for_a_reason_and_deleted_once_it_is_over() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    desk.see("/windows/freezes/new").await.ok();
    let new = "/windows/freezes/new";
    desk.send(new, &[("reason", "holidays")]).await.was_refused(400, "The end must be filled in.");
    desk.send(new, &[("ends", "2099-01-01T00:00")]).await.was_refused(400, "must say why");
    let fields = [("reason", "holidays"), ("ends", "2099-01-01T00:00"), ("zone", "Europe/Berlin")];
    desk.send(new, &fields).await.led_to("/windows/");
    let freeze = control_plane.get("/api/v1/freezes").await.ok()["items"][0].clone();
    let at = |verb: &str| format!("/windows/freezes/{}/{verb}", freeze["id"].as_str().unwrap());
    let page = desk.see("/windows/").await.ok();
    assert!(page.text().contains("holidays by owner in force"), "{}", page.text());
    assert_eq!(page.locked("Delete").as_deref(), Some("It is in force; end it first."));
    assert_eq!(page.locked("End"), None);
    desk.send(&at("delete"), &[]).await.was_refused(409, "in force until");
    desk.send(&at("end"), &[("reason", "")]).await.was_refused(400, "must say why");
    desk.send(&at("end"), &[("reason", "back again")]).await.led_to("/windows/");
    let page = desk.see("/windows/").await.ok();
    assert!(page.text().contains("over ended by owner: back again"), "{}", page.text());
    assert_eq!(page.locked("End").as_deref(), Some("It is over."));
    desk.send(&at("delete"), &[]).await.led_to("/windows/");
    assert!(desk.see("/windows/").await.ok().text().contains("There are no freezes."));
}

#[tokio::test]
async fn an_owner_sets_the_rule_of_four_eyes_and_nobody_else() {
    let control_plane = ControlPlane::start().await;
    let desk = Desk::of_the_owner(&control_plane);
    let fields = [("channel", "stable"), ("channel", "dev"), ("channel", "forged")];
    desk.send("/windows/four-eyes", &fields).await.led_to("/windows/");
    assert_eq!(control_plane.get("/api/v1/four-eyes").await.ok()["channels"], json!(["stable", "dev"]));
    assert!(desk.see("/windows/").await.ok().text().contains("releases of stable dev begin only after"));
    let form = desk.see("/windows/four-eyes").await.ok();
    assert!(form.html.contains("value=\"stable\" checked") && !form.html.contains("value=\"beta\" checked"));
    let admin = Desk::of(&control_plane, Role::Admin).await;
    assert!(admin.see("/windows/").await.ok().html.contains("This needs the role owner; you are admin."));
    admin.send("/windows/four-eyes", &[]).await.was_refused(403, "This needs the role owner");
    desk.send("/windows/four-eyes", &[]).await.led_to("/windows/");
    assert_eq!(control_plane.get("/api/v1/four-eyes").await.ok()["channels"], json!([]));
}

#[tokio::test]
async fn an_editor_and_a_viewer_see_the_windows_and_why_they_change_none() {
    let control_plane = ControlPlane::start().await;
    for role in [Role::Editor, Role::Viewer] {
        let desk = Desk::of(&control_plane, role).await;
        let why = format!("This needs the role owner or admin; you are {role}.");
        let page = desk.see("/windows/").await.ok();
        for label in ["New window", "New freeze"] {
            assert_eq!(page.locked(label), Some(why.clone()), "{label}");
        }
        desk.send("/windows/new", &SATURDAY).await.was_refused(403, &why);
        let fields = [("reason", "x"), ("ends", "2099-01-01T00:00")];
        desk.send("/windows/freezes/new", &fields).await.was_refused(403, &why);
    }
}
