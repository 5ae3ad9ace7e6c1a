//! Pictures of the main pages, for the documentation. Taken at every walk, kept where `NOVACULA_SCREENSHOTS` says.

use std::env;
use std::fs;
use std::path::Path;

use crate::browser::Browser;
use crate::busy::busy;
use crate::is_whole_walk;
use crate::scene::{PASSWORD, Scene};

/// In a repository, for good.
const MOST_BYTES: usize = 200 * 1024;

/// Name, page, width and height, light or dark.
const PICTURES: [(&str, &str, (u32, u32), &str); 10] = [
    ("overview", "/", (1280, 760), "light"),
    ("overview-dark", "/", (1280, 760), "dark"),
    ("overview-narrow", "/", (400, 900), "light"),
    ("upgrades", "/upgrades/", (1280, 760), "light"),
    ("upgrade-on-trial", "/upgrades/{berlin-04}", (1280, 760), "light"),
    ("upgrade-rolled-back-narrow", "/upgrades/{berlin-02}", (400, 900), "light"),
    ("executors", "/executors/", (1280, 760), "light"),
    ("releases", "/releases/", (1280, 760), "light"),
    ("plan", "/plans/{winter}", (1280, 760), "light"),
    ("plan-narrow-dark", "/plans/{winter}", (400, 900), "dark"),
];

#[test]
fn pictures_of_the_main_pages_can_be_taken() {
    let scene = busy();
    let browser = Browser::at(scene.url());
    browser.sign_in("ada", PASSWORD);
    let some = if is_whole_walk() { PICTURES.len() } else { 2 };
    for (name, page, (width, height), scheme) in PICTURES.into_iter().take(some) {
        browser.driver.resize(width, height);
        browser.driver.prefer(scheme);
        browser.open(&with_id(&scene, page));
        browser.until(&format!("{page} has a heading"), || browser.found("heading", ""));
        let picture = browser.driver.screenshot();
        assert!(picture.len() <= MOST_BYTES, "{name} has {} bytes", picture.len());
        if let Some(folder) = env::var_os("NOVACULA_SCREENSHOTS") {
            // Tests run in the folder of their crate, and the name is meant from the root.
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        }
    }
}

/// The page with the id of the plan of this name, or of the last upgrade of the executor of this name.
fn with_id(scene: &Scene, page: &str) -> String {
    let Some((before, name)) = page.trim_end_matches('}').split_once('{') else { return page.to_owned() };
    let id = if before == "/plans/" { scene.plan(name) } else { scene.last_upgrade(name) };
    let id = id["id"].as_str().unwrap();
    format!("{before}{id}")
}
