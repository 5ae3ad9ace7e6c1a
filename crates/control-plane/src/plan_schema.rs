//! The JSON schema of a fleet plan, for editors and for whoever checks plans before they are applied.

use std::sync::OnceLock;

use novacula_protocol::people::FleetUpgradePlan;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::openapi;

/// As it is served, and as it is shipped in `docs/fleet-upgrade-plan.schema.json`.
pub(crate) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut schema = generator.into_root_schema_for::<FleetUpgradePlan>().to_value();
        openapi::bound(&mut schema);
        schema["title"] = Value::from("FleetUpgradePlan");
        schema["description"] = Value::from(
            "Which executors go to a version, in which waves, and what each wave has to prove before the next begins.",
        );
        format!("{schema:#}\n")
    })
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;
    use serde_json::json;

    use super::*;
    use crate::in_process::ControlPlane;

    const SHIPPED: &str = "docs/fleet-upgrade-plan.schema.json";
    const EXAMPLE: &str = include_str!("../../../docs/examples/fleet-plan.yaml");

    fn validator() -> Validator {
        jsonschema::options().should_validate_formats(true).build(&schema()).unwrap()
    }

    fn schema() -> Value {
        serde_json::from_str(text()).unwrap()
    }

    /// The example, with `change` in the place of what stands at `place`, or beside it.
    fn changed(place: &str, change: &Value) -> Value {
        let mut plan = serde_json::to_value(FleetUpgradePlan::read(EXAMPLE).unwrap()).unwrap();
        let (parent, name) = place.rsplit_once('/').unwrap();
        match plan.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = change.clone(),
            fields => fields[name] = change.clone(),
        }
        plan
    }

    #[tokio::test]
    async fn the_schema_that_is_served_is_the_one_that_is_shipped() {
        let control_plane = ControlPlane::start().await;
        let served = control_plane.get("/api/v1/fleet/plans/schema").await;
        assert_eq!(served.status, 200);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SHIPPED);
        if std::env::var_os("NOVACULA_WRITE_SCHEMA").is_some() {
            std::fs::write(&path, &served.bytes).unwrap();
        }
        let shipped = std::fs::read(&path).unwrap_or_default();
        assert!(shipped == served.bytes, "write {SHIPPED} anew: run this test with NOVACULA_WRITE_SCHEMA=1");
    }

    #[test]
    fn the_example_fits_the_schema_in_every_way_it_may_be_written() {
        for (sentence, place, change) in [
            ("as it is", "/metadata/labels", json!({})),
            (
                "with the other name of the selector",
                "/spec/waves/0",
                json!({"name": "a", "executorSelector": {"matchLabels": {"a": "b"}}}),
            ),
            ("with a group", "/spec/waves/0", json!({"name": "a", "group": "g", "clusterSelector": null})),
            ("with a percentage", "/spec/waves/0/maxInFlight", json!("25%")),
            ("with a number as text", "/spec/waves/0/maxInFlight", json!("25")),
            (
                "with all gates",
                "/spec/waves/0/gates",
                json!([
                    {"type": "restarts", "maxPerExecutor": 1}, {"type": "prometheus", "url": "http://p", "severities": ["page"]},
                    {"type": "http", "url": "http://h", "blocking": false}, {"type": "approval", "name": "the boss"},
                ]),
            ),
            (
                "with a window",
                "/spec/waves/0/window",
                json!({"cron": "0 2 * * *", "duration": "2h", "zone": "Europe/Berlin"}),
            ),
        ] {
            let plan = changed(place, &change);
            let faults: Vec<_> = validator().iter_errors(&plan).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{sentence}: {faults:?}");
            FleetUpgradePlan::read(&plan.to_string())
                .unwrap_or_else(|refused| panic!("{sentence}: {refused}"));
        }
    }

    #[test]
    fn what_the_reader_refuses_the_schema_refuses_too() {
        for (sentence, place, change) in [
            ("an unknown field", "/spec/surprise", json!(1)),
            (
                "an unknown field of a gate",
                "/spec/waves/0/gates",
                json!([{"type": "http", "url": "http://h", "maxPerExecutor": 1}]),
            ),
            ("an unknown gate", "/spec/waves/0/gates", json!([{"type": "ping"}])),
            ("another kind of document", "/kind", json!("Deployment")),
            ("another version of it", "/apiVersion", json!("novacula/v2")),
            ("a version that is a number", "/spec/targetVersion", json!(1.34)),
            ("a wave that is a list", "/spec/waves/0", json!(["a"])),
            ("a duration without a unit", "/spec/waves/0/validation/healthCheckDuration", json!("90")),
            ("a negative one", "/spec/waves/0/validation/healthCheckDuration", json!("-1h")),
            ("more than all", "/spec/waves/0/maxFailed", json!("101%")),
            ("less than nothing", "/spec/waves/0/maxFailed", json!(-1)),
            ("a number with a sign", "/spec/waves/0/maxFailed", json!("+1")),
            ("both names of the selector", "/spec/waves/0/executorSelector", json!({})),
        ] {
            let plan = changed(place, &change);
            assert!(!validator().is_valid(&plan), "{sentence}");
            assert!(FleetUpgradePlan::read(&plan.to_string()).is_err(), "{sentence}");
        }
    }
}
