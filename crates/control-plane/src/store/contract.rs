//! What every engine behind [`Store`] has to keep, written against nothing but its methods. An engine passes by handing
//! in how it is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Artifact, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::{Confirm, Kind};
use novacula_protocol::sync::SyncRequest;
use novacula_protocol::{Progress, Stage};
use uuid::Uuid;

use super::{
    Database, Listed, OwnerToken, Person, ReleaseRefused, RequestRefused, Store, UpgradeOrder, Upload,
};
use crate::clock::Clock;
use crate::executor::{IdentityRefused, Snapshot};
use crate::in_process::database::{TestDatabase, all};
use crate::key::{EnrolmentToken, NewKey};
use crate::secrets::SecretHash;
use crate::upgrade;

const TARGET: &str = "x86_64-unknown-linux-musl";

/// A store with one account, and a clock of its own.
struct Bench {
    store: Store,
    clock: Clock,
    person: Person,
}

impl Bench {
    async fn of(store: Store) -> Self {
        let tick = Arc::new(AtomicI64::new(1_790_000_000_000));
        let clock = Clock::told_by(move || {
            Timestamp::from_millisecond(tick.fetch_add(1, Ordering::Relaxed)).unwrap()
        });
        let owner = SecretHash::of("nvu_owner");
        let ids = [clock.new_id(), clock.new_id(), clock.new_id()];
        assert!(store.found_account(OwnerToken { ids, hash: owner, now: clock.now() }).await.unwrap());
        let person = store.by_token(owner, clock.now()).await.unwrap().unwrap().person;
        Self { store, clock, person }
    }

    async fn key(&self, bound_name: Option<&str>) -> Uuid {
        let id = self.clock.new_id();
        let new = NewKey {
            id,
            account_id: self.person.account_id,
            hash: SecretHash::of(&id.to_string()),
            bound_name: bound_name.map(str::to_owned),
            expires_at: None,
            enrolment_token_id: None,
            created_by: "owner".into(),
            created_at: self.clock.now(),
        };
        self.store.add_key(new).await.unwrap().id
    }

    async fn sync(&self, key: Uuid, said: SyncRequest) -> Result<Snapshot, IdentityRefused> {
        self.store.sync(key, self.clock.new_id(), said, self.clock.now()).await.unwrap()
    }

    async fn publish(&self, version: &str) {
        let release = self.store.add_artifact(self.upload(version, TARGET, "aa")).await.unwrap().unwrap();
        let patch = ReleasePatch { status: Some(ReleaseStatus::Published), ..ReleasePatch::default() };
        let id = release.id.parse().unwrap();
        self.store.patch_release(self.person.clone(), id, patch, self.clock.now()).await.unwrap().unwrap();
    }

    fn upload(&self, version: &str, target: &str, sha256: &str) -> Upload {
        Upload {
            by: self.person.clone(),
            new_release_id: self.clock.new_id(),
            kind: Kind::Agent,
            version: version.parse().unwrap(),
            channel: None,
            notes: None,
            particulars: crate::particulars::Particulars::default(),
            artifact: Artifact {
                target: target.into(),
                size: 3,
                sha256: sha256.into(),
                signature: "'; DROP TABLE artifacts; --".into(),
            },
            now: self.clock.now(),
        }
    }

    fn order(&self, executor_id: Uuid, version: &str) -> UpgradeOrder {
        let now = self.clock.now();
        UpgradeOrder {
            id: self.clock.new_id(),
            account_id: self.person.account_id,
            requested_by: self.person.name.clone(),
            hops: false,
            executor_id,
            target_version: version.parse().unwrap(),
            scheduled_at: now,
            expires_at: now + SignedDuration::from_secs(900),
            confirm_start: Confirm::Auto,
            confirm: Confirm::Auto,
            description: "<b>now</b>".into(),
            health_window_ms: 60_000,
            deadline: None,
            ttl_ms: 900_000,
            calendar: None,
            plan: None,
            now,
        }
    }
}

fn said(name: &str, version: &str) -> SyncRequest {
    let json = serde_json::json!({
        "name": name, "kind": "agent", "currentVersion": version, "target": TARGET,
        "labels": {"rack": "'; DROP TABLE executors; --"},
        "held": {"reason": "<script>", "until": "2026-01-01T00:00:00.123456789Z"},
    });
    serde_json::from_value(json).unwrap()
}

async fn what_was_written_is_read_as_it_was(store: Store) {
    let bench = Bench::of(store).await;
    let key = bench.key(None).await;
    let first = bench.sync(key, said("host-1", "1.0.0")).await.unwrap();
    assert_eq!(all(&bench.store).await, std::slice::from_ref(&first));
    bench.publish("1.1.0").await;
    let asked = bench.store.request_upgrade(bench.order(first.executor.id, "1.1.0")).await.unwrap().unwrap();
    assert_eq!(all(&bench.store).await, std::slice::from_ref(&asked));
    let upgrade = asked.upgrade.unwrap();
    let id = upgrade.shown.id.parse().unwrap();
    assert_eq!(bench.store.upgrade(bench.person.account_id, id).await.unwrap(), Some(upgrade));
    assert_eq!(
        bench.store.live_keys(Uuid::nil(), 100).await.unwrap()[0].bound_name.as_deref(),
        Some("host-1")
    );
}

async fn an_unchanged_sync_writes_nothing(store: Store) {
    let bench = Bench::of(store).await;
    let key = bench.key(None).await;
    let first = bench.sync(key, said("host-1", "1.0.0")).await.unwrap();
    let before = bench.store.commits();
    assert_eq!(bench.sync(key, said("host-1", "1.0.0")).await.unwrap(), first);
    assert_eq!(bench.store.commits(), before);
    let changed = bench.sync(key, said("host-1", "1.0.1")).await.unwrap();
    assert!(changed.executor.revision > first.executor.revision);
    assert_eq!(bench.store.commits(), before + 1);
}

async fn of_many_requests_exactly_one_wins(store: Store) {
    let bench = Bench::of(store).await;
    let key = bench.key(None).await;
    let executor = bench.sync(key, said("host-1", "1.0.0")).await.unwrap().executor;
    bench.publish("1.1.0").await;
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let (store, order) = (bench.store.clone(), bench.order(executor.id, "1.1.0"));
            tokio::spawn(async move { store.request_upgrade(order).await.unwrap() })
        })
        .collect();
    let mut won = Vec::new();
    let mut lost = Vec::new();
    for request in requests {
        match request.await.unwrap() {
            Ok(snapshot) => won.push(snapshot.upgrade.unwrap().shown.id),
            Err(refused) => lost.push(refused),
        }
    }
    assert_eq!(won.len(), 1);
    let pending = RequestRefused::AlreadyPending { upgrade_id: won[0].clone() };
    assert!(lost.iter().all(|refused| *refused == pending));
}

async fn a_lapsed_upgrade_makes_room_for_the_next(store: Store) {
    let bench = Bench::of(store).await;
    let key = bench.key(None).await;
    let executor = bench.sync(key, said("host-1", "1.0.0")).await.unwrap().executor;
    bench.publish("1.1.0").await;
    let order = bench.order(executor.id, "1.1.0");
    let due = order.expires_at;
    let open = bench.store.request_upgrade(order).await.unwrap().unwrap().upgrade.unwrap();
    let lapse = upgrade::lapse(&open, due).unwrap();
    let mut outdated = open.clone();
    outdated.shown.stage = Stage::Download;
    assert_eq!(bench.store.swap_upgrade(outdated, lapse.clone(), bench.clock.now()).await.unwrap(), None);
    let lapsed = bench
        .store
        .swap_upgrade(open.clone(), lapse.clone(), bench.clock.now())
        .await
        .unwrap()
        .unwrap()
        .upgrade
        .unwrap();
    assert_eq!((lapsed.shown.stage, lapsed.shown.state), (Stage::Failed, Progress::Error));
    assert_eq!(bench.store.swap_upgrade(open, lapse, bench.clock.now()).await.unwrap(), None);
    bench.store.request_upgrade(bench.order(executor.id, "1.1.0")).await.unwrap().unwrap();
    let listed = Listed { stages: Stage::ALL.to_vec(), limit: 10, ..Listed::default() };
    let stages: Vec<_> = bench.store.upgrades(bench.person.account_id, listed).await.unwrap();
    let stages: Vec<_> = stages.iter().map(|upgrade| upgrade.shown.stage).collect();
    assert_eq!(stages, [Stage::ConfirmStart, Stage::Failed]);
}

async fn a_refused_write_leaves_no_trace_and_harms_no_other(store: Store) {
    let bench = Bench::of(store).await;
    let (one, other) = (bench.key(None).await, bench.key(None).await);
    bench.sync(one, said("host-1", "1.0.0")).await.unwrap();
    let before = all(&bench.store).await;
    let third = bench.key(None).await;
    let (refused, taken) =
        tokio::join!(bench.sync(other, said("host-1", "2.0.0")), bench.sync(third, said("host-3", "1.0.0")));
    assert_eq!(refused, Err(IdentityRefused::NameTaken("host-1".into())));
    let after = all(&bench.store).await;
    assert_eq!(after, [before, vec![taken.unwrap()]].concat());
    assert_eq!(
        bench
            .store
            .live_keys(Uuid::nil(), 100)
            .await
            .unwrap()
            .iter()
            .filter(|key| key.bound_name.is_none())
            .count(),
        1
    );
}

async fn a_name_goes_over_to_a_new_key_only_after_the_old_one_is_revoked(store: Store) {
    let bench = Bench::of(store).await;
    let (old, new) = (bench.key(None).await, bench.key(Some("host-1")).await);
    let refused = bench.sync(old, said("host-1", "1.0.0")).await;
    assert_eq!(refused, Err(IdentityRefused::NameTaken("host-1".into())), "a key waits for the name");
    let old = bench.key(Some("host-1")).await;
    let first = bench.sync(old, said("host-1", "1.0.0")).await.unwrap();
    assert!(bench.sync(new, said("host-1", "1.0.0")).await.is_err());
    assert!(
        bench.store.revoke_key(bench.person.clone(), old, String::new(), bench.clock.now()).await.unwrap()
    );
    let second = bench.sync(new, said("host-1", "1.0.0")).await.unwrap();
    assert_eq!((second.executor.id, second.executor.key_id), (first.executor.id, new));
    assert_eq!(bench.sync(old, said("host-1", "1.0.0")).await, Err(IdentityRefused::UnknownKey));
}

async fn a_draft_takes_artifacts_and_what_is_published_takes_none(store: Store) {
    let bench = Bench::of(store).await;
    bench.store.add_artifact(bench.upload("1.0.0", TARGET, "aa")).await.unwrap().unwrap();
    bench.store.add_artifact(bench.upload("1.0.0", "other", "bb")).await.unwrap().unwrap();
    let draft = bench.store.add_artifact(bench.upload("1.0.0", TARGET, "cc")).await.unwrap().unwrap();
    let hashes: Vec<_> = draft.artifacts.iter().map(|artifact| artifact.sha256.as_str()).collect();
    assert_eq!(hashes, ["bb", "cc"]);
    assert!(!bench.store.is_artifact_needed("aa".into()).await.unwrap());
    assert!(bench.store.is_artifact_needed("cc".into()).await.unwrap());
    bench.publish("1.0.0").await;
    let refused = bench.store.add_artifact(bench.upload("1.0.0", TARGET, "dd")).await.unwrap().unwrap_err();
    assert!(matches!(refused, ReleaseRefused::Published { .. }));
    let account = bench.person.account_id;
    let found = bench.store.artifact_size(account, "bb".into(), ReleaseStatus::Published).await.unwrap();
    assert_eq!(found, Some(3));
    let foreign =
        bench.store.artifact_size(bench.clock.new_id(), "bb".into(), ReleaseStatus::Draft).await.unwrap();
    assert_eq!(foreign, None);
}

async fn an_enrolment_token_is_used_as_often_as_it_says(store: Store) {
    let bench = Bench::of(store).await;
    let hash = SecretHash::of("nve_1");
    let now = bench.clock.now();
    let token = EnrolmentToken {
        id: bench.clock.new_id(),
        account_id: bench.person.account_id,
        hash,
        max_uses: 2,
        uses: 0,
        expires_at: now + SignedDuration::from_secs(60),
        created_by: "owner".into(),
        created_at: now,
        revoked_at: None,
    };
    bench.store.add_enrolment_token(token.clone()).await.unwrap();
    let enroll = async |name: &str, now: Timestamp| {
        let id = bench.clock.new_id();
        let key = (id, SecretHash::of(&id.to_string()));
        bench.store.enroll(hash, Kind::Agent, name.to_owned(), key, now).await.unwrap()
    };
    let (first, _) = enroll("host-1", now).await.unwrap();
    let (again, replaced) = enroll("host-1", now).await.unwrap();
    assert_eq!(replaced, Some(first.id), "a lost answer is asked for again, and costs no use");
    bench.sync(again.id, said("host-1", "1.0.0")).await.unwrap();
    assert_eq!(enroll("host-1", now).await, Err(IdentityRefused::NameTaken("host-1".into())));
    assert_eq!(enroll("host-2", token.expires_at).await, Err(IdentityRefused::UnknownKey));
    enroll("host-2", now).await.unwrap();
    assert_eq!(enroll("host-3", now).await, Err(IdentityRefused::UnknownKey));
    let kept = bench.store.enrolment_tokens(bench.person.account_id, None, 10).await.unwrap();
    assert_eq!(kept, [EnrolmentToken { uses: 2, ..token }]);
}

async fn a_deleted_executor_frees_its_name_and_keeps_its_history(store: Store) {
    let bench = Bench::of(store).await;
    let key = bench.key(None).await;
    let executor = bench.sync(key, said("host-1", "1.0.0")).await.unwrap().executor;
    bench.publish("1.1.0").await;
    let order = bench.order(executor.id, "1.1.0");
    let (upgrade_id, due) = (order.id, order.expires_at);
    let open = bench.store.request_upgrade(order).await.unwrap().unwrap().upgrade.unwrap();
    let account = bench.person.account_id;
    let now = bench.clock.now();
    assert_eq!(
        bench.store.delete_executor(bench.person.clone(), executor.id, String::new(), now).await.unwrap(),
        Err(upgrade_id)
    );
    let lapse = upgrade::lapse(&open, due).unwrap();
    bench.store.swap_upgrade(open, lapse, bench.clock.now()).await.unwrap().unwrap();
    assert_eq!(
        bench.store.delete_executor(bench.person.clone(), executor.id, String::new(), now).await.unwrap(),
        Ok(true)
    );
    assert_eq!(
        bench.store.delete_executor(bench.person.clone(), executor.id, String::new(), now).await.unwrap(),
        Ok(false)
    );
    assert_eq!(all(&bench.store).await, []);
    assert!(bench.store.upgrade(account, upgrade_id).await.unwrap().is_some());
    let anew = bench.sync(key, said("host-1", "1.0.0")).await.unwrap().executor;
    assert_ne!(anew.id, executor.id);
}

macro_rules! contract {
    ($engine:ident, $open:expr, $($promise:ident),* $(,)?) => {
        mod $engine {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let folder = tempfile::tempdir().unwrap();
                let (store, _database) = $open(folder.path());
                super::$promise(store).await;
            })*
        }
    };
}

fn open_sqlite(folder: &std::path::Path) -> (Store, ()) {
    (Store::open(&Database::Sqlite(folder.join("novacula.sqlite"))).unwrap(), ())
}

fn open_postgresql(_: &std::path::Path) -> (Store, TestDatabase) {
    let database = TestDatabase::at_a_server();
    (database.open(), database)
}

macro_rules! on_every_engine {
    ($($promise:ident),* $(,)?) => {
        contract!(sqlite, super::open_sqlite, $($promise),*);
        contract!(postgresql, super::open_postgresql, $($promise),*);
    };
}

on_every_engine!(
    what_was_written_is_read_as_it_was,
    an_unchanged_sync_writes_nothing,
    of_many_requests_exactly_one_wins,
    a_lapsed_upgrade_makes_room_for_the_next,
    a_refused_write_leaves_no_trace_and_harms_no_other,
    a_name_goes_over_to_a_new_key_only_after_the_old_one_is_revoked,
    a_draft_takes_artifacts_and_what_is_published_takes_none,
    an_enrolment_token_is_used_as_often_as_it_says,
    a_deleted_executor_frees_its_name_and_keeps_its_history,
);
