use crate::in_process::{ControlPlane, TARGET, comment, form, signer};
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

const BYTES: &[u8] = b"the bytes of an agent";

fn fields<'a>(version: &'a str, signature: &'a str, bytes: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    vec![
        ("kind", b"agent"),
        ("version", version.as_bytes()),
        ("signature", signature.as_bytes()),
        ("artifact", bytes),
    ]
}

#[tokio::test]
async fn an_artifact_is_taken_in_whatever_the_order_of_the_fields() {
    let signature = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    let mut fields = fields("1.0.0", &signature, BYTES);
    fields.push(("notes", "<script>alert('x')</script>; DROP TABLE releases".as_bytes()));
    for _ in 0..fields.len() {
        fields.rotate_left(1);
        let control_plane = ControlPlane::start().await;
        let release = control_plane.upload(&fields).await.ok();
        assert_eq!(release["status"], "draft");
        assert_eq!(release["channel"], "stable");
        assert_eq!(release["notes"], "<script>alert('x')</script>; DROP TABLE releases");
        let artifact = &release["artifacts"][0];
        assert_eq!((artifact["target"].as_str(), artifact["size"].as_u64()), (Some(TARGET), Some(21)));
        assert_eq!(artifact["signature"], signature);
        assert_eq!(control_plane.artifact_files(), 1);
    }
}

#[tokio::test]
async fn kind_and_version_are_as_signed_where_nobody_says_them_and_an_empty_field_says_nothing() {
    let control_plane = ControlPlane::start().await;
    let signature = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    let files: [(&str, &[u8]); 2] = [("signature", signature.as_bytes()), ("artifact", BYTES)];
    let empty = ["kind", "version", "channel", "notes", "type", "prerequisites", "postrequisites", "target"];
    let first = control_plane.upload(&files).await.ok();
    assert_eq!((&first["kind"], &first["version"]), (&json!("agent"), &json!("1.0.0")));
    let notes = json!({"notes": "new", "channel": "beta", "type": "agents"});
    control_plane.patch(&format!("/api/v1/releases/{}", first["id"].as_str().unwrap()), notes).await.ok();
    let fields: Vec<_> = files.into_iter().chain(empty.map(|name| (name, &b""[..]))).collect();
    let again = control_plane.upload(&fields).await.ok();
    assert_eq!(again["id"], first["id"]);
    assert_eq!(
        (&again["notes"], &again["channel"], &again["type"]),
        (&json!("new"), &json!("beta"), &json!("agents"))
    );

    let operator = signer("trusted").sign(BYTES, &format!("kind:operator version:1.0.0 target:{TARGET}"));
    let ship = signer("trusted").sign(BYTES, &format!("kind:ship version:1.0.0 target:{TARGET}"));
    let unsaid = signer("trusted").sign(BYTES, "kind:agent");
    let stranger = signer("stranger").sign(BYTES, &comment("1.0.0", TARGET));
    for (signature, code) in [
        (operator, "invalid_request"),
        (ship, "wrong_kind"),
        (unsaid, "signature_incomplete"),
        (stranger, "untrusted_key"),
        ("hello".to_owned(), "signature_malformed"),
    ] {
        let refused = control_plane.upload(&[("signature", signature.as_bytes()), ("artifact", BYTES)]).await;
        assert_eq!(refused.problem().1, code);
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_and_leaves_nothing() {
    let control_plane = ControlPlane::start().await;
    let ours = signer("trusted");
    let good = ours.sign(BYTES, &comment("1.0.0", TARGET));
    let stranger = signer("stranger").sign(BYTES, &comment("1.0.0", TARGET));
    let legacy = ours.sign_legacy(BYTES, &comment("1.0.0", TARGET));
    let two_comments = format!("{good}trusted comment: {}\n", comment("9.9.9", TARGET));
    let edited = good.replace("version:1.0.0", "version:1.0.1");
    let huge = format!("{good}{}", "x".repeat(2 << 20));
    let tampered = [b"T".as_slice(), &BYTES[1..]].concat();
    let longer = [BYTES, b"!"].concat();
    let rows: &[(&str, &str, &str, &[u8], &str)] = &[
        ("not a signature", "1.0.0", "hello", BYTES, "signature_malformed"),
        ("two comments", "1.0.0", &two_comments, BYTES, "signature_malformed"),
        ("two megabytes of comment", "1.0.0", &huge, BYTES, "signature_malformed"),
        ("a carriage return", "1.0.0", &good.replace('\n', "\r\n"), BYTES, "signature_malformed"),
        ("the old format", "1.0.0", &legacy, BYTES, "signature_legacy"),
        ("another key", "1.0.0", &stranger, BYTES, "untrusted_key"),
        ("one changed byte", "1.0.0", &good, &tampered, "signature_mismatch"),
        ("one byte short", "1.0.0", &good, &BYTES[..20], "signature_mismatch"),
        ("one byte long", "1.0.0", &good, &longer, "signature_mismatch"),
        ("a changed comment", "1.0.1", &edited, BYTES, "signature_mismatch"),
        ("no bytes", "1.0.0", &good, b"", "size_mismatch"),
        ("another version", "1.0.1", &good, BYTES, "wrong_version"),
    ];
    for (sentence, version, signature, bytes, code) in rows {
        let refused = control_plane.upload(&fields(version, signature, bytes)).await;
        assert_eq!(refused.problem(), (422, (*code).to_owned()), "{sentence}");
        assert_eq!(control_plane.artifact_files(), 0, "{sentence}");
    }
    for (sentence, comment, code) in [
        ("no version signed", format!("kind:agent target:{TARGET}"), "signature_incomplete"),
        ("a version twice", format!("{} version:1.0.0", comment("1.0.0", TARGET)), "signature_incomplete"),
        ("build metadata", comment("1.0.0+evil", TARGET), "signature_incomplete"),
        ("another kind", format!("kind:operator version:1.0.0 target:{TARGET}"), "wrong_kind"),
        ("another product", format!("kind:database version:1.0.0 target:{TARGET}"), "wrong_kind"),
    ] {
        let signature = ours.sign(BYTES, &comment);
        let refused = control_plane.upload(&fields("1.0.0", &signature, BYTES)).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{sentence}");
    }
    let mut wrong = fields("1.0.0", &good, BYTES);
    wrong.push(("target", b"aarch64-unknown-linux-musl"));
    assert_eq!(control_plane.upload(&wrong).await.problem(), (422, "wrong_target".to_owned()));
    assert_eq!(control_plane.artifact_files(), 0);
    assert_eq!(control_plane.get("/api/v1/releases").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_form_that_cannot_be_meant_is_refused_and_leaves_nothing() {
    let control_plane = ControlPlane::start().await;
    let good = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    let all = fields("1.0.0", &good, BYTES);
    for missing in 2..all.len() {
        let mut fields = all.clone();
        let (name, _) = fields.remove(missing);
        let refused = control_plane.upload(&fields).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()));
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(name));
    }
    for extra in [
        ("artifact", BYTES),
        ("kind", b"agent".as_slice()),
        ("chanel", b"beta"),
        ("channel", b"nightly"),
        ("notes", b"\xff\xfe"),
    ] {
        let refused = control_plane.upload(&[all.as_slice(), &[extra]].concat()).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{extra:?}");
    }
    for version in ["1.0", "01.0.0", "1.0.0+evil", "v1.0.0", "99999999999999999999.0.0"] {
        let refused = control_plane.upload(&fields(version, &good, BYTES)).await;
        assert_eq!(refused.problem(), (400, "invalid_request".to_owned()), "{version}");
    }
    let mut cut = form(&all);
    cut.truncate(cut.len() - 20);
    for (sentence, content_type, body) in [
        ("cut short", "multipart/form-data; boundary=XYZ", cut),
        ("no boundary", "multipart/form-data", form(&all)),
        ("no form", "application/json", b"{}".to_vec()),
    ] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/releases")
            .header("authorization", "Bearer nvu_the-owner-of-the-test")
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap();
        assert_eq!(control_plane.send(request).await.problem().0, 400, "{sentence}");
    }
    assert_eq!(control_plane.artifact_files(), 0);
}

#[tokio::test]
async fn an_artifact_over_the_limit_is_refused_and_leaves_nothing() {
    let control_plane = ControlPlane::with_max_artifact_bytes(20).await;
    let good = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    let refused = control_plane.upload(&fields("1.0.0", &good, BYTES)).await;
    assert_eq!(refused.problem(), (413, "too_large".to_owned()));
    assert_eq!(control_plane.artifact_files(), 0);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert!(super::on_disk(&full).to_string().starts_with("507 Insufficient Storage disk_full"));
}

#[tokio::test]
async fn a_draft_grows_by_targets_and_its_channel_and_notes_stay_what_they_were() {
    let control_plane = ControlPlane::start().await;
    let first = control_plane.draft("1.0.0", b"one").await;
    let other = signer("trusted").sign(b"two", &comment("1.0.0", "aarch64-unknown-linux-musl"));
    let with = |name: &'static str, value: &'static [u8]| {
        let mut fields = fields("1.0.0", &other, b"two");
        fields.push((name, value));
        fields
    };
    for differs in [with("channel", b"beta"), with("notes", b"new")] {
        assert_eq!(control_plane.upload(&differs).await.problem(), (409, "release_differs".to_owned()));
    }
    assert_eq!(control_plane.artifact_files(), 1);
    let second = control_plane.upload(&with("channel", b"stable")).await.ok();
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["artifacts"].as_array().unwrap().len(), 2);
    let replaced = control_plane.draft("1.0.0", b"three").await;
    assert_eq!(replaced["artifacts"].as_array().unwrap().len(), 2);
    assert_eq!(control_plane.artifact_files(), 2, "what was replaced is gone");
}

#[tokio::test]
async fn a_published_or_yanked_release_takes_no_more_artifacts() {
    let control_plane = ControlPlane::start().await;
    let path = format!("/api/v1/releases/{}", control_plane.publish("1.0.0").await["id"].as_str().unwrap());
    let good = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    for _ in ["published", "yanked"] {
        let refused = control_plane.upload(&fields("1.0.0", &good, BYTES)).await;
        assert_eq!(refused.problem(), (409, "release_published".to_owned()));
        assert_eq!(control_plane.artifact_files(), 1);
        control_plane.patch(&path, json!({"status": "yanked", "reason": "it hangs"})).await.ok();
    }
}

#[tokio::test]
async fn a_signature_changed_at_random_is_refused_or_says_the_same() {
    let control_plane = ControlPlane::start().await;
    let good = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
    let mut state = 0x5eed_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..500 {
        let mut changed = good.clone().into_bytes();
        for _ in 0..=next(3) {
            let place = next(changed.len());
            match next(3) {
                0 => changed[place] = u8::try_from(next(256)).unwrap(),
                1 => drop(changed.remove(place)),
                _ => changed.insert(place, u8::try_from(next(256)).unwrap()),
            }
        }
        let mut fields = fields("1.0.0", "", BYTES);
        fields[2].1 = &changed;
        let answer = control_plane.upload(&fields).await;
        let changed = String::from_utf8_lossy(&changed).into_owned();
        match answer.status.as_u16() {
            201 => assert_eq!(answer.json()["artifacts"][0]["target"], TARGET, "{changed:?}"),
            422 => {
                assert!(answer.problem().1.starts_with("signature_") || answer.problem().1 == "untrusted_key")
            }
            other => panic!("{other} for {changed:?}"),
        }
    }
    assert!(control_plane.artifact_files() <= 1);
}
