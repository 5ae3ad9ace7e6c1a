//! The fleet as a whole, counted in portions, so that nobody who syncs waits for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::Presence;

use super::Fleet;
use crate::metrics::Census;
use crate::presence::presence;

/// How many executors are counted with the memory locked.
pub(super) const GLANCE: usize = 4_096;

impl Fleet {
    /// The fleet as a whole.
    #[must_use]
    pub(crate) fn census(&self, now: Timestamp, heartbeat_timeout_ms: u64) -> Census {
        let mut census = Census::default();
        let mut from = Some(0);
        while let Some(start) = from {
            let memory = self.memory();
            let (some, rest) = memory.executors.portion(start, GLANCE);
            for entry in some {
                match presence(entry.last_seen_at(), now, heartbeat_timeout_ms) {
                    Presence::Online => census.online += 1,
                    Presence::Offline => census.offline += 1,
                }
            }
            from = rest;
        }
        let memory = self.memory();
        let open = memory.open().map(|(_, open)| open);
        let due = open.filter(|open| !open.is_picked_up() && open.shown.scheduled_at <= now);
        census.oldest_pending = due.map(|open| open.shown.scheduled_at.max(open.shown.created_at)).min();
        census
    }

    /// How many upgrades that have not ended stand at each stage.
    #[must_use]
    pub(crate) fn open_by_stage(&self) -> BTreeMap<Stage, u64> {
        let mut stages = BTreeMap::new();
        for (_, open) in self.memory().open() {
            *stages.entry(open.shown.stage).or_default() += 1;
        }
        stages
    }
}
