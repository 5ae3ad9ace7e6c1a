//! What can be wrong with a field.

use super::*;

#[test]
fn what_is_wrong_with_a_plan_is_told_with_the_path_of_the_field() {
    let account = Account::usual();
    let gate = |gate: Value| with(&[("/spec/waves/0/gates", json!([gate]))]);
    let http = |url: &str| gate(json!({"type": "http", "url": url}));
    let window = |cron: &str, duration: &str, zone: &str| {
        with(&[("/spec/waves/1/window", json!({"cron": cron, "duration": duration, "zone": zone}))])
    };
    let twice = json!({"matchLabels": {"ring": "prod"}, "matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]});
    let third = json!({"name": "rest", "clusterSelector": twice});
    let many: Vec<_> = (0..65).map(|n| json!({"name": n.to_string(), "group": "prods"})).collect();
    let gates: Vec<_> =
        (0..17).map(|n| json!({"type": "http", "name": n.to_string(), "url": "http://a"})).collect();
    let expressions = json!({"matchExpressions": [{"key": "ring", "operator": "In", "values": []}]});
    for (plan, path, said) in [
        (with(&[("/metadata/name", json!(""))]), "metadata.name", "must have 1 to 128 characters, it has 0"),
        (with(&[("/metadata/name", json!("a\u{202e}b"))]), "metadata.name", "must be printable"),
        (
            with(&[("/metadata/labels", json!({"a": "x".repeat(5_000)}))]),
            "metadata.labels",
            "at most 4096 bytes each, `a` has more",
        ),
        (with(&[("/spec/surprise", json!(1))]), "spec.surprise", "is no field that is known here"),
        (with(&[("/spec/waves", json!([]))]), "spec.waves", "must be 1 to 64 waves, there are 0"),
        (with(&[("/spec/waves", json!(many))]), "spec.waves", "there are 65"),
        (
            with(&[("/spec/waves/1/name", json!("canary"))]),
            "spec.waves[1].name",
            "must be unique, `canary` is spec.waves[0] already",
        ),
        (with(&[("/spec/waves/1/name", json!("x".repeat(129)))]), "spec.waves[1].name", "it has 129"),
        (
            with(&[("/spec/waves/1/clusterSelector", json!(null))]),
            "spec.waves[1].clusterSelector",
            "must be given, or `group`",
        ),
        (with(&[("/spec/waves/1/group", json!("prods"))]), "spec.waves[1].group", "must stand alone"),
        (
            with(&[("/spec/waves/1/clusterSelector", json!({}))]),
            "spec.waves[1].clusterSelector",
            "must name a label, it is empty: `production` would take every executor",
        ),
        (
            with(&[("/spec/waves/1/clusterSelector", json!({"matchLabels": {}, "matchExpressions": []}))]),
            "spec.waves[1].clusterSelector",
            "it is empty",
        ),
        (
            with(&[("/spec/waves/1/clusterSelector", expressions)]),
            "spec.waves[1].clusterSelector",
            "`In` and `NotIn` take 1 to 32",
        ),
        (
            with(&[("/spec/waves/1/clusterSelector", json!(null)), ("/spec/waves/1/group", json!("prod"))]),
            "spec.waves[1].group",
            "there is no `prod`; there are: `all`, `nobody`, `prods`",
        ),
        (
            with(&[("/spec/waves/1/clusterSelector", json!(null)), ("/spec/waves/1/group", json!("all"))]),
            "spec.waves[1].group",
            "this one takes every executor",
        ),
        (
            with(&[("/spec/waves/-", third)]),
            "spec.waves[2].clusterSelector",
            "must take others than wave `production` (spec.waves[1]), both take `prod-11`, `prod-12`, `prod-13`, `prod-14`, `prod-15` and 3 more",
        ),
        (
            with(&[("/spec/waves/-", json!({"name": "again", "group": "prods"}))]),
            "spec.waves[2].group",
            "(spec.waves[1]), it takes the same",
        ),
        (
            with(&[("/spec/waves/0/validation/healthCheckDuration", json!("-1h"))]),
            "spec.waves[0].validation.healthCheckDuration",
            "must not be negative",
        ),
        (
            with(&[("/spec/waves/0/validation/healthCheckDuration", json!("721h"))]),
            "spec.waves[0].validation.healthCheckDuration",
            "must be at most 30 days, it is 721h",
        ),
        (with(&[("/spec/waves/0/maxInFlight", json!(0))]), "spec.waves[0].maxInFlight", "must be at least 1"),
        (
            with(&[("/spec/waves/0/maxInFlight", json!("0%"))]),
            "spec.waves[0].maxInFlight",
            "must be at least 1",
        ),
        (
            with(&[("/spec/waves/0/canary", json!("120%"))]),
            "spec.waves[0].canary",
            "or a percentage such as 10%, it is `120%`",
        ),
        (with(&[("/spec/waves/0/minSample", json!(0))]), "spec.waves[0].minSample", "must be at least 1"),
        (
            with(&[("/spec/waves/0/gates", json!(gates))]),
            "spec.waves[0].gates",
            "must be at most 16, there are 17",
        ),
        (
            gate(json!({"type": "http", "url": "http://a", "name": ""})),
            "spec.waves[0].gates[0].name",
            "1 to 128",
        ),
        (
            gate(json!({"type": "http", "url": "http://a", "name": "online"})),
            "spec.waves[0].gates[0].name",
            "every wave has a gate `online`",
        ),
        (
            gate(json!({"type": "approval", "name": "restarts"})),
            "spec.waves[0].gates[0].name",
            "every wave has a gate `restarts`",
        ),
        (
            with(&[(
                "/spec/waves/1/gates",
                json!([{"type": "http", "name": "approval", "url": "http://a"}]),
            )]),
            "spec.waves[1].gates[0].name",
            "has a gate `approval`",
        ),
        (
            with(&[(
                "/spec/waves/0/gates",
                json!([{"type": "http", "url": "http://a"}, {"type": "http", "url": "http://b"}]),
            )]),
            "spec.waves[0].gates[1].name",
            "`http` is gates[0] already",
        ),
        (
            with(&[(
                "/spec/waves/0/gates",
                json!([{"type": "restarts", "maxPerExecutor": 1}, {"type": "restarts", "maxPerExecutor": 2}]),
            )]),
            "spec.waves[0].gates[1].type",
            "`restarts` is gates[0] already",
        ),
        (http("ftp://a/b"), "spec.waves[0].gates[0].url", "must begin with https://"),
        (http("https://user:secret@a/b"), "spec.waves[0].gates[0].url", "without user and password"),
        (http("/health"), "spec.waves[0].gates[0].url", "such as https://example.com/"),
        (http("http:///x"), "spec.waves[0].gates[0].url", "such as https://example.com/"),
        (http("http://a/#x"), "spec.waves[0].gates[0].url", "such as https://example.com/"),
        (http(""), "spec.waves[0].gates[0].url", "such as https://example.com/"),
        (
            http("http://169.254.169.254/latest"),
            "spec.waves[0].gates[0].url",
            "cannot be asked: no gate may be at 169.254.169.254: it is link-local, metadata or reserved",
        ),
        (
            http(&format!("http://a/{}", "x".repeat(2_048))),
            "spec.waves[0].gates[0].url",
            "at most 2048 characters",
        ),
        (
            gate(json!({"type": "prometheus", "url": "http://p/?a=b"})),
            "spec.waves[0].gates[0].url",
            "without a query",
        ),
        (
            gate(json!({"type": "prometheus", "url": "http://p", "severities": []})),
            "spec.waves[0].gates[0].severities",
            "must be 1 to 16 severities, there are 0",
        ),
        (
            gate(json!({"type": "prometheus", "url": "http://p", "severities": ["a", ""]})),
            "spec.waves[0].gates[0].severities[1]",
            "1 to 128",
        ),
        (
            gate(json!({"type": "prometheus", "url": "http://p", "labels": {"": "x"}})),
            "spec.waves[0].gates[0].labels",
            "key must have 1 to 63",
        ),
        (window("0 2 31 2 *", "1h", "UTC"), "spec.waves[1].window.cron", "never does: no such day comes"),
        (window("at night", "1h", "UTC"), "spec.waves[1].window.cron", "must be five fields"),
        (
            window("0 2 * * *", "10s", "UTC"),
            "spec.waves[1].window.duration",
            "must be 1 minute to 7 days, it is 10s",
        ),
        (window("0 2 * * *", "8d", "UTC"), "spec.waves[1].window.duration", "it is 192h"),
        (window("0 2 * * *", "1h", "Mars/Olympus"), "spec.waves[1].window.zone", "Mars/Olympus"),
        (
            with(&[("/spec/yieldsTo", json!(["to-1.34"]))]),
            "spec.yieldsTo[0]",
            "must be another plan, it is this one",
        ),
        (with(&[("/spec/yieldsTo", json!(["x"]))]), "spec.yieldsTo[0]", "there is no `x`; there are: none"),
    ] {
        let refused = refused(&account, &plan);
        assert_eq!(refused.path, path, "{refused}");
        assert!(refused.reason.contains(said), "{refused}");
        assert!(!refused.reason.contains("secret"), "{refused}");
    }
}
