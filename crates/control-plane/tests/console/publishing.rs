//! A release manager brings a release.

use crate::axe;
use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

#[test]
fn a_release_manager_uploads_looks_and_publishes() {
    let scene = Scene::with(vec![Host::new("berlin-01", "1.0.0", "stable", &[])]);
    scene.person("rita", "viewer", true);
    let (artifact, signature) = scene.signed("1.2.0");
    let (other, _) = scene.signed("1.3.0");
    let browser = Browser::at(scene.url());
    browser.sign_in("rita", PASSWORD);

    browser.follow("Releases");
    browser.press_button("Publish a release");
    browser.find("heading", "Publish a release");
    axe::finds_nothing_serious(&browser);
    browser.attach("Artifact", &other);
    browser.attach("Signature", &signature);
    browser.press_button("Upload");
    // Refused, and said why.
    browser.find("alert", "");
    axe::finds_nothing_serious(&browser);
    browser.attach("Artifact", &artifact);
    browser.attach("Signature", &signature);
    browser.press_button("Upload");

    browser.find("heading", "agent 1.2.0");
    browser.sees("draft");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Publish");
    browser.find("heading", "Publish 1.2.0?");
    browser.sees("1 executor will be offered it");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Publish 1.2.0");
    browser.sees("published");
    browser.follow("Releases");
    browser.find("row", "1.2.0 published");
}
