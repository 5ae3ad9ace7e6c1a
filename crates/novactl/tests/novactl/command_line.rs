//! Connection, exit codes, `--json`, completions.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::novactl::{Run, command, novactl, run};
use crate::recorder::Recorder;
use crate::samples;

const NOVACTL: &str = env!("CARGO_BIN_EXE_novactl");

fn refusing(status: u16, code: &'static str) -> Recorder {
    Recorder::start(move |_| (status, samples::problem(code, "a sentence for people")))
}

fn token_file(dir: &Path, text: &str, mode: u32) -> PathBuf {
    let path = dir.join("token");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

#[test]
fn the_version_and_the_help_need_no_control_plane() {
    let version = novactl("", &["--version"]);
    assert_eq!((version.code, version.stdout.trim()), (0, concat!("novactl ", env!("CARGO_PKG_VERSION"))));
    let help = novactl("", &["release", "publish", "--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("--notes-file"), "{help:?}");
    let whole = novactl("", &["--help"]);
    assert!(whole.stdout.contains("Exit codes: 0 done"), "{whole:?}");
}

#[test]
fn no_option_takes_the_token_itself_and_the_help_says_why() {
    let given = novactl("http://127.0.0.1:1", &["release", "list", "--token", "nvu_x"]);
    assert_eq!(given.code, 2, "{given:?}");
    let help = novactl("", &["--help"]);
    assert!(help.stdout.contains("never from the command line"), "{help:?}");
}

#[test]
fn every_shell_gets_completions_without_a_token() {
    for (shell, sign) in [
        ("bash", "_novactl()"),
        ("zsh", "#compdef novactl"),
        ("fish", "complete -c novactl"),
        ("elvish", "novactl"),
    ] {
        let completions =
            run(command(Path::new(NOVACTL)).env_remove("NOVACULA_TOKEN").args(["completions", shell]));
        assert_eq!(completions.code, 0, "{completions:?}");
        assert!(completions.stdout.contains(sign), "{shell}");
        assert!(completions.stdout.contains("health-window"), "{shell}");
    }
}

#[test]
fn each_way_to_be_refused_has_its_exit_code() {
    for (status, code, exit) in [
        (400, "invalid_request", 1),
        (401, "invalid_api_key", 1),
        (403, "forbidden", 4),
        (404, "release_not_found", 1),
        (409, "executor_offline", 4),
        (422, "wrong_version", 4),
        (500, "internal", 1),
        (503, "busy", 1),
    ] {
        let server = refusing(status, code);
        let said = novactl(&server.url(), &["release", "list", "--json"]);
        assert_eq!(said.code, exit, "{status}: {said:?}");
        assert_eq!(said.problem()["code"], code);
        assert_eq!(said.problem()["details"]["why"], "because");
        assert!(said.stdout.is_empty(), "{said:?}");
        let said = novactl(&server.url(), &["release", "list"]);
        assert_eq!(said.code, exit, "{status}: {said:?}");
        assert!(said.stderr.starts_with("error: a sentence for people"), "{said:?}");
    }
}

#[test]
fn wrong_usage_is_2_and_a_problem_for_machines_too() {
    for arguments in [
        &["release", "list", "--channel", "nightly"][..],
        &["upgrade", "request", "host-1"],
        &["upgrade", "request", "host-1", "--target-version", "1.2"],
        &["upgrade", "request", "host-1", "--target-version", "1.2.3", "--health-window", "60"],
        &["upgrade", "request", "host-1", "--target-version", "1.2.3", "--at", "tomorrow"],
        &["executor", "enroll"],
        &["executor", "enroll", "host-1", "--token"],
        &["executor", "enroll", "--token", "--max-uses", "3"],
        &["executor", "enroll", "--token", "--max-uses", "0", "--expires-in", "1h"],
        &["upgrade", "watch", "../releases"],
        &["no-such-command"],
    ] {
        let said = novactl("http://127.0.0.1:1", arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {said:?}");
        let said = novactl("http://127.0.0.1:1", &[arguments, &["--json"]].concat());
        assert_eq!(said.code, 2, "{arguments:?}: {said:?}");
        assert_eq!(said.problem()["code"], "usage", "{arguments:?}");
        assert!(said.problem()["message"].as_str().unwrap().len() > 10, "{said:?}");
    }
}

#[test]
fn a_control_plane_that_is_not_there_is_one_sentence() {
    let said = novactl("http://127.0.0.1:1", &["release", "list"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("the control plane at http://127.0.0.1:1 must answer"), "{said:?}");
    assert!(said.stderr.contains("NOVACULA_URL"), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1);
    assert_eq!(
        novactl("http://127.0.0.1:1", &["release", "list", "--json"]).problem()["code"],
        "unreachable"
    );
}

#[test]
fn a_url_that_is_none_is_wrong_usage() {
    for url in ["localhost:3000", "ftp://example.com", "not a url"] {
        let said = novactl(url, &["release", "list"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains(url) && said.stderr.contains("--url"), "{said:?}");
    }
}

#[test]
fn a_401_says_where_the_token_goes() {
    let server = refusing(401, "invalid_api_key");
    let said = novactl(&server.url(), &["release", "list"]);
    assert!(said.stderr.contains("--token-file or NOVACULA_TOKEN"), "{said:?}");
}

#[test]
fn the_token_comes_from_a_file_before_the_environment_and_is_sent_as_bearer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Recorder::start(|_| (200, samples::page(&[])));
    let path = token_file(dir.path(), "nvu_from_file\n", 0o600);
    let said = novactl(&server.url(), &["release", "list", "--token-file", path.to_str().unwrap()]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert_eq!(novactl(&server.url(), &["release", "list"]).code, 0);
    let sent: Vec<_> = server.asked().into_iter().map(|asked| asked.authorization).collect();
    assert_eq!(sent, ["Bearer nvu_from_file", "Bearer nvu_test"]);
}

#[test]
fn a_token_file_open_to_others_is_a_warning_and_works() {
    let dir = tempfile::tempdir().unwrap();
    let server = Recorder::start(|_| (200, samples::page(&[])));
    let path = token_file(dir.path(), "nvu_x", 0o644);
    let said = novactl(&server.url(), &["release", "list", "--token-file", path.to_str().unwrap()]);
    assert_eq!(said.code, 0);
    assert!(said.stderr.contains("warning") && said.stderr.contains("chmod 600"), "{said:?}");
}

#[test]
fn a_bad_token_is_told_before_anybody_is_asked_and_never_repeated() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "nva_secret", "nve_secret", "hunter2-secret", "nvu_secret\r\nX-Evil: 1"] {
        let path = token_file(dir.path(), text, 0o600);
        let said =
            novactl("http://127.0.0.1:1", &["release", "list", "--token-file", path.to_str().unwrap()]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains("must hold a person's token (nvu_…)"), "{said:?}");
        assert!(!said.stderr.contains("secret"), "{said:?}");
    }
    let said = novactl("http://127.0.0.1:1", &["release", "list", "--token-file", "/no/such/file"]);
    assert!(said.code == 1 && said.stderr.contains("/no/such/file"), "{said:?}");
    let none: Run = run(command(Path::new(NOVACTL)).env_remove("NOVACULA_TOKEN").args(["release", "list"]));
    assert!(none.code == 2 && none.stderr.contains("--token-file"), "{none:?}");
}

#[test]
fn a_ca_file_without_certificates_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = token_file(dir.path(), "no pem", 0o600);
    let said = novactl("https://127.0.0.1:1", &["release", "list", "--ca-file", path.to_str().unwrap()]);
    assert!(said.code == 1 && said.stderr.contains("must hold PEM certificates"), "{said:?}");
}

#[test]
fn a_redirect_is_told_and_the_token_not_carried_there() {
    let server = Recorder::start(|_| (308, String::new()));
    let said = novactl(&server.url(), &["release", "list"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("https://elsewhere.example/") && said.stderr.contains("--url"), "{said:?}");
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn an_answer_that_is_not_a_control_planes_is_one_sentence() {
    for (status, body) in [(200, "<html>"), (404, "<html>"), (200, "{}"), (502, ""), (200, "[[[[[[")] {
        let server = Recorder::start(move |_| (status, body.to_owned()));
        let said = novactl(&server.url(), &["release", "list"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stderr.contains("GET /releases") && said.stderr.lines().count() == 1, "{said:?}");
    }
}

#[test]
fn every_page_is_read_and_a_server_that_turns_in_circles_is_left() {
    let server = Recorder::start(|asked| {
        let next = if asked.line.contains("cursor=a%2Bb") { serde_json::Value::Null } else { "a+b".into() };
        let items = [samples::release("1.0.0", "published", &serde_json::json!([]))];
        (200, serde_json::json!({ "items": items, "nextCursor": next }).to_string())
    });
    let said = novactl(&server.url(), &["release", "list", "--json"]);
    assert_eq!(said.json()["items"].as_array().unwrap().len(), 2, "{said:?}");

    let circle = Recorder::start(|_| (200, r#"{"items":[],"nextCursor":"again"}"#.to_owned()));
    let said = novactl(&circle.url(), &["release", "list"]);
    assert!(said.code == 1 && said.stderr.contains("for ever"), "{said:?}");
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_and_never_a_panic() {
    let server = Recorder::start(|_| (200, samples::page(&[])));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut novactl = command(Path::new(NOVACTL));
    let ended =
        novactl.env("NOVACULA_URL", server.url()).args(["release", "list"]).stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot write to stdout"), "{ended:?}");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = novactl.stdout(writer).output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(1), 0), "nobody reads on: {ended:?}");
}
