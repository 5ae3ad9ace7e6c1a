//! What one may not do is there, locked, and says why.

use crate::axe;
use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

#[test]
fn what_a_role_does_not_allow_is_locked_and_says_why() {
    let scene = Scene::with(vec![Host::new("berlin-01", "1.0.0", "stable", &[])]);
    scene.person("vic", "viewer", false);
    scene.person("eve", "editor", false);
    let browser = Browser::at(scene.url());
    browser.sign_in("vic", PASSWORD);

    browser.follow("Executors");
    browser.follow("berlin-01");
    browser.find("heading", "Where it could go");
    let why = browser.reason_of("Request");
    assert!(why.contains("viewer") && why.contains("editor"), "{why}");
    axe::finds_nothing_serious(&browser);
    // What its link would lead to says so too.
    browser.open(&format!("/executors/{}/upgrade?targetVersion=1.1.0", scene.executor("berlin-01")));
    browser.sees("viewer");
    assert!(browser.found("button", "Request 1.1.0").is_none());
    browser.follow("Fleet plans");
    let why = browser.reason_of("New plan");
    assert!(why.contains("viewer"), "{why}");
    browser.follow("Releases");
    let why = browser.reason_of("Publish a release");
    assert!(why.contains("release manager"), "{why}");

    browser.press_button("Sign out");
    browser.find("heading", "Sign in");
    browser.sign_in("eve", PASSWORD);
    browser.follow("Releases");
    let why = browser.reason_of("Publish a release");
    assert!(why.contains("release manager"), "{why}");
    browser.follow("Executors");
    browser.follow("berlin-01");
    browser.press_button("Request");
    browser.find("heading", "berlin-01: 1.0.0 → 1.1.0");
}
