//! Pure: a plan as YAML, in the order in which people read it, without what says nothing.

use novacula_protocol::people::FleetUpgradePlan;
use serde_json::{Map, Value, json};

/// What stands first in an object; the rest follows by name.
const FIRST: [&str; 20] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "type",
    "spec",
    "targetVersion",
    "executorKind",
    "clusterSelector",
    "group",
    "key",
    "operator",
    "canary",
    "maxInFlight",
    "maxFailed",
    "maxSlow",
    "maxUnreachable",
    "validation",
    "healthCheckDuration",
    "automated",
];

/// The document. What reads a plan reads the same from it.
pub(crate) fn of(document: &FleetUpgradePlan) -> String {
    let mut text = String::new();
    if let Ok(Value::Object(whole)) = serde_json::to_value(document) {
        object(&mut text, &whole, 0, true);
    }
    text
}

/// What is so anyway.
fn says_nothing(key: &str, value: &Value) -> bool {
    let usual = match key {
        "priority" => json!(0),
        "prerequisitesAcknowledged" | "rollbackOnFailure" => json!(false),
        "lateArrivers" => json!("next"),
        "matchLabels" => json!({}),
        "matchExpressions" | "values" => json!([]),
        _ => return false,
    };
    *value == usual
}

fn object(text: &mut String, object: &Map<String, Value>, depth: usize, mut is_indented: bool) {
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut fields: Vec<_> = object.iter().filter(|(key, value)| !says_nothing(key, value)).collect();
    fields.sort_by_key(|(key, _)| place(key));
    for (key, value) in fields {
        if is_indented {
            indent(text, depth);
        }
        is_indented = true;
        text.push_str(&scalar(key));
        text.push(':');
        inside(text, value, depth);
    }
}

/// What stands behind a colon.
fn inside(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if fields.iter().any(|(key, value)| !says_nothing(key, value)) => {
            text.push('\n');
            object(text, fields, depth + 1, true);
        }
        Value::Object(_) => text.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Array(items) => {
            text.push('\n');
            for item in items {
                indent(text, depth + 1);
                text.push_str("- ");
                match item {
                    Value::Object(fields) => object(text, fields, depth + 2, false),
                    other => {
                        text.push_str(&plain(other));
                        text.push('\n');
                    }
                }
            }
        }
        other => {
            text.push(' ');
            text.push_str(&plain(other));
            text.push('\n');
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// `90s`, `1h30m` or `25%`, which is no number to anybody.
fn is_measure(text: &str) -> bool {
    let is_written = text.starts_with(|c: char| c.is_ascii_digit());
    let mut rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest == "%" {
        return is_written;
    }
    let is_measured = !rest.is_empty();
    while let Some(after) = ["ms", "h", "m", "s"].iter().find_map(|unit| rest.strip_prefix(unit)) {
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    is_written && is_measured && rest.is_empty() && !text.ends_with(|c: char| c.is_ascii_digit())
}

/// Bare where nobody could read it as anything else; else in quotes, as JSON has them.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_bare = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    if is_measure(text) || begins && is_bare && !WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let quoted = Value::String(text.to_owned()).to_string();
    // JSON leaves alone what ends a line, or means nothing, in YAML.
    quoted.chars().fold(String::new(), |mut safe, c| {
        let code = u32::from(c);
        if c.is_control() || matches!(code, 0x2028 | 0x2029 | 0xfeff | 0xfffe | 0xffff) {
            safe.push_str(&format!("\\u{code:04x}"));
        } else {
            safe.push(c);
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_written_as_people_write_it() {
        let document: FleetUpgradePlan = serde_json::from_value(json!({
            "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "monthly"},
            "spec": {"targetVersion": "1.34", "waves": [{
                "name": "canary", "canary": 1, "maxInFlight": "25%",
                "clusterSelector": {"matchExpressions": [{"key": "ring", "operator": "NotIn", "values": ["no", "b c"]}]},
                "validation": {"healthCheckDuration": "90m", "automated": true},
                "gates": [{"type": "http", "url": "https://x.example/"}, {"type": "approval"}],
            }]},
        }))
        .unwrap();
        let expected = r#"apiVersion: novacula/v1
kind: FleetUpgradePlan
metadata:
  name: monthly
spec:
  targetVersion: "1.34"
  executorKind: agent
  waves:
    - name: canary
      clusterSelector:
        matchExpressions:
          - key: ring
            operator: NotIn
            values:
              - "no"
              - b c
      canary: 1
      maxInFlight: 25%
      validation:
        healthCheckDuration: 1h30m
        automated: true
      gates:
        - type: http
          blocking: true
          url: "https://x.example/"
        - type: approval
"#;
        let expected = expected.replace("- b c", "- \"b c\"");
        assert_eq!(of(&document), expected);
        assert_eq!(FleetUpgradePlan::read(&expected), Ok(document));
    }

    #[test]
    fn what_could_be_read_as_anything_but_a_text_stands_in_quotes() {
        for bare in ["a", "canary-1", "1h", "1h30m", "100ms", "25%", "novacula/v1"] {
            assert_eq!(scalar(bare), bare);
        }
        for quoted in
            ["", "1", "1.5", "1e3", "0x1f", "yes", "Null", "1h3", "%", "m", "-", "a b", "a:", "~", "1d1"]
        {
            let is_word = quoted == "m";
            assert_eq!(scalar(quoted).starts_with('"'), !is_word, "{quoted}");
        }
        assert_eq!(scalar("a\u{85}\u{2028}\u{7f}\"\\\n"), r#""a\u0085\u2028\u007f\"\\\n""#);
    }
}
