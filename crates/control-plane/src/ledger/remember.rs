//! The memory of the fleet as it begins: what the store holds, in portions, so that it is never there twice.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::store::{Store, StoreError};

const PORTION: u32 = 1_000;

/// Everything that is remembered of every executor and key.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remember(store: &Store, now: Timestamp) -> Result<Arc<Fleet>, StoreError> {
    let fleet = Arc::default();
    remember_into(store, &fleet, now).await?;
    fleet.tidy();
    Ok(fleet)
}

/// The same, over what is remembered already.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remember_into(
    store: &Store,
    fleet: &Arc<Fleet>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after = Some(Uuid::nil());
    while let Some(id) = after {
        let keys = store.live_keys(id, PORTION).await?;
        keys.iter().for_each(|key| fleet.add_key(key));
        after = keys.last().map(|key| key.id);
    }
    let mut after = Some(Uuid::nil());
    while let Some(id) = after {
        let fleet = Arc::clone(fleet);
        after = store.each_snapshot(id, PORTION, move |snapshot| fleet.absorb(snapshot, now)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::in_process::ControlPlane;
    use crate::in_process::database::all;

    #[tokio::test]
    async fn every_executor_is_read_once_with_its_own_upgrade_wherever_a_portion_ends() {
        let control_plane = ControlPlane::start().await;
        control_plane.publish("1.1.0").await;
        let mut asked = Vec::new();
        for n in 0..5 {
            let (_, id) = control_plane.executor(&format!("host-{n}"), "1.0.0").await;
            let upgrade = match n % 2 {
                0 => None,
                _ => Some(control_plane.request(&id, "1.1.0").await.ok()["id"].as_str().unwrap().to_owned()),
            };
            asked.push((id, upgrade));
        }
        asked.sort_unstable();
        let free = asked.iter().position(|(_, upgrade)| upgrade.is_none()).unwrap();
        let (gone, _) = asked.remove(free);
        control_plane.delete(&format!("/api/v1/executors/{gone}?reason=gone")).await.ok();

        let read = all(&control_plane.app.store)
            .await
            .into_iter()
            .map(|one| (one.executor.id.to_string(), one.upgrade.map(|open| open.shown.id)));
        assert_eq!(read.collect::<Vec<_>>(), asked);

        let listed = control_plane.restart().await.get("/api/v1/executors").await.ok();
        let names = listed["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
        let names: Vec<_> = names.collect();
        assert_eq!(names.len(), 4, "each is found by its name after a start: {names:?}");
    }
}
