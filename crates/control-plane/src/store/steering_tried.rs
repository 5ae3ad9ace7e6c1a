//! What a person could ask of an upgrade now: each word is said as `steer` says it, and nothing is kept.

use super::steering::{Steer, SteerRefused, Stop, find, moved};
use super::{Store, StoreError};
use crate::upgrade::{Ask, Upgrade};

impl Store {
    /// Whether each word would be heard if it were said now; `None` is the approval. Nothing is kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn try_steering(
        &self,
        mut steer: Steer,
        asks: Vec<Option<Ask>>,
    ) -> Result<Vec<Result<(), SteerRefused>>, StoreError> {
        self.read(move |sql| {
            let Some(before) = find(sql, &steer)? else { return Ok(Vec::new()) };
            let mut tried = Vec::with_capacity(asks.len());
            for ask in asks {
                let Some(ask) = ask else {
                    tried.push(may_approve(&steer, &before));
                    continue;
                };
                steer.ask = ask;
                tried.push(match moved(sql, &steer, &before) {
                    Ok(_) => Ok(()),
                    Err(Stop::Refused(refused)) => Err(refused),
                    Err(Stop::Engine(e)) => return Err(e),
                });
            }
            Ok(tried)
        })
        .await
    }
}

pub(super) fn may_approve(steer: &Steer, before: &Upgrade) -> Result<(), SteerRefused> {
    let is_wanted = before.shown.approval.as_ref().is_some_and(|it| it.approved_by.is_none());
    if !is_wanted || !before.is_open() {
        return Err(SteerRefused::ApprovalNotWanted);
    }
    if before.shown.requested_by == steer.by.name {
        return Err(SteerRefused::OwnRequest(steer.by.name.clone()));
    }
    Ok(())
}
