mod fields;
mod others;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use novacula_lab::dice::{Dice, seed};
use novacula_protocol::people::{Artifact, ReleaseStatus, Step};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use serde_json::{Value, json};

use super::*;
use crate::labels::Labels;

const NOW: &str = "2026-11-21T08:00:00Z";

/// An account: who is there, what is published, which groups and plans there are.
struct Account {
    executors: Vec<Executor>,
    releases: Vec<Release>,
    groups: BTreeMap<String, Selector>,
    plans: Vec<LivePlan>,
}

impl Account {
    /// Four canaries, eight in production, one operator; 1.34.2 and what is around it.
    fn usual() -> Self {
        let mut executors: Vec<_> =
            (1..=4).map(|n| executor(n, &format!("canary-{n}"), "ring=canary")).collect();
        executors.extend((11..=18).map(|n| executor(n, &format!("prod-{n}"), "ring=prod")));
        let operator = executor(21, "operator", "ring=canary");
        executors.push(Executor {
            kind: Kind::Operator,
            current_version: "8.0.0".parse().unwrap(),
            ..operator
        });
        let mut releases: Vec<_> =
            ["1.33.0", "1.34.0", "1.34.2", "1.34.10", "1.35.0", "1.36.0-rc.1", "3.0.0"].map(release).into();
        releases.push(Release { status: ReleaseStatus::Draft, ..release("1.37.0") });
        releases.push(Release { status: ReleaseStatus::Yanked, ..release("1.34.11") });
        releases.push(Release { kind: Kind::Operator, ..release("9.0.0") });
        let groups = [("prods", "ring=prod"), ("all", ""), ("nobody", "ring=none")];
        let groups = groups.map(|(name, label)| (name.to_owned(), selector(label))).into();
        Self { executors, releases, groups, plans: Vec::new() }
    }

    /// Beside plans of `(name, priority, yields to, whom)`, the first the oldest.
    fn with_plans(plans: &[(&str, i32, &[&str], &[u128])]) -> Self {
        let plans = (1..).zip(plans).map(|(n, (name, priority, yields_to, whom))| LivePlan {
            id: Uuid::from_u128(n),
            name: (*name).to_owned(),
            priority: *priority,
            yields_to: yields_to.iter().map(|name| (*name).to_owned()).collect(),
            created_at: Timestamp::from_second(i64::try_from(n).unwrap()).unwrap(),
            executors: whom.iter().map(|id| Uuid::from_u128(*id)).collect(),
        });
        Self { plans: plans.collect(), ..Self::usual() }
    }

    fn check(&self, plan: &Value) -> Result<Checked, DocumentRefused> {
        let document = FleetUpgradePlan::read(&plan.to_string())?;
        self.known(|known| checked(&document, known))
    }

    fn known<T>(&self, look: impl FnOnce(&Known<'_>) -> T) -> T {
        let executors: Vec<_> = self.executors.iter().collect();
        look(&Known {
            releases: &self.releases,
            executors: &executors,
            groups: &self.groups,
            plans: &self.plans,
            gates: Leave::of_gates(true),
            now: NOW.parse().unwrap(),
        })
    }
}

fn labels(label: &str) -> BTreeMap<String, String> {
    label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect()
}

fn selector(label: &str) -> Selector {
    Selector { match_labels: labels(label), match_expressions: Vec::new() }
}

fn executor(id: u128, name: &str, label: &str) -> Executor {
    Executor {
        id: Uuid::from_u128(id),
        account_id: Uuid::from_u128(1),
        key_id: Uuid::from_u128(id),
        revision: 1,
        name: name.to_owned(),
        kind: Kind::Agent,
        current_version: "1.33.0".parse().unwrap(),
        channel: Channel::Stable,
        target: "t".to_owned(),
        labels: label.split_once('=').into_iter().collect(),
        host_labels: label.split_once('=').into_iter().collect(),
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
        artifacts: vec![Artifact {
            target: "t".to_owned(),
            size: 1,
            sha256: String::new(),
            signature: String::new(),
        }],
        created_at: Timestamp::UNIX_EPOCH,
        published_at: None,
    }
}

/// The canaries, then production.
fn plan() -> Value {
    json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "to-1.34"},
        "spec": {"targetVersion": "1.34", "waves": [
            {
                "name": "canary", "clusterSelector": {"matchLabels": {"ring": "canary"}},
                "validation": {"healthCheckDuration": "1h", "automated": true},
            },
            {"name": "production", "clusterSelector": {"matchLabels": {"ring": "prod"}}},
        ]},
    })
}

/// That plan with `value` at `place`, a JSON pointer; null takes away what is there.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut plan = plan();
    for (place, value) in changes {
        let (parent, name) = place.rsplit_once('/').unwrap();
        match plan.pointer_mut(parent).unwrap_or_else(|| panic!("{place}")) {
            Value::Array(items) if name == "-" => items.push(value.clone()),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            Value::Object(fields) if value.is_null() => drop(fields.remove(name)),
            fields => fields[name] = value.clone(),
        }
    }
    plan
}

fn refused(account: &Account, plan: &Value) -> DocumentRefused {
    let refused = account.check(plan).expect_err(&plan.to_string());
    assert!(!refused.to_string().contains('\n'), "{refused}");
    refused
}

#[test]
fn a_plan_that_can_be_carried_out_is_taken_without_a_word() {
    let checked = Account::usual().check(&plan()).unwrap();
    assert_eq!(checked, Checked { target_version: "1.34.10".parse().unwrap(), warnings: Vec::new() });
}

#[test]
fn a_plan_that_takes_nobody_is_refused_with_its_selectors_shown() {
    let account = Account::usual();
    let selector = json!({"matchLabels": {"ring": "test", "site": "x"}, "matchExpressions": [
        {"key": "rack", "operator": "In", "values": ["1", "2"]}, {"key": "old", "operator": "DoesNotExist"},
        {"key": "gpu", "operator": "Exists"}, {"key": "zone", "operator": "NotIn", "values": ["a"]},
    ]});
    let plan = with(&[
        ("/spec/waves/0/clusterSelector", selector),
        ("/spec/waves/1", json!({"name": "rest", "group": "nobody"})),
    ]);
    let refused = refused(&account, &plan);
    assert_eq!(refused.path, "spec.waves");
    assert_eq!(
        refused.reason,
        "must take somebody, of 12 executors of kind agent they take none (`canary: ring=test,site=x,rack in (1, 2),\
         !old,gpu,zone notin (a)`, `rest: ring=none`)"
    );
    let operators = with(&[("/spec/executorKind", json!("operator")), ("/spec/targetVersion", json!("9"))]);
    let warnings = account.check(&operators).unwrap().warnings;
    assert!(
        warnings[0].contains("wave `production` takes nobody now (ring=prod)"),
        "one wave may: {warnings:?}"
    );
}

#[test]
fn prerequisites_of_all_releases_on_the_way_are_done_first() {
    let mut account = Account::usual();
    account.releases.push(release("2.1.0"));
    let to_3 = with(&[("/spec/targetVersion", json!("3.0.0"))]);
    assert_eq!(account.check(&to_3).unwrap().target_version.to_string(), "3.0.0");
    let step = |text: &str| Some(vec![Step { number: 1, text: text.to_owned() }]);
    account.releases.last_mut().unwrap().prerequisites = step("Take a backup");
    account.releases.iter_mut().find(|it| it.version.major == 3).unwrap().prerequisites = step("Drain it");
    let refused = refused(&account, &to_3);
    assert_eq!(refused.path, "spec.prerequisitesAcknowledged");
    assert_eq!(
        refused.reason,
        "must be true once the prerequisites of 2.1.0 and 3.0.0 are done for all executors of the plan; 2.1.0 has 1, \
         the first is: Take a backup"
    );
    assert!(account.check(&plan()).is_ok(), "who does not go there need not");
    let acknowledged =
        with(&[("/spec/targetVersion", json!("3.0.0")), ("/spec/prerequisitesAcknowledged", json!(true))]);
    assert!(account.check(&acknowledged).is_ok());
}

#[test]
fn what_is_clamped_is_said() {
    let account = Account::usual();
    let canary = |field: &str, value: Value| with(&[(&format!("/spec/waves/0/{field}"), value)]);
    for (plan, said) in [
        (canary("canary", json!(5)), "has 4 executors, and `canary` is 5: all of them go first"),
        (
            canary("canary", json!("100%")),
            "has 4 executors, and `canary` 100% is all of them: no rest comes after",
        ),
        (
            canary("maxInFlight", json!(50)),
            "has 4 executors, and `maxInFlight` is 50: all of them go at once",
        ),
        (
            canary("minSample", json!(10)),
            "has 4 executors, and `minSample` is 10: percentages count once all had",
        ),
        (canary("maxFailed", json!(4)), "has 4 executors, and `maxFailed` is 4: it never halts for failures"),
        (
            canary("validation", json!({"automated": true})),
            "does not soak: `validation.healthCheckDuration` is 0s",
        ),
    ] {
        let warnings = account.check(&plan).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(said) && warnings[0].starts_with("wave `canary`"), "{warnings:?}");
    }
    for plan in
        [canary("canary", json!(3)), canary("maxInFlight", json!("100%")), canary("maxFailed", json!("25%"))]
    {
        assert_eq!(account.check(&plan).unwrap().warnings, [] as [&str; 0]);
    }
}

#[test]
fn shares_of_a_wave_come_to_what_can_be_done() {
    let mut wave = FleetUpgradePlan::read(&plan().to_string()).unwrap().spec.waves.remove(0);
    for (sentence, share, n, in_flight_expected, canary_expected) in [
        ("a quarter goes at once unless said", None, 100, 25, 0),
        ("never nobody", None, 1, 1, 0),
        ("and nobody of nobody is one", None, 0, 1, 0),
        ("so many", Some("7"), 100, 7, 7),
        ("so many of fewer", Some("7"), 3, 3, 3),
        ("a share", Some("10%"), 100, 10, 10),
        ("a share of a few is one", Some("10%"), 3, 1, 1),
        ("all", Some("100%"), 8, 8, 8),
    ] {
        wave.max_in_flight = share.map(|share| share.parse().unwrap());
        wave.canary = share.map(|share| share.parse().unwrap());
        assert_eq!(
            (in_flight(&wave, n), canary(&wave, n)),
            (in_flight_expected, canary_expected),
            "{sentence}"
        );
    }
}

#[test]
fn the_rank_of_an_executor_is_another_one_in_every_plan() {
    let ranked = |plan: u128| {
        let mut ids: Vec<u128> = (1..=20).collect();
        ids.sort_by_key(|id| rank(Uuid::from_u128(plan), Uuid::from_u128(*id)));
        ids
    };
    assert_eq!(ranked(1), ranked(1));
    assert_ne!(ranked(1), ranked(2));
    let both = [[0_u8; 15].as_slice(), &[1], &[0; 15], &[2]].concat();
    assert_eq!(rank(Uuid::from_u128(1), Uuid::from_u128(2)).as_slice(), Sha256::digest(both).as_slice());
}

#[test]
fn a_plan_without_rhyme_or_reason_is_refused_or_taken_and_never_a_crash() {
    let seed = seed();
    #[expect(clippy::print_stdout, reason = "whoever sees it fail wants to see it again")]
    {
        println!("NOVACULA_CRASH_SEED={seed}");
    }
    let mut dice = Dice::of(seed);
    let account = Account::with_plans(&[("a", 0, &["to-1.34"], &[1, 11]), ("b", 3, &["b", "x"], &[2])]);
    let places = [
        "/metadata/name",
        "/spec/targetVersion",
        "/spec/priority",
        "/spec/yieldsTo",
        "/spec/executorKind",
        "/spec/waves/0/name",
        "/spec/waves/0/clusterSelector",
        "/spec/waves/1/clusterSelector",
        "/spec/waves/0/group",
        "/spec/waves/0/maxInFlight",
        "/spec/waves/0/canary",
        "/spec/waves/0/maxFailed",
        "/spec/waves/0/minSample",
        "/spec/waves/0/gates",
        "/spec/waves/0/window",
        "/spec/waves/0/validation/healthCheckDuration",
        "/spec/waves/1/validation",
        "/spec/waves/1/name",
    ];
    let values = [
        json!(null),
        json!(""),
        json!("canary"),
        json!("1"),
        json!("4294967295"),
        json!(4_294_967_295_u32),
        json!("0%"),
        json!("100%"),
        json!(-2_147_483_648),
        json!(2_147_483_647),
        json!("18446744073709551615.0.0"),
        json!("18446744073709551615"),
        json!("0.0.0"),
        json!(["a", "b"]),
        json!(["b"]),
        json!([]),
        json!({}),
        json!({"matchLabels": {"ring": "prod"}}),
        json!({"matchLabels": {"": ""}}),
        json!({"matchExpressions": [{"key": "ring", "operator": "Exists"}]}),
        json!("operator"),
        json!("nobody"),
        json!("30d"),
        json!("9999999999h"),
        json!("1ms"),
        json!({"automated": true}),
        json!([{"type": "approval"}, {"type": "http", "url": "http://[::1]:99999/"}]),
        json!([{"type": "prometheus", "url": "http://\u{1b}", "severities": ["\n"]}]),
        json!([{"type": "http", "url": "http://a:b@c"}]),
        json!({"cron": "*/0 * * * *", "duration": "1h", "zone": "UTC"}),
        json!({"cron": "0 2 29 2 *", "duration": "7d", "zone": "Asia/Kathmandu"}),
        json!({"cron": "99 99 99 99 99", "duration": "1m", "zone": ""}),
        json!("x".repeat(300)),
        json!("\u{202e}"),
    ];
    let mut taken = 0;
    for _ in 0..20_000 {
        let mut changes: Vec<(&str, Value)> = Vec::new();
        for _ in 0..=dice.below(3) {
            changes.push((places[dice.below(places.len())], values[dice.below(values.len())].clone()));
        }
        changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
        let plan = with(&changes);
        match account.check(&plan) {
            Ok(_) => taken += 1,
            Err(refused) => {
                let sentence = refused.to_string();
                let is_fine = !refused.path.is_empty() && !sentence.chars().any(char::is_control);
                assert!(is_fine && sentence.len() < 2_000, "NOVACULA_CRASH_SEED={seed} {plan}: {sentence}");
            }
        }
    }
    assert!(taken > 100, "NOVACULA_CRASH_SEED={seed}: {taken}");
    let everybody: BTreeSet<_> = account.executors.iter().map(|executor| executor.id).collect();
    assert_eq!(everybody.len(), 13);
}
