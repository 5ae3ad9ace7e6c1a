//! The messages as they are on the wire. A golden file is kept for ever: what an old executor or an old control plane
//! once said must be understood by every later version.

#![allow(clippy::unwrap_used, clippy::type_complexity, reason = "a test: what it cannot read fails it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use novacula_protocol::enroll::{EnrollRequest, EnrollResponse};
use novacula_protocol::people::{
    Account, AccountPatch, AccountRequest, EnrolmentTokenRequest, Executor, ExecutorKey, ExecutorKeyRequest,
    ExecutorKeyRotation, IssuedSecret, LoginRequest, Page, PasswordChange, Release, ReleasePatch, RotatedKey,
    Session, SessionPatch, SuspensionRequest, Token, TokenRequest, Upgrade, UpgradeRequest, UpgradeSteps,
    User, UserPatch, UserRequest, UserWithPassword,
};
use novacula_protocol::problem::ErrorBody;
use novacula_protocol::spec::PendingUpgrade;
use novacula_protocol::sync::{Offer, SyncRequest, SyncResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a file is read as, by the longest prefix of its name.
const MESSAGES: &[(&str, fn(Value) -> Result<Value, String>)] = &[
    ("account", through::<Account>),
    ("account-patch", through::<AccountPatch>),
    ("account-request", through::<AccountRequest>),
    ("enroll-request", through::<EnrollRequest>),
    ("enroll-response", through::<EnrollResponse>),
    ("enrolment-token-request", through::<EnrolmentTokenRequest>),
    ("executor", through::<Executor>),
    ("executor-key", through::<ExecutorKey>),
    ("executor-key-request", through::<ExecutorKeyRequest>),
    ("executor-key-rotation", through::<ExecutorKeyRotation>),
    ("issued-secret", through::<IssuedSecret>),
    ("login-request", through::<LoginRequest>),
    ("page-of-upgrades", through::<Page<Upgrade>>),
    ("password-change", through::<PasswordChange>),
    ("problem", through::<ErrorBody>),
    ("release", through::<Release>),
    ("release-patch", through::<ReleasePatch>),
    ("rotated-key", through::<RotatedKey>),
    ("session", through::<Session>),
    ("session-patch", through::<SessionPatch>),
    ("spec", through::<PendingUpgrade>),
    ("suspension-request", through::<SuspensionRequest>),
    ("sync-request", through::<SyncRequest>),
    ("sync-response", through::<SyncResponse>),
    ("token", through::<Token>),
    ("token-request", through::<TokenRequest>),
    ("upgrade", through::<Upgrade>),
    ("upgrade-steps", through::<UpgradeSteps>),
    ("upgrade-request", through::<UpgradeRequest>),
    ("user", through::<User>),
    ("user-patch", through::<UserPatch>),
    ("user-request", through::<UserRequest>),
    ("user-with-password", through::<UserWithPassword>),
];

fn through<T: Serialize + DeserializeOwned>(message: Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(message).map_err(|e| e.to_string())?;
    serde_json::to_value(read).map_err(|e| e.to_string())
}

fn golden() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn message_of(name: &str) -> (&'static str, fn(Value) -> Result<Value, String>) {
    *MESSAGES
        .iter()
        .filter(|(prefix, _)| name.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .unwrap_or_else(|| panic!("{name} is a message of no known type"))
}

/// From before their message grew: what they say is still understood, and is said with more beside it.
const OUTGROWN: [&str; 5] =
    ["page-of-upgrades", "release-draft", "release-published", "upgrade-error", "upgrade-running"];

#[test]
fn every_golden_message_is_read_and_written_again_as_it_is() {
    for (name, message) in golden() {
        let (_, through) = message_of(&name);
        let written = through(message.clone()).unwrap();
        if OUTGROWN.contains(&name.as_str()) {
            assert!(written != message && says_all_of(&written, &message), "{name}: {written}");
        } else {
            assert_eq!(written, message, "{name}");
        }
    }
}

fn says_all_of(written: &Value, message: &Value) -> bool {
    match (written, message) {
        (Value::Object(written), Value::Object(message)) => message
            .iter()
            .all(|(field, value)| written.get(field).is_some_and(|written| says_all_of(written, value))),
        (Value::Array(written), Value::Array(message)) => {
            written.len() == message.len()
                && written.iter().zip(message).all(|(written, message)| says_all_of(written, message))
        }
        _ => written == message,
    }
}

#[test]
fn every_message_has_a_golden_file() {
    let with_a_file: BTreeSet<_> = golden().iter().map(|(name, _)| message_of(name).0).collect();
    let all: BTreeSet<_> = MESSAGES.iter().map(|(prefix, _)| *prefix).collect();
    assert_eq!(with_a_file, all);
}

#[test]
fn what_executor_and_control_plane_say_to_each_other_may_grow() {
    for (name, mut message) in golden() {
        let (prefix, through) = message_of(&name);
        if !["sync-", "spec", "enroll-"].iter().any(|grows| prefix.starts_with(grows)) {
            continue;
        }
        let before = message.clone();
        add_to_every_object(&mut message);
        // Labels are a map of the sysadmin's own words: there a new field is a new label.
        let mut read = through(message).unwrap();
        if let Some(labels) = read.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("fromTheFuture");
        }
        assert_eq!(read, before, "{name}");
    }
}

fn add_to_every_object(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(add_to_every_object);
            object.insert("fromTheFuture".to_owned(), json!("a new thing"));
        }
        Value::Array(items) => items.iter_mut().for_each(add_to_every_object),
        _ => {}
    }
}

#[test]
fn every_spec_is_understood_and_not_merely_carried() {
    for (name, message) in golden().into_iter().filter(|(name, _)| name.starts_with("sync-response-")) {
        let answer: SyncResponse = serde_json::from_value(message).unwrap();
        assert!(!matches!(answer.pending_upgrade, Some(Offer::NotUnderstood(_))), "{name}");
    }
}

#[test]
fn what_people_ask_for_may_not_have_unknown_fields() {
    for (name, mut message) in golden() {
        if ["upgrade-request", "release-patch", "executor-key-request", "enrolment-token-request"]
            .iter()
            .any(|asked| name.starts_with(asked))
        {
            add_to_every_object(&mut message);
            let refused = message_of(&name).1(message).unwrap_err();
            assert!(refused.contains("fromTheFuture"), "{name}: {refused}");
        }
    }
}
