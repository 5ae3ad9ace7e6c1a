//! Pure: which executors a selector takes, in the manner of Kubernetes.

use std::collections::BTreeMap;

use novacula_protocol::people::{Operator, Requirement, Selector};

use crate::labels::Labels;
use crate::said;

/// More than that nobody reads.
const MOST: usize = 32;

/// The labels have all that the selector names.
#[must_use]
pub fn takes(selector: &Selector, labels: &Labels) -> bool {
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value.as_str()))
        && selector
            .match_expressions
            .iter()
            .all(|requirement| meets(requirement, labels.get(&requirement.key)))
}

fn meets(requirement: &Requirement, value: Option<&str>) -> bool {
    let is_named = |value: &str| requirement.values.iter().any(|named| named == value);
    match requirement.operator {
        Operator::In => value.is_some_and(is_named),
        Operator::NotIn => !value.is_some_and(is_named),
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
    }
}

/// Whether it can be meant.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn checked(selector: &Selector) -> Result<(), String> {
    said::labels(&selector.match_labels)?;
    let count = selector.match_expressions.len();
    if count > MOST {
        return Err(format!("`matchExpressions` must be at most {MOST}, there are {count}"));
    }
    for requirement in &selector.match_expressions {
        let (key, count) = (&requirement.key, requirement.values.len());
        match requirement.operator {
            Operator::In | Operator::NotIn if !(1..=MOST).contains(&count) => {
                return Err(format!(
                    "`In` and `NotIn` take 1 to {MOST} `values`, for {key:?} there are {count}"
                ));
            }
            Operator::Exists | Operator::DoesNotExist if count > 0 => {
                return Err(format!(
                    "`Exists` and `DoesNotExist` take no `values`, for {key:?} there are {count}"
                ));
            }
            _ => {}
        }
        let no_value = [String::new()];
        let values = if requirement.values.is_empty() { &no_value[..] } else { &requirement.values };
        for value in values {
            said::labels(&BTreeMap::from([(key.clone(), value.clone())]))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(json: &serde_json::Value) -> Selector {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn a_selector_takes_executors_by_their_labels() {
        use serde_json::json;
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (sentence, asked, taken) in [
            ("an empty one takes everybody", json!({}), true),
            ("a label with its value", json!({"matchLabels": {"ring": "canary"}}), true),
            ("another value", json!({"matchLabels": {"ring": "prod"}}), false),
            ("a label that is not there", json!({"matchLabels": {"rack": "canary"}}), false),
            ("all labels count", json!({"matchLabels": {"ring": "canary", "site": "x"}}), false),
            ("one of the values", expression("ring", "In", &["prod", "canary"]), true),
            ("none of the values", expression("ring", "In", &["prod"]), false),
            ("In wants the label", expression("rack", "In", &[""]), false),
            ("NotIn another value", expression("ring", "NotIn", &["prod"]), true),
            ("NotIn this value", expression("ring", "NotIn", &["canary"]), false),
            ("NotIn takes those without the label", expression("rack", "NotIn", &["1"]), true),
            ("the label exists", expression("site", "Exists", &[]), true),
            ("it does not", expression("rack", "Exists", &[]), false),
            ("it must not and does not", expression("rack", "DoesNotExist", &[]), true),
            ("it must not and does", expression("site", "DoesNotExist", &[]), false),
        ] {
            let labels = Labels::from([("ring", "canary"), ("site", "berlin")]);
            let asked = selector(&asked);
            assert_eq!(checked(&asked), Ok(()), "{sentence}");
            assert_eq!(takes(&asked, &labels), taken, "{sentence}");
        }
        let both = json!({
            "matchLabels": {"ring": "canary"},
            "matchExpressions": [{"key": "ring", "operator": "NotIn", "values": ["canary"]}],
        });
        assert!(!takes(&selector(&both), &Labels::from([("ring", "canary")])));
    }

    #[test]
    fn a_selector_that_cannot_be_meant_is_refused_in_one_sentence() {
        for (operator, values, said) in [
            (Operator::In, vec![], "1 to 32"),
            (Operator::NotIn, vec![], "1 to 32"),
            (Operator::In, vec!["x".to_owned(); 33], "1 to 32"),
            (Operator::Exists, vec!["x".to_owned()], "no `values`"),
            (Operator::DoesNotExist, vec![String::new()], "no `values`"),
            (Operator::In, vec!["a\u{1b}[2J".to_owned()], "printable"),
            (Operator::In, vec!["x".repeat(257)], "1 to 256"),
        ] {
            let requirement = Requirement { key: "ring".into(), operator, values };
            let asked = Selector { match_expressions: vec![requirement], ..Selector::default() };
            let refused = checked(&asked).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        for key in [String::new(), "x".repeat(64), "a\nb".into()] {
            let requirement = Requirement { key: key.clone(), operator: Operator::Exists, values: vec![] };
            assert!(
                checked(&Selector { match_expressions: vec![requirement], ..Selector::default() }).is_err()
            );
            let match_labels = BTreeMap::from([(key, String::new())]);
            assert!(checked(&Selector { match_labels, ..Selector::default() }).is_err());
        }
    }
}
