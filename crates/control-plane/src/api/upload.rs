//! `POST /api/v1/releases`: one artifact with its signature, verified on receipt with the agent's own code.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use novacula_protocol::people::{Artifact, Release};
use novacula_protocol::signature::{MAX_SIGNATURE_BYTES, ReleaseSignature};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use novacula_protocol::trusted_comment::{TrustedComment, plain_version};
use novacula_protocol::{Refusal, RefusalCode};
use semver::Version;

use super::releases::MAX_NOTES;
use crate::app::App;
use crate::artifact_folder::Received;
use crate::extract::word;
use crate::problem::{Answer, ApiError};
use crate::store::{self, Person, Upload};

pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    person: Person,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<(StatusCode, Json<Release>)> {
    let form = form.map_err(|e| ApiError::invalid(e.body_text()))?;
    let (asked, received) = Form::receive(&app, form).await?.complete()?;

    let known = app.store.release_of(person.account_id, asked.kind, asked.version.clone()).await?;
    if let Some(known) = &known {
        store::may_join(known, asked.channel, asked.notes.as_deref())?;
    }
    let (asked, received, signed) = verify(&app, asked, received).await?;
    let artifact = Artifact {
        target: signed.target,
        size: received.size,
        sha256: received.sha256.clone(),
        signature: asked.signature,
    };
    let upload = Upload {
        account_id: person.account_id,
        new_release_id: app.clock.new_id(),
        kind: asked.kind,
        version: asked.version,
        channel: asked.channel,
        notes: asked.notes,
        artifact,
        now: app.clock.now(),
    };
    // Once the file has its name, the row must follow even when the caller hangs up.
    let kept = tokio::spawn(keep(app, received, upload)).await.map_err(ApiError::internal)?;
    let release = kept?;
    tracing::info!(release = release.id, version = %release.version, by = person.name, "artifact taken in");
    Ok((StatusCode::CREATED, Json(release)))
}

/// The fields as they came in, in any order.
#[derive(Default)]
struct Form {
    kind: Option<String>,
    version: Option<String>,
    channel: Option<String>,
    notes: Option<String>,
    target: Option<String>,
    signature: Option<String>,
    artifact: Option<Received>,
}

/// The fields, read.
struct Asked {
    kind: Kind,
    version: Version,
    channel: Option<Channel>,
    notes: Option<String>,
    target: Option<String>,
    signature: String,
}

impl Form {
    async fn receive(app: &App, mut parts: Multipart) -> Answer<Self> {
        let mut form = Self::default();
        while let Some(field) = parts.next_field().await.map_err(broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            let slot = match name.as_str() {
                "kind" => &mut form.kind,
                "version" => &mut form.version,
                "channel" => &mut form.channel,
                "notes" => &mut form.notes,
                "target" => &mut form.target,
                "signature" => &mut form.signature,
                "artifact" => {
                    let artifact = stream(app, field).await?;
                    if form.artifact.replace(artifact).is_some() {
                        return Err(twice(&name));
                    }
                    continue;
                }
                _ => {
                    return Err(ApiError::invalid(format!(
                        "there is no field `{name}`, only kind, version, channel, notes, target, signature and artifact"
                    )));
                }
            };
            if slot.replace(text(field, &name).await?).is_some() {
                return Err(twice(&name));
            }
        }
        Ok(form)
    }

    fn complete(self) -> Answer<(Asked, Received)> {
        let missing = |name: &str| ApiError::invalid(format!("the field `{name}` is missing"));
        let kind = word("kind", &self.kind.ok_or_else(|| missing("kind"))?, Kind::from_wire)?;
        let version = self.version.ok_or_else(|| missing("version"))?;
        let version = plain_version(&version).ok_or_else(|| {
            ApiError::invalid(format!(
                "`version` must be a version like 1.2.3 without build metadata, it is `{version}`"
            ))
        })?;
        let channel =
            self.channel.map(|channel| word("channel", &channel, Channel::from_wire)).transpose()?;
        let signature = self.signature.ok_or_else(|| missing("signature"))?;
        let artifact = self.artifact.ok_or_else(|| missing("artifact"))?;
        if kind == Kind::Operator {
            return Err(ApiError::invalid(
                "`kind` must be agent: releases of operators cannot be kept here yet",
            ));
        }
        Ok((Asked { kind, version, channel, notes: self.notes, target: self.target, signature }, artifact))
    }
}

async fn text(mut field: Field<'_>, name: &str) -> Answer<String> {
    // One byte more than is looked at, so that too long a signature is refused as one.
    let most = if name == "signature" { MAX_SIGNATURE_BYTES + 1 } else { MAX_NOTES };
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if name != "signature" && bytes.len() + chunk.len() > most {
            return Err(ApiError::too_large(format!("the field `{name}` takes at most {most} bytes")));
        }
        bytes.extend_from_slice(&chunk[..chunk.len().min(most - bytes.len())]);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) if name == "signature" => Err(refused(&Refusal::new(
            RefusalCode::SignatureMalformed,
            "the signature must be the text of a .minisig file, it is not text",
        ))),
        Err(_) => Err(ApiError::invalid(format!("the field `{name}` must be UTF-8"))),
    }
}

async fn stream(app: &App, mut field: Field<'_>) -> Answer<Received> {
    let most = app.rules.max_artifact_bytes;
    let mut incoming = app.artifacts.begin().map_err(|e| on_disk(&e))?;
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if incoming.size() + chunk.len() as u64 > most {
            return Err(ApiError::too_large(format!(
                "an artifact may have at most {most} bytes (MAX_ARTIFACT_BYTES)"
            )));
        }
        incoming.take(&chunk).await.map_err(|e| on_disk(&e))?;
    }
    incoming.complete().await.map_err(|e| on_disk(&e))
}

async fn verify(
    app: &Arc<App>,
    asked: Asked,
    received: Received,
) -> Answer<(Asked, Received, TrustedComment)> {
    if received.size == 0 {
        let sentence = "the artifact must have at least one byte, it has none";
        return Err(refused(&Refusal::new(RefusalCode::SizeMismatch, sentence)));
    }
    let app = Arc::clone(app);
    let check = move || -> Answer<_> {
        let signature = ReleaseSignature::parse(&asked.signature).map_err(|e| refused(&e))?;
        let signed =
            received.verified(&signature, &app.keys).map_err(|e| on_disk(&e))?.map_err(|e| refused(&e))?;
        let target = asked.target.as_deref().unwrap_or(&signed.target);
        signed.must_be(asked.kind, &asked.version, target).map_err(|e| refused(&e))?;
        Ok((asked, received, signed))
    };
    tokio::task::spawn_blocking(check).await.map_err(ApiError::internal)?
}

async fn keep(app: Arc<App>, received: Received, upload: Upload) -> Answer<Release> {
    let _turn = app.artifacts.turn().await;
    let sha256 = received.sha256.clone();
    let before = app.store.release_of(upload.account_id, upload.kind, upload.version.clone()).await?;
    let target = upload.artifact.target.clone();
    app.artifacts.place(received).map_err(|e| on_disk(&e))?;
    let kept = app.store.add_artifact(upload).await;

    let replaced = before.and_then(|release| release.artifacts.into_iter().find(|a| a.target == target));
    for unsure in replaced.map(|artifact| artifact.sha256).into_iter().chain([sha256]) {
        if !app.store.is_artifact_needed(unsure.clone()).await? {
            app.artifacts.remove(&unsure).map_err(|e| on_disk(&e))?;
        }
    }
    match kept {
        Ok(kept) => Ok(kept?),
        Err(store::StoreError::Full) => Err(ApiError::disk_full()),
        Err(e) => Err(e.into()),
    }
}

fn refused(refusal: &Refusal) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.code.as_str(), refusal.message.clone())
}

fn broken(e: MultipartError) -> ApiError {
    ApiError::invalid(format!("the form cannot be read: {}", e.body_text()))
}

fn twice(name: &str) -> ApiError {
    ApiError::invalid(format!("the field `{name}` must stand once, it stands twice"))
}

fn on_disk(e: &std::io::Error) -> ApiError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match e.kind() {
        StorageFull | QuotaExceeded => ApiError::disk_full(),
        _ => ApiError::internal(format!("the artifacts folder: {e}")),
    }
}

#[cfg(test)]
mod tests {
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
            (
                "a version twice",
                format!("{} version:1.0.0", comment("1.0.0", TARGET)),
                "signature_incomplete",
            ),
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
        for missing in 0..all.len() {
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
        for version in ["1.0", "01.0.0", "1.0.0+evil", "v1.0.0", "99999999999999999999.0.0", ""] {
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
        let path =
            format!("/api/v1/releases/{}", control_plane.publish("1.0.0").await["id"].as_str().unwrap());
        let good = signer("trusted").sign(BYTES, &comment("1.0.0", TARGET));
        for _ in ["published", "yanked"] {
            let refused = control_plane.upload(&fields("1.0.0", &good, BYTES)).await;
            assert_eq!(refused.problem(), (409, "release_published".to_owned()));
            assert_eq!(control_plane.artifact_files(), 1);
            control_plane.patch(&path, json!({"status": "yanked"})).await.ok();
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
                422 => assert!(
                    answer.problem().1.starts_with("signature_") || answer.problem().1 == "untrusted_key"
                ),
                other => panic!("{other} for {changed:?}"),
            }
        }
        assert!(control_plane.artifact_files() <= 1);
    }
}
