//! A button works where the API would do it, and only there.

use super::*;
use crate::api::steer::tests::actions::{STATES, publish, stands};
use crate::in_process::OWNER;
use crate::pages::sample::as_written;
use crate::pages::words;

/// What a confirmation can go past: boxes to tick, and force.
const PASSABLE: [&str; 4] = ["prerequisites_open", "older_upgrade_pending", "frozen", "outside_window"];

/// The buttons of a page: what each is called, and why it is locked.
fn buttons(html: &Html) -> Vec<(String, Option<String>)> {
    let group = Selector::parse(".verbs > *").unwrap();
    let part = |element: scraper::ElementRef<'_>, selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        element.select(&selector).map(|it| it.text().collect::<String>()).next()
    };
    let read = |element: scraper::ElementRef<'_>| match part(element, ".why") {
        Some(why) => (part(element, ".button").unwrap(), Some(why)),
        None => (element.text().collect(), None),
    };
    html.select(&group).map(read).collect()
}

#[tokio::test]
async fn a_button_works_where_its_form_is_heard_and_says_why_where_it_is_not() {
    let control_plane = ControlPlane::start().await;
    publish(&control_plane).await;
    for (number, (sentence, how)) in STATES.iter().enumerate() {
        for verb in UpgradeVerb::ALL.into_iter().filter(|verb| *verb != UpgradeVerb::Reschedule) {
            let name = format!("host-{number}-{}", verb.as_str());
            let told = stands(&control_plane, &name, how).await;
            let action =
                told.actions.as_array().unwrap().iter().find(|it| it["action"] == verb.as_str()).unwrap();
            let path = format!("/upgrades/{}", told.upgrade_id);
            let buttons = buttons(&page(&control_plane, &path).await);
            let button = buttons.iter().find(|(label, _)| label == words_of(verb).label);
            let case = format!("{} of one that {sentence}: {button:?}", verb.as_str());
            let Some((_, locked)) = button else {
                assert_eq!(
                    (verb, action["code"].as_str()),
                    (UpgradeVerb::Approve, Some("approval_not_wanted"))
                );
                continue;
            };
            let asked = page(&control_plane, &format!("{path}/{}", verb.as_str())).await;
            assert_eq!(texts(&asked, "main form").is_empty(), locked.is_some(), "{case}");
            let fields = [("reason", "because")];
            let answer = send(&control_plane, &format!("{path}/{}", verb.as_str()), OWNER, &fields).await;
            match answer.status.as_u16() {
                303 => assert_eq!((locked, action["allowed"].as_bool()), (&None, Some(true)), "{case}"),
                status => {
                    let told = words::told(action["reason"].as_str().unwrap()).to_string();
                    let reason = as_written(told.as_bytes());
                    assert!((400..500).contains(&status), "{case}: {status}");
                    assert!(texts(&html(&answer), "[role=alert]").contains(&reason), "{case}: {reason}");
                    let is_passable = PASSABLE.contains(&action["code"].as_str().unwrap());
                    assert_eq!(locked.as_ref(), (!is_passable).then_some(&reason), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_the_list_offers_is_what_the_upgrade_allows() {
    let control_plane = ControlPlane::start().await;
    publish(&control_plane).await;
    let mut offered = Vec::new();
    for (number, (sentence, how)) in STATES.iter().enumerate() {
        let told = stands(&control_plane, &format!("host-{number}"), how).await;
        let list = page(&control_plane, "/upgrades/").await;
        let row = format!("tbody tr:has(a[href=\"/upgrades/{}\"]) td .actions > *", told.upgrade_id);
        let labels = texts(&list, &row);
        for label in &labels {
            let verb = UpgradeVerb::ALL.into_iter().find(|verb| words_of(*verb).label == label).unwrap();
            let action =
                told.actions.as_array().unwrap().iter().find(|it| it["action"] == verb.as_str()).unwrap();
            let code = action["code"].as_str().unwrap_or_default();
            let is_of_another =
                ["executor_offline", "upgrade_already_pending", "own_request"].contains(&code);
            let is_offered = action["allowed"] == true || PASSABLE.contains(&code) || is_of_another;
            assert!(is_offered, "{label} of one that {sentence}: {action}");
        }
        offered.push(labels.len());
    }
    assert!(offered.iter().all(|count| *count <= 2) && offered.iter().sum::<usize>() > 20, "{offered:?}");
}
