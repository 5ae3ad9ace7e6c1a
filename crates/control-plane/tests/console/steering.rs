//! An upgrade that did not go well, and one that goes at another time.

use serde_json::json;

use crate::axe;
use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

const CRASH: &str = "1.1.0 exited with code 101 four times within 20 s";

#[test]
fn what_was_rolled_back_says_why_and_what_is_planned_can_be_moved() {
    let scene = Scene::with(vec![
        Host::new("berlin-01", "1.0.0", "stable", &[]).failing(CRASH),
        Host::new("berlin-02", "1.0.0", "stable", &[]),
    ]);
    scene.person("eve", "editor", false);
    scene.request("berlin-02", "1.1.0", &json!({"scheduledAt": "2099-01-01T02:00:00Z"}));
    let browser = Browser::at(scene.url());
    browser.sign_in("eve", PASSWORD);

    browser.follow("Upgrades");
    browser.find("row", "berlin-02");
    browser.mark();
    scene.request("berlin-01", "1.1.0", &json!({}));
    // The list shows it by itself, and says why beside the state.
    browser.find("row", "berlin-01");
    browser.find("row", CRASH);
    assert!(browser.is_marked(), "the page was loaded again");
    axe::finds_nothing_serious(&browser);
    browser.follow("1.0.0 → 1.1.0 of berlin-01");
    browser.find("alert", "");
    browser.sees(CRASH);
    browser.sees("Rolled back the end");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Close");

    browser.follow("1.0.0 → 1.1.0 of berlin-02");
    browser.sees("1 Jan 2099, 02:00 UTC");
    browser.fill_time("Another time", "2098-05-06T07:08");
    browser.fill("Reason", "the people on call are away");
    browser.press_button("Reschedule");
    browser.sees("6 May 2098, 07:08 UTC");
    browser.sees("the people on call are away");
    assert_eq!(scene.last_upgrade("berlin-02")["scheduledAt"], "2098-05-06T07:08:00Z");
}
