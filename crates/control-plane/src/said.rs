//! Pure: which names, labels and reports are taken from an executor. What is only too long is cut, because an
//! executor must not lose its only channel over a long sentence; what cannot be meant is refused.

use std::collections::BTreeMap;

use novacula_protocol::LogLevel;
use novacula_protocol::signature::MAX_TRUSTED_KEYS;
use novacula_protocol::sync::{LogLine, SyncRequest};

/// Of a name.
pub const MAX_NAME: usize = 128;
const MAX_LABELS: usize = 64;
const MAX_LABEL_KEY: usize = 63;
const MAX_LABEL_VALUE: usize = 256;
const MAX_LOG_LINES: usize = 200;
const MAX_SENTENCE: usize = 4_096;

/// A sync that may be taken, its sentences cut to length.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn checked(mut said: SyncRequest) -> Result<SyncRequest, String> {
    name(&said.name)?;
    text("target", &said.target, MAX_NAME)?;
    labels(&said.labels)?;
    if let Some(held) = &mut said.held {
        cut(&mut held.reason);
    }
    if let Some(keys) = &mut said.trusted_keys {
        trusted_keys(keys)?;
        // What says the same in another order is no news.
        keys.sort_unstable();
        keys.dedup();
    }
    for result in &mut said.preflight {
        cut(&mut result.note);
    }
    if let Some(report) = &mut said.upgrade {
        text("upgrade.upgradeId", &report.upgrade_id, MAX_NAME)?;
        // The store counts in signed numbers.
        report.bytes_done = report.bytes_done.min(i64::MAX.unsigned_abs());
        report.bytes_total = report.bytes_total.min(i64::MAX.unsigned_abs());
        if let Some(error) = &mut report.error {
            text("upgrade.error.code", &error.code, MAX_NAME)?;
            cut(&mut error.message);
        }
        for line in &mut report.log {
            cut(&mut line.message);
        }
        keep_newest(&mut report.log);
    }
    Ok(said)
}

fn trusted_keys(keys: &[String]) -> Result<(), String> {
    let count = keys.len();
    if count > MAX_TRUSTED_KEYS {
        return Err(format!("`trustedKeys` must be at most {MAX_TRUSTED_KEYS}, there are {count}"));
    }
    keys.iter().try_for_each(|id| key_id(id))
}

/// The id of a release key, as minisign prints it.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn key_id(id: &str) -> Result<(), String> {
    if id.len() == 16 && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F')) {
        return Ok(());
    }
    let shown: String = id.chars().take(32).collect();
    Err(format!(
        "the id of a release key must be 16 upper-case hex digits as minisign prints it, it is {shown:?}"
    ))
}

/// A name of an executor: 1 to 128 printable characters.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn name(name: &str) -> Result<(), String> {
    text("name", name, MAX_NAME)
}

/// Labels of an executor.
///
/// # Errors
/// One sentence: what was expected, what was found.
pub fn labels(labels: &BTreeMap<String, String>) -> Result<(), String> {
    if labels.len() > MAX_LABELS {
        return Err(format!("`labels` must be at most {MAX_LABELS}, there are {}", labels.len()));
    }
    for (key, value) in labels {
        text("a label's key", key, MAX_LABEL_KEY)?;
        if !value.is_empty() {
            text("a label's value", value, MAX_LABEL_VALUE)?;
        }
    }
    Ok(())
}

/// A text on one line of 1 to `most` printable characters.
///
/// # Errors
/// One sentence that begins with `what`: what was expected, what was found.
pub fn text(what: &str, value: &str, most: usize) -> Result<(), String> {
    // Nearly all are plain, which their bytes tell; every label of every sync that is read comes by here.
    if (1..=most).contains(&value.len()) && value.bytes().all(|c| matches!(c, b' '..=b'~')) {
        return Ok(());
    }
    let length = value.chars().count();
    if length == 0 || length > most {
        return Err(format!("{what} must have 1 to {most} characters, it has {length}"));
    }
    match value.chars().find(|c| !is_printable(*c)) {
        Some(c) => Err(format!("{what} must be printable, it has the character U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

/// Not a control character, and none of those that hide or turn the text around them.
fn is_printable(c: char) -> bool {
    let hides =
        matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    !c.is_control() && !hides
}

fn cut(sentence: &mut String) {
    if let Some((end, _)) = sentence.char_indices().nth(MAX_SENTENCE) {
        sentence.truncate(end);
    }
}

/// The newest lines say how it ended; a gap is said, not hidden.
fn keep_newest(log: &mut Vec<LogLine>) {
    let Some(surplus) = log.len().checked_sub(MAX_LOG_LINES).filter(|surplus| *surplus > 0) else { return };
    let dropped = surplus + 1;
    let at = log[dropped - 1].at;
    let message =
        format!("{dropped} lines before this one were dropped: one sync brings at most {MAX_LOG_LINES}");
    log.splice(..dropped, [LogLine { at, level: LogLevel::Warning, message }]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(json: serde_json::Value) -> SyncRequest {
        let mut whole =
            serde_json::json!({"name": "host-1", "kind": "agent", "currentVersion": "1.0.0", "target": "t"});
        whole.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn names_and_labels_are_short_and_printable() {
        let long = "x".repeat(129);
        let many: BTreeMap<String, String> = (0..65).map(|i| (i.to_string(), String::new())).collect();
        for (sentence, json, expected) in [
            ("a name in any script", serde_json::json!({"name": "хост 'x'; DROP TABLE <b>"}), None),
            ("no name", serde_json::json!({"name": ""}), Some("name must have 1 to 128")),
            ("a long name", serde_json::json!({"name": long}), Some("it has 129")),
            ("an escape code", serde_json::json!({"name": "a\u{1b}[31m"}), Some("U+001B")),
            ("a line break", serde_json::json!({"name": "a\nb"}), Some("U+000A")),
            ("a text turned around", serde_json::json!({"name": "a\u{202e}b"}), Some("U+202E")),
            ("an empty label value", serde_json::json!({"labels": {"a": ""}}), None),
            ("an empty label key", serde_json::json!({"labels": {"": "a"}}), Some("key must have 1 to 63")),
            ("no keys", serde_json::json!({"trustedKeys": []}), None),
            ("a key", serde_json::json!({"trustedKeys": ["D0907DB088E50BE9"]}), None),
            (
                "a key in small letters",
                serde_json::json!({"trustedKeys": ["d0907db088e50be9"]}),
                Some("16 upper-case"),
            ),
            ("half a key", serde_json::json!({"trustedKeys": ["D0907DB0"]}), Some("16 upper-case")),
            ("no key", serde_json::json!({"trustedKeys": ["D0907DB088E50BE<"]}), Some("BE<")),
            (
                "17 keys",
                serde_json::json!({"trustedKeys": vec!["D0907DB088E50BE9"; 17]}),
                Some("at most 16, there are 17"),
            ),
            ("65 labels", serde_json::json!({"labels": many}), Some("at most 64, there are 65")),
        ] {
            let verdict = checked(sync(json)).err();
            match expected {
                None => assert_eq!(verdict, None, "{sentence}"),
                Some(part) => {
                    assert!(verdict.as_ref().is_some_and(|v| v.contains(part)), "{sentence}: {verdict:?}")
                }
            }
        }
    }

    #[test]
    fn long_reports_are_cut_and_not_refused() {
        let line = |n: usize| serde_json::json!({"at": "2026-01-01T00:00:00Z", "level": "INFO", "message": format!("{n}{}", "é".repeat(5_000))});
        let lines: Vec<_> = (0..250).map(line).collect();
        let report = serde_json::json!({"upgrade": {
            "upgradeId": "u", "attempt": 1, "stage": "DOWNLOAD", "status": "UNDERWAY", "bytesDone": u64::MAX, "log": lines,
        }});
        let report = checked(sync(report)).unwrap().upgrade.unwrap();
        assert_eq!(report.log.len(), 200);
        assert!(report.log[0].message.starts_with("51 lines before this one were dropped"));
        assert!(report.log[199].message.starts_with("249"));
        assert_eq!(report.log[199].message.chars().count(), 4_096);
    }
}
