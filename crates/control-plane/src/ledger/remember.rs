//! The memory of the fleet as it begins: what the store holds, in portions, so that it is never there twice.

use jiff::Timestamp;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::store::{Store, StoreError};

const PORTION: u32 = 5_000;

/// Everything that is remembered of every executor and key.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remember(store: &Store, now: Timestamp) -> Result<Fleet, StoreError> {
    let fleet = Fleet::default();
    remember_into(store, &fleet, now).await?;
    Ok(fleet)
}

/// The same, over what is remembered already.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remember_into(store: &Store, fleet: &Fleet, now: Timestamp) -> Result<(), StoreError> {
    let mut after = Some(Uuid::nil());
    while let Some(id) = after {
        let keys = store.live_keys(id, PORTION).await?;
        keys.iter().for_each(|key| fleet.add_key(key));
        after = keys.last().map(|key| key.id);
    }
    let mut after = Some(Uuid::nil());
    while let Some(id) = after {
        let snapshots = store.snapshots(id, PORTION).await?;
        after = snapshots.last().map(|snapshot| snapshot.executor.id);
        snapshots.into_iter().for_each(|snapshot| fleet.absorb(snapshot, now));
    }
    Ok(())
}
