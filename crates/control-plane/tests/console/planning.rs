//! A fleet plan, from the wizard over an approval to a halt.

use novacula_protocol::Stage;

use crate::axe;
use crate::browser::Browser;
use crate::fleet::Host;
use crate::scene::{PASSWORD, Scene};

#[test]
fn a_plan_is_made_in_the_wizard_approved_and_halted() {
    let scene = Scene::with(vec![
        Host::new("canary-01", "1.0.0", "stable", &[("ring", "canary")]),
        Host::new("host-01", "1.0.0", "stable", &[("ring", "standard")]).until(Stage::Download),
        Host::new("host-02", "1.0.0", "stable", &[("ring", "standard")]).until(Stage::Download),
    ]);
    scene.person("eve", "editor", false);
    let browser = Browser::at(scene.url());
    browser.sign_in("eve", PASSWORD);

    browser.follow("Fleet plans");
    browser.press_button("New plan");
    browser.find("heading", "New plan");
    axe::finds_nothing_serious(&browser);
    browser.choose("Which release", "agent 1.1.0");
    browser.fill("What the plan is called", "spring");
    browser.fill("How long the new version", "1s");
    browser.press_button("On to the waves");

    let wave = |number: &str, name: &str, labels: &str, then: &str| {
        let legend = format!("Wave {number}");
        browser.fill_within(&legend, "Name", name);
        browser.fill_within(&legend, "Takes executors", labels);
        browser.choose_within(&legend, "Then", then);
    };
    browser.find("heading", "Wave 1");
    while browser.found("heading", "Wave 2").is_some() {
        browser.mark();
        browser.press_button("Remove wave 2");
        browser.until("the page has come again", || (!browser.is_marked()).then_some(()));
        browser.find("heading", "Wave 1");
    }
    browser.press_button("Add a wave");
    browser.find("heading", "Wave 2");
    wave("1", "canary", "ring=canary", "a person approves");
    browser.fill_within("Wave 1", "Soak", "0s");
    wave("2", "rest", "ring=standard", "the next wave begins");
    axe::finds_nothing_serious(&browser);
    browser.press_button("See what would come of it");
    browser.sees("3 executors would go to 1.1.0");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Apply");

    browser.find("heading", "spring");
    browser.is_at("/plans/");
    browser.mark();
    // By itself, once the wave is through.
    browser.until("the approval is wanted", || {
        let approve = browser.found("button", "Approve")?;
        (browser.about("return arguments[0].matches('a')", &approve) == true).then_some(())
    });
    assert!(browser.is_marked(), "the page was loaded again");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Approve");
    browser.fill("Why", "a quiet night");
    axe::finds_nothing_serious(&browser);
    browser.press_button("Approve");
    browser.sees("a quiet night");
    browser.sees("Wave rest: 1 under way, 1 waiting");

    browser.press_button("Halt");
    browser.fill("Why", "the disk fills up");
    browser.press_button("Halt");
    browser.sees("Halted");
    browser.sees("the disk fills up");
    assert_eq!(scene.plan("spring")["state"], "halted");
}
