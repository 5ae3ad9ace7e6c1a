//! With a browser that runs no scripts, everything but what moves by itself.

use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};
use crate::webdriver::Manner;

#[test]
fn without_scripts_people_sign_in_and_out() {
    let scene = Scene::with(vec![Host::new("berlin-01", "1.0.0", "stable", &[("site", "berlin")])]);
    scene.person("ada", "owner", true);
    let browser = Browser::with(scene.url(), Manner { is_without_scripts: true });
    browser.sign_in("ada", PASSWORD);
    let is_dead = browser.driver.find("return document.querySelector('[data-theme-toggle][hidden]')", &[]);
    assert!(is_dead.is_some(), "a script has run");
    browser.press_button("Sign out");
    browser.is_at("/sign-in");
}
