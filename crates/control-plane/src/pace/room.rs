//! Is there room for this sync? Asked before its body is read: to refuse early costs little, to queue costs everybody.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::fleet::KeyHolder;
use crate::problem::ApiError;

/// A handler that takes it is not run while there is too much to do, but for an executor with an upgrade in hand: its
/// trial must not wait for others.
pub(crate) struct Room;

impl FromRequestParts<Arc<App>> for Room {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        Self::of(app, parts.extensions.get())
    }
}

impl Room {
    /// # Errors
    /// When there is none.
    pub(crate) fn of(app: &App, by: Option<&KeyHolder>) -> Result<Self, ApiError> {
        let is_at_work = || by.is_some_and(|by| app.fleet.has_open_upgrade(by.key_id));
        if app.pace.has_room() || is_at_work() { Ok(Self) } else { Err(app.pace.refuse()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::in_process::{ControlPlane, said};

    #[tokio::test]
    async fn where_there_is_no_room_executors_come_later_each_at_another_time_but_for_those_at_work() {
        let control_plane = ControlPlane::start().await;
        let (idle, _) = control_plane.executor("idle", "1.0.0").await;
        let (at_work, id) = control_plane.executor("at-work", "1.0.0").await;
        control_plane.publish("1.1.0").await;
        control_plane.request(&id, "1.1.0").await.ok();
        control_plane.app.pace.feel_late(5_000);
        let mut waits = BTreeSet::new();
        for _ in 0..100 {
            let refused = control_plane.sync(&idle, said("idle", "1.0.0")).await;
            assert_eq!(refused.problem(), (503, "unavailable".to_owned()));
            let seconds: u64 = refused.header("retry-after").parse().unwrap();
            assert!((1..=10).contains(&seconds), "{seconds}");
            waits.insert(seconds);
        }
        assert_eq!(waits.len(), 10, "spread over twice the interval: {waits:?}");
        let answer = control_plane.sync(&at_work, said("at-work", "1.0.0")).await.ok();
        assert_eq!(answer["pendingUpgrade"]["targetVersion"], "1.1.0");
        assert_eq!(
            control_plane.sync("nva_nobody's", said("idle", "1.0.0")).await.problem(),
            (401, "invalid_api_key".to_owned())
        );
        control_plane.app.pace.feel_late(0);
        control_plane.sync(&idle, said("idle", "1.0.0")).await.ok();
        let text = String::from_utf8(control_plane.get("/metrics").await.bytes).unwrap();
        assert!(text.contains("\nnovacula_syncs_shed_total 100\n"), "{text}");
    }
}
