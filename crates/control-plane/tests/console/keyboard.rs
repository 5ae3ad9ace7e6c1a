//! Without a mouse.

use crate::browser::{Browser, ENTER, ESCAPE, TAB};
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

#[test]
fn the_keyboard_reaches_the_content_and_every_room() {
    let scene = Scene::with(Vec::new());
    scene.person("ada", "owner", true);
    let browser = Browser::at(scene.url());
    browser.sign_in("ada", PASSWORD);

    browser.open("/");
    browser.driver.press(TAB);
    assert_eq!(browser.focused(), "Skip to the content");
    browser.driver.press(ENTER);
    browser.until("the content has the focus", || browser.is_focused("main").then_some(()));

    browser.open("/");
    let mut reached = Vec::new();
    for _ in 0..20 {
        browser.driver.press(TAB);
        reached.push(browser.focused());
    }
    for room in [
        "Overview",
        "Upgrades",
        "Executors",
        "Releases",
        "Fleet plans",
        "Activity",
        "People",
        "ada",
        "Sign out",
    ] {
        assert!(reached.iter().any(|name| name.starts_with(room)), "{room} is among {reached:?}");
    }
}

#[test]
fn escape_closes_what_was_opened_and_a_locked_button_says_why_when_it_is_reached() {
    let scene = Scene::with(vec![Host::new("berlin-01", "1.0.0", "stable", &[])]);
    scene.person("eve", "editor", false);
    let browser = Browser::at(scene.url());
    browser.sign_in("eve", PASSWORD);

    browser.open(&format!("/executors/{}", scene.executor("berlin-01")));
    tab_to(&browser, "Request");
    browser.driver.press(ENTER);
    browser.until("a dialog is open", || browser.is_focused("dialog[open] *, dialog[open]").then_some(()));
    browser.find("heading", "berlin-01: 1.0.0 → 1.1.0");
    browser.driver.press(ESCAPE);
    browser.until("the dialog is shut", || (!browser.is_focused("dialog *")).then_some(()));
    assert_eq!(browser.focused(), "Request");

    browser.open("/releases/");
    tab_to(&browser, "Publish a release");
    browser.until("the reason is shown", || {
        browser.is_shown("[role=button][aria-disabled=true]:focus + .why").then_some(())
    });
}

fn tab_to(browser: &Browser, name: &str) {
    for _ in 0..80 {
        browser.driver.press(TAB);
        if browser.focused() == name {
            return;
        }
    }
    panic!("`{name}` is not reached with the keyboard:\n{}", browser.text());
}
