//! How many upgrades were requested, and how many ended in which way, on each day of UTC.

use jiff::Timestamp;
use novacula_protocol::Stage;
use uuid::Uuid;

use super::column::{Count, Time, Word};
use super::sql::params;
use super::{Sql, Store, StoreError};

/// What happened to upgrades on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDay {
    /// Days since 1 January 1970.
    pub day: i64,
    /// How they ended; `None` for those that were requested.
    pub ended: Option<Stage>,
    /// How many.
    pub count: u64,
}

/// Both parts are read from an index and from no row.
const BY_DAY: &str = "SELECT ended_at / 86400000 AS day, stage, count(*) FROM upgrades
     WHERE account_id = ?1 AND stage IN ('COMPLETED', 'ROLLEDBACK', 'ABANDONED', 'FAILED') AND ended_at >= ?2
     GROUP BY day, stage
     UNION ALL
     SELECT created_at / 86400000 AS day, NULL, count(*) FROM upgrades
     WHERE account_id = ?1 AND created_at >= ?2 GROUP BY day";

impl Store {
    /// Since then; a day on which nothing happened is left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn upgrades_by_day(
        &self,
        account_id: Uuid,
        since: Timestamp,
    ) -> Result<Vec<OnDay>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(BY_DAY)?;
            rows.query_map(params![Word(&account_id), Time(since)], |row| {
                Ok(OnDay {
                    day: row.get(0)?,
                    ended: row.get::<_, Option<Word<Stage>>>(1)?.map(|Word(stage)| stage),
                    count: row.get::<_, Count>(2)?.0,
                })
            })?
            .collect::<Sql<_>>()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::sqlite::open;
    use crate::store::sql::Connection;

    #[test]
    fn the_days_are_counted_from_indexes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sql = open(&folder.path().join("novacula.sqlite")).unwrap();
        let sql = Connection::from(sql);
        let mut plan = sql.prepare(&format!("EXPLAIN QUERY PLAN {BY_DAY}")).unwrap();
        let steps: Vec<String> =
            plan.query_map(params!["a", 0], |row| row.get("detail")).unwrap().collect::<Sql<_>>().unwrap();
        for index in ["upgrades_ended", "upgrades_requested"] {
            let used = format!("SEARCH upgrades USING COVERING INDEX {index} ");
            assert!(steps.iter().any(|step| step.starts_with(&used)), "{index}: {steps:?}");
        }
        assert!(!steps.iter().any(|step| step.starts_with("SCAN upgrades")), "{steps:?}");
    }
}
