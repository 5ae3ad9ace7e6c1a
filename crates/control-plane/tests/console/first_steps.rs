//! From the list of executors to an upgrade that completes before one's eyes.

use novacula_protocol::Stage;

use crate::axe;
use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

#[test]
fn somebody_asks_for_an_upgrade_and_watches_it_complete_without_loading_the_page_again() {
    let scene = Scene::with(vec![Host::new("berlin-01", "1.0.0", "stable", &[("site", "berlin")])]);
    scene.fleet.tell("berlin-01", |host| host.until = Stage::Download);
    scene.person("eve", "editor", false);
    let browser = Browser::at(scene.url());
    browser.sign_in("eve", PASSWORD);
    axe::finds_nothing_serious(&browser);

    browser.follow("Executors");
    browser.find("heading", "Executors");
    axe::finds_nothing_serious(&browser);
    browser.follow("berlin-01");
    browser.find("heading", "Where it could go");
    browser.press_button_of("1.1.0", "Request");
    browser.find("heading", "berlin-01: 1.0.0 → 1.1.0");
    browser.sees("Faster, and says why it waits.");
    axe::finds_nothing_serious(&browser);
    browser.fill("Why", "it starts faster");
    browser.press_button("Request 1.1.0");

    browser.is_at("/upgrades/");
    browser.mark();
    browser.find("row", "Downloading now");
    browser.sees("it starts faster");
    axe::finds_nothing_serious(&browser);
    scene.fleet.tell("berlin-01", |host| host.until = Stage::CheckHealth);
    browser.find("row", "On trial now");
    scene.fleet.tell("berlin-01", |host| host.until = Stage::Completed);
    browser.find("row", "Completed done");
    assert!(browser.is_marked(), "the page was loaded again");

    browser.follow("berlin-01");
    browser.is_at("/executors/");
    browser.sees("it runs the newest it is offered");
}
