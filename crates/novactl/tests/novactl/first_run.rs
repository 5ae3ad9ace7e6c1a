//! The first steps that the console of an empty control plane shows, run in a shell as they stand there.

use std::path::Path;
use std::process::Command;

use novacula_lab::builds;
use serde_json::{Value, json};

use crate::control_plane::Way;
use crate::novactl::{Run, run};

/// What stands in a `<pre>` of the page at `/`.
fn shown(way: &Way, id: &str) -> String {
    let mut answer = ureq::get(way.control_plane.url())
        .header("authorization", format!("Bearer {}", way.control_plane.owner().token()))
        .call()
        .unwrap();
    let page = answer.body_mut().read_to_string().unwrap();
    let (_, rest) =
        page.split_once(&format!("<pre id=\"{id}\"><code>")).unwrap_or_else(|| panic!("{id}: {page}"));
    let (lines, _) = rest.split_once("</code>").unwrap();
    lines
        .replace("&#39;", "'")
        .replace("&#34;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

/// In a shell of a person who has kept the token where the page says.
fn shell(way: &Way, lines: &str) -> Run {
    let home = way.dir.path();
    std::fs::write(home.join(".novacula-token"), way.control_plane.owner().token()).unwrap();
    let novactl = builds::novactl();
    let path = format!("{}:{}", novactl.parent().unwrap().display(), std::env::var("PATH").unwrap());
    run(Command::new("sh")
        .args(["-euc", lines])
        .current_dir(home)
        .env("HOME", home)
        .env("PATH", path)
        .env("NO_PROXY", "*")
        .env_remove("NOVACULA_URL")
        .env_remove("NOVACULA_TOKEN"))
}

#[test]
fn the_first_steps_of_the_console_work_as_they_stand() {
    let way = Way::new();
    let before = shown(&way, "first-before");

    let enrolled = shell(&way, &format!("{before}\n{}", shown(&way, "first-enrol")));
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let config = std::fs::read_to_string(way.dir.path().join("agent.toml")).unwrap();
    let key = config.split('"').find(|word| word.starts_with("nva_")).unwrap().to_owned();
    assert!(config.contains("name = \"host-1\"") && config.contains(&way.control_plane.url()), "{config}");
    let first_sync = json!({
        "name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": builds::target()
    });
    ureq::post(format!("{}/api/v1/syncExecutor", way.control_plane.url()))
        .header("authorization", format!("Bearer {key}"))
        .send(first_sync.to_string().as_bytes())
        .unwrap();
    way.publish("1.0.1", &way.artifact("1.0.1"), &[]);

    let request = shown(&way, "first-request");
    assert_eq!(request, "novactl upgrade request host-1 --target-version 1.0.1 --watch");
    // Nobody carries it out here, so nobody watches it to its end.
    let requested = shell(&way, &format!("{before}\n{} --json", request.replace(" --watch", "")));
    assert_eq!(requested.code, 0, "{requested:?}");
    let upgrade: Value = requested.json();
    assert_eq!(upgrade["targetVersion"], "1.0.1", "{upgrade}");
    // As it stands it is understood, and fails for nothing but the host; an option it does not know ends with 2.
    let watched = shell(&way, &format!("{before}\n{}", request.replace("host-1", "host-2")));
    assert!(watched.code == 1 && watched.stderr.contains("host-2"), "{watched:?}");
}

#[test]
fn the_script_of_the_first_steps_knows_what_it_is_told() {
    let way = Way::new();
    let line = shown(&way, "first-publish");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let said = run(Command::new("sh").args(["-euc", &line]).current_dir(root).env("HOME", way.dir.path()));
    // There is no such stick here; an option that it does not know would be another end.
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("/media/stick/novacula-a.key"), "{said:?}");
}
