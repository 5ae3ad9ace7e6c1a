use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;

use novacula_lab::Prometheus;
use novacula_protocol::people::{GateOutcome, PlanState, WaveState};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::in_process::ControlPlane;
use crate::outgoing::address::Leave;
use crate::outgoing::receiver::{Receiver, Reply, status, until};
use crate::store::plan_bench::document;

/// A plan whose first wave soaks and has these gates.
async fn soaking(control_plane: &ControlPlane, gates: &Value) -> Uuid {
    let app = &control_plane.app;
    let (account, id, now) = (control_plane.account_id().await, app.clock.new_id(), app.clock.now());
    let document = document(&id.to_string(), &json!([{"name": "canary", "gates": gates}]));
    app.store.put_plan(account, id, document, now).await;
    app.store.put_wave(id, 0, WaveState::Soaking, "", Some(now)).await;
    id
}

fn http(name: &str, there: &Receiver) -> Value {
    json!({"type": "http", "name": name, "url": there.url()})
}

/// Waits until a gate says something, and gives why.
async fn says(control_plane: &ControlPlane, plan_id: Uuid, name: &str, outcome: GateOutcome) -> String {
    let store = &control_plane.app.store;
    let said = async || {
        let rows = store.gates_of(plan_id).await;
        rows.into_iter().find(|(known, said, _)| known == name && *said == outcome)
    };
    until(&format!("{name} says {outcome:?}"), async || said().await.is_some()).await;
    said().await.unwrap().2
}

/// Somebody who answers nobody before the other end is dropped.
fn hanging() -> (Receiver, mpsc::Sender<()>) {
    let (release, held) = mpsc::channel::<()>();
    let there = Receiver::start(move |_| {
        let _ = held.recv();
        status(200)
    });
    (there, release)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_asked_again_and_again_and_its_last_word_is_kept() {
    let control_plane = ControlPlane::start().await;
    let says_now: &'static AtomicU16 = Box::leak(Box::new(AtomicU16::new(200)));
    let there = Receiver::start(|_| status(says_now.load(Ordering::Relaxed)));
    let id = soaking(&control_plane, &json!([http("app", &there)])).await;
    let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
    says(&control_plane, id, "app", GateOutcome::Pass).await;
    assert_eq!(there.received()[0].line, "GET /hook?token=secret-path HTTP/1.1");
    for (status, outcome) in
        [(503, GateOutcome::Fail), (302, GateOutcome::Inconclusive), (204, GateOutcome::Pass)]
    {
        says_now.store(status, Ordering::Relaxed);
        let asked = there.received().len();
        control_plane.wait_ms(15_000);
        let why = says(&control_plane, id, "app", outcome).await;
        assert!(why.contains(&status.to_string()) && !why.contains("secret-path"), "{why}");
        assert_eq!(there.received().len(), asked + 1, "once in 15 s");
    }
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_hangs_holds_up_no_other_and_is_not_asked_twice_at_once() {
    let control_plane = ControlPlane::start().await;
    let (hanging, release) = hanging();
    let there = Receiver::start(|_| status(200));
    let id = soaking(&control_plane, &json!([http("hangs", &hanging), http("app", &there)])).await;
    let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
    for asked in 1..=5 {
        there.after(asked).await;
        until("what it said is kept", async || {
            let rows = control_plane.app.store.gates_of(id).await;
            rows.iter().any(|(name, ..)| name == "app")
        })
        .await;
        control_plane.wait_ms(15_000);
    }
    assert_eq!(hanging.received().len(), 1);
    drop(release);
    says(&control_plane, id, "hangs", GateOutcome::Pass).await;
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_are_asked_at_once_and_those_of_a_plan_that_went_away_are_dropped_silently() {
    let control_plane = ControlPlane::start().await;
    let (hanging, release) = hanging();
    let gates: Vec<_> = (0..10).map(|n| http(&format!("gate-{n}"), &hanging)).collect();
    let (one, two) =
        (soaking(&control_plane, &json!(gates)).await, soaking(&control_plane, &json!(gates)).await);
    let mut under_way = UnderWay::default();
    for _ in 0..3 {
        under_way.launch(&control_plane.app).await.unwrap();
        assert_eq!(under_way.asked.len(), 16);
    }
    hanging.after(16).await;
    control_plane.app.store.put("UPDATE plans SET deleted_at = 1").await;
    drop(release);
    while under_way.one_done().await.is_some() {}
    under_way.launch(&control_plane.app).await.unwrap();
    assert_eq!(under_way.asked.len(), 0);
    for id in [one, two] {
        assert_eq!(control_plane.app.store.gates_of(id).await, []);
    }
    assert_eq!(hanging.received().len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_halted_is_not_asked_after() {
    let control_plane = ControlPlane::start().await;
    let there = Receiver::start(|_| status(200));
    let id = soaking(&control_plane, &json!([http("app", &there)])).await;
    let now = control_plane.app.clock.now();
    control_plane.app.store.put_plan_state(id, PlanState::Halted, "", now).await;
    let mut under_way = UnderWay::default();
    under_way.launch(&control_plane.app).await.unwrap();
    assert_eq!(under_way.asked.len(), 0);
}

#[test]
fn whoever_cannot_be_asked_or_understood_makes_a_gate_inconclusive() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let plain = Receiver::start(|_| status(200));
    let garbage = Receiver::start(|_| Reply::Raw("220 mail.example ESMTP\r\n\r\n"));
    let half = Receiver::start(|_| Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"status\""));
    let inside: &'static str = format!("Location: {}\r\n", plain.url()).leak();
    let elsewhere = Receiver::start(move |_| Reply::With(302, inside, String::new()));
    let large = Receiver::start(|_| Reply::With(200, "", " ".repeat(5 << 20)));
    let client = Client::new(Leave::of_gates(true), None).unwrap();
    let strict = Client::new(Leave::of_gates(false), None).unwrap();
    for (client, kind, url, said) in [
        (&client, "http", nobody, "Connection refused"),
        (&client, "http", plain.url().replace("http:", "https:"), "did not answer"),
        (&client, "http", garbage.url(), "did not answer"),
        (&client, "http", elsewhere.url(), "not followed"),
        (&client, "prometheus", half.url(), "broke off"),
        (&client, "prometheus", large.url(), "longer than 4194304 bytes"),
        (&client, "http", "https://does-not-exist.invalid/".to_owned(), "did not answer"),
        (&client, "http", "http://169.254.169.254/latest/meta-data/".to_owned(), "metadata"),
        (&strict, "http", plain.url(), "GATE_ALLOW_PRIVATE=true"),
    ] {
        let gate = serde_json::from_value(json!({"type": kind, "url": url})).unwrap();
        let answered = answer_to(client, &gate);
        assert_eq!(answered.outcome, GateOutcome::Inconclusive, "{url}: {answered:?}");
        assert!(answered.message.contains(said), "{url}: {answered:?}");
        assert!(!answered.message.contains("secret-path"), "{url}: {answered:?}");
    }
    assert!(plain.received().is_empty(), "a redirect is not followed, and no lock is picked");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_a_real_prometheus_fire_and_clear_in_the_gate() {
    let prometheus = task::spawn_blocking(|| {
        Prometheus::start(&[
            ("DiskFull", "{severity: critical, team: core}", "0s"),
            ("Slow", "{severity: warning}", "0s"),
            ("Waits", "{severity: critical}", "1h"),
        ])
    });
    let prometheus = Arc::new(prometheus.await.unwrap());
    let control_plane = ControlPlane::start().await;
    let gate = |name: &str, more: Value| {
        let mut gate = json!({"type": "prometheus", "name": name, "url": prometheus.url()});
        gate.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        gate
    };
    let gates = json!([
        gate("critical", json!({})),
        gate("warning", json!({"severities": ["warning"]})),
        gate("team", json!({"labels": {"team": "core"}})),
        gate("other team", json!({"labels": {"team": "shop"}})),
    ]);
    let id = soaking(&control_plane, &gates).await;
    let running = tokio::spawn(run(Arc::clone(&control_plane.app)));
    // Waits until all gates say this, each asked again and again.
    let all_say = async |expected: [(&str, GateOutcome); 4]| {
        let app = &control_plane.app;
        until(&format!("{expected:?}"), async || {
            control_plane.wait_ms(15_000);
            let rows = app.store.gates_of(id).await;
            expected.iter().all(|(name, outcome)| rows.iter().any(|row| row.0 == *name && row.1 == *outcome))
        })
        .await;
        app.store.gates_of(id).await
    };
    let is = async |alert: &'static str, state: &'static str| {
        until(&format!("{alert} is {state}"), async || {
            let prometheus = Arc::clone(&prometheus);
            let states = task::spawn_blocking(move || prometheus.states()).await.unwrap();
            states.get(alert).is_some_and(|known| known == state)
        })
        .await;
    };
    use GateOutcome::{Fail, Inconclusive, Pass};
    all_say([("critical", Pass), ("warning", Pass), ("team", Pass), ("other team", Pass)]).await;

    prometheus.set("DiskFull", true);
    let rows = all_say([("critical", Fail), ("warning", Pass), ("team", Fail), ("other team", Pass)]).await;
    let why = &rows.iter().find(|row| row.0 == "critical").unwrap().2;
    let host = prometheus.url().replace("http://", "");
    assert_eq!(*why, format!("an alert of severity critical fires at {host}: DiskFull"));

    prometheus.set("DiskFull", false);
    prometheus.set("Slow", true);
    prometheus.set("Waits", true);
    is("Slow", "firing").await;
    is("Waits", "pending").await;
    let rows = all_say([("critical", Pass), ("warning", Fail), ("team", Pass), ("other team", Pass)]).await;
    let why = &rows.iter().find(|row| row.0 == "warning").unwrap().2;
    assert!(why.ends_with(": Slow"), "{why}");

    drop(prometheus);
    let lost = [
        ("critical", Inconclusive),
        ("warning", Inconclusive),
        ("team", Inconclusive),
        ("other team", Inconclusive),
    ];
    let rows = all_say(lost).await;
    assert!(rows.iter().all(|row| row.2.contains("did not answer")), "{rows:?}");
    running.abort();
}
