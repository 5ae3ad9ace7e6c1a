//! Selectors on one line, as kubectl takes them: `ring=canary,site!=berlin,rack in (1,2),!held`.

use std::fmt;
use std::str::FromStr;

use super::{Operator, Requirement, Selector};

/// An empty text takes everybody.
impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut selector = Self::default();
        for part in parts(text) {
            let (key, operator, values) = requirement(part.trim()).ok_or_else(|| {
                format!(
                    "expected requirements like `ring=canary`, `ring!=prod`, `ring in (a,b)`, `ring notin (a,b)`, `ring` \
                     or `!ring` with commas between them, found `{}`",
                    part.trim()
                )
            })?;
            match (operator, values.as_slice()) {
                (Operator::In, [value]) if !selector.match_labels.contains_key(&key) => {
                    selector.match_labels.insert(key, value.clone());
                }
                _ => selector.match_expressions.push(Requirement { key, operator, values }),
            }
        }
        Ok(selector)
    }
}

/// As a person would write it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let expressions = self.match_expressions.iter().map(|requirement| {
            let (key, values) = (&requirement.key, requirement.values.join(","));
            match requirement.operator {
                Operator::In => format!("{key} in ({values})"),
                Operator::NotIn => format!("{key} notin ({values})"),
                Operator::Exists => key.clone(),
                Operator::DoesNotExist => format!("!{key}"),
            }
        });
        let whole = labels.chain(expressions).collect::<Vec<_>>().join(",");
        f.write_str(if whole.is_empty() { "every executor" } else { &whole })
    }
}

/// Between the commas that stand outside brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let parts = text.split(move |c| {
        match c {
            '(' => is_inside = true,
            ')' => is_inside = false,
            _ => {}
        }
        c == ',' && !is_inside
    });
    if text.trim().is_empty() { Vec::new() } else { parts.collect() }
}

fn requirement(part: &str) -> Option<(String, Operator, Vec<String>)> {
    let one = |key: &str, operator, value: &str| {
        let key = key.trim();
        is_key(key).then(|| (key.to_owned(), operator, vec![value.trim().to_owned()]))
    };
    if let Some((key, value)) = part.split_once("!=") {
        return one(key, Operator::NotIn, value);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return one(key, Operator::In, value);
    }
    if let Some((left, values)) = part.strip_suffix(')').and_then(|open| open.split_once('(')) {
        let (key, word) = left.trim().rsplit_once(' ')?;
        let operator = match word {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            _ => return None,
        };
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return is_key(key.trim()).then(|| (key.trim().to_owned(), operator, values));
    }
    match part.strip_prefix('!') {
        Some(key) if is_key(key.trim()) => Some((key.trim().to_owned(), Operator::DoesNotExist, Vec::new())),
        None if is_key(part) => Some((part.to_owned(), Operator::Exists, Vec::new())),
        _ => None,
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.contains([' ', '(', ')', '!', '=', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        for (text, expected) in [
            ("", r#"{"matchLabels":{},"matchExpressions":[]}"#),
            ("ring=canary", r#"{"matchLabels":{"ring":"canary"},"matchExpressions":[]}"#),
            ("ring==canary , a=", r#"{"matchLabels":{"a":"","ring":"canary"},"matchExpressions":[]}"#),
            (
                "rack in (1, 2),!held",
                r#"{"matchLabels":{},"matchExpressions":[{"key":"rack","operator":"In","values":["1","2"]},{"key":"held","operator":"DoesNotExist","values":[]}]}"#,
            ),
            (
                "site!=berlin,ring notin (a),x",
                r#"{"matchLabels":{},"matchExpressions":[{"key":"site","operator":"NotIn","values":["berlin"]},{"key":"ring","operator":"NotIn","values":["a"]},{"key":"x","operator":"Exists","values":[]}]}"#,
            ),
            (
                "a=1,a=2",
                r#"{"matchLabels":{"a":"1"},"matchExpressions":[{"key":"a","operator":"In","values":["2"]}]}"#,
            ),
        ] {
            let read: Selector = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), expected, "{text}");
            let again = if text.is_empty() { read.clone() } else { read.to_string().parse().unwrap() };
            assert_eq!(again, read, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_said_back() {
        for text in ["=x", "a,,b", "ring in canary", "ring within (a)", "!", "a b", "ring in (a", "(a)"] {
            let refused = text.parse::<Selector>().unwrap_err();
            assert!(refused.starts_with("expected requirements like"), "{text}: {refused}");
        }
    }
}
