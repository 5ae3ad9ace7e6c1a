//! From text to a tree of values that is small, has no name twice and holds nothing but what JSON has.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach;

use super::reason::shown;
use super::{DOCUMENT, DocumentRefused, MAX_DOCUMENT_BYTES};

/// A plan is nine deep.
const MAX_DEPTH: usize = 32;
/// Of values in one document, those that aliases repeat counted each time.
const MAX_NODES: usize = 100_000;

/// Before the name, in what the JSON reader hands back.
const TWICE: &str = "stands twice: ";

/// What the text says, as one mapping.
pub(super) fn read(text: &str) -> Result<Value, DocumentRefused> {
    let bytes = text.len();
    if bytes > MAX_DOCUMENT_BYTES {
        let most = MAX_DOCUMENT_BYTES;
        return Err(DocumentRefused::whole(format!("must be at most {most} bytes, it has {bytes}")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = if text.trim_start().starts_with('{') {
        // Also YAML may begin so, but who does it writes JSON, and is best told what is wrong with that.
        json(text).or_else(|refused| yaml(text).map_err(|_| refused))?
    } else {
        yaml(text)?
    };
    match tree {
        Value::Object(_) => Ok(tree),
        Value::Null => Err(DocumentRefused::whole("must be a FleetUpgradePlan, it is empty")),
        _ => Err(DocumentRefused::whole(
            "must be a FleetUpgradePlan, which is a mapping of names to values; it is something else",
        )),
    }
}

fn json(text: &str) -> Result<Value, DocumentRefused> {
    let mut json = serde_json::Deserializer::from_str(text);
    let tree: Tree = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let said = e.inner().to_string();
        match e.inner().classify() {
            Category::Data => match said.strip_prefix(TWICE).and_then(|name| name.rsplit_once(" at line ")) {
                Some((name, _)) => twice(&place(e.path()), name),
                None => DocumentRefused::at(place(e.path()), shown(&said)),
            },
            _ => DocumentRefused::whole(format!("must be YAML or JSON, it is not: {}", shown(&said))),
        }
    })?;
    json.end().map_err(|e| DocumentRefused::whole(format!("must be one JSON object, it goes on: {e}")))?;
    Ok(tree.0)
}

fn yaml(text: &str) -> Result<Value, DocumentRefused> {
    let mut at = DOCUMENT.to_owned();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, bounds(), |yaml| {
        serde_path_to_error::deserialize::<_, Tree>(yaml).map_err(|e| {
            at = place(e.path());
            e.into_inner()
        })
    });
    let Tree(tree) = read.map_err(|e| yaml_refused(&e, &at))?;
    // What is wrong after the end of the first mapping is not told above, and a plan may not lose its last waves.
    serde_saphyr::from_multiple_with_options::<IgnoredAny>(text, bounds())
        .map_err(|e| yaml_refused(&e, DOCUMENT))?;
    Ok(tree)
}

fn bounds() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        strict_booleans: true,
        with_snippet: false,
    }
}

fn yaml_refused(e: &serde_saphyr::Error, at: &str) -> DocumentRefused {
    use serde_saphyr::Error;
    let e = e.without_snippet();
    match e {
        Error::DuplicateMappingKey { key, .. } => {
            let mut refused = twice(at, key.as_deref().unwrap_or_default());
            refused.reason.push_str(&line_of(e));
            refused
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasError { .. } => {
            DocumentRefused::whole(format!("must be at most {MAX_NODES} values, its aliases make more of it"))
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            DocumentRefused::whole(format!("must end somewhere, an alias leads back to itself{}", line_of(e)))
        }
        Error::Budget { breach, .. } => DocumentRefused::whole(breached(breach)),
        _ => {
            let said = e.to_string();
            if said.starts_with("recursion limit exceeded") {
                return DocumentRefused::whole(too_deep());
            }
            let spaces =
                if said.contains("tab") { "; YAML is indented with spaces, never with tabs" } else { "" };
            DocumentRefused::at(at, format!("cannot be read as YAML: {}{spaces}", shown(&said)))
        }
    }
}

fn twice(inside: &str, name: &str) -> DocumentRefused {
    let inside = if inside == DOCUMENT { String::new() } else { format!("{inside}.") };
    DocumentRefused::at(format!("{inside}{}", shown(name)), "must stand once, it stands twice")
}

fn line_of(e: &serde_saphyr::Error) -> String {
    e.location().map(|at| format!(" at line {}", at.line())).unwrap_or_default()
}

fn too_deep() -> String {
    format!("must be at most {MAX_DEPTH} mappings and lists deep, it is deeper")
}

fn breached(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Documents { .. } => "must be the only one in its file, there are several".to_owned(),
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. } => {
            "has too many anchors and aliases; write what they stand for".to_owned()
        }
        _ => format!("must be at most {MAX_NODES} values, it is more"),
    }
}

fn place(path: &serde_path_to_error::Path) -> String {
    match path.to_string().as_str() {
        "." | "?" => DOCUMENT.to_owned(),
        // The parser stopped at a name, or before one.
        path => shown(path.strip_suffix(".?").unwrap_or(path)),
    }
}

/// A value in which no name stands twice.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Grow).map(Self)
    }
}

struct Grow;

impl<'de> Visitor<'de> for Grow {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value such as JSON has")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("must be a number, it is none"))?;
        Ok(number.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(de::Error::custom(format_args!("{TWICE}{name}")));
            }
            let Tree(value) = fields.next_value()?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

/// Whether there was a whole number written as a float.
pub(super) fn make_whole(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            // Beyond this two whole numbers are one float.
            let Some(whole) = whole.filter(|float| float.abs() <= 9_007_199_254_740_992.0) else {
                return false;
            };
            let Ok(read) = format!("{whole:.0}").parse::<i64>() else { return false };
            *value = read.into();
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| make_whole(item) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, field| make_whole(field) | any),
        _ => false,
    }
}

/// Where lists may stand.
const LISTS: &[&str] = &["waves", "gates", "matchExpressions", "values", "severities", "yieldsTo"];
/// Where a word must stand.
const WORDS: &[&str] = &["apiVersion", "kind", "executorKind", "lateArrivers", "operator", "type"];

/// serde also reads a list as the fields in their order, and `{word: null}` as the word: nobody means that.
pub(super) fn has_its_shape(tree: &Value) -> Result<(), DocumentRefused> {
    fn walk(value: &Value, name: &str, path: &str) -> Result<(), DocumentRefused> {
        match value {
            Value::Array(items) if LISTS.contains(&name) => {
                items.iter().enumerate().try_for_each(|(at, item)| walk(item, "", &format!("{path}[{at}]")))
            }
            Value::Array(_) => {
                Err(DocumentRefused::at(shown(path), "must be a mapping of names to values, it is a list"))
            }
            Value::Object(_) if WORDS.contains(&name) => {
                Err(DocumentRefused::at(shown(path), "must be a word, it is a mapping"))
            }
            Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                walk(value, name, &format!("{path}{dot}{name}"))
            }),
            _ => Ok(()),
        }
    }
    walk(tree, "", "")
}
