//! Labels that people give executors.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacula_protocol::people::Action;
use serde_json::{Value, json};
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Json, Word};
use super::sql::{Connection, params};
use super::{Person, Sql, Store, StoreError, executors, upgrades};
use crate::executor::{Executor, Snapshot};

/// What a person says of the labels of an executor.
#[derive(Clone, Debug)]
pub struct Labelling {
    /// Who.
    pub by: Person,
    /// Of whom.
    pub executor_id: Uuid,
    /// What each shall be; `None` takes back what people said of it.
    pub labels: BTreeMap<String, Option<String>>,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Timestamp,
}

/// Why labels are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsRefused {
    /// The account has no such executor.
    #[error("there is no such executor")]
    NotFound,
    /// They cannot be meant.
    #[error("{0}")]
    Invalid(String),
}

impl Store {
    /// Gives an executor labels, or takes back what people said of them. What changes nothing leaves no trace.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn label_executor(
        &self,
        order: Labelling,
    ) -> Result<Result<Snapshot, LabelsRefused>, StoreError> {
        self.write_or_refuse(move |sql| label(sql, &order)).await
    }
}

fn label(sql: &Connection, order: &Labelling) -> Sql<Result<Snapshot, LabelsRefused>> {
    let (by, id) = (&order.by, order.executor_id);
    let Some(known) = executors::executor(sql, by.account_id, id)? else {
        return Ok(Err(LabelsRefused::NotFound));
    };
    let mut executor = known.clone();
    if let Err(sentence) = executor.label(&order.labels) {
        return Ok(Err(LabelsRefused::Invalid(sentence)));
    }
    if executor == known {
        let upgrade = upgrades::latest(sql, id)?;
        return Ok(Ok(Snapshot { executor, upgrade }));
    }
    sql.prepare_cached("UPDATE executors SET labels_by_people = ?2 WHERE id = ?1")?
        .execute(params![Word(&id), Json(&executor.labels_by_people)])?;
    let (before, after) = (Some(told(&known)), Some(told(&executor)));
    let deed = Deed::by(&by.name, by.account_id, order.now, Action::ExecutorLabelsChanged);
    let (target, reason) = (id.to_string(), &order.reason);
    append(sql, Deed { target: &target, name: &executor.name, reason, before, after, ..deed })?;
    executors::revised(sql, id).map(Ok)
}

fn told(executor: &Executor) -> Value {
    json!({"labels": executor.labels, "labelsByPeople": executor.labels_by_people})
}
