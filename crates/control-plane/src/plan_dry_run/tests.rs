use std::collections::BTreeMap;

use novacula_protocol::people::{Artifact, Release, ReleaseStatus, Selector};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Held};

use super::*;
use crate::labels::Labels;
use crate::outgoing::address::Leave;
use crate::plan_document::LivePlan;

const NOW: &str = "2026-11-21T08:00:00Z";
const MINUTE_MS: u64 = 60_000;

fn executor(id: u128, ring: &str) -> Executor {
    let labels = Labels::from([("ring", ring)]);
    Executor {
        id: Uuid::from_u128(id),
        account_id: Uuid::from_u128(1),
        key_id: Uuid::from_u128(id),
        revision: 1,
        name: format!("host-{id:02}"),
        kind: Kind::Agent,
        current_version: "1.0.0".parse().unwrap(),
        channel: Channel::Stable,
        target: "t".to_owned(),
        labels: labels.clone(),
        host_labels: labels,
        labels_by_people: Labels::default(),
        held: None,
        trusted_keys: None,
        checks: Vec::new(),
        restarts: 0,
        last_seen_at: NOW.parse().unwrap(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn release(version: &str) -> Release {
    let artifact =
        Artifact { target: "t".to_owned(), size: 1, sha256: String::new(), signature: String::new() };
    Release {
        id: version.to_owned(),
        kind: Kind::Agent,
        version: version.parse().unwrap(),
        channel: Channel::Stable,
        status: ReleaseStatus::Published,
        r#type: "agent".to_owned(),
        prerequisites: Some(Vec::new()),
        postrequisites: Some(Vec::new()),
        notes: String::new(),
        artifacts: vec![artifact],
        created_at: Timestamp::UNIX_EPOCH,
        published_at: None,
    }
}

/// A dry run about to be made; `waves` in YAML, one a line.
struct Scene {
    document: FleetUpgradePlan,
    executors: Vec<Executor>,
    plans: Vec<LivePlan>,
    stands: HashMap<Uuid, Stand>,
    lasted_ms: Vec<u64>,
    applied: Option<(Uuid, Timestamp)>,
    now: Timestamp,
}

impl Scene {
    fn of(target: &str, waves: &[&str], executors: Vec<Executor>) -> Self {
        let waves: String = waves.iter().map(|wave| format!("    - {wave}\n")).collect();
        let text = format!(
            "apiVersion: novacula/v1\nkind: FleetUpgradePlan\nmetadata: {{name: p}}\n\
             spec:\n  targetVersion: {target}\n  waves:\n{waves}"
        );
        let online = Stand { presence: Some(Presence::Online), ..Stand::default() };
        Self {
            document: FleetUpgradePlan::read(&text).unwrap(),
            stands: executors.iter().map(|executor| (executor.id, online.clone())).collect(),
            executors,
            plans: Vec::new(),
            lasted_ms: Vec::new(),
            applied: None,
            now: NOW.parse().unwrap(),
        }
    }

    fn run(&self) -> PlanDryRun {
        let releases = ["1.1.0", "2.0.0", "2.5.0", "3.0.0"].map(release);
        let executors: Vec<_> = self.executors.iter().collect();
        let groups: BTreeMap<String, Selector> = BTreeMap::new();
        let known = Known {
            releases: &releases,
            executors: &executors,
            groups: &groups,
            plans: &self.plans,
            gates: Leave::of_gates(true),
            now: self.now,
        };
        let checked = plan_document::checked(&self.document, &known).unwrap();
        dry_run(DryRun {
            document: &self.document,
            checked,
            known,
            applied: self.applied,
            stands: self.stands.clone(),
            lasted_ms: self.lasted_ms.clone(),
        })
    }

    /// When it begins and ends, in minutes from now.
    fn minutes(&self) -> Vec<(i64, i64)> {
        let from = |at: Timestamp| at.duration_since(self.now).as_mins();
        self.run().waves.iter().map(|wave| (from(wave.starts_at), from(wave.ends_at))).collect()
    }
}

fn hosts(count: u128, ring: &str) -> Vec<Executor> {
    (1..=count).map(|id| executor(id, ring)).collect()
}

#[test]
fn who_goes_when_over_which_versions_is_shown_in_the_order_of_the_plan() {
    let mut executors = hosts(6, "a");
    executors.extend([executor(7, "b"), executor(8, "c")]);
    executors.push(Executor { kind: Kind::Operator, ..executor(9, "a") });
    executors[2].current_version = "2.0.0".parse().unwrap();
    let waves = [
        "{name: a, clusterSelector: {matchLabels: {ring: a}}, canary: 2, maxInFlight: 3}",
        "{name: b, clusterSelector: {matchLabels: {ring: b}}, validation: {automated: true, healthCheckDuration: 1h}}",
    ];
    let mut scene = Scene::of("3.0.0", &waves, executors);
    scene.applied = Some((Uuid::from_u128(77), scene.now));
    let run = scene.run();
    assert_eq!(run.target_version.to_string(), "3.0.0");
    let a = &run.waves[0];
    assert_eq!((a.max_in_flight, a.canary, a.wants_approval), (3, 2, true));
    assert!(!run.waves[1].wants_approval);
    let mut expected: Vec<_> = (1..=6).map(Uuid::from_u128).collect();
    expected.sort_by_key(|id| plan_document::rank(Uuid::from_u128(77), *id));
    let shown: Vec<Uuid> = a.executors.iter().map(|dry| dry.executor_id.parse().unwrap()).collect();
    assert_eq!(shown, expected);
    let canaries: Vec<bool> = a.executors.iter().map(|dry| dry.canary).collect();
    assert_eq!(canaries, [true, true, false, false, false, false]);
    for dry in &a.executors {
        let route: Vec<_> = dry.route.iter().map(ToString::to_string).collect();
        let way = if dry.name == "host-03" { "3.0.0" } else { "2.5.0 3.0.0" };
        assert_eq!((route.join(" "), &dry.obstacle), (way.to_owned(), &None), "{}", dry.name);
    }
    assert_eq!(run.in_no_wave, ["host-08"]);
    assert_eq!(run.ends_at, run.waves[1].ends_at);
    assert_eq!(scene.run(), run, "the same is answered to the same");
    scene.applied = None;
    assert!(scene.run().warnings.last().unwrap().contains("is drawn when the plan is applied"));
}

#[test]
fn what_stands_in_the_way_of_an_executor_is_said_and_it_is_no_canary() {
    let mut executors = hosts(9, "a");
    executors[0].held = Some(Held { reason: "disk is replaced".to_owned(), until: None });
    executors[3].current_version = "1.1.0".parse().unwrap();
    executors[4].current_version = "2.0.0".parse().unwrap();
    executors[5].target = "another".to_owned();
    let wave = "{name: a, clusterSelector: {matchLabels: {ring: a}}, canary: 100%}";
    let mut scene = Scene::of("1.1.0", &[wave], executors);
    let stand = |scene: &mut Scene, id: u128, change: &dyn Fn(&mut Stand)| {
        change(scene.stands.get_mut(&Uuid::from_u128(id)).unwrap());
    };
    stand(&mut scene, 1, &|stand| stand.presence = Some(Presence::Offline));
    stand(&mut scene, 2, &|stand| stand.presence = None);
    stand(&mut scene, 3, &|stand| stand.calendar = Some("frozen until tomorrow".to_owned()));
    stand(&mut scene, 7, &|stand| {
        let requested_by = "alice".to_owned();
        stand.upgrade = Some(OtherUpgrade { requested_by, is_open: true, has_completed: false });
        stand.owes = vec!["clock".to_owned()];
    });
    let claim = |name: &str, priority: i32, id: u128| LivePlan {
        id: Uuid::from_u128(100 + id),
        name: name.to_owned(),
        priority,
        yields_to: Vec::new(),
        created_at: scene.now,
        executors: [Uuid::from_u128(id)].into(),
    };
    scene.plans = vec![claim("first", 3, 8), claim("last", -3, 9)];
    let run = scene.run();
    let wave = &run.waves[0];
    for (sentence, id, obstacle, canary) in [
        ("dead and on hold", 1, "it does not sync; its host is on hold: disk is replaced", false),
        ("not heard yet", 2, "it was not heard since the control plane started", true),
        ("frozen", 3, "frozen until tomorrow", true),
        ("there already", 4, "", false),
        (
            "something newer runs there",
            5,
            "it runs 2.0.0, which is newer, and a plan does not go back",
            false,
        ),
        (
            "no artifact for it",
            6,
            "it has no way there: 1.1.0 is not among the releases that are offered to this executor",
            false,
        ),
        ("an upgrade of somebody", 7, "an upgrade that alice asked for has not ended", true),
        ("a plan that comes before", 8, "the plan `first` comes first", false),
        ("a plan that comes after", 9, "", true),
    ] {
        let dry = wave.executors.iter().find(|dry| dry.name == format!("host-{id:02}")).unwrap();
        let said = dry.obstacle.as_deref().unwrap_or_default();
        assert!(said.starts_with(obstacle) && said.is_empty() == obstacle.is_empty(), "{sentence}: {said}");
        assert_eq!(dry.canary, canary, "{sentence}");
    }
    assert_eq!(wave.executors.iter().flat_map(|dry| &dry.owes).collect::<Vec<_>>(), ["clock"]);
}

#[test]
fn the_times_are_rounds_of_the_usual_upgrade_and_soaks() {
    let wave = |more: &str| format!("{{name: w, clusterSelector: {{matchLabels: {{ring: a}}}}, {more}}}");
    let soaking = |more: &str| wave(&format!("validation: {{healthCheckDuration: 1h}}, {more}"));
    for (sentence, waves, count, expected) in [
        ("a quarter at once is four rounds", vec![wave("canary: 0")], 8, vec![(0, 12)]),
        ("all at once is one", vec![wave("maxInFlight: 100%")], 8, vec![(0, 3)]),
        ("one after the other", vec![wave("maxInFlight: 1")], 8, vec![(0, 24)]),
        ("a round that is not full counts", vec![wave("maxInFlight: 3")], 8, vec![(0, 9)]),
        ("then it soaks", vec![soaking("maxInFlight: 100%")], 8, vec![(0, 63)]),
        ("twice with a canary", vec![soaking("maxInFlight: 100%, canary: 1")], 8, vec![(0, 126)]),
        ("even where all are canaries", vec![soaking("maxInFlight: 100%, canary: 8")], 8, vec![(0, 123)]),
    ] {
        let waves: Vec<_> = waves.iter().map(String::as_str).collect();
        let scene = Scene::of("1.1.0", &waves, hosts(count, "a"));
        assert_eq!(scene.minutes(), expected, "{sentence}");
    }
    let mut two = hosts(2, "a");
    two.push(executor(3, "b"));
    let waves = [
        "{name: a, clusterSelector: {matchLabels: {ring: a}}, maxInFlight: 2, validation: {healthCheckDuration: 30m}}",
        "{name: b, clusterSelector: {matchLabels: {ring: b}}}",
    ];
    let mut scene = Scene::of("3.0.0", &waves, two);
    assert_eq!(
        scene.minutes(),
        [(0, 36), (36, 42)],
        "a hop takes as long again, a wave begins when the one before ends"
    );
    scene.lasted_ms = [1, 60, 10].map(|minutes| minutes * MINUTE_MS).to_vec();
    assert_eq!(scene.minutes(), [(0, 50), (50, 70)], "the median of what was is what will be");
    for executor in &mut scene.executors[..2] {
        scene.stands.get_mut(&executor.id).unwrap().presence = Some(Presence::Offline);
    }
    assert_eq!(scene.minutes(), [(0, 30), (30, 50)], "who does not go takes no time");
}

#[test]
fn a_wave_begins_when_its_window_opens_and_goes_on_when_it_opens_again() {
    let wave = |window: &str, count: u128| {
        let wave = format!(
            "{{name: w, clusterSelector: {{matchLabels: {{ring: a}}}}, maxInFlight: 1, window: {{{window}, zone: UTC}}}}"
        );
        Scene::of("1.1.0", &[wave.as_str()], hosts(count, "a")).minutes()
    };
    // It is eight o'clock.
    assert_eq!(wave("cron: '0 7 * * *', duration: 2h", 5), [(0, 15)], "it is open");
    assert_eq!(wave("cron: '0 10 * * *', duration: 1h", 5), [(120, 135)], "it opens in two hours");
    assert_eq!(wave("cron: '0 10 * * *', duration: 10m", 5), [(120, 24 * 60 + 125)], "it goes on tomorrow");
    assert_eq!(
        wave("cron: '30 7 * * *', duration: 45m", 6),
        [(0, 24 * 60 - 27)],
        "it closes in a quarter of an hour"
    );
}
