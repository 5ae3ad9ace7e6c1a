//! Where an executor stands in the plans that have not ended.

use std::collections::BTreeMap;

use novacula_protocol::people::Selector;
use novacula_protocol::spec::Kind;
use uuid::Uuid;

use super::column::{Json, Word};
use super::sql::{Connection, Row, params};
use super::{Sql, Store, StoreError, groups};
use crate::in_plan::{Living, Member};

impl Store {
    /// The plans of a kind that have not ended, oldest first, each with what became of the executor in it; and whom the
    /// groups that they may name take.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn living_plans(
        &self,
        account_id: Uuid,
        executor_id: Uuid,
        kind: Kind,
    ) -> Result<(Vec<Living>, BTreeMap<String, Selector>), StoreError> {
        self.read(move |sql| {
            let living: Vec<Living> = sql
                .prepare_cached(
                    "SELECT plans.id, plans.name, plans.document, plan_members.wave, plan_members.outcome,
                       plan_members.reason
                     FROM plans LEFT JOIN plan_members
                       ON plan_members.plan_id = plans.id AND plan_members.executor_id = ?2
                     WHERE plans.account_id = ?1 AND plans.executor_kind = ?3
                       AND plans.ended_at IS NULL AND plans.deleted_at IS NULL ORDER BY plans.id",
                )?
                .query_map(params![Word(&account_id), Word(&executor_id), Word(&kind)], |row| {
                    living_of(sql, row)
                })?
                .collect::<Sql<_>>()?;
            Ok((living, groups::selectors(sql, account_id)?))
        })
        .await
    }
}

fn living_of(sql: &Connection, row: &Row<'_>) -> Sql<Living> {
    let id: Uuid = row.get::<_, Word<_>>(0)?.0;
    let waves = sql
        .prepare_cached("SELECT wave, state FROM plan_waves WHERE plan_id = ?1")?
        .query_map(params![Word(&id)], |row| Ok((row.get::<_, u16>(0)?.into(), row.get::<_, Word<_>>(1)?.0)))?
        .collect::<Sql<_>>()?;
    let member = match row.get::<_, Option<u16>>(3)? {
        Some(wave) => {
            Some(Member { wave: wave.into(), outcome: row.get::<_, Word<_>>(4)?.0, reason: row.get(5)? })
        }
        None => None,
    };
    Ok(Living { id, name: row.get(1)?, document: row.get::<_, Json<_>>(2)?.0, waves, member })
}
