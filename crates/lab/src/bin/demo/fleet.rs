//! The last chapter: a plan, and three hundred executors that are not there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use novacula_lab::builds;
use serde_json::Value;

use crate::screen::Screen;

const PLAN: &str = include_str!("fleet.yaml");
/// Draws seven bad ones into the second wave, which may have four, and none into the first.
const SEED: &str = "1";
const FLEET: [&str; 8] =
    ["--executors", "300", "--sizes", "10,90,200", "--faults", "bad=8%", "--speed", "1500"];

/// A release that a canary does not notice halts in the second wave, goes back there, and never reaches the third.
pub fn tell(screen: &Screen, novactl: &Path) {
    screen.remark("Three waves of 10, 90 and 200 executors; the release is bad on 8 of 100 hosts. The clock runs ahead.");
    screen.command(&format!("novactl simulate --plan plan.yaml {} --seed {SEED}", FLEET.join(" ")));
    let mut plan = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    plan.write_all(PLAN.as_bytes()).expect("a plan can be written");
    let mut simulation = Command::new(novactl)
        .args(["simulate", "--json", "--seed", SEED, "--plan"])
        .arg(plan.path())
        .args(FLEET)
        .arg("--control-plane")
        .arg(builds::control_plane())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("novactl can be started");
    let said = simulation.stderr.take().expect("it is piped");
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let note: Value = serde_json::from_str(&line).expect("novactl --json says everything as JSON");
        screen.say(&format!("    {}", note["note"].as_str().unwrap_or(&line)));
    }
    let done = simulation.wait_with_output().expect("novactl ends");
    let report: Value = serde_json::from_slice(&done.stdout).expect("novactl --json prints a report");
    assert_eq!(report["haltedIn"], "standard", "the second wave halts: {report}");
    assert_eq!(report["waves"][2]["stand"]["offered"], 0, "nobody beyond it was touched: {report}");
    screen.caught("the wave `standard` halted by itself, and whom it had reached went back");
    screen.good(&format!(
        "none of the 200 critical ones was touched; every promise held at each of {} answers",
        report["answers"]
    ));
}
