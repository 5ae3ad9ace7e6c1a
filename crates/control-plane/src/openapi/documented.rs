//! For tests: every answer that any test gets is one that the served document describes.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::response::Parts;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::document;
use crate::auth::OperationId;
use crate::problem::ProblemCode;
use crate::routes;

/// The described answers of one operation by status.
type Answers = BTreeMap<u16, Described>;

struct Described {
    codes: Vec<String>,
    media_types: Vec<String>,
    json: Option<Validator>,
}

pub(crate) fn check(parts: &Parts, bytes: &[u8]) {
    static ALL: OnceLock<BTreeMap<String, Answers>> = OnceLock::new();
    let Some(OperationId(operation)) = parts.extensions.get() else { return };
    let status = parts.status.as_u16();
    let answers = &ALL.get_or_init(read)[*operation];
    let described =
        answers.get(&status).unwrap_or_else(|| panic!("{operation} answers {status} undocumented"));
    if let Some(ProblemCode(code)) = parts.extensions.get() {
        assert!(
            described.codes.iter().any(|known| known == code),
            "{operation} answers {status} `{code}`, its row names {:?}",
            described.codes
        );
    }
    let media_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap());
    match media_type.and_then(|value| value.split(';').next()) {
        None => {
            assert!(bytes.is_empty() && described.media_types.is_empty(), "{operation} {status}: no type")
        }
        Some(media_type) => {
            assert!(
                described.media_types.iter().any(|known| known == media_type),
                "{operation}: {media_type}"
            );
            if let (Some(schema), "application/json") = (&described.json, media_type) {
                let body: Value = serde_json::from_slice(bytes).unwrap();
                let faults: Vec<_> = schema.iter_errors(&body).map(|fault| fault.to_string()).collect();
                assert!(faults.is_empty(), "{operation} {status}: {faults:?} in {body}");
            }
        }
    }
}

fn read() -> BTreeMap<String, Answers> {
    let document = document(&routes::operations());
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
    let read = |(_, operation): (&String, &Value)| {
        let responses = operation["responses"].as_object().unwrap().iter();
        let answers = responses.map(|(status, answer)| {
            let content = answer["content"].as_object();
            let json = &answer["content"]["application/json"];
            let codes = json["examples"].as_object();
            let described = Described {
                codes: codes.map(|codes| codes.keys().cloned().collect()).unwrap_or_default(),
                media_types: content.map(|content| content.keys().cloned().collect()).unwrap_or_default(),
                json: (!json.is_null()).then(|| validator(&document, &json["schema"])),
            };
            (status.parse().unwrap(), described)
        });
        (operation["operationId"].as_str().unwrap().to_owned(), answers.collect())
    };
    operations.map(read).collect()
}

/// Checks against a schema that refers to the components of the document.
pub(super) fn validator(document: &Value, schema: &Value) -> Validator {
    let whole = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
}
