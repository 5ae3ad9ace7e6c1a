//! Pure: who is online, and what that is worth.

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::Presence;

/// Online while the last sync is younger than the timeout.
///
/// A clock that was set back makes a sync lie in the future; that executor was heard, so it is online.
#[must_use]
pub fn presence(last_seen_at: Timestamp, now: Timestamp, heartbeat_timeout_ms: u64) -> Presence {
    let timeout = SignedDuration::from_millis(i64::try_from(heartbeat_timeout_ms).unwrap_or(i64::MAX));
    if now.duration_since(last_seen_at) < timeout { Presence::Online } else { Presence::Offline }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_is_online_while_its_last_sync_is_younger_than_the_timeout() {
        let at = |ms: i64| Timestamp::from_millisecond(1_000_000 + ms).unwrap();
        for (sentence, now, expected) in [
            ("it syncs right now", at(0), Presence::Online),
            ("one millisecond is left", at(29_999), Presence::Online),
            ("the timeout is reached", at(30_000), Presence::Offline),
            ("it was heard by a clock that has been set back since", at(-5_000), Presence::Online),
        ] {
            assert_eq!(presence(at(0), now, 30_000), expected, "{sentence}");
        }
    }
}
