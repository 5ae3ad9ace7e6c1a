//! `migrate`: an installation moves to PostgreSQL, and goes on there.

use std::process::Output;

use novacula_lab::Postgresql;
use serde_json::{Value, json};

use crate::program::{Running, bare};

fn migrate(from: &str, to: &str) -> Output {
    bare().args(["migrate", "--from", from]).env("DATABASE_URL", to).output().unwrap()
}

fn refused(output: &Output, code: i32, part: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(part) && said.lines().count() == 1 && output.stdout.is_empty(), "{said}");
}

#[test]
fn an_installation_moves_to_postgresql_and_goes_on_there() {
    let server = Postgresql::start();
    server.ask("postgres", "CREATE DATABASE novacula");
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let from = format!("sqlite:{}", data_dir.join("novacula.sqlite").display());
    let to = server.url("novacula");
    refused(&migrate("novacula.sqlite", &to), 2, "--from must be sqlite:PATH");
    refused(&migrate(&from, &from), 2, "--to (DATABASE_URL) must be postgresql:");
    refused(&migrate(&from, "postgresql://jane:hunter2@h:port/d"), 2, "--to (DATABASE_URL) must be");
    refused(&migrate(&from, &to), 1, "there is no database");

    let first = Running::start(&data_dir);
    let token = first.owner();
    let key = first.call("POST", "/api/v1/executor-keys", &token, &json!({})).1;
    let key = key["secret"].as_str().unwrap().to_owned();
    let said = json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
    assert_eq!(first.call("POST", "/api/v1/syncExecutor", &key, &said).0, 200);
    refused(&migrate(&from, &to), 1, "is open in another program; stop its control plane first");
    first.stop();

    let moved = migrate(&from, &to);
    let told = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(moved.status.success(), "{told}{}", String::from_utf8_lossy(&moved.stderr));
    for part in [
        " 1 rows  sha256 ",
        "read there as here",
        "artifacts stay where they are",
        "keep it until you are sure",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    refused(&migrate(&from, &to), 1, "is not empty, its table accounts has rows");

    let second = Running::start_with(&data_dir, &[("DATABASE_URL", &to)]);
    assert_eq!(second.lines.len(), 1, "nobody is founded anew");
    assert_eq!(second.call("POST", "/api/v1/syncExecutor", &key, &said).0, 200);
    let executors = second.call("GET", "/api/v1/executors", &token, &Value::Null).1;
    assert_eq!(executors["items"][0]["name"], "host-1");
    assert_eq!(second.call("POST", "/api/v1/executor-keys", &token, &json!({})).0, 201);
    let verdict = second.call("GET", "/api/v1/activity/verify", &token, &Value::Null).1;
    assert!(verdict["entries"].as_u64() >= Some(2) && verdict["firstBroken"].is_null(), "{verdict}");
    assert_eq!(second.stop().0.code(), Some(0));
}
