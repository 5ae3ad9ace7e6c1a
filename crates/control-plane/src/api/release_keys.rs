//! `GET /api/v1/release-keys`: which release keys there are, who trusts them, and what they signed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use novacula_protocol::people::{Release, ReleaseKey, ReleaseKeys, SignedRelease};
use novacula_protocol::signature::{TrustedKeys, key_id};

use crate::app::App;
use crate::problem::Answer;
use crate::store::Person;

/// Executors could say any number of them.
const MOST_STRANGERS: usize = 100;
/// Of what a key signed; more nobody reads.
const MOST_SIGNED: usize = 20;

pub(crate) async fn list(State(app): State<Arc<App>>, person: Person) -> Answer<Json<ReleaseKeys>> {
    let releases = app.store.releases(person.account_id, None, None, None).await?;
    let said = app.fleet.map_all(person.account_id, |executor| executor.trusted_keys.clone());
    Ok(Json(counted(&app.keys, &releases, &said)))
}

fn counted(trusted: &TrustedKeys, releases: &[Release], said: &[Option<Arc<[String]>>]) -> ReleaseKeys {
    let mut votes: BTreeMap<&str, u64> = BTreeMap::new();
    for id in said.iter().flatten().flat_map(|ids| ids.iter()) {
        *votes.entry(id).or_default() += 1;
    }
    let silent = said.iter().filter(|said| said.is_none()).count() as u64;
    let executors = said.len() as u64;
    let mut signed: BTreeMap<String, Vec<&Release>> = BTreeMap::new();
    for release in releases {
        let by: BTreeSet<_> = release.artifacts.iter().filter_map(|it| key_id(&it.signature)).collect();
        by.into_iter().for_each(|id| signed.entry(id).or_default().push(release));
    }
    let mut strangers: Vec<&str> = signed.keys().map(String::as_str).chain(votes.keys().copied()).collect();
    strangers.retain(|id| trusted.name_of(id).is_none());
    strangers.sort_unstable();
    strangers.dedup();
    // What signed a release comes before what only executors say, and what many say before what one says.
    strangers.sort_by_key(|id| (!signed.contains_key(*id), std::cmp::Reverse(votes.get(id))));
    strangers.truncate(MOST_STRANGERS);
    let keys = trusted.ids().chain(strangers).map(|id| {
        let trusted_by = votes.get(id).copied().unwrap_or_default();
        let signed = signed.get(id).map(Vec::as_slice).unwrap_or_default();
        ReleaseKey {
            id: id.to_owned(),
            name: trusted.name_of(id).map(str::to_owned),
            trusted_by,
            lacked_by: executors - silent - trusted_by,
            signed_count: signed.len() as u64,
            signed: signed.iter().take(MOST_SIGNED).map(|release| told(release)).collect(),
        }
    });
    ReleaseKeys { keys: keys.collect(), executors, silent }
}

fn told(release: &Release) -> SignedRelease {
    SignedRelease {
        id: release.id.clone(),
        kind: release.kind,
        version: release.version.clone(),
        status: release.status,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::in_process::{ControlPlane, said, signer};

    #[tokio::test]
    async fn who_says_which_keys_it_trusts_is_counted_and_who_does_not_is_counted_apart() {
        let control_plane = ControlPlane::start().await;
        let ours = signer("trusted").id();
        let next = "E5BE0EC76B6AA375";
        control_plane.publish("1.1.0").await;
        let mut keys = Vec::new();
        for (name, trusted) in [
            ("old", None),
            ("a", Some(json!([ours]))),
            ("b", Some(json!([next, ours, next]))),
            ("c", Some(json!([]))),
        ] {
            let (key, _) = control_plane.executor(name, "1.0.0").await;
            let mut sync = said(name, "1.0.0");
            if let Some(trusted) = trusted {
                sync["trustedKeys"] = trusted;
            }
            control_plane.sync(&key, sync.clone()).await.ok();
            keys.push((key, sync));
        }
        let answer = control_plane.get("/api/v1/release-keys").await.ok();
        assert_eq!((&answer["executors"], &answer["silent"]), (&json!(4), &json!(1)));
        let (first, second) = (&answer["keys"][0], &answer["keys"][1]);
        assert_eq!((&first["id"], &first["name"]), (&json!(ours), &json!("test")));
        assert_eq!((&first["trustedBy"], &first["lackedBy"]), (&json!(2), &json!(1)));
        assert_eq!((&first["signed"][0]["version"], &first["signedCount"]), (&json!("1.1.0"), &json!(1)));
        assert_eq!((&second["id"], &second["name"]), (&json!(next), &json!(null)));
        assert_eq!((&second["trustedBy"], &second["lackedBy"]), (&json!(1), &json!(2)));

        for (filter, expected) in [
            (format!("trustsKey={ours}"), vec!["a", "b"]),
            (format!("lacksKey={next}"), vec!["a", "c"]),
            (format!("trustsKey={ours}&lacksKey={next}"), vec!["a"]),
        ] {
            let page = control_plane.get(&format!("/api/v1/executors?{filter}")).await.ok();
            let names: Vec<_> =
                page["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
            assert_eq!(names, expected, "{filter}");
        }
        let bad = control_plane.get("/api/v1/executors?lacksKey=%3Cb%3E").await;
        assert_eq!(bad.problem(), (400, "invalid_request".to_owned()));

        // The same in another order is no news, and it is still known after a restart.
        let commits = control_plane.app.store.commits();
        let mut again = keys[2].1.clone();
        again["trustedKeys"] = json!([ours, next]);
        control_plane.sync(&keys[2].0, again).await.ok();
        assert_eq!(control_plane.app.store.commits(), commits);
        let control_plane = control_plane.restart().await;
        assert_eq!(control_plane.get("/api/v1/release-keys").await.ok(), answer);
        // A new version of it brings the new key.
        let mut newer = keys[1].1.clone();
        newer["trustedKeys"] = json!([ours, next]);
        control_plane.sync(&keys[1].0, newer).await.ok();
        let answer = control_plane.get("/api/v1/release-keys").await.ok();
        assert_eq!((&answer["keys"][1]["trustedBy"], &answer["keys"][1]["lackedBy"]), (&json!(2), &json!(1)));
        let one = control_plane.get("/api/v1/executors?name=a").await.ok()["items"][0].clone();
        assert_eq!(one["trustedKeys"], json!(null), "only where one is asked for");
        let path = format!("/api/v1/executors/{}", one["id"].as_str().unwrap());
        let mut expected = vec![ours.as_str(), next];
        expected.sort_unstable();
        assert_eq!(control_plane.get(&path).await.ok()["trustedKeys"], json!(expected));
    }
}
