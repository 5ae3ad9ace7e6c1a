use novacula_protocol::people::WebhookEvent;
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::background;
use crate::in_process::{ControlPlane, reported, said};
use crate::outgoing::receiver::{Receiver, status, until};
use crate::store::AtWork;
use crate::webhook::dispatch;

/// Two control planes on one database, each hearing what the other changes.
struct Two {
    a: ControlPlane,
    b: ControlPlane,
    running: Vec<JoinHandle<()>>,
}

impl Two {
    async fn start() -> Self {
        let a = ControlPlane::at_a_server().await;
        let b = a.beside().await;
        let running = [&a, &b].map(|one| tokio::spawn(run(Arc::clone(&one.app)))).into();
        // What is told before somebody listens is read at the beginning.
        for (from, to) in [(&a, &b), (&b, &a)] {
            let seen = to.app.store.commits();
            until("it hears the other", async || {
                from.key().await;
                to.app.store.commits() > seen + 1
            })
            .await;
        }
        Self { a, b, running }
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

async fn status_of(control_plane: &ControlPlane, key: &str, name: &str) -> u16 {
    control_plane.sync(key, said(name, "1.0.0")).await.status.as_u16()
}

/// An id that only tests give, of one of many.
fn of_many(what: char, number: &str) -> String {
    format!("'{what}0000000-0000-7000-8000-' || lpad(CAST({number} AS TEXT), 12, '0')")
}

/// So many executors, behind the back of the control plane.
async fn introduce_many(control_plane: &ControlPlane, count: u32) {
    let account = control_plane.account_id().await;
    let rows = format!(
        "INSERT INTO executor_keys (id, account_id, hash, bound_name, created_by, created_at)
           SELECT {key}, '{account}', decode(repeat(md5(CAST(n AS TEXT)), 2), 'hex'), 'many-' || n, 'test', 0
           FROM generate_series(1, {count}) AS n;
         INSERT INTO executors (id, account_id, key_id, revision, name, kind, current_version, channel, target,
             labels, created_at)
           SELECT {executor}, '{account}', {key}, 1, 'many-' || n, 'agent', '1.0.0', 'stable', 't', '{{}}', 0
           FROM generate_series(1, {count}) AS n;
         INSERT INTO presence (executor_id, last_seen_at, restarts)
           SELECT {executor}, 0, 0 FROM generate_series(1, {count}) AS n",
        key = of_many('1', "n"),
        executor = of_many('2', "n"),
    );
    control_plane.database().behind(&rows).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_requested_at_one_is_offered_by_the_other() {
    let two = Two::start().await;
    let (key, id) = two.a.executor("host-1", "1.0.0").await;
    until("the other knows the key", async || status_of(&two.b, &key, "host-1").await == 200).await;
    two.a.publish("1.1.0").await;
    let asked = two.a.request(&id, "1.1.0").await.ok()["id"].clone();
    until("the other offers it", async || {
        two.b.sync(&key, said("host-1", "1.0.0")).await.ok()["pendingUpgrade"]["upgradeId"] == asked
    })
    .await;
    let asked = asked.as_str().unwrap();
    two.b.sync(&key, reported("host-1", "1.0.0", asked, "DOWNLOAD", "UNDERWAY")).await.ok();
    until("the first knows how far it is", async || {
        let path = format!("/api/v1/executors/{id}");
        two.a.get(&path).await.ok()["upgrade"]["stage"] == "DOWNLOAD"
            || two.a.get(&format!("/api/v1/upgrades/{asked}")).await.ok()["stage"] == "DOWNLOAD"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_at_one_is_refused_by_the_other_and_a_deleted_executor_is_forgotten() {
    let two = Two::start().await;
    let (key, id) = two.a.executor("host-1", "1.0.0").await;
    until("the other knows the key", async || status_of(&two.b, &key, "host-1").await == 200).await;
    let keys = two.b.get("/api/v1/executor-keys").await.ok();
    let bound = keys["items"].as_array().unwrap().iter().find(|key| key["name"] == "host-1").unwrap();
    two.b.delete(&format!("/api/v1/executor-keys/{}?reason=test", bound["id"].as_str().unwrap())).await.ok();
    until("the first refuses it", async || status_of(&two.a, &key, "host-1").await == 401).await;
    two.b.delete(&format!("/api/v1/executors/{id}?reason=test")).await.ok();
    until("it is gone", async || two.a.get(&format!("/api/v1/executors/{id}")).await.status == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_while_the_line_was_cut_is_read_anew_and_writes_go_on() {
    let two = Two::start().await;
    let (_key, id) = two.a.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    until("the other knows it", async || two.b.get(&path).await.status == 200).await;
    for _ in 0..3 {
        let hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        two.a.database().behind(hang_up).unwrap();
        let label = two.a.app.clock.new_id().to_string();
        until("a change is kept", async || {
            two.a.patch(&path, json!({"labels": {"round": label}})).await.status == 200
        })
        .await;
        until("the other knows it", async || two.b.get(&path).await.ok()["labels"]["round"] == label).await;
    }
    let chain = two.b.get("/api/v1/activity/verify").await.ok();
    assert_eq!(chain["intact"], true, "{chain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_at_once_and_the_chain_of_the_activity_stays_whole() {
    let two = Two::start().await;
    let before = two.a.get("/api/v1/activity/verify").await.ok()["entries"].as_u64().unwrap();
    let write = |control_plane: &ControlPlane, n: usize| {
        let (store, now) = (control_plane.app.store.clone(), control_plane.app.clock.now());
        let new = crate::key::NewKey {
            id: control_plane.app.clock.new_id(),
            account_id: Uuid::nil(),
            hash: crate::secrets::SecretHash::of(&format!("{n} {now}")),
            bound_name: None,
            expires_at: None,
            enrolment_token_id: None,
            created_by: "owner".to_owned(),
            created_at: now,
        };
        (store, new)
    };
    let account_id = two.a.account_id().await;
    let writes: Vec<_> = (0..200)
        .map(|n| {
            let (store, new) = write(if n % 2 == 0 { &two.a } else { &two.b }, n);
            tokio::spawn(async move { store.add_key(crate::key::NewKey { account_id, ..new }).await })
        })
        .collect();
    for one in writes {
        one.await.unwrap().unwrap();
    }
    let chain = two.b.get("/api/v1/activity/verify").await.ok();
    assert_eq!((&chain["intact"], chain["entries"].as_u64().unwrap()), (&json!(true), before + 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_both_take_further_never_has_more_under_way_than_it_may() {
    let two = Two::start().await;
    let mut keys = Vec::new();
    for n in 0..12 {
        keys.push(two.a.executor(&format!("host-{n}"), "1.0.0").await.0);
    }
    two.a.publish("1.1.0").await;
    let path = "/api/v1/releases/agent/batch-upgrade?targetVersion=1.1.0";
    let batch = two.a.post(path, json!({"concurrency": 3})).await.ok();
    let path = format!("/api/v1/batches/{}", batch["id"].as_str().unwrap());
    let started = |batch: &serde_json::Value| {
        batch["items"].as_array().unwrap().iter().filter(|item| item["outcome"] == "started").count()
    };
    for _ in 0..60 {
        let (one, other) = tokio::join!(two.a.app.tick(), two.b.app.tick());
        one.and(other).unwrap();
        let now = two.b.get(&path).await.ok();
        assert!(started(&now) <= 3, "{now}");
        if now["endedAt"].is_string() {
            return;
        }
        for item in now["items"].as_array().unwrap().iter().filter(|item| item["outcome"] == "started") {
            let name = item["executorName"].as_str().unwrap();
            let key = &keys[name.trim_start_matches("host-").parse::<usize>().unwrap()];
            let upgrade = item["upgradeId"].as_str().unwrap();
            two.b.sync(key, reported(name, "1.1.0", upgrade, "COMPLETED", "COMPLETED")).await;
        }
    }
    panic!("it has not ended: {}", two.b.get(&path).await.ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_call_webhooks_each_delivery_is_sent_by_one() {
    let two = Two::start().await;
    let receiver = Receiver::start(|_| status(200));
    let wanted = json!({"url": receiver.url(), "events": WebhookEvent::WANTED});
    let made = two.a.post("/api/v1/webhooks", wanted).await.ok();
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let running = [&two.a, &two.b].map(|one| tokio::spawn(dispatch::run(Arc::clone(&one.app))));
    for n in 0..20 {
        let at = if n % 2 == 0 { &two.a } else { &two.b };
        at.post(&format!("{path}/test"), json!({})).await.ok();
    }
    until("all are sent", async || two.a.app.store.pending_deliveries().await == Ok(0)).await;
    running.iter().for_each(JoinHandle::abort);
    assert_eq!(receiver.received().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_one_hears_is_online_at_the_other_and_its_upgrade_is_not_given_up() {
    let two = Two::start().await;
    let (key, id) = two.a.executor("host-1", "1.0.0").await;
    until("the other knows it", async || status_of(&two.b, &key, "host-1").await == 200).await;
    two.a.publish("1.1.0").await;
    let asked = two.a.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    let mut report = reported("host-1", "1.0.0", &asked, "DOWNLOAD", "UNDERWAY");
    two.a.sync(&key, report.clone()).await.ok();
    for bytes in 1..40 {
        two.a.wait_ms(60_000);
        report["upgrade"]["bytesDone"] = json!(bytes);
        report["upgrade"]["bytesTotal"] = json!(100);
        report["restarts"] = json!(bytes);
        two.a.sync(&key, report.clone()).await.ok();
        two.a.app.keep_presence(Duration::ZERO).await.unwrap();
        two.b.app.hear_of_presence().await.unwrap();
        two.b.app.tick().await.unwrap();
    }
    let shown = two.b.get(&format!("/api/v1/executors/{id}")).await.ok();
    assert_eq!((&shown["status"], &shown["restarts"]), (&json!("online"), &json!(39)), "{shown}");
    let upgrade = two.b.get(&format!("/api/v1/upgrades/{asked}")).await.ok();
    assert_eq!((&upgrade["stage"], &upgrade["bytesDone"]), (&json!("DOWNLOAD"), &json!(39)), "{upgrade}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_one_is_told_when_it_has_learnt_whom_the_other_hears() {
    let two = Two::start().await;
    let (key, _) = two.a.executor("host-1", "1.0.0").await;
    until("the other knows it", async || status_of(&two.b, &key, "host-1").await == 200).await;
    two.a.wait_ms(60_000);
    two.a.sync(&key, said("host-1", "1.0.0")).await.ok();
    two.a.app.keep_presence(Duration::ZERO).await.unwrap();
    let mut watched = two.b.app.store.watch_commits();
    watched.mark_unchanged();
    two.b.app.hear_of_presence().await.unwrap();
    assert!(watched.has_changed().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn that_executors_have_said_something_new_to_the_other_wakes_whoever_watches_one() {
    let a = ControlPlane::at_a_server().await;
    let (key, id) = a.executor("host-1", "1.0.0").await;
    let b = a.beside().await;
    let mut news = b.app.store.listen().unwrap();
    assert_eq!(news.recv().await, Some(News::Listening));
    let mut changed = Changed::default();
    // The first time the statement is not ready, and the transaction around it says so, too.
    for words in [2, 1] {
        let mut said = said("host-1", "1.0.0");
        said["labels"] = json!({"words": words.to_string()});
        a.sync(&key, said).await.ok();
        changed = Changed::default();
        for _ in 0..words {
            changed.note(news.recv().await.unwrap());
        }
    }
    assert_eq!(changed.executors, HashSet::from([id.parse().unwrap()]));
    assert!(changed.commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_executors_that_one_statement_changes_the_others_hear_of_each() {
    let two = Two::start().await;
    two.a.executor("host-1", "1.0.0").await;
    // More than one message has room for.
    introduce_many(&two.a, 450).await;
    let running = async |version: &str| {
        let counts = two.b.get("/api/v1/releases/agent/versions").await.ok();
        counts[version].as_u64().unwrap_or_default()
    };
    until("all are known", async || running("1.0.0").await == 451).await;
    let change =
        "UPDATE executors SET current_version = '1.0.1', revision = revision + 1 WHERE name LIKE 'many-%'";
    two.a.database().behind(change).unwrap();
    until("each has changed", async || running("1.0.1").await == 450).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_many_upgrades_are_is_kept_of_some_at_once_and_no_older_word_over_a_newer_one() {
    let control_plane = ControlPlane::at_a_server().await;
    let (_, id) = control_plane.executor("host-1", "1.0.0").await;
    control_plane.publish("1.1.0").await;
    control_plane.request(&id, "1.1.0").await.ok();
    introduce_many(&control_plane, 600).await;
    let like_the_one = format!(
        "INSERT INTO upgrades SELECT (jsonb_populate_record(u, jsonb_build_object('id', {}, 'executor_id', {}))).*
         FROM upgrades AS u, generate_series(1, 600) AS n",
        of_many('3', "n"),
        of_many('2', "n"),
    );
    let database = control_plane.database();
    database.behind(&like_the_one).unwrap();
    database.behind(&format!("UPDATE upgrades SET ended_at = 0 WHERE id = {}", of_many('3', "600"))).unwrap();
    let now = control_plane.app.clock.now();
    let word = |bytes_done, stands_since| {
        let of = |what, number| format!("{what}0000000-0000-7000-8000-{number:012}").parse().unwrap();
        let one = |number: u32| {
            let (upgrade_id, executor_id) = (of(3, number), of(2, number));
            AtWork { upgrade_id, executor_id, bytes_done, bytes_total: 9, stands_since }
        };
        (1..=600).map(one).collect::<Vec<_>>()
    };
    let store = &control_plane.app.store;
    let before = store.commits();
    store.keep_at_work(&word(7, now)).await.unwrap();
    assert_eq!(store.commits(), before + 2, "whoever has something to keep waits behind a part of them");
    store.keep_at_work(&word(3, now - Duration::from_millis(1))).await.unwrap();
    let kept = "SELECT count(*) FROM upgrades WHERE bytes_done = 7 AND bytes_total = 9";
    assert_eq!(database.ask(kept), "599", "all but the one that has ended");
    assert_eq!(database.ask("SELECT count(*) FROM upgrades WHERE bytes_done = 3"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_by_the_clock_is_done_by_one_and_by_the_other_when_that_one_is_gone() {
    let two = Two::start().await;
    let now = two.a.app.clock.now();
    let work = crate::store::Work::Tick;
    assert_eq!(two.a.app.store.has_turn(work, now).await, Ok(true));
    assert_eq!(two.b.app.store.has_turn(work, now).await, Ok(false));
    let later = now + SignedDuration::from_secs(6);
    assert_eq!(two.a.app.store.has_turn(work, later).await, Ok(true), "it says so again");
    let later = now + SignedDuration::from_secs(11);
    assert_eq!(two.b.app.store.has_turn(work, later).await, Ok(false));
    let gone = now + SignedDuration::from_secs(17);
    assert_eq!(two.b.app.store.has_turn(work, gone).await, Ok(true), "its holder has not said so again");
    assert_eq!(two.a.app.store.has_turn(work, gone).await, Ok(false));
    two.b.app.store.end_turns().await.unwrap();
    assert_eq!(two.a.app.store.has_turn(work, gone).await, Ok(true), "it was given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_and_a_suspension_at_one_count_at_the_other() {
    let two = Two::start().await;
    let (_key, id) = two.a.executor("host-1", "1.0.0").await;
    let path = format!("/api/v1/executors/{id}");
    until("the other knows it", async || two.b.get(&path).await.status == 200).await;
    let now = two.a.app.clock.now();
    let freeze = json!({"reason": "audit", "startsAt": now, "endsAt": now + SignedDuration::from_hours(1)});
    two.a.post("/api/v1/freezes", freeze).await.ok();
    let account_id = two.a.account_id().await;
    until("it counts", async || {
        two.b.app.calendar.read().stops(account_id, &crate::labels::Labels::default(), now).is_some()
    })
    .await;
    let other = two.a.post("/api/v1/accounts", json!({"name": "other"})).await.ok()["id"].clone();
    let other: Uuid = other.as_str().unwrap().parse().unwrap();
    two.a.post(&format!("/api/v1/accounts/{other}/suspend"), json!({"reason": "test"})).await.ok();
    until("it is suspended", async || two.b.app.suspended.check(other).is_err()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_lapse_once_though_both_look_after_them() {
    let two = Two::start().await;
    let (key, id) = two.a.executor("host-1", "1.0.0").await;
    two.a.publish("1.1.0").await;
    let asked = two.a.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned();
    two.a.wait_ms(900_000);
    let running = [&two.a, &two.b].map(|one| tokio::spawn(background::run(Arc::clone(&one.app))));
    let path = format!("/api/v1/upgrades/{asked}");
    until("it has lapsed", async || two.b.get(&path).await.ok()["stage"] == "FAILED").await;
    until("both know it", async || {
        let one = two.a.sync(&key, said("host-1", "1.0.0")).await.ok();
        let other = two.b.sync(&key, said("host-1", "1.0.0")).await.ok();
        one["pendingUpgrade"].is_null() && other["pendingUpgrade"].is_null()
    })
    .await;
    running.iter().for_each(JoinHandle::abort);
    let told = two.a.get("/api/v1/activity?action=upgrade.ended").await.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told}");
}
