//! What axe-core finds wrong with a page for those who do not see it, or not well.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::browser::Browser;

/// Where `tests/prepare.sh` puts it.
const AXE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/lab/axe-core/node_modules/axe-core/axe.min.js");

/// What is serious is told with where it is; axe calls the worst `critical`.
const LOOK: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, impact, nodes }) => nodes.map((node) =>
            `${impact} ${id}: ${node.target.join(' ')}: ${node.failureSummary.split('\\n').slice(1, 3).join(' ').trim()}`))
    ), (e) => done(['axe: ' + e]));
";

/// Every serious violation of the page as it is shown now, one sentence each.
pub fn violations(browser: &Browser) -> Vec<String> {
    let driver = &browser.driver;
    let is_there = driver.run("return typeof axe === 'object'", &[]);
    if is_there != Ok(json!(true)) {
        let axe =
            fs::read_to_string(Path::new(AXE)).expect("axe-core is there (tests/prepare.sh installs it)");
        driver.run(&axe, &[]).unwrap();
    }
    let found = driver.run_to_its_call(LOOK, &[]).unwrap();
    let all = found.as_array().unwrap().iter().filter_map(Value::as_str);
    all.map(|violation| format!("{}: {violation}", browser.place())).collect()
}

/// The same, for a walk that comes by.
#[track_caller]
pub fn finds_nothing_serious(browser: &Browser) {
    let found = violations(browser);
    assert!(found.is_empty(), "axe finds:\n{}", found.join("\n"));
}
