//! A gate says by its `type` which fields it has, so serde knows of a mistake in it only that the gate is wrong. Asked by
//! that type, it knows the field.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::GateSpec;
use super::{DocumentRefused, refused};

/// The gates again, their type around them instead of in them.
#[derive(Deserialize)]
#[serde(remote = "GateSpec", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum AroundIt {
    Restarts {
        max_per_executor: u32,
    },
    Prometheus {
        #[serde(default)]
        name: Option<String>,
        url: String,
        #[serde(default)]
        severities: Vec<String>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        blocking: bool,
    },
    Http {
        #[serde(default)]
        name: Option<String>,
        url: String,
        #[serde(default)]
        blocking: bool,
    },
    Approval {
        #[serde(default)]
        name: Option<String>,
    },
}

#[derive(Deserialize)]
struct Gate(
    #[serde(with = "AroundIt")]
    #[expect(dead_code, reason = "only its mistakes matter")]
    GateSpec,
);

/// Where in the gate the mistake is, if the path leads to one.
pub(super) fn closer(tree: &Value, path: &str) -> Option<DocumentRefused> {
    let (wave, gate) = path.strip_prefix("spec.waves[")?.strip_suffix(']')?.split_once("].gates[")?;
    let (wave, gate): (usize, usize) = (wave.parse().ok()?, gate.parse().ok()?);
    let mut fields = tree["spec"]["waves"][wave]["gates"][gate].as_object()?.clone();
    let Some(kind) = fields.remove("type") else {
        return Some(refused(path, "missing field `type`"));
    };
    let around = match &kind {
        Value::String(kind) => json!({kind: fields}),
        other => {
            let said = Gate::deserialize(json!({"gate": other})).err()?.to_string();
            return Some(refused(&format!("{path}.type"), &said));
        }
    };
    let e = serde_path_to_error::deserialize::<_, Gate>(around).err()?;
    let inside = e.path().to_string();
    let said = e.inner().to_string();
    if said.starts_with("unknown variant") {
        return Some(refused(&format!("{path}.type"), &said));
    }
    let field = inside.split_once('.').map(|(_, field)| format!(".{field}")).unwrap_or_default();
    Some(refused(&format!("{path}{field}"), &said))
}
