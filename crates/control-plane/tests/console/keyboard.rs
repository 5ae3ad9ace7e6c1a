//! Without a mouse.

use crate::browser::{Browser, ENTER, TAB};
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
