//! The upgrades that need a person.

use jiff::Timestamp;
use novacula_protocol::people::WaitCode;
use uuid::Uuid;

use super::column::{Time, Word};
use super::sql::{Connection, params};
use super::{Sql, Store, StoreError, steps, upgrade_rows as rows};
use crate::upgrade::{Upgrade, wants_a_person};

/// Only what may wait for a person: of a fleet that waits for its window no row is read twice.
const OPEN: &str = "SELECT * FROM upgrades
     WHERE account_id = ?1 AND ended_at IS NULL
       AND (stage = 'CONFIRM_COMPLETION' OR intent = 'pause' OR approval IS NOT NULL OR confirm_start <> 'auto'
            OR EXISTS (SELECT 1 FROM releases
                       WHERE releases.account_id = upgrades.account_id AND releases.kind = upgrades.kind
                         AND releases.version = upgrades.target_version AND releases.prerequisites <> '[]'))";

/// What ended badly, and after which nobody asked anything of its executor.
const ENDED: &str = "SELECT * FROM upgrades
     WHERE account_id = ?1 AND stage IN ('FAILED', 'ROLLEDBACK') AND ended_at >= ?2
       AND NOT EXISTS (SELECT 1 FROM upgrades newer
                       WHERE newer.executor_id = upgrades.executor_id AND newer.id > upgrades.id)";

/// An upgrade, and what it waits for before its executor is told of it.
type Wanting = (Upgrade, Option<(WaitCode, String)>);

impl Store {
    /// Open upgrades that may wait for a person, with the wait of those that nobody is told of yet; then those that ended
    /// badly since then.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn attention(&self, account_id: Uuid, since: Timestamp) -> Result<Vec<Wanting>, StoreError> {
        self.read(move |sql| {
            let open: Vec<Upgrade> = sql
                .prepare_cached(OPEN)?
                .query_map(params![Word(&account_id)], rows::read)?
                .collect::<Sql<_>>()?;
            let mut all = open.into_iter().map(|it| with_wait(sql, it)).collect::<Sql<Vec<_>>>()?;
            let mut ended = sql.prepare_cached(ENDED)?;
            for upgrade in ended.query_map(params![Word(&account_id), Time(since)], rows::read)? {
                all.push((upgrade?, None));
            }
            Ok(all)
        })
        .await
    }
}

fn with_wait(sql: &Connection, upgrade: Upgrade) -> Sql<Wanting> {
    if !upgrade.is_waiting() {
        return Ok((upgrade, None));
    }
    let wait = wants_a_person(&upgrade, &steps::open_prerequisites(sql, &upgrade)?);
    Ok((upgrade, wait.map(|wait| (wait.code, wait.message))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::sqlite::open;

    #[test]
    fn who_needs_a_person_is_found_without_reading_what_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let sql = open(&folder.path().join("novacula.sqlite")).unwrap();
        let sql = Connection::from(sql);
        for question in [OPEN, ENDED] {
            let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let since = question == ENDED;
            let read = |row: &crate::store::sql::Row<'_>| row.get("detail");
            let steps: Vec<String> = match since {
                true => plan.query_map(params!["a", 0], read).unwrap().collect::<Sql<_>>().unwrap(),
                false => plan.query_map(params!["a"], read).unwrap().collect::<Sql<_>>().unwrap(),
            };
            assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:?}");
        }
    }
}
