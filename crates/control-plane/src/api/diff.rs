//! `GET /api/v1/upgrades/{id}/diff` and its summary: what an upgrade changes on its host.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::Stage;
use novacula_protocol::people::{ArtifactFacts, Diff, DiffSummary, Release, ReleaseNotes, ReleaseStatus};
use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};
use novacula_protocol::spec::{Confirm, Direction};
use semver::Version;

use crate::app::App;
use crate::extract::Id;
use crate::problem::{Answer, ApiError};
use crate::store::Person;
use crate::upgrade::Upgrade;

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<Json<Diff>> {
    let found = app.store.upgrade(person.account_id, id).await?;
    let upgrade = found.ok_or_else(|| ApiError::not_found("upgrade"))?;
    let releases = app.store.releases(person.account_id, Some(upgrade.shown.kind), None, None).await?;
    Ok(Json(diff(&upgrade, &releases, &app.keys)))
}

pub(crate) async fn summary(state: State<Arc<App>>, person: Person, id: Id) -> Answer<Json<DiffSummary>> {
    let Json(diff) = show(state, person, id).await?;
    Ok(Json(diff.summary))
}

fn diff(upgrade: &Upgrade, releases: &[Release], keys: &TrustedKeys) -> Diff {
    let shown = &upgrade.shown;
    let (from, to) = (&shown.from_version, &shown.target_version);
    let mut on_the_way: Vec<_> = releases.iter().filter(|release| is_between(release, from, to)).collect();
    on_the_way.sort_by(|a, b| a.version.cmp_precedence(&b.version));
    let target = facts(to, &upgrade.artifact, keys);
    let current = releases.iter().find(|release| release.version == *from).and_then(|release| {
        let artifact = release.artifacts.iter().find(|it| it.target == upgrade.artifact.target)?;
        Some(facts(from, artifact, keys))
    });
    let bytes = |facts: &ArtifactFacts| i64::try_from(facts.size).unwrap_or(i64::MAX);
    Diff {
        summary: DiffSummary {
            from_version: from.clone(),
            target_version: to.clone(),
            direction: shown.direction,
            releases: on_the_way.len() as u64,
            download_bytes: target.size,
            growth_bytes: current.as_ref().map(|current| bytes(&target) - bytes(current)),
            is_key_new: current.as_ref().map(|current| current.signed_by != target.signed_by),
            floor: target.floor.clone(),
            needs_completion: shown.confirm == Confirm::Manual,
        },
        releases: on_the_way
            .into_iter()
            .map(|release| ReleaseNotes { version: release.version.clone(), notes: release.notes.clone() })
            .collect(),
        current,
        target,
        stages: Stage::ALL
            .into_iter()
            .filter(|stage| !stage.is_end() || *stage == Stage::Completed)
            .filter(|stage| *stage != Stage::ConfirmCompletion || shown.confirm == Confirm::Manual)
            .collect(),
    }
}

/// Above the lower of the two and up to the higher: what comes with an upgrade, what goes with a downgrade.
fn is_between(release: &Release, from: &Version, to: &Version) -> bool {
    let is_down = novacula_protocol::reach::direction(from, to) == Some(Direction::Downgrade);
    let (low, high) = if is_down { (to, from) } else { (from, to) };
    release.status != ReleaseStatus::Draft && release.version > *low && release.version <= *high
}

fn facts(
    version: &Version,
    artifact: &novacula_protocol::people::Artifact,
    keys: &TrustedKeys,
) -> ArtifactFacts {
    // It was verified when it came in.
    let signature = ReleaseSignature::parse(&artifact.signature).ok();
    let comment = signature.as_ref().and_then(|signature| signature.comment().ok());
    ArtifactFacts {
        version: version.clone(),
        size: artifact.size,
        sha256: artifact.sha256.clone(),
        signed_by: signature.and_then(|signature| keys.signer(&signature).map(str::to_owned)),
        floor: comment.and_then(|comment| comment.floor),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::in_process::ControlPlane;

    #[tokio::test]
    async fn a_diff_names_the_releases_on_the_way_and_what_changes_on_the_host() {
        let control_plane = ControlPlane::start().await;
        let (_, id) = control_plane.executor("host-1", "1.0.0").await;
        for version in ["0.9.0", "1.0.0", "1.1.0", "1.20.0", "1.3.0"] {
            let release = control_plane.publish(version).await["id"].as_str().unwrap().to_owned();
            let notes = json!({"notes": format!("<b>{version}</b>")});
            control_plane.patch(&format!("/api/v1/releases/{release}"), notes).await.ok();
        }
        control_plane.draft("1.2.0", b"draft").await;
        let order = json!({"targetVersion": "1.20.0", "confirm": "manual", "confirmStart": "manual"});
        let upgrade = control_plane.post(&format!("/api/v1/executors/{id}/upgrade"), order).await.ok();
        let path = format!("/api/v1/upgrades/{}", upgrade["id"].as_str().unwrap());
        let diff = control_plane.get(&format!("{path}/diff")).await.ok();
        let versions: Vec<_> =
            diff["releases"].as_array().unwrap().iter().map(|it| it["version"].clone()).collect();
        assert_eq!(versions, ["1.1.0", "1.3.0", "1.20.0"]);
        assert_eq!(diff["releases"][0]["notes"], "<b>1.1.0</b>");
        assert_eq!(
            (&diff["target"]["signedBy"], &diff["current"]["version"]),
            (&json!("test"), &json!("1.0.0"))
        );
        assert_eq!(diff["stages"][7], "CONFIRM_COMPLETION");
        let summary = control_plane.get(&format!("{path}/diff/summary")).await.ok();
        assert_eq!(summary, diff["summary"]);
        assert_eq!((&summary["releases"], &summary["growthBytes"]), (&json!(3), &json!(1)));
        assert_eq!((&summary["isKeyNew"], &summary["needsCompletion"]), (&json!(false), &json!(true)));

        control_plane.post(&format!("{path}/abandon"), json!({"reason": "no"})).await.ok();
        let down = control_plane.request(&id, "0.9.0").await.ok()["id"].as_str().unwrap().to_owned();
        let diff = control_plane.get(&format!("/api/v1/upgrades/{down}/diff")).await.ok();
        assert_eq!(
            (&diff["releases"][0]["version"], diff["stages"].as_array().unwrap().len()),
            (&json!("1.0.0"), 8)
        );
    }
}
