//! Pure: how the entries of the activity are chained, so that none can be changed or left out unseen.

use novacula_protocol::people::Activity;
use sha2::{Digest, Sha256};

use crate::secrets::hex;

/// What stands for the hash before the first entry.
pub const CHAIN_START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The hash an entry must have after `previous`: SHA-256 over the previous hash, a line break and the entry as compact
/// JSON with sorted keys and without its hash.
#[must_use]
pub fn chained(entry: &Activity, previous: &str) -> String {
    // By way of a value, because its keys are sorted.
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("hash");
    }
    hex(&Sha256::digest(format!("{previous}\n{value}")))
}

#[cfg(test)]
mod tests {
    use novacula_protocol::people::Action;

    use super::*;

    #[test]
    fn the_hash_of_an_entry_stays_what_it_is_in_every_version() {
        let entry = Activity {
            id: 7,
            at: "2026-11-21T08:00:00.123Z".parse().unwrap(),
            actor: "owner".into(),
            action: Action::UpgradeRequested,
            target: "t".into(),
            name: "host-1".into(),
            reason: "because \"of\"\nthis".into(),
            before: None,
            after: Some(serde_json::json!({"b": 1, "a": "<b>"})),
            hash: String::new(),
        };
        let text = concat!(
            r#"{"action":"upgrade.requested","actor":"owner","after":{"a":"<b>","b":1},"at":"2026-11-21T08:00:00.123Z","#,
            r#""before":null,"id":7,"name":"host-1","reason":"because \"of\"\nthis","target":"t"}"#
        );
        let expected = hex(&Sha256::digest(format!("{CHAIN_START}\n{text}")));
        assert_eq!(chained(&entry, CHAIN_START), expected);
        assert_ne!(chained(&entry, &expected), expected);
    }
}
