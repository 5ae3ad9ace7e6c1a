//! `novactl release …`, with a novactl that has the laboratory's key built in and signatures by the real minisign.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use novacula_lab::{Signer, builds};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::novactl::{Run, command, novactl, run};
use crate::recorder::Recorder;
use crate::samples::{self, RELEASE, TARGET};

const COMMENT: &str = "kind:agent version:1.1.0 target:x86_64-unknown-linux-musl";

/// Has the releases of `known`; takes every upload and every change.
fn server(known: Vec<Value>) -> Recorder {
    Recorder::start(move |asked| match asked.line.split(' ').next() {
        Some("GET") => (200, samples::page(&known)),
        Some("PATCH") => (200, samples::release("1.1.0", "published", &json!([])).to_string()),
        _ => (201, samples::release("1.1.0", "draft", &json!([])).to_string()),
    })
}

/// An artifact of these bytes beside a signature with this trusted comment.
fn signed(dir: &TempDir, name: &str, bytes: &[u8], comment: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(signature_of(&path), Signer::trusted().sign(&path, comment)).unwrap();
    path
}

fn signature_of(artifact: &Path) -> PathBuf {
    let mut path = artifact.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

fn publish(server: &Recorder, more: &[&str]) -> Run {
    run(command(&builds::novactl())
        .env("NOVACULA_URL", server.url())
        .args(["release", "publish", "--version", "1.1.0"])
        .args(more))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_type_and_steps_go_with_the_upload_and_a_draft_that_has_others_is_changed_first() {
    let dir = tempfile::tempdir().unwrap();
    let x86 = signed(&dir, "x86", b"bytes for x86", COMMENT);
    let file = |name: &str, steps: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, steps).unwrap();
        path
    };
    let before = file("before", "Take a backup\r\n\n  Tell the <b>team</b>  \n");
    let after = file("after", "\n");
    let more = ["--type", "migration", "--prerequisites", text(&before), "--postrequisites", text(&after)];
    let more = [&more[..], &[text(&x86)]].concat();

    let fresh = server(vec![]);
    let said = publish(&fresh, &more);
    assert_eq!(said.code, 0, "{said:?}");
    let asked = &fresh.asked()[1];
    assert_eq!(asked.field("type"), "migration");
    assert_eq!(asked.field("prerequisites"), r#"["Take a backup","Tell the <b>team</b>"]"#);
    assert_eq!(asked.field("postrequisites"), "[]");

    let draft = |prerequisites: &Value| {
        let mut draft = samples::release("1.1.0", "draft", &json!([]));
        draft["type"] = json!("agent");
        draft["prerequisites"] = prerequisites.clone();
        draft["postrequisites"] = json!([]);
        draft
    };
    let known = Recorder::start(move |asked| match asked.line.split(' ').next() {
        Some("GET") if asked.line.contains(RELEASE) => {
            (200, draft(&json!([{ "number": 1, "text": "Take a backup" }])).to_string())
        }
        Some("GET") => (200, samples::page(&[draft(&Value::Null)])),
        Some("PATCH") => (200, draft(&json!([])).to_string()),
        _ => (201, draft(&json!([])).to_string()),
    });
    assert_eq!(publish(&known, &more).code, 0);
    let patch = known.asked().into_iter().find(|asked| asked.line.starts_with("PATCH")).unwrap();
    assert_eq!(
        patch.json(),
        json!({ "type": "migration", "prerequisites": ["Take a backup", "Tell the <b>team</b>"] }),
        "only what differs"
    );
    let missing = publish(&known, &["--prerequisites", "/nowhere", text(&x86)]);
    assert!(
        missing.code == 1 && missing.stderr.contains("the steps in /nowhere cannot be read"),
        "{missing:?}"
    );
}

#[test]
fn a_release_is_uploaded_one_artifact_a_target_and_then_published() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(vec![]);
    let x86 = signed(&dir, "x86", b"bytes for x86", COMMENT);
    let arm =
        signed(&dir, "arm", b"bytes for arm", "kind:agent version:1.1.0 target:aarch64-unknown-linux-musl");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::rename(signature_of(&arm), &elsewhere).unwrap();
    let notes = dir.path().join("notes.md");
    std::fs::write(&notes, "# Better\n\n- than ever\n").unwrap();
    let arm = format!("{}={}", text(&arm), text(&elsewhere));
    let said = publish(&server, &["--notes-file", text(&notes), text(&x86), &arm]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(said.stdout.starts_with("agent 1.1.0 is published on stable"), "{said:?}");
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/releases?kind=agent",
            "POST /api/v1/releases",
            "POST /api/v1/releases",
            &format!("PATCH /api/v1/releases/{RELEASE}")
        ]
    );
    let asked = server.asked();
    for (name, value) in [
        ("kind", "agent"),
        ("version", "1.1.0"),
        ("channel", "stable"),
        ("notes", "# Better\n\n- than ever"),
        ("artifact", "bytes for x86"),
    ] {
        assert_eq!(asked[1].field(name), value, "{name}");
    }
    assert_eq!(asked[1].field("signature"), std::fs::read_to_string(signature_of(&x86)).unwrap());
    assert_eq!(asked[2].field("artifact"), "bytes for arm");
    assert_eq!(asked[3].json()["status"], "published");
    assert!(asked.iter().all(|asked| asked.authorization == "Bearer nvu_test"));
}

#[test]
fn a_draft_is_uploaded_and_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(vec![]);
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    let said = publish(&server, &["--draft", "--json", text(&artifact)]);
    assert_eq!((said.code, said.json()["status"].as_str()), (0, Some("draft")), "{said:?}");
    assert!(server.lines().iter().all(|line| !line.starts_with("PATCH")));
}

#[test]
fn a_wrong_artifact_is_refused_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let good = signed(&dir, "good", b"bytes", COMMENT);
    let good_signature = std::fs::read_to_string(signature_of(&good)).unwrap();
    let labelled = |name: &str, comment: &str| signed(&dir, name, b"bytes", comment);
    let with_signature = |name: &str, bytes: &[u8], signature: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(signature_of(&path), signature).unwrap();
        path
    };
    let strangers = Signer::stranger(dir.path()).sign(&good, COMMENT);
    let rewritten = good_signature.replace("version:1.1.0", "version:1.1.0 floor:0.9.0");
    for (artifact, code) in [
        (labelled("version", "kind:agent version:1.2.0 target:t"), "wrong_version"),
        (labelled("kind", "kind:operator version:1.1.0 target:t"), "wrong_kind"),
        (labelled("bare", "nothing of ours"), "signature_incomplete"),
        (labelled("twice", "kind:agent version:1.1.0 version:1.1.0 target:t"), "signature_incomplete"),
        (with_signature("tampered", b"bytez", &good_signature), "signature_mismatch"),
        (with_signature("comment", b"bytes", &rewritten), "signature_mismatch"),
        (with_signature("stranger", b"bytes", &strangers), "untrusted_key"),
        (with_signature("empty", b"bytes", ""), "signature_malformed"),
        (with_signature("escape", b"bytes", "\u{1b}[2J\n\n\n\n"), "signature_malformed"),
        (with_signature("huge", b"bytes", &"x".repeat(20_000)), "signature_malformed"),
    ] {
        let server = server(vec![]);
        let said = publish(&server, &["--json", text(&good), text(&artifact)]);
        assert_eq!((said.code, said.problem()["code"].as_str()), (4, Some(code)), "{artifact:?}: {said:?}");
        assert!(said.problem()["message"].as_str().unwrap().contains(text(&artifact)), "{said:?}");
        assert_eq!(server.lines(), Vec::<String>::new());
    }
}

#[test]
fn a_legacy_signature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    let text_of = std::fs::read_to_string(signature_of(&artifact)).unwrap();
    let (first, rest) = text_of.split_once('\n').unwrap();
    assert!(rest.starts_with("RU"));
    std::fs::write(signature_of(&artifact), format!("{first}\n{}", rest.replacen("RU", "RW", 1))).unwrap();
    let said = publish(&server(vec![]), &["--json", text(&artifact)]);
    assert_eq!(said.problem()["code"], "signature_legacy", "{said:?}");
}

#[test]
fn what_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(vec![]);
    let unsigned = dir.path().join("unsigned");
    std::fs::write(&unsigned, b"bytes").unwrap();
    let empty = signed(&dir, "empty", b"", COMMENT);
    for (artifact, sentence) in [
        (text(&unsigned).to_owned(), "unsigned.minisig, nothing is there"),
        (text(&dir.path().join("absent")).to_owned(), "absent must be readable"),
        (text(dir.path()).to_owned(), ".minisig"),
        (text(&empty).to_owned(), "must be a file with bytes in it"),
    ] {
        let said = publish(&server, &[&artifact]);
        assert!(said.code == 1 && said.stderr.contains(sentence), "{sentence}: {said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    }
    let one = signed(&dir, "one", b"bytes", COMMENT);
    let two = signed(&dir, "two", b"other", COMMENT);
    let said = publish(&server, &[text(&one), text(&two)]);
    assert!(said.code == 2 && said.stderr.contains("one artifact for each target"), "{said:?}");
    assert_eq!(server.lines(), Vec::<String>::new());
}

/// The artifact as the control plane would show it.
fn as_known(artifact: &Path, sha256: &str) -> Value {
    let signature = std::fs::read_to_string(signature_of(artifact)).unwrap();
    json!([{ "target": TARGET, "size": 5, "sha256": sha256, "signature": signature }])
}

const SHA256_OF_BYTES: &str = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";

#[test]
fn publishing_goes_on_where_it_was_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    let draft = samples::release("1.1.0", "draft", &as_known(&artifact, SHA256_OF_BYTES));
    let mut settled = draft.clone();
    settled["channel"] = "beta".into();
    settled["notes"] = "new".into();
    let arm = signed(&dir, "arm", b"arm", "kind:agent version:1.1.0 target:aarch64-unknown-linux-musl");
    let server = Recorder::start(move |asked| match asked.line.split(' ').next() {
        Some("GET") => (200, samples::page(std::slice::from_ref(&draft))),
        _ => (200, settled.to_string()),
    });
    let said = publish(&server, &["--channel", "beta", "--notes", "new", text(&artifact), text(&arm)]);
    assert_eq!(said.code, 0, "{said:?}");
    let patch = format!("PATCH /api/v1/releases/{RELEASE}");
    assert_eq!(server.lines(), ["GET /api/v1/releases?kind=agent", &patch, "POST /api/v1/releases", &patch]);
    let asked = server.asked();
    assert_eq!(asked[1].json(), json!({ "channel": "beta", "notes": "new" }), "the draft must agree first");
    assert_eq!((asked[2].field("channel").as_str(), asked[2].field("notes").as_str()), ("beta", "new"));
    assert_eq!(asked[2].field("artifact"), "arm", "nothing is uploaded twice");
    assert_eq!(asked[3].json(), json!({ "status": "published" }));
}

#[test]
fn what_lies_in_the_draft_from_before_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    let mut known = as_known(&artifact, SHA256_OF_BYTES);
    known
        .as_array_mut()
        .unwrap()
        .push(json!({ "target": "old-one", "size": 5, "sha256": "", "signature": "" }));
    let server = server(vec![samples::release("1.1.0", "draft", &known)]);
    let said = publish(&server, &[text(&artifact)]);
    assert!(said.code == 0 && said.stderr.contains("old-one was uploaded before"), "{said:?}");
}

#[test]
fn a_version_is_used_once() {
    let dir = tempfile::tempdir().unwrap();
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    for (status, sha256, code) in
        [("published", SHA256_OF_BYTES, 3), ("published", "00", 4), ("yanked", SHA256_OF_BYTES, 4)]
    {
        let server = server(vec![samples::release("1.1.0", status, &as_known(&artifact, sha256))]);
        let said = publish(&server, &[text(&artifact)]);
        assert_eq!((said.code, server.lines().len()), (code, 1), "{status} {sha256}: {said:?}");
    }
}

#[test]
fn a_refused_upload_says_what_the_control_plane_says() {
    let dir = tempfile::tempdir().unwrap();
    let artifact = signed(&dir, "a", b"bytes", COMMENT);
    let server = Recorder::start(|asked| match asked.line.as_str() {
        line if line.starts_with("GET") => (200, samples::page(&[])),
        _ => (422, samples::problem("untrusted_key", "signed by somebody else")),
    });
    let said = publish(&server, &[text(&artifact)]);
    assert_eq!((said.code, said.stderr.trim()), (4, "error: signed by somebody else"), "{said:?}");
}

#[test]
fn a_control_plane_that_hangs_up_in_an_upload_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    std::fs::write(signature_of(&path), Signer::trusted().sign(&path, COMMENT)).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let worker = std::thread::spawn(move || {
        let answers = [
            "HTTP/1.1 200 OK\r\nContent-Length: 32\r\nConnection: close\r\n\r\n{\"items\":[],\"nextCursor\": null }",
            "",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut start = [0; 1024];
            assert!(stream.read(&mut start).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let said = run(command(&builds::novactl())
        .env("NOVACULA_URL", url)
        .args(["release", "publish", "--version", "1.1.0"])
        .arg(&path));
    worker.join().unwrap();
    assert_eq!((said.code, said.stderr.lines().count()), (1, 1), "{said:?}");
    assert!(
        said.stderr.contains("hung up before the end") || said.stderr.contains("cannot be reached"),
        "{said:?}"
    );
}

#[test]
fn an_artifact_is_never_held_in_memory_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    let size = 400 << 20;
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    std::fs::write(signature_of(&path), Signer::trusted().sign(&path, COMMENT)).unwrap();
    let server = server(vec![]);
    // 300 MiB of address space for all of it: program, libraries and stacks.
    let said = run(command(Path::new("sh"))
        .env("NOVACULA_URL", server.url())
        .args(["-c", "ulimit -v 307200 && exec \"$@\"", "sh"])
        .arg(builds::novactl())
        .args(["release", "publish", "--version", "1.1.0"])
        .arg(&path));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn releases_are_listed_highest_first_and_filtered() {
    let server = Recorder::start(|_| {
        let mut beta = samples::release("1.10.0", "published", &json!([]));
        beta["channel"] = "beta".into();
        let items = [
            samples::release("1.9.0", "yanked", &json!([])),
            beta,
            samples::release("1.2.0", "draft", &json!([])),
        ];
        (200, samples::page(&items))
    });
    let versions = |arguments: &[&str]| -> Vec<Value> {
        let said = novactl(&server.url(), &[&["release", "list", "--json"], arguments].concat());
        said.json()["items"].as_array().unwrap().iter().map(|r| r["version"].clone()).collect()
    };
    assert_eq!(versions(&[]), ["1.10.0", "1.9.0", "1.2.0"]);
    assert_eq!(versions(&["--channel", "beta"]), ["1.10.0"]);
    assert_eq!(versions(&["--status", "draft", "--kind", "agent"]), ["1.2.0"]);
    assert_eq!(versions(&["--kind", "operator"]), Vec::<Value>::new());
}

#[test]
fn a_release_is_yanked_by_version_or_id_and_once() {
    for (status, asked, code) in [
        ("published", "1.1.0", 0),
        ("published", RELEASE, 0),
        ("yanked", "1.1.0", 3),
        ("published", "1.2.0", 1),
        ("published", "../executors", 1),
    ] {
        let server = server(vec![samples::release("1.1.0", status, &json!([]))]);
        let said = novactl(&server.url(), &["release", "yank", asked, "--reason", "it hangs"]);
        assert_eq!(said.code, code, "{asked}: {said:?}");
        let changed: Vec<_> =
            server.asked().into_iter().filter(|asked| asked.line.starts_with("PATCH")).collect();
        assert_eq!(changed.len(), usize::from(code == 0));
        assert_eq!(
            novactl(&server.url(), &["release", "yank", asked]).code,
            2,
            "nobody does it without a reason"
        );
        assert!(
            changed.iter().all(|asked| asked.json() == json!({ "status": "yanked", "reason": "it hangs" }))
        );
    }
}
