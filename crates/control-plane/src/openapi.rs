//! `GET /api/v1/openapi.json`: the table of operations as OpenAPI 3.1.

mod schemas;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use novacula_protocol::problem::ErrorBody;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::operation::{Content, HowOften, Operation};
use crate::right::Right;
use crate::routes;
pub(crate) use schemas::bound;
use schemas::{Schemas, Side};

pub(crate) async fn show() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document(&routes::operations()).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

/// The whole document.
pub(crate) fn document(operations: &[Operation]) -> Value {
    let mut schemas = Schemas::default();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let method = operation.method.as_str().to_ascii_lowercase();
        let described = describe(operation, &mut schemas);
        paths.entry(&operation.path).or_default().insert(method, described);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Novacula control plane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Keeps the catalogue of signed releases, hears the executors, and hands each its upgrade.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "person": bearer("A person's token, `nvu_…`"),
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-novacula",
                    "description": "The cookie of a session, without `__Host-` where there is no https; every change also \
                                    needs the header `X-CSRF-Token` with the `csrfToken` of the session",
                },
                "executor": bearer("An executor's key, `nva_…`"),
                "enrolment": bearer("An enrolment token, `nve_…`"),
            },
        },
    });
    schemas.settle(&mut document);
    document
}

fn bearer(about: &str) -> Value {
    json!({"type": "http", "scheme": "bearer", "description": about})
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.area],
        "summary": operation.summary,
        "description": format!("Needs {}.", operation.right.holder()),
        "security": security(operation.right),
        "parameters": parameters(operation, schemas),
        "responses": responses(operation, schemas),
    });
    if !operation.body.is_empty() {
        let content = content(&operation.body, Side::Asked, schemas);
        described["requestBody"] = json!({"required": true, "content": content});
    }
    described
}

fn security(right: Right) -> Value {
    let scheme = |name: &str| json!({name: []});
    match right {
        Right::Nobody => json!([]),
        Right::Executor => json!([scheme("executor")]),
        Right::Enrol => json!([scheme("enrolment")]),
        Right::Fetch => json!([scheme("executor"), scheme("person"), scheme("session")]),
        _ => json!([scheme("person"), scheme("session")]),
    }
}

fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut all: Vec<Value> = operation
        .path_parameters()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": path_schema(name)}))
        .collect();
    all.extend(operation.query.iter().map(|parameter| {
        let schema = schemas.of(parameter.describe, Side::Asked);
        let schema = match parameter.how_often {
            HowOften::Many => json!({"type": "array", "items": schema}),
            HowOften::AtMostOnce | HowOften::Once => schema,
        };
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.how_often == HowOften::Once,
            "description": parameter.about,
            "schema": schema,
        })
    }));
    all
}

/// What stands for a name in braces.
fn path_schema(name: &str) -> Value {
    match name {
        "sha256" => json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
        "kind" => json!({"type": "string", "enum": ["agent", "operator"]}),
        "check" => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
        "number" => json!({"type": "integer", "minimum": 1, "maximum": 50}),
        _ => json!({"type": "string", "format": "uuid"}),
    }
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for answer in &operation.answers {
        let mut response = json!({"description": description(answer.status)});
        if !answer.content.is_empty() {
            response["content"] = content(&answer.content, Side::Answered, schemas);
        }
        responses.insert(answer.status.to_string(), response);
    }
    let problem = schemas.of(SchemaGenerator::subschema_for::<ErrorBody>, Side::Answered);
    for refusal in operation.refusals() {
        let response = responses.entry(refusal.status.to_string()).or_insert_with(|| {
            json!({
                "description": description(refusal.status),
                "content": {"application/json": {"schema": problem, "examples": {}}},
            })
        });
        let example = ErrorBody::new(refusal.code, refusal.example);
        response["content"]["application/json"]["examples"][refusal.code] = json!({"value": example});
    }
    responses.into()
}

fn content(forms: &[Content], side: Side, schemas: &mut Schemas) -> Value {
    let mut content = Map::new();
    for form in forms {
        let mut media = json!({"schema": schemas.of(form.describe, side)});
        if let Some(example) = &form.example {
            media["example"] = example.clone();
        }
        content.insert(form.media_type.to_owned(), media);
    }
    content.into()
}

fn description(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("")
}

#[cfg(test)]
pub(crate) mod documented;
#[cfg(test)]
mod tests;
