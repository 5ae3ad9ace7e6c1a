use novacula_lab::dice::{Dice, seed};

use super::*;
use crate::people::{CountOrPercent, GateSpec};

const EXAMPLE: &str = include_str!("../../../../../../docs/examples/fleet-plan.yaml");

/// The example with one thing changed.
fn with(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    EXAMPLE.replacen(from, to, 1)
}

/// The example with more in its first wave.
fn wave(more: &str) -> String {
    with("      validation:", &format!("      {more}\n      validation:"))
}

fn refused(text: &str) -> DocumentRefused {
    let refused = FleetUpgradePlan::read(text).expect_err(text);
    let sentence = refused.to_string();
    assert!(!sentence.contains('\n') && sentence.len() < 1_500, "{sentence}");
    refused
}

#[test]
fn the_example_is_read_as_it_is() {
    let plan = FleetUpgradePlan::read(EXAMPLE).unwrap();
    assert_eq!(
        (plan.metadata.name.as_str(), plan.spec.target_version.as_str()),
        ("k8s-1-34-upgrade", "1.34")
    );
    let waves = plan.spec.waves.iter().map(|wave| {
        let taken = &wave.cluster_selector.as_ref().unwrap().match_labels["upgrade-wave"];
        (
            wave.name.as_str(),
            taken.as_str(),
            wave.validation.health_check_duration.ms,
            wave.validation.automated,
        )
    });
    assert_eq!(
        waves.collect::<Vec<_>>(),
        [
            ("canary", "canary", 3_600_000, true),
            ("production-standard", "standard", 86_400_000, false),
            ("production-critical", "critical", 172_800_000, false),
        ]
    );
    let json = serde_json::to_string_pretty(&plan).unwrap();
    assert_eq!(FleetUpgradePlan::read(&json).unwrap(), plan, "and as JSON");
    assert_eq!(
        FleetUpgradePlan::read(&json.replace("  ", "\t")).unwrap(),
        plan,
        "with tabs, which JSON may have"
    );
}

#[test]
fn a_plan_is_read_in_whatever_way_it_may_be_written() {
    for (sentence, text) in [
        ("with a mark at its beginning", format!("---\n{EXAMPLE}")),
        ("with a mark at its end", format!("{EXAMPLE}...\n")),
        ("with the byte order mark of Windows", format!("\u{feff}{EXAMPLE}")),
        ("with the lines of Windows", EXAMPLE.replace('\n', "\r\n")),
        ("with the version of YAML", format!("%YAML 1.2\n---\n{EXAMPLE}")),
        ("with white space at its end", format!("{EXAMPLE}\t\n  \n# end\n")),
        ("with the other name of the selector", with("clusterSelector", "executorSelector")),
        ("with an anchor", wave("group: &a x\n      window: {cron: '* * * * *', duration: 1h, zone: *a}")),
        ("with an empty field that may be absent", wave("canary:")),
        ("with a whole number as some languages write it", wave("maxInFlight: 5.0")),
    ] {
        FleetUpgradePlan::read(&text).unwrap_or_else(|refused| panic!("{sentence}: {refused}"));
    }
    let label = FleetUpgradePlan::read(&with("upgrade-wave: canary", "country: no")).unwrap();
    let labels = &label.spec.waves[0].cluster_selector.as_ref().unwrap().match_labels;
    assert_eq!(labels["country"], "no", "Norway is no boolean");
    let plan = FleetUpgradePlan::read(&wave("maxInFlight: 25%\n      canary: 2")).unwrap();
    let wave = &plan.spec.waves[0];
    assert_eq!(wave.max_in_flight, Some(CountOrPercent::Percent(25)));
    assert_eq!(wave.canary, Some(CountOrPercent::Count(2)));
}

#[test]
fn a_text_that_is_no_plan_is_refused_in_one_sentence() {
    let deep = (0..600).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
    let line =
        |n: usize| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n.saturating_sub(1)); 9].join(", "));
    let laughs = "a0: &a0 [lol, lol]\n".to_owned() + &(1..12).map(line).collect::<String>();
    for (sentence, text, path, said) in [
        ("nothing", String::new(), "document", "it is empty"),
        ("white space", " \n\n ".into(), "document", "it is empty"),
        ("a comment", "# plan\n".into(), "document", "it is empty"),
        ("null", "~".into(), "document", "it is empty"),
        ("a list", format!("- {}", EXAMPLE.replace('\n', "\n  ")), "document", "it is something else"),
        ("a word", "FleetUpgradePlan".into(), "document", "it is something else"),
        ("two plans", format!("{EXAMPLE}---\n{EXAMPLE}"), "document", "must be the only one in its file"),
        ("a plan and garbage", format!("{EXAMPLE}...\n{{"), "document", "cannot be read as YAML"),
        ("a tab at the beginning", with("  name: k8s", "\tname: k8s"), "document", "never with tabs"),
        ("a tab further down", with("    - name: canary", "\t- name: canary"), "spec", "never with tabs at"),
        ("a billion laughs", laughs, "document", "must be at most 100000 values, its aliases make more"),
        ("an alias in itself", "spec: &a [*a]".into(), "document", "leads back to itself at line 1"),
        ("an alias of nothing", "spec: *a".into(), "document", "unknown anchor"),
        ("lists in lists", "[".repeat(100_000), "document", "must be at most 32 mappings and lists deep"),
        ("mappings in mappings", deep, "document", "must be at most 32 mappings and lists deep"),
        (
            "JSON that is deep",
            format!("{{\"a\": {}", "[".repeat(9_000)),
            "document",
            "recursion limit exceeded",
        ),
        ("JSON that is cut", "{\"kind\": ".into(), "document", "EOF while parsing"),
        ("two JSON objects", "{} {}".into(), "document", "it goes on"),
        (
            "a name twice",
            with("  name: k8s", "  name: a\n  name: k8s"),
            "metadata.name",
            "it stands twice at line 5",
        ),
        ("a name twice in JSON", r#"{"spec": {"a": 1, "a": 1}}"#.into(), "spec.a", "it stands twice"),
        ("a name that is a list", "? [a]\n: b".into(), "document", "cannot be read as YAML"),
        ("a zero byte", with("canary", "\0"), "spec.waves[0]", "unexpected character"),
        ("more than a mebibyte", " ".repeat(MAX_DOCUMENT_BYTES + 1), "document", "it has 1048577"),
    ] {
        let refused = refused(&text);
        assert_eq!(refused.path, path, "{sentence}: {refused}");
        assert!(refused.reason.contains(said.trim_end_matches(" at")), "{sentence}: {refused}");
    }
}

#[test]
fn no_wave_is_lost_for_being_indented_less() {
    for shifted in 1..EXAMPLE.lines().count() {
        let shift = |(at, line): (usize, &str)| format!("{}{line}\n", if at < shifted { "  " } else { "" });
        let text: String = EXAMPLE.lines().enumerate().map(shift).collect();
        if let Ok(plan) = FleetUpgradePlan::read(&text) {
            assert_eq!(plan.spec.waves.len(), 3, "{text}");
        }
    }
    let shifted: String = EXAMPLE.lines().map(|line| format!("  {line}\n")).collect();
    let (before, last) = shifted.split_at(shifted.find("    - name: production-critical").unwrap() - 2);
    let refused = refused(&format!("{before}{}", last.replace("\n  ", "\n").trim_start()));
    assert!(refused.reason.contains("did not find expected"), "{refused}");
}

#[test]
fn what_is_wrong_with_a_field_is_told_with_its_path() {
    let gate = |gate: &str| wave(&format!("gates: [{{{gate}}}]"));
    let no_name = "must be given, it is missing";
    for (text, path, said) in [
        (
            with("\"1.34\"", "1.34"),
            "spec.targetVersion",
            "must be text, it is the number `1.34`; put it in quotes",
        ),
        (with("\"1.34\"", ".nan"), "spec.targetVersion", "non-finite"),
        (
            with("1h", "-1h"),
            "spec.waves[0].validation.healthCheckDuration",
            "must not be negative, it is `-1h`",
        ),
        (
            with("24h", "soon"),
            "spec.waves[1].validation.healthCheckDuration",
            "such as 90s, 30m, 1h or 2d, it is `soon`",
        ),
        (
            with("healthCheck", "helthCheck"),
            "spec.waves[0].validation.helthCheckDuration",
            "is no field that is known here; there is `healthCheckDuration` or `automated`",
        ),
        (with("spec:", "sepc:"), "sepc", "there are `apiVersion`, `kind`, `metadata`, `spec`"),
        (with("metadata:\n  name: k8s-1-34-upgrade\n", ""), "metadata", no_name),
        (with("  name: k8s-1-34-upgrade\n", "  labels: {}\n"), "metadata.name", no_name),
        (with("kind: Fleet", "kind: Fleat"), "kind", "must be `FleetUpgradePlan`, it is `FleatUpgradePlan`"),
        (
            with("/v1alpha1", "/v1"),
            "apiVersion",
            "must be `novacula/v1` or `fleet.opencenter.cloud/v1alpha1`",
        ),
        (
            with("upgrade-wave: canary", "live: true"),
            "spec.waves[0].clusterSelector.matchLabels.live",
            "must be text, it is `true`; put it in quotes",
        ),
        (
            wave("executorSelector: {matchLabels: {a: b}}"),
            "spec.waves[0].clusterSelector",
            "`executorSelector` means the same and stands beside it",
        ),
        (
            wave("clusterSelector: {matchLabels: {a: b}}"),
            "spec.waves[0].clusterSelector",
            "must stand once, it stands twice",
        ),
        (wave("maxInFlight: -5"), "spec.waves[0].maxInFlight", "or a percentage such as 10%, it is `-5`"),
        (wave("maxFailed: 101%"), "spec.waves[0].maxFailed", "it is `101%`"),
        (wave("canary: [1]"), "spec.waves[0].canary", "must be a number of executors or a percentage"),
        (
            wave("minSample: -1"),
            "spec.waves[0].minSample",
            "not negative and not larger than 4294967295, it is the number `-1`",
        ),
        (wave("minSample: 5000000000"), "spec.waves[0].minSample", "it is the number `5000000000`"),
        (
            wave("lateArrivers: maybe"),
            "spec.waves[0].lateArrivers",
            "must be one of `join`, `next`, `never`, it is `maybe`",
        ),
        (wave("lateArrivers: {join: null}"), "spec.waves[0].lateArrivers", "must be a word, it is a mapping"),
        (
            wave("rollbackOnFailure: yes"),
            "spec.waves[0].rollbackOnFailure",
            "must be `true` or `false`, it is \"yes\"",
        ),
        (wave("gates:"), "spec.waves[0].gates", "must be a list, it is empty"),
        (wave("gates: {type: http, url: x}"), "spec.waves[0].gates", "must be a list, it is a mapping"),
        (
            wave("gates: [[restarts, 1]]"),
            "spec.waves[0].gates[0]",
            "must be a mapping of names to values, it is a list",
        ),
        (gate("url: x"), "spec.waves[0].gates[0].type", no_name),
        (gate("type: 7, url: x"), "spec.waves[0].gates[0].type", "must be a word"),
        (
            gate("type: htp, url: x"),
            "spec.waves[0].gates[0].type",
            "must be one of `restarts`, `prometheus`, `http`, `approval`, it is `htp`",
        ),
        (gate("type: http"), "spec.waves[0].gates[0].url", no_name),
        (
            gate("type: http, url: x, bloking: true"),
            "spec.waves[0].gates[0].bloking",
            "there are `name`, `url`, `blocking`",
        ),
        (
            gate("type: http, url: x, severities: [a]"),
            "spec.waves[0].gates[0].severities",
            "is no field that is known here",
        ),
        (gate("type: approval, name: [a]"), "spec.waves[0].gates[0].name", "must be text, it is a list"),
        (
            gate("type: restarts, maxPerExecutor: -1"),
            "spec.waves[0].gates[0].maxPerExecutor",
            "it is the number `-1`",
        ),
        (
            gate("type: prometheus, url: x, severities: [1]"),
            "spec.waves[0].gates[0].severities[0]",
            "must be text, it is the number `1`; put it in quotes",
        ),
        (
            with("metadata:\n  name: k8s-1-34-upgrade", "metadata: [name]"),
            "metadata",
            "must be a mapping of names to values, it is a list",
        ),
        ("\"a\\x1b[2J\": 1".into(), "a\\u{1b}[2J", "is no field that is known here"),
    ] {
        let refused = refused(&text);
        assert_eq!(refused.path, path, "{refused}");
        assert!(refused.reason.contains(said), "{refused}");
    }
}

#[test]
fn a_gate_that_is_read_by_its_type_is_the_gate_that_is_read_in_its_plan() {
    let plan = FleetUpgradePlan::read(&wave(
        "gates: [{type: restarts, maxPerExecutor: 1}, {type: prometheus, url: a}, {type: http, url: b}, {type: approval}]",
    ));
    let gates = plan.unwrap().spec.waves[0].gates.clone();
    assert_eq!(
        gates.iter().map(GateSpec::name).collect::<Vec<_>>(),
        ["restarts", "prometheus", "http", "approval"]
    );
    assert!(
        matches!(&gates[1], GateSpec::Prometheus { severities, blocking: true, .. } if severities == &["critical"])
    );
}

#[test]
fn a_spoilt_document_is_refused_or_read_and_never_a_crash() {
    let seed = seed();
    println!("NOVACULA_CRASH_SEED={seed}");
    let mut dice = Dice::of(seed);
    let pieces = [
        "- ",
        ": ",
        "\n",
        "  ",
        "\t",
        "&a ",
        "*a",
        "<<: ",
        "[",
        "]",
        "{",
        "}",
        "|\n",
        ">\n",
        "\"",
        "'",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "!!str ",
        "? ",
        "~",
        "-1",
        "1e999",
        "0x",
        "\u{feff}",
        "\u{85}",
        "é",
        "\0",
        "spec",
        "waves:",
        "null",
        "9999999999999999999999",
        "-9223372036854775809",
        "P99999Y",
        "100%",
        "1h30m",
    ];
    let whole = serde_json::to_string(&FleetUpgradePlan::read(EXAMPLE).unwrap()).unwrap();
    for _ in 0..20_000 {
        let mut text: Vec<char> = if dice.below(4) == 0 { whole.chars() } else { EXAMPLE.chars() }.collect();
        for _ in 0..=dice.below(6) {
            let from = dice.below(text.len());
            let to = (from + dice.below(12)).min(text.len());
            match dice.below(4) {
                0 => drop(text.drain(from..to)),
                1 => text.truncate(from.max(1)),
                _ => drop(text.splice(from..from, pieces[dice.below(pieces.len())].chars())),
            }
            if text.is_empty() {
                break;
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(refused) = FleetUpgradePlan::read(&text) {
            let sentence = refused.to_string();
            assert!(
                !refused.path.is_empty() && !sentence.contains('\n'),
                "NOVACULA_CRASH_SEED={seed} {text}: {sentence}"
            );
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that it is soon is what is tested")]
fn a_mebibyte_of_anything_is_answered_soon() {
    for piece in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "&a ",
        "*a ",
        "a:\n",
        "- a\n",
        "\"",
        "|\n",
        "!a ",
        "{a: 1}\n",
        "&a a: *a\n",
        "a",
        "# a\n",
        "- &a b\n- *a\n",
        "a, ",
    ] {
        for (before, after) in [("", ""), ("[", "]"), ("{\"a\": \"", "\"}"), ("spec: \"", "\"")] {
            let count = (MAX_DOCUMENT_BYTES - 20) / piece.len();
            let began = std::time::Instant::now();
            refused(&format!("{before}{}{after}", piece.repeat(count)));
            let took = began.elapsed();
            println!("{piece:?} {before}: {took:?}");
            assert!(took.as_secs() < 10, "{piece:?} after {before:?} took {took:?}");
        }
    }
}
