//! The schemas of everything that travels, each once. A type is read and written differently: what may be left out of a
//! request is always there in an answer. Where that makes a difference the type has two schemas.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::operation::Describe;
use crate::shape::VERSION;

const PLACE: &str = "#/components/schemas/";
/// Where references of requests lead until it is known whether they need a schema of their own.
const ASKED_PLACE: &str = "#/asked/";

/// Which way a body travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Asked,
    Answered,
}

/// What has been described so far.
pub(super) struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = |place: &'static str| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = place.into();
                settings.meta_schema = None;
            })
        };
        Self {
            asked: settings("/asked").for_deserialize().into_generator(),
            answered: settings("/components/schemas").for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema, or a reference to where it will stand.
    pub(super) fn of(&mut self, describe: Describe, side: Side) -> Value {
        let generator = match side {
            Side::Asked => &mut self.asked,
            Side::Answered => &mut self.answered,
        };
        let mut schema = describe(generator).to_value();
        bound(&mut schema);
        schema
    }

    /// Puts all that was referred to into the document.
    pub(super) fn settle(mut self, document: &mut Value) {
        let bounded = |generator: &mut SchemaGenerator| {
            let mut all = generator.take_definitions(true);
            all.values_mut().for_each(bound);
            all
        };
        let mut all = bounded(&mut self.answered);
        let asked = bounded(&mut self.asked);
        let apart = apart(&all, &asked);
        for (name, schema) in asked {
            all.entry(settled(&name, &apart)).or_insert(schema);
        }
        document["components"]["schemas"] = all.into();
        settle_references(document, &apart);
    }
}

/// The names that mean something else in a request than in an answer, or refer to such a one.
fn apart(answered: &Map<String, Value>, asked: &Map<String, Value>) -> BTreeSet<String> {
    let mut apart = BTreeSet::new();
    loop {
        let known = apart.len();
        for (name, schema) in asked {
            let Some(other) = answered.get(name) else { continue };
            let mut schema = schema.clone();
            settle_references(&mut schema, &apart);
            if schema != *other {
                apart.insert(name.clone());
            }
        }
        if apart.len() == known {
            return apart;
        }
    }
}

fn settled(name: &str, apart: &BTreeSet<String>) -> String {
    if apart.contains(name) { format!("{name}Asked") } else { name.to_owned() }
}

fn settle_references(value: &mut Value, apart: &BTreeSet<String>) {
    each_object(value, &mut |object| {
        if let Some(Value::String(place)) = object.get_mut("$ref")
            && let Some(name) = place.strip_prefix(ASKED_PLACE)
        {
            *place = format!("{PLACE}{}", settled(name, apart));
        }
    });
}

/// Says the bounds that Rust's types have and a schema does not know.
pub(crate) fn bound(schema: &mut Value) {
    each_object(schema, &mut |object| {
        let (bound, value) = match object.get("format").and_then(Value::as_str) {
            Some("uint32") => ("maximum", u64::from(u32::MAX)),
            Some("uint64") => ("maximum", u64::MAX),
            Some("date-time") => ("minLength", 20),
            _ => {
                // That of semver, whose digits are those of any script and whose numbers have no end.
                if object.get("pattern").and_then(Value::as_str).is_some_and(|p| p.contains(r"\d")) {
                    let pattern = format!(r"{VERSION}(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$");
                    object.insert("pattern".to_owned(), pattern.into());
                }
                return;
            }
        };
        object.entry(bound).or_insert(value.into());
    });
}

fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| each_object(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| each_object(value, change)),
        _ => {}
    }
}
