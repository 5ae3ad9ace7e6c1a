//! What a dry run of a fleet plan shows beside what the planner knows.

use std::collections::HashMap;

use novacula_protocol::Stage;
use novacula_protocol::people::Checked;
use novacula_protocol::spec::Direction;
use novacula_protocol::sync::PreflightResult;
use uuid::Uuid;

use super::column::{Time, Word};
use super::sql::params;
use super::{Store, StoreError};

/// So many upgrades say how long the next ones take.
const LAST: u32 = 200;

impl Store {
    /// How long the last upgrades of an account took that completed, in ms, each from when its executor picked it up.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn last_durations(&self, account_id: Uuid) -> Result<Vec<u64>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT CASE WHEN ended_at > started_at THEN ended_at - started_at ELSE 0 END FROM upgrades WHERE account_id = ?1 AND stage = ?2
                   AND direction = ?3 AND started_at IS NOT NULL AND ended_at IS NOT NULL ORDER BY id DESC LIMIT ?4",
            )?
            .query_map(
                params![Word(&account_id), Word(&Stage::Completed), Word(&Direction::Upgrade), LAST],
                |row| row.get::<_, i64>(0).map(i64::unsigned_abs),
            )?
            .collect()
        })
        .await
    }

    /// The last answers of all executors of an account to checks of their hosts, by executor, in the order of their names.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn all_preflight(&self, account_id: Uuid) -> Result<HashMap<Uuid, Vec<Checked>>, StoreError> {
        self.read(move |sql| {
            let mut all: HashMap<Uuid, Vec<Checked>> = HashMap::new();
            let mut rows = sql.prepare_cached(
                "SELECT executor_id, check_name, ok, note, at FROM preflight WHERE executor_id IN
                   (SELECT id FROM executors WHERE account_id = ?1 AND deleted_at IS NULL) ORDER BY check_name",
            )?;
            let answers = rows.query_map(params![Word(&account_id)], |row| {
                let (check, ok, note) = (row.get(1)?, row.get(2)?, row.get(3)?);
                let checked =
                    Checked { result: PreflightResult { check, ok, note }, at: row.get::<_, Time>(4)?.0 };
                Ok((row.get::<_, Word<Uuid>>(0)?.0, checked))
            })?;
            for answer in answers {
                let (executor_id, checked) = answer?;
                all.entry(executor_id).or_default().push(checked);
            }
            Ok(all)
        })
        .await
    }
}
