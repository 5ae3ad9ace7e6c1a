//! Pure: how long each stage of an upgrade may last, so that none is "running" for ever.

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::Status;
use novacula_protocol::spec::{Confirm, Intent};

use super::Upgrade;
use crate::clock::after_ms;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;

/// What the agent itself adds to twice the health window.
const GRACE_MS: u64 = 20 * SECOND_MS;

/// The longest that a long health window makes the agent wait for the first accepted sync.
const FIRST_SYNC_MS: u64 = 2 * MINUTE_MS;

/// From the agent's own verdict until we can have heard it: three starts at 30 s each that fail, and the judge's looks.
const VERDICT_MS: u64 = 2 * MINUTE_MS;

/// Syncs that may fail before silence counts.
const SYNCS: u64 = 4;

/// How long the upgrade may stand where it stands without news of it, in ms; `None` while it has ended, has not been
/// picked up, or waits for a person.
///
/// | stage | limit | because |
/// |---|---|---|
/// | CONFIRM_START, once picked up, PREFLIGHT | 5 min | checks of the host, a minute each at most |
/// | DOWNLOAD | 15 min since the last new byte | a dozen tries with the longest backoff; a slow link is no trouble |
/// | VERIFY, SWAP | 10 min, and as RESTART | hashing and syncing on a slow disk; the next news may be the new version's |
/// | RESTART | min(2 × window, 2 min) + 20 s, and 2 min | the agent's own deadline for a first sync, then its rollback |
/// | CHECK_HEALTH | 2 × window + 20 s, and 2 min | the agent's own deadline after its first sync, then its rollback |
/// | CONFIRM_COMPLETION, once it is confirmed | 5 min | two small files |
///
/// To each come four syncs.
#[must_use]
fn limit_ms(upgrade: &Upgrade, sync_interval_ms: u64) -> Option<u64> {
    let shown = &upgrade.shown;
    if !upgrade.is_open() || !upgrade.is_picked_up() || is_a_person_awaited(upgrade) {
        return None;
    }
    let twice = shown.health_window_ms.saturating_mul(2);
    let first_sync = twice.min(FIRST_SYNC_MS) + GRACE_MS + VERDICT_MS;
    let stage = match shown.stage {
        Stage::ConfirmStart | Stage::Preflight | Stage::ConfirmCompletion => 5 * MINUTE_MS,
        Stage::Download => 15 * MINUTE_MS,
        Stage::Verify | Stage::Swap => 10 * MINUTE_MS + first_sync,
        Stage::Restart => first_sync,
        Stage::CheckHealth => twice.saturating_add(GRACE_MS + VERDICT_MS),
        Stage::Completed | Stage::RolledBack | Stage::Abandoned | Stage::Failed => return None,
    };
    Some(stage.saturating_add(sync_interval_ms.saturating_mul(SYNCS)))
}

fn is_a_person_awaited(upgrade: &Upgrade) -> bool {
    let shown = &upgrade.shown;
    let is_unconfirmed =
        shown.confirm == Confirm::Manual && !matches!(shown.intent, Intent::Complete | Intent::Rollback);
    shown.status == Status::Paused
        || shown.intent == Intent::Pause
        || (shown.stage == Stage::ConfirmCompletion && is_unconfirmed)
}

/// When the upgrade is given up that stands where it stands `since` then; `None` where nothing is awaited of the executor.
#[must_use]
pub fn timeout_at(upgrade: &Upgrade, since: Timestamp, sync_interval_ms: u64) -> Option<Timestamp> {
    after_ms(since, limit_ms(upgrade, sync_interval_ms)?)
}

/// The executor has come further than it was, or a person has told it something else: its time begins anew.
#[must_use]
pub fn has_moved(before: &Upgrade, after: &Upgrade) -> bool {
    let stands =
        |u: &Upgrade| (u.shown.id.clone(), u.shown.stage, u.shown.status, u.shown.intent, u.is_picked_up());
    stands(before) != stands(after) || after.shown.bytes_done > before.shown.bytes_done
}
