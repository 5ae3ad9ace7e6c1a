//! Groups of executors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacula_protocol::people::{
    Action, ExecutorGroupPatch, ExecutorGroupRequest, FleetUpgradePlan, Selector, WaveState,
};
use serde_json::Value;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Person, Sql, Store, StoreError, named};
use crate::group::Group;

/// So many an account may have: a plan may ask all of them whom they take.
const MOST: u32 = 200;

/// Why a group is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupRefused {
    /// The account has no such group.
    #[error("there is no such group")]
    NotFound,
    /// Two would be hard to tell apart.
    #[error("the account has a group called `{0}` already; choose another name, or change that one")]
    NameTaken(String),
    /// Enough.
    #[error("the account has {MOST} groups, which is the most; delete one first")]
    TooMany,
    /// A wave that has not begun would find nobody.
    #[error(
        "wave `{wave}` of the plan `{plan}` has not begun and names the group; wait until it has begun, or delete the plan \
         first"
    )]
    InUse {
        /// The name of the plan.
        plan: String,
        /// Its id.
        plan_id: Uuid,
        /// The first of its waves that names the group.
        wave: String,
    },
    /// It cannot be meant.
    #[error("{0}")]
    Invalid(String),
}

impl Store {
    /// Groups of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn groups(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Group>, StoreError> {
        self.newest("executor_groups", group_of, account_id, (before, limit)).await
    }

    /// One group of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn group(&self, account_id: Uuid, id: Uuid) -> Result<Option<Group>, StoreError> {
        self.read(move |sql| by_id(sql, account_id, id)).await
    }

    /// Whom the groups of an account take, by their names.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn group_selectors(&self, account_id: Uuid) -> Result<BTreeMap<String, Selector>, StoreError> {
        self.read(move |sql| selectors(sql, account_id)).await
    }

    /// Keeps a new group.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn add_group(
        &self,
        by: Person,
        group: Group,
    ) -> Result<Result<Group, GroupRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            if named::count(sql, "executor_groups", group.account_id)? >= MOST {
                return Ok(Err(GroupRefused::TooMany));
            }
            if has_name(sql, &group)? {
                return Ok(Err(GroupRefused::NameTaken(group.name)));
            }
            insert(sql, &group)?;
            note(sql, &by, Action::GroupCreated, (None, Some(&group)), group.created_at)?;
            Ok(Ok(group))
        })
        .await
    }

    /// Changes a group as far as the patch says. Another name is refused where a wave that has not begun knows it by
    /// this one.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn patch_group(
        &self,
        by: Person,
        id: Uuid,
        patch: ExecutorGroupPatch,
        now: Timestamp,
    ) -> Result<Result<Group, GroupRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(GroupRefused::NotFound)) };
            let mut group = known.clone();
            let asked = ExecutorGroupRequest {
                name: patch.name.unwrap_or(group.name.clone()),
                selector: patch.selector.unwrap_or(group.selector.clone()),
            };
            if let Err(sentence) = group.set(asked) {
                return Ok(Err(GroupRefused::Invalid(sentence)));
            }
            if has_name(sql, &group)? {
                return Ok(Err(GroupRefused::NameTaken(group.name)));
            }
            if group.name != known.name
                && let Some(user) = user(sql, &known)?
            {
                return Ok(Err(user));
            }
            if group != known {
                sql.prepare_cached("UPDATE executor_groups SET name = ?2, selector = ?3 WHERE id = ?1")?
                    .execute(params![Word(&id), group.name, Json(&group.selector)])?;
                note(sql, &by, Action::GroupChanged, (Some(&known), Some(&group)), now)?;
            }
            Ok(Ok(group))
        })
        .await
    }

    /// Removes a group.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is none, or a plan needs it.
    pub async fn delete_group(
        &self,
        by: Person,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Result<(), GroupRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(GroupRefused::NotFound)) };
            if let Some(user) = user(sql, &known)? {
                return Ok(Err(user));
            }
            sql.prepare_cached("DELETE FROM executor_groups WHERE id = ?1")?.execute(params![Word(&id)])?;
            note(sql, &by, Action::GroupDeleted, (Some(&known), None), now)?;
            Ok(Ok(()))
        })
        .await
    }
}

/// Whom the groups of an account take, by their names.
pub(super) fn selectors(sql: &Connection, account_id: Uuid) -> Sql<BTreeMap<String, Selector>> {
    sql.prepare_cached("SELECT name, selector FROM executor_groups WHERE account_id = ?1")?
        .query_map(params![Word(&account_id)], |row| Ok((row.get(0)?, row.get::<_, Json<_>>(1)?.0)))?
        .collect()
}

/// The first plan that has not ended with a wave that has not begun and names the group.
fn user(sql: &Connection, group: &Group) -> Sql<Option<GroupRefused>> {
    let mut living = sql.prepare_cached(
        "SELECT id, name, document FROM plans
         WHERE account_id = ?1 AND ended_at IS NULL AND deleted_at IS NULL ORDER BY id",
    )?;
    let living = living.query_map(params![Word(&group.account_id)], |row| {
        let (id, document) = (row.get::<_, Word<Uuid>>(0)?.0, row.get::<_, Json<FleetUpgradePlan>>(2)?.0);
        Ok((id, row.get::<_, String>(1)?, document))
    })?;
    let mut begun =
        sql.prepare_cached("SELECT 1 FROM plan_waves WHERE plan_id = ?1 AND wave = ?2 AND state <> ?3")?;
    for plan in living {
        let (plan_id, plan, document) = plan?;
        for (place, wave) in (0_u16..).zip(document.spec.waves) {
            if wave.group.as_ref() == Some(&group.name)
                && !begun.exists(params![Word(&plan_id), place, Word(&WaveState::Pending)])?
            {
                return Ok(Some(GroupRefused::InUse { plan, plan_id, wave: wave.name }));
            }
        }
    }
    Ok(None)
}

/// Another group of the account has this one's name.
fn has_name(sql: &Connection, group: &Group) -> Sql<bool> {
    named::is_taken(sql, "executor_groups", group.account_id, (&group.name, group.id))
}

fn insert(sql: &Connection, group: &Group) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO executor_groups (id, account_id, name, selector, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        Word(&group.id),
        Word(&group.account_id),
        group.name,
        Json(&group.selector),
        group.created_by,
        Time(group.created_at),
    ])?;
    Ok(())
}

fn note(
    sql: &Connection,
    by: &Person,
    action: Action,
    (before, after): (Option<&Group>, Option<&Group>),
    now: Timestamp,
) -> Sql<()> {
    let Some(group) = after.or(before) else { return Ok(()) };
    let (target, before, after) = (group.id.to_string(), before.map(json), after.map(json));
    let deed = Deed::by(&by.name, by.account_id, now, action);
    append(sql, Deed { target: &target, name: &group.name, before, after, ..deed })
}

fn json(group: &Group) -> Value {
    serde_json::json!({"name": group.name, "selector": group.selector})
}

fn by_id(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Group>> {
    sql.prepare_cached("SELECT * FROM executor_groups WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], group_of)
        .optional()
}

fn group_of(row: &Row<'_>) -> Sql<Group> {
    Ok(Group {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        name: row.get("name")?,
        selector: row.get::<_, Json<_>>("selector")?.0,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}
