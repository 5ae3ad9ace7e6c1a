//! In, and out again.

use crate::axe;
use crate::browser::Browser;
use crate::scene::{PASSWORD, Scene};

#[test]
fn somebody_signs_in_to_where_they_wanted_to_go_and_out_again() {
    let scene = Scene::with(Vec::new());
    scene.person("ada", "owner", true);
    let browser = Browser::at(scene.url());

    browser.open("/?from=a-bookmark");
    browser.is_at("/sign-in");
    axe::finds_nothing_serious(&browser);
    browser.fill("Name", "ada");
    browser.fill("Password", "not hers");
    browser.press_button("Sign in");
    browser.find("alert", "");
    axe::finds_nothing_serious(&browser);
    browser.fill("Password", PASSWORD);
    browser.press_button("Sign in");

    browser.is_at("/?from=a-bookmark");
    browser.find("heading", "Overview");
    browser.sees("ada");
    browser.sees("owner, release manager");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Sign out");
    browser.is_at("/sign-in");
    browser.open("/");
    browser.is_at("/sign-in");
    // The wrong password, once, is what the browser had to complain about; never what the pages may not load.
    let log = browser.driver.log();
    assert!(log.iter().all(|line| line.contains("/sign-in") && line.contains(" 401 ")), "{log:#?}");
}
