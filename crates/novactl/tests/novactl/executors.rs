//! `novactl executor …`

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::novactl::novactl;
use crate::recorder::Recorder;
use crate::samples::{self, EXECUTOR};

fn issuing() -> Recorder {
    Recorder::start(|_| (201, json!({ "id": EXECUTOR, "secret": "nva_secret" }).to_string()))
}

#[test]
fn enrolling_a_name_prints_a_ready_config() {
    let server = issuing();
    let said = novactl(&server.url(), &["executor", "enroll", "host-1", "--channel", "beta"]);
    assert_eq!(said.code, 0, "{said:?}");
    let config: toml::Table = said.stdout.parse().unwrap();
    assert_eq!(config["agent"]["name"].as_str(), Some("host-1"));
    assert_eq!(config["agent"]["channel"].as_str(), Some("beta"));
    assert_eq!(config["control_plane"]["url"].as_str(), Some(server.url().as_str()));
    assert_eq!(config["control_plane"]["access_token"].as_str(), Some("nva_secret"));
    assert!(said.stderr.contains("--agent-url"), "loopback reaches nobody else: {said:?}");
    assert_eq!(server.lines(), ["POST /api/v1/executor-keys"]);
    assert_eq!(server.asked()[0].json(), json!({ "name": "host-1" }));
}

#[test]
fn a_written_config_is_its_owners_only_and_never_replaces_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    let server = issuing();
    let arguments = ["executor", "enroll", "host-1", "--agent-url", "https://n.example", "--write"];
    let arguments = [&arguments[..], &[path.to_str().unwrap()]].concat();
    let said = novactl(&server.url(), &arguments);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(!said.stdout.contains("nva_secret"), "{said:?}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("nva_secret") && written.contains("https://n.example"), "{written}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);

    let again = novactl(&server.url(), &arguments);
    assert!(again.code == 1 && again.stderr.contains("nothing was enrolled"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert_eq!(server.asked().len(), 1, "no second key was issued");
}

#[test]
fn a_refused_enrolment_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    let server = Recorder::start(|_| (403, samples::problem("forbidden", "not yours")));
    let said = novactl(&server.url(), &["executor", "enroll", "host-1", "--write", path.to_str().unwrap()]);
    assert_eq!(said.code, 4, "{said:?}");
    assert!(!path.exists());
}

#[test]
fn an_enrolment_token_has_its_number_of_uses_and_its_end() {
    let server = Recorder::start(|_| (201, json!({ "id": EXECUTOR, "secret": "nve_secret" }).to_string()));
    let arguments = ["executor", "enroll", "--token", "--max-uses", "50", "--expires-in", "24h", "--json"];
    let said = novactl(&server.url(), &arguments);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["secret"], "nve_secret");
    let config: toml::Table = said.json()["config"].as_str().unwrap().parse().unwrap();
    assert_eq!(config["control_plane"]["access_token"].as_str(), Some("nve_secret"));
    assert!(
        config.get("agent").is_some_and(|agent| agent.get("name").is_none()),
        "each host has its own name"
    );
    assert_eq!(server.lines(), ["POST /api/v1/enrolment-tokens"]);
    let asked = server.asked()[0].json();
    assert_eq!(asked["maxUses"], 50);
    let ends: jiff::Timestamp = asked["expiresAt"].as_str().unwrap().parse().unwrap();
    let hours = (ends.as_second() - jiff::Timestamp::now().as_second()) as f64 / 3600.0;
    assert!((23.9..=24.0).contains(&hours), "{hours}");
}

#[test]
fn executors_are_listed_by_name_and_filtered() {
    let server = Recorder::start(|_| {
        (200, samples::page(&[samples::executor("web-2", "1.0.0"), samples::executor("web-1", "1.1.0")]))
    });
    let said = novactl(&server.url(), &["executor", "list"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<_> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("NAME") && lines[1].starts_with("web-1") && lines[2].starts_with("web-2"));
    let said = novactl(
        &server.url(),
        &["executor", "list", "--running", "1.1.0", "--label", "ring=canary", "--json"],
    );
    let names: Vec<_> = said.json()["items"].as_array().unwrap().iter().map(|e| e["name"].clone()).collect();
    assert_eq!(names, ["web-1"]);
    let said = novactl(&server.url(), &["executor", "list", "--label", "ring=other", "--json"]);
    assert_eq!(said.json()["items"], json!([]));
}

#[test]
fn what_the_control_plane_filters_by_is_asked_of_it() {
    let server = Recorder::start(|_| (200, samples::page(&[])));
    let list = ["executor", "list", "--kind", "agent", "--support", "deprecated", "--search", "Berlin"];
    let said = novactl(&server.url(), &[&list[..], &["--held", "--pending=false"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    let asked = server.lines().remove(0);
    for pair in ["kind=agent", "support=deprecated", "search=Berlin", "held=true", "pending=false"] {
        assert!(asked.contains(pair), "{asked}");
    }
    let said = novactl(&server.url(), &["executor", "list", "--support", "none"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn an_executor_is_shown_with_where_it_can_go_and_why_not_further() {
    let server = Recorder::start(|asked| {
        if asked.line.contains(EXECUTOR) {
            (200, samples::executor_in_full("host-1", "1.0.0").to_string())
        } else {
            (
                200,
                samples::page(&[samples::executor("host-10", "1.0.0"), samples::executor("host-1", "1.0.0")]),
            )
        }
    });
    let said = novactl(&server.url(), &["executor", "show", "host-1"]);
    assert_eq!(said.code, 0, "{said:?}");
    for expected in
        ["audit", "ring=canary", "1.1.0", "requires upgrade to 2.x first", "available downgrades: none"]
    {
        assert!(said.stdout.contains(expected), "{expected}: {said:?}");
    }
    let said = novactl(&server.url(), &["executor", "show", "host", "--json"]);
    assert_eq!((said.code, said.problem()["code"].as_str()), (1, Some("executor_not_found")), "{said:?}");
    let said = novactl(&server.url(), &["executor", "show", EXECUTOR, "--json"]);
    assert_eq!(said.json()["availableUpgrades"][1]["allowedAsDirectTarget"], false);
}

#[test]
fn what_stops_an_executor_is_told_in_one_sentence() {
    let explained = json!({
        "rule": "held", "message": "the host of `host-1` is on hold\u{1b}[2J", "targetVersion": "1.1.0", "upgradeId": null
    });
    let server = Recorder::start(move |asked| match asked.line.as_str() {
        line if line.contains("/explain") => (200, explained.to_string()),
        line if line.contains(EXECUTOR) => (200, samples::executor_in_full("host-1", "1.0.0").to_string()),
        _ => (200, samples::page(&[samples::executor("host-1", "1.0.0")])),
    });
    let said = novactl(&server.url(), &["executor", "explain", "host-1", "--target-version", "1.1.0"]);
    assert!(said.code == 0 && said.stdout.contains("is on hold"), "{said:?}");
    assert!(!said.stdout.contains('\u{1b}'), "{said:?}");
    let asked = server.lines().pop().unwrap();
    assert_eq!(asked, format!("GET /api/v1/executors/{EXECUTOR}/explain?targetVersion=1.1.0"));
    let said = novactl(&server.url(), &["executor", "explain", EXECUTOR, "--json"]);
    assert_eq!(said.json()["rule"], "held", "{said:?}");
}
