//! `docs/api.md` on the real control plane: its commands are taken out of the page and run as they stand there, in one
//! shell from top to bottom, and print what the page says they print.

#![allow(clippy::disallowed_methods, reason = "a test: the programs it runs are its own")]

use std::process::{Command, Stdio};

use novacula_lab::{ControlPlane, Signer, builds};

const PAGE: &str = include_str!("../docs/api.md");
/// Between what one block prints and what the next does.
const MARK: &str = "════";

#[test]
fn the_page_about_the_api_takes_an_upgrade_from_a_token_to_completed() {
    let blocks = blocks();
    let script: Vec<_> = blocks.iter().map(|(commands, _)| format!("{commands}\necho {MARK}\n")).collect();
    let control_plane = ControlPlane::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ran = Command::new("bash")
        .args(["-c", &script.concat()])
        .current_dir(folder.path())
        .env("URL", control_plane.url())
        .env("TOKEN", control_plane.owner().token())
        .env("SECRET_KEY", Signer::trusted().secret())
        .env("TARGET", builds::target())
        .stdin(Stdio::null())
        .output()
        .expect("bash is installed");
    let said = String::from_utf8_lossy(&ran.stdout);
    let printed: Vec<_> = said.split(&format!("{MARK}\n")).collect();
    let complaints = String::from_utf8_lossy(&ran.stderr);
    for ((commands, expected), printed) in blocks.iter().zip(&printed) {
        assert_eq!(*printed, *expected, "what this prints:\n{commands}\n{complaints}");
    }
    assert!(ran.status.success() && printed.len() == blocks.len() + 1, "{said}\n{complaints}");
}

/// The commands of the page, each with what follows it as its output.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let until_the_end = |text: &'static str| text.split_once("```\n").expect("a block ends");
    let block = |rest: &'static str| {
        let (commands, rest) = until_the_end(rest);
        let (said, _) = rest.split_once("```text\n").map(|(_, rest)| until_the_end(rest)).unwrap_or_default();
        (commands, said)
    };
    PAGE.split("```sh\n").skip(1).map(block).collect()
}
