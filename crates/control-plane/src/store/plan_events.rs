//! What happened to a fleet plan, line by line.

use jiff::Timestamp;
use novacula_protocol::LogLevel;
use novacula_protocol::people::PlanEvent;
use uuid::Uuid;

use super::column::{Count, Time, Word};
use super::sql::{Connection, Row, params};
use super::{Sql, Store, StoreError};

/// Of one plan; the moves of ten thousand executors fit several times.
const MOST: u32 = 100_000;
const LOOKED_AT_EVERY: i64 = 1_000;

impl Store {
    /// Events of a plan behind the one with id `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn plan_events(
        &self,
        plan_id: Uuid,
        after: u64,
        limit: u32,
    ) -> Result<Vec<PlanEvent>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT seq, at, level, wave, executor_name, message FROM plan_events
                 WHERE plan_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map(params![Word(&plan_id), Count(after), limit], event_of)?
            .collect()
        })
        .await
    }
}

/// Writes down what happened to a plan, in the transaction in which it happens.
pub(super) fn note(
    sql: &Connection,
    plan_id: Uuid,
    at: Timestamp,
    level: LogLevel,
    wave: Option<&str>,
    executor_name: Option<&str>,
    message: &str,
) -> Sql<()> {
    let seq: i64 = sql
        .prepare_cached(
            "INSERT INTO plan_events (plan_id, at, level, wave, executor_name, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING seq",
        )?
        .query_row(params![Word(&plan_id), Time(at), Word(&level), wave, executor_name, message], |row| {
            row.get(0)
        })?;
    if seq % LOOKED_AT_EVERY == 0 { forget_the_oldest(sql, plan_id, MOST) } else { Ok(()) }
}

/// A plan that pauses and goes on for years must not fill the disk.
fn forget_the_oldest(sql: &Connection, plan_id: Uuid, most: u32) -> Sql<()> {
    sql.prepare_cached(
        "DELETE FROM plan_events WHERE plan_id = ?1 AND seq <=
           (SELECT seq FROM plan_events WHERE plan_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![Word(&plan_id), most])?;
    Ok(())
}

fn event_of(row: &Row<'_>) -> Sql<PlanEvent> {
    Ok(PlanEvent {
        id: row.get::<_, Count>(0)?.0,
        at: row.get::<_, Time>(1)?.0,
        level: row.get::<_, Word<_>>(2)?.0,
        wave: row.get(3)?,
        executor_name: row.get(4)?,
        message: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::in_process::ControlPlane;
    use crate::store::plan_bench::document;

    #[tokio::test]
    async fn events_of_a_plan_are_read_in_their_order_from_behind_one() {
        let control_plane = ControlPlane::start().await;
        let account = control_plane.account_id().await;
        let (app, store) = (&control_plane.app, &control_plane.app.store);
        let (one, two) = (app.clock.new_id(), app.clock.new_id());
        let now = app.clock.now();
        for (id, name) in [(one, "one"), (two, "two")] {
            store.put_plan(account, id, document(name, &json!([{"name": "canary"}])), now).await;
        }
        for (id, message) in [(one, "first"), (two, "of another"), (one, "second"), (one, "third")] {
            store.put_plan_event(id, message, now).await;
        }
        let all = store.plan_events(one, 0, 10).await.unwrap();
        let messages: Vec<_> = all.iter().map(|event| event.message.as_str()).collect();
        assert_eq!(messages, ["first", "second", "third"]);
        let first = &all[0];
        assert_eq!((first.at, first.level, first.wave.as_deref()), (now, LogLevel::Info, Some("canary")));
        assert_eq!(store.plan_events(one, first.id, 1).await.unwrap(), [all[1].clone()]);
        assert_eq!(store.plan_events(one, all[2].id, 10).await.unwrap(), []);
        store.write(move |sql| forget_the_oldest(sql, one, 2)).await.unwrap();
        assert_eq!(store.plan_events(one, 0, 10).await.unwrap(), all[1..], "the oldest go");
        assert_eq!(store.plan_events(two, 0, 10).await.unwrap().len(), 1, "and none of another plan");
    }
}
