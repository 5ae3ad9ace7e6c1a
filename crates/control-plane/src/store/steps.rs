//! The steps of an upgrade: those of its release, and who was the first to acknowledge each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::people::{Action, UpgradeStep, UpgradeSteps};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Time, Word};
use super::sql::{Connection, OptionalExtension, params};
use super::{Person, Sql, Store, StoreError, upgrade_rows as rows};
use crate::upgrade::Upgrade;

/// Which steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before it begins.
    Prerequisites,
    /// After it has completed.
    Postrequisites,
}

impl Part {
    /// As in a path.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prerequisites => "prerequisites",
            Self::Postrequisites => "postrequisites",
        }
    }

    fn action(self) -> Action {
        match self {
            Self::Prerequisites => Action::PrerequisitesAcknowledged,
            Self::Postrequisites => Action::PostrequisitesAcknowledged,
        }
    }
}

/// Why steps are not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeRefused {
    /// The account has no such upgrade.
    #[error("there is no such upgrade")]
    NoUpgrade,
    /// Its release has no such step.
    #[error("there is no such step: the release has no {} with the number {number}", part.as_str())]
    NoStep {
        /// Of which.
        part: Part,
        /// What was asked for.
        number: u32,
    },
    /// What comes after it cannot be done before.
    #[error("the upgrade is at {0}: its postrequisites can be acknowledged once it has completed")]
    TooEarly(Stage),
}

impl Store {
    /// The steps of an upgrade; `None` when the account has no such upgrade.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn steps(&self, account_id: Uuid, id: Uuid) -> Result<Option<UpgradeSteps>, StoreError> {
        self.read(move |sql| {
            let found = upgrade(sql, account_id, id)?;
            found.map(|upgrade| steps(sql, &upgrade)).transpose()
        })
        .await
    }

    /// Notes who says that steps are done, unless somebody has said so before.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn acknowledge(
        &self,
        by: Person,
        id: Uuid,
        (part, numbers): (Part, Vec<u32>),
        now: Timestamp,
    ) -> Result<Result<UpgradeSteps, AcknowledgeRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(upgrade) = upgrade(sql, by.account_id, id)? else {
                return Ok(Err(AcknowledgeRefused::NoUpgrade));
            };
            let count = texts(sql, &upgrade, part)?.len();
            let is_step = |number: u32| (1..=count).contains(&(number as usize));
            if let Some(number) = numbers.iter().copied().find(|number| !is_step(*number)) {
                return Ok(Err(AcknowledgeRefused::NoStep { part, number }));
            }
            let stage = upgrade.shown.stage;
            if part == Part::Postrequisites && stage != Stage::Completed {
                return Ok(Err(AcknowledgeRefused::TooEarly(stage)));
            }
            acknowledge(sql, &by.name, &upgrade, part, &numbers, now)?;
            Ok(Ok(steps(sql, &upgrade)?))
        })
        .await
    }
}

/// The numbers of the prerequisites that nobody has acknowledged.
pub(super) fn open_prerequisites(sql: &Connection, upgrade: &Upgrade) -> Sql<Vec<u32>> {
    let steps = numbered(sql, upgrade, Part::Prerequisites)?.into_iter();
    Ok(steps.filter(|step| step.acknowledged_by.is_none()).map(|step| step.number).collect())
}

/// Notes who says that all of them are done.
pub(super) fn acknowledge_prerequisites(
    sql: &Connection,
    person: &str,
    upgrade: &Upgrade,
    now: Timestamp,
) -> Sql<()> {
    let open = open_prerequisites(sql, upgrade)?;
    acknowledge(sql, person, upgrade, Part::Prerequisites, &open, now)
}

fn acknowledge(
    sql: &Connection,
    person: &str,
    upgrade: &Upgrade,
    part: Part,
    numbers: &[u32],
    now: Timestamp,
) -> Sql<()> {
    let mut new = Vec::new();
    for number in numbers {
        let added = sql
            .prepare_cached(
                "INSERT INTO acknowledgements (upgrade_id, part, number, person, at)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![upgrade.shown.id, part.as_str(), number, person, Time(now)])?;
        if added > 0 {
            new.push(*number);
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let deed = Deed::by(person, upgrade.account_id, now, part.action());
    let (target, name) = (upgrade.shown.id.as_str(), upgrade.shown.executor_name.as_str());
    append(sql, Deed { target, name, after: Some(serde_json::json!({ "numbers": new })), ..deed })
}

fn upgrade(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Upgrade>> {
    sql.prepare_cached("SELECT * FROM upgrades WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], rows::read)
        .optional()
}

fn steps(sql: &Connection, upgrade: &Upgrade) -> Sql<UpgradeSteps> {
    Ok(UpgradeSteps {
        prerequisites: numbered(sql, upgrade, Part::Prerequisites)?,
        postrequisites: numbered(sql, upgrade, Part::Postrequisites)?,
    })
}

fn numbered(sql: &Connection, upgrade: &Upgrade, part: Part) -> Sql<Vec<UpgradeStep>> {
    let mut done: BTreeMap<u32, (String, Timestamp)> = sql
        .prepare_cached(
            "SELECT number, person, at FROM acknowledgements WHERE upgrade_id = ?1 AND part = ?2",
        )?
        .query_map(params![upgrade.shown.id, part.as_str()], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get::<_, Time>(2)?.0)))
        })?
        .collect::<Sql<_>>()?;
    let steps = (1..).zip(texts(sql, upgrade, part)?).map(|(number, text)| {
        let (acknowledged_by, acknowledged_at) = done.remove(&number).unzip();
        UpgradeStep { number, text, acknowledged_by, acknowledged_at }
    });
    Ok(steps.collect())
}

/// As the release of the upgrade says them; it was published, so they do not change any more.
fn texts(sql: &Connection, upgrade: &Upgrade, part: Part) -> Sql<Vec<String>> {
    let shown = &upgrade.shown;
    let both = sql
        .prepare_cached(
            "SELECT prerequisites, postrequisites FROM releases WHERE account_id = ?1 AND kind = ?2 AND version = ?3",
        )?
        .query_row(params![Word(&upgrade.account_id), Word(&shown.kind), Word(&shown.target_version)], |row| {
            Ok((row.get::<_, Json<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0))
        })
        .optional()?;
    let (prerequisites, postrequisites) = both.unwrap_or_default();
    Ok(match part {
        Part::Prerequisites => prerequisites,
        Part::Postrequisites => postrequisites,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::in_process::ControlPlane;

    async fn open(control_plane: &ControlPlane, id: &str) -> Vec<u32> {
        let id: Uuid = id.parse().unwrap();
        let found = control_plane.app.store.read(move |sql| {
            let account_id = sql.query_row("SELECT account_id FROM upgrades", [], |row| row.get(0))?;
            let Word(account_id): Word<Uuid> = account_id;
            let upgrade = upgrade(sql, account_id, id)?;
            assert_eq!(
                super::upgrade(sql, Uuid::from_u128(9), id)?,
                None,
                "it is nothing to another account"
            );
            upgrade.map(|upgrade| open_prerequisites(sql, &upgrade)).transpose()
        });
        found.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn prerequisites_are_open_until_a_person_acknowledges_them_in_this_very_upgrade() {
        let control_plane = ControlPlane::start().await;
        let release = control_plane.draft("1.1.0", b"x").await["id"].as_str().unwrap().to_owned();
        let steps = json!({"prerequisites": ["a", "b", "c"], "postrequisites": ["d"], "status": "published"});
        control_plane.patch(&format!("/api/v1/releases/{release}"), steps).await.ok();
        let mut upgrades = Vec::new();
        for name in ["host-1", "host-2"] {
            let (_, id) = control_plane.executor(name, "1.0.0").await;
            let upgrade = control_plane.request(&id, "1.1.0").await.ok();
            upgrades.push(upgrade["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(open(&control_plane, &upgrades[0]).await, [1, 2, 3]);
        let path = format!("/api/v1/upgrades/{}/prerequisites", upgrades[0]);
        control_plane.post(&format!("{path}/2/acknowledge"), json!({})).await.ok();
        assert_eq!(open(&control_plane, &upgrades[0]).await, [1, 3]);
        control_plane.post(&format!("{path}/acknowledge"), json!({"numbers": [3, 1]})).await.ok();
        assert_eq!(open(&control_plane, &upgrades[0]).await, [] as [u32; 0]);
        assert_eq!(open(&control_plane, &upgrades[1]).await, [1, 2, 3]);
    }
}
