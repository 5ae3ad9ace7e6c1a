//! What other control planes on the same database have heard.

use uuid::Uuid;

use super::Fleet;
use crate::store::{AtWork, LastSeen};

/// Nobody who syncs waits for more than so many.
const AT_ONCE: usize = 256;

impl Fleet {
    /// Takes over when executors were heard, and how far upgrades are, where that is newer than what is known here.
    pub fn heard_elsewhere(&self, seen: &[LastSeen], at_work: &[AtWork]) {
        for some in seen.chunks(AT_ONCE) {
            let mut memory = self.memory();
            for LastSeen { executor_id, at, restarts } in some {
                let Some(place) = memory.place(*executor_id) else { continue };
                if let Some(entry) = memory.executors.get_mut(place)
                    && entry.last_seen_at() < *at
                {
                    entry.was_heard_elsewhere(*restarts, *at);
                }
            }
        }
        let mut memory = self.memory();
        for it in at_work {
            let Some(place) = memory.place(it.executor_id) else { continue };
            let Some(entry) = memory.executors.get_mut(place) else { continue };
            if entry.stands_since() >= it.stands_since {
                continue;
            }
            if let Some(open) = entry.open.as_deref_mut().filter(|open| is(&open.shown.id, it.upgrade_id)) {
                (open.shown.bytes_done, open.shown.bytes_total) = (it.bytes_done, it.bytes_total);
                entry.stands_from(it.stands_since);
            }
        }
    }

    /// How far the upgrades are whose executors were heard here since that was kept last.
    #[must_use]
    pub fn at_work(&self) -> Vec<AtWork> {
        let memory = self.memory();
        let at_work = memory.open().filter(|(entry, open)| entry.was_heard_since_kept && open.is_picked_up());
        let at_work = at_work.filter_map(|(entry, open)| {
            Some(AtWork {
                upgrade_id: open.shown.id.parse().ok()?,
                executor_id: entry.id,
                bytes_done: open.shown.bytes_done,
                bytes_total: open.shown.bytes_total,
                stands_since: entry.stands_since(),
            })
        });
        at_work.collect()
    }
}

fn is(written: &str, id: Uuid) -> bool {
    written.parse() == Ok(id)
}
