//! Every page there is, found by following every link: nothing serious for axe, nothing that the browser complains about,
//! nothing that has to be scrolled sideways; wide and narrow, light and dark.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::axe;
use crate::browser::Browser;
use crate::busy::busy;
use crate::is_whole_walk;
use crate::scene::PASSWORD;

/// Of things of one kind so many are looked at, as they differ.
const EXAMPLES: usize = 3;
/// And of upgrades, which differ most.
const UPGRADES: usize = 14;

const LINKS: &str = "return [...document.querySelectorAll('a[href]')]
    .map(({ href }) => new URL(href)).filter(({ origin }) => origin === location.origin)
    .map(({ pathname, search }) => pathname + search)";
const SIDEWAYS: &str = "const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth + 1 ? scrollWidth + ' in ' + clientWidth : null";
/// Locked buttons whose reason does not show whole once they are reached.
const HIDDEN_REASONS: &str = "const hidden = [];
    for (const it of document.querySelectorAll('[role=button][aria-disabled=true]')) {
        if (!it.checkVisibility()) continue;
        it.scrollIntoView({ block: 'center' });
        it.focus();
        const why = it.parentElement.querySelector('.why');
        const { left, right, bottom } = why.getBoundingClientRect();
        const shown = document.elementFromPoint((left + right) / 2, bottom - 3);
        if (left < 0 || right > innerWidth || !why.contains(shown)) hidden.push(it.innerText);
    }
    document.activeElement.blur();
    scrollTo(0, 0);
    return hidden.join();";

#[test]
fn every_page_can_be_used_by_everybody_wide_and_narrow_light_and_dark() {
    let scene = busy();
    let browser = Browser::at(scene.url());
    browser.sign_in("ada", PASSWORD);

    // The narrow page is where most goes wrong.
    let all = [("light", 400), ("light", 1280), ("dark", 1280)];
    let looks = if is_whole_walk() { &all[..] } else { &all[..1] };
    let mut wrong = Vec::new();
    let seen = every_page(&browser, |browser, page| {
        let complaints = browser.driver.log().into_iter().map(|line| format!("{page}: {line}"));
        wrong.extend(complaints);
        for (scheme, width) in looks.iter().copied() {
            browser.driver.prefer(scheme);
            browser.driver.resize(width, 900);
            let found = axe::violations(browser).into_iter();
            wrong.extend(found.map(|violation| format!("{scheme} {width} {violation}")));
            let sideways = browser.driver.run(SIDEWAYS, &[]).unwrap();
            wrong.extend(sideways.as_str().map(|wide| format!("{width} {page}: it is {wide} wide")));
            let hidden = browser.driver.run(HIDDEN_REASONS, &[]).unwrap();
            let hidden = hidden.as_str().filter(|hidden| !hidden.is_empty());
            wrong.extend(hidden.map(|names| format!("{width} {page}: not seen is why {names} is locked")));
        }
        browser.driver.prefer("light");
        browser.driver.resize(1280, 900);
    });
    assert!(wrong.is_empty(), "{} pages, of which:\n{}", seen.len(), wrong.join("\n"));
    // What is not linked from anywhere is not found, neither here nor by anybody else.
    for shape in ["/upgrades/{id}", "/executors/{id}", "/releases/{id}", "/plans/{id}", "/myself/"] {
        assert!(seen.iter().any(|page| shape_of(page).starts_with(shape)), "{shape} is among {seen:#?}");
    }
}

/// Goes to every page that links lead to, and has each looked at; all of them.
fn every_page(browser: &Browser, mut look: impl FnMut(&Browser, &str)) -> Vec<String> {
    let mut next = VecDeque::from(["/".to_owned()]);
    let mut shapes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = Vec::new();
    while let Some(page) = next.pop_front() {
        browser.open(&page);
        browser.until(&format!("{page} has a heading"), || {
            browser.driver.find("return document.querySelector('h1')", &[])
        });
        look(browser, &page);
        seen.push(page);
        let links: Value = browser.driver.run(LINKS, &[json!([])]).unwrap();
        for link in links.as_array().unwrap().iter().filter_map(Value::as_str) {
            let shape = shape_of(link);
            let known = shapes.entry(shape.clone()).or_default();
            let most = match (is_whole_walk(), shape.as_str()) {
                (true, "/upgrades/{id}?") => UPGRADES,
                (true, _) => EXAMPLES,
                (false, _) => 1,
            };
            if !link.starts_with("/api/") && known.len() < most && !known.iter().any(|known| known == link) {
                known.push(link.to_owned());
                next.push_back(link.to_owned());
            }
        }
    }
    seen
}

/// The path without ids, and only the names of what is asked.
fn shape_of(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let is_id = |part: &&str| part.len() == 36 && part.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    let path: Vec<_> = path.split('/').map(|part| if is_id(&part) { "{id}" } else { part }).collect();
    let names: Vec<_> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{}?{}", path.join("/"), names.join("&"))
}
