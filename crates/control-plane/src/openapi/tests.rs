use serde_json::Value;

use super::documented::validator;
use super::*;
use crate::in_process::ControlPlane;

fn served() -> Value {
    document(&routes::operations())
}

/// Every schema of the document that has an example, with where it stands.
fn with_examples(document: &Value) -> Vec<(String, &Value, Vec<&Value>)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().iter();
            let bodies = responses.map(|(status, answer)| (status.as_str(), &answer["content"]));
            for (what, content) in bodies.chain([("body", &operation["requestBody"]["content"])]) {
                for (media_type, form) in content.as_object().into_iter().flatten() {
                    let several = form["examples"].as_object().into_iter().flatten();
                    let examples = several.map(|(_, one)| &one["value"]).chain(form.get("example"));
                    let place = format!("{method} {path} {what} {media_type}");
                    all.push((place, &form["schema"], examples.collect()));
                }
            }
        }
    }
    all
}

#[test]
fn every_example_fits_its_schema_and_every_json_body_has_one() {
    let document = served();
    for (place, schema, examples) in with_examples(&document) {
        assert!(!examples.is_empty() || !place.ends_with("json"), "{place} has an example");
        let validator = validator(&document, schema);
        for example in examples {
            let faults: Vec<_> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{place}: {faults:?}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_referred_to() {
    let document = served();
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "nothing refers to {name}");
    }
    for (at, start) in text.match_indices("\"$ref\":\"#/") {
        let place = &text[at + start.len() - 1..];
        let place = &place[..place.find('"').unwrap()];
        assert!(document.pointer(place).is_some(), "{place} leads nowhere");
    }
}

#[test]
fn what_may_be_left_out_of_a_request_is_there_in_an_answer() {
    let document = served();
    let schemas = &document["components"]["schemas"];
    let required = |name: &str| schemas[name]["required"].to_string();
    assert!(required("Held").contains("until"), "{}", schemas["Held"]);
    assert!(!required("HeldAsked").contains("until"), "{}", schemas["HeldAsked"]);
    assert_eq!(schemas["UpgradeRequestAsked"], Value::Null, "what is only asked keeps its name");
}

#[test]
fn the_bounds_of_what_is_taken_stand_in_the_schemas() {
    let document = served();
    let taken = |name: &str, body: &str| {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        validator(&document, &schema).is_valid(&serde_json::from_str(body).unwrap())
    };
    for (sentence, name, body, expected) in [
        ("a version", "UpgradeRequest", r#"{"targetVersion": "1.2.3-rc.1"}"#, true),
        ("half a version", "UpgradeRequest", r#"{"targetVersion": "1.2"}"#, false),
        (
            "a version of 20 digits",
            "UpgradeRequest",
            r#"{"targetVersion": "18446744073709551616.0.0"}"#,
            false,
        ),
        ("an Arabic digit", "UpgradeRequest", r#"{"targetVersion": "1.2.٣"}"#, false),
        ("a short window", "UpgradeRequest", r#"{"targetVersion": "1.2.3", "healthWindowMs": 999}"#, false),
        ("an unknown field", "UpgradeRequest", r#"{"targetVersion": "1.2.3", "surprise": 1}"#, false),
        ("a name", "ExecutorKeyRequest", r#"{"name": "хост"}"#, true),
        ("no name", "ExecutorKeyRequest", "{}", true),
        ("an empty name", "ExecutorKeyRequest", r#"{"name": ""}"#, false),
        ("a name with an escape", "ExecutorKeyRequest", r#"{"name": "a\u001b[31m"}"#, false),
        ("a name turned around", "ExecutorKeyRequest", r#"{"name": "a\u202eb"}"#, false),
        ("no checks", "PreflightRequest", r#"{"checks": []}"#, false),
        ("no use", "EnrolmentTokenRequest", r#"{"maxUses": 0, "expiresAt": "2027-01-01T00:00:00Z"}"#, false),
        (
            "too many uses",
            "EnrolmentTokenRequest",
            r#"{"maxUses": 4294967296, "expiresAt": "2027-01-01T00:00:00Z"}"#,
            false,
        ),
    ] {
        assert_eq!(taken(name, body), expected, "{sentence}");
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody_and_names_every_operation() {
    let control_plane = ControlPlane::start().await;
    let served = control_plane.call(axum::http::Method::GET, "/api/v1/openapi.json", "", "").await.ok();
    assert_eq!(served["openapi"], "3.1.0");
    for operation in routes::operations() {
        let method = operation.method.as_str().to_ascii_lowercase();
        assert_eq!(served["paths"][&operation.path][method]["operationId"], operation.id);
    }
}
