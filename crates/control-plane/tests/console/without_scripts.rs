//! With a browser that runs no scripts, everything but what moves by itself.

use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};
use crate::webdriver::Manner;

#[test]
fn without_scripts_people_find_an_executor_ask_for_an_upgrade_and_start_it() {
    let scene = Scene::with(vec![
        Host::new("berlin-01", "1.0.0", "stable", &[("site", "berlin")]),
        Host::new("potsdam-01", "1.0.0", "beta", &[("site", "potsdam")]),
    ]);
    scene.person("eve", "editor", false);
    let browser = Browser::with(scene.url(), Manner { is_without_scripts: true });
    browser.sign_in("eve", PASSWORD);
    let is_dead = browser.driver.find("return document.querySelector('[data-theme-toggle][hidden]')", &[]);
    assert!(is_dead.is_some(), "a script has run");

    browser.follow("Executors");
    browser.find("row", "berlin-01");
    browser.choose("Channel", "beta");
    browser.press_button("Show");
    browser.sees_no("berlin-01");
    browser.follow("potsdam-01");
    browser.press_button_of("1.1.0", "Request");
    browser.is_at(&format!("/executors/{}/upgrade", scene.executor("potsdam-01")));
    browser.tick("Wait for a person to start it");
    browser.press_button("Request 1.1.0");

    browser.is_at("/upgrades/");
    browser.press_button("Execute");
    browser.find("heading", "Execute: potsdam-01");
    browser.press_button("Execute");
    browser.find("heading", "potsdam-01: 1.0.0 → 1.1.0");
    browser.until("it completes", || {
        browser.reload();
        browser.found("row", "Completed done").map(drop)
    });
    browser.press_button("Sign out");
    browser.is_at("/sign-in");
}
