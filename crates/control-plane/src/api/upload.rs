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
use crate::artifacts::{Received, Trouble};
use crate::extract::word;
use crate::particulars::Particulars;
use crate::problem::{Answer, ApiError};
use crate::store::{self, Person, Upload};

/// As many steps as there may be, as long as they may be, in most languages.
const MAX_STEPS_BYTES: usize = 1024 * 1024;

pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    person: Person,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<(StatusCode, Json<Release>)> {
    let form = form.map_err(|e| ApiError::invalid(e.body_text()))?;
    let (asked, received) = Form::receive(&app, form).await?.complete()?;

    let known = app.store.release_of(person.account_id, asked.kind, asked.version.clone()).await?;
    if let Some(known) = &known {
        store::may_join(known, asked.channel, asked.notes.as_deref(), &asked.particulars)?;
    }
    let (asked, received, signed) = verify(&app, asked, received).await?;
    let artifact = Artifact {
        target: signed.target,
        size: received.size,
        sha256: received.sha256.clone(),
        signature: asked.signature,
    };
    let upload = Upload {
        by: person.clone(),
        new_release_id: app.clock.new_id(),
        kind: asked.kind,
        version: asked.version,
        channel: asked.channel,
        notes: asked.notes,
        particulars: asked.particulars,
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
    r#type: Option<String>,
    prerequisites: Option<String>,
    postrequisites: Option<String>,
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
    particulars: Particulars,
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
                "type" => &mut form.r#type,
                "prerequisites" => &mut form.prerequisites,
                "postrequisites" => &mut form.postrequisites,
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
                        "there is no field `{name}`, only kind, version, channel, notes, type, prerequisites, postrequisites, target, signature and artifact"
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
        // A browser sends every field of a form, also those that nobody has filled in.
        let said = |field: Option<String>| field.filter(|text| !text.is_empty());
        let kind = said(self.kind).map(|kind| word("kind", &kind, Kind::from_wire)).transpose()?;
        let version = said(self.version).map(|text| version(&text)).transpose()?;
        let channel =
            said(self.channel).map(|channel| word("channel", &channel, Channel::from_wire)).transpose()?;
        let particulars = Particulars {
            r#type: said(self.r#type),
            prerequisites: steps("prerequisites", said(self.prerequisites))?,
            postrequisites: steps("postrequisites", said(self.postrequisites))?,
        };
        let particulars = particulars.checked().map_err(ApiError::invalid)?;
        let signature = said(self.signature).ok_or_else(|| missing("signature"))?;
        let artifact = self.artifact.ok_or_else(|| missing("artifact"))?;
        let (kind, version) = match (kind, version) {
            (Some(kind), Some(version)) => (kind, version),
            (kind, version) => as_signed(&signature, kind, version)?,
        };
        if kind == Kind::Operator {
            return Err(ApiError::invalid(
                "`kind` must be agent: releases of operators cannot be kept here yet",
            ));
        }
        let (notes, target) = (said(self.notes), said(self.target));
        Ok((Asked { kind, version, channel, notes, particulars, target, signature }, artifact))
    }
}

fn version(text: &str) -> Answer<Version> {
    plain_version(text).ok_or_else(|| {
        ApiError::invalid(format!(
            "`version` must be a version like 1.2.3 without build metadata, it is `{text}`"
        ))
    })
}

/// What was not said is as the signature says. It is taken at its word until the bytes are verified.
fn as_signed(signature: &str, kind: Option<Kind>, version: Option<Version>) -> Answer<(Kind, Version)> {
    let comment = ReleaseSignature::parse(signature).and_then(|signature| signature.comment());
    let comment = comment.map_err(|e| refused(&e))?;
    let signed = Kind::from_wire(&comment.kind).ok_or_else(|| {
        let sentence = format!("expected kind agent, the artifact is signed as {}", comment.kind);
        refused(&Refusal::new(RefusalCode::WrongKind, sentence))
    })?;
    Ok((kind.unwrap_or(signed), version.unwrap_or(comment.version)))
}

fn steps(name: &str, text: Option<String>) -> Answer<Option<Vec<String>>> {
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| {
            ApiError::invalid(format!("`{name}` must be a JSON list of texts, like [\"Take a backup\"]: {e}"))
        })
    };
    text.map(read).transpose()
}

async fn text(mut field: Field<'_>, name: &str) -> Answer<String> {
    // One byte more than is looked at, so that too long a signature is refused as one.
    let (most, is_plain) = match name {
        "signature" => (MAX_SIGNATURE_BYTES + 1, false),
        "prerequisites" | "postrequisites" => (MAX_STEPS_BYTES, false),
        _ => (4 * MAX_NOTES, true),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if name != "signature" && bytes.len() + chunk.len() > most {
            return Err(too_long(name));
        }
        bytes.extend_from_slice(&chunk[..chunk.len().min(most - bytes.len())]);
    }
    match String::from_utf8(bytes) {
        Ok(text) if is_plain && text.chars().count() > MAX_NOTES => Err(too_long(name)),
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
    mut received: Received,
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
    let before = app.store.release_of(upload.by.account_id, upload.kind, upload.version.clone()).await?;
    let target = upload.artifact.target.clone();
    app.artifacts.place(received).await?;
    let kept = app.store.add_artifact(upload).await;

    let replaced = before.and_then(|release| release.artifacts.into_iter().find(|a| a.target == target));
    for unsure in replaced.map(|artifact| artifact.sha256).into_iter().chain([sha256]) {
        if !app.store.is_artifact_needed(unsure.clone()).await? {
            app.artifacts.remove(&unsure).await?;
        }
    }
    Ok(kept??)
}

fn refused(refusal: &Refusal) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.code.as_str(), refusal.message.clone())
}

fn too_long(name: &str) -> ApiError {
    ApiError::invalid(format!("the field `{name}` takes at most {MAX_NOTES} characters"))
}

fn broken(e: MultipartError) -> ApiError {
    ApiError::invalid(format!("the form cannot be read: {}", e.body_text()))
}

fn twice(name: &str) -> ApiError {
    ApiError::invalid(format!("the field `{name}` must stand once, it stands twice"))
}

impl From<Trouble> for ApiError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Disk(e) => on_disk(&e),
            Trouble::Bucket(_) => {
                tracing::error!("{trouble}");
                Self::artifacts_unavailable()
            }
        }
    }
}

fn on_disk(e: &std::io::Error) -> ApiError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match e.kind() {
        StorageFull | QuotaExceeded => ApiError::disk_full(),
        _ => ApiError::internal(format!("the artifacts folder: {e}")),
    }
}

#[cfg(test)]
mod tests;
