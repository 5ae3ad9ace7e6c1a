//! What is counted as it happens, held against what it counts. Most of the time both are the same, so that they are only
//! read, a plan or an account at a time; where they differ, the counters are made anew in one transaction.

use uuid::Uuid;

use super::column::Word;
use super::sql::{Connection, OptionalExtension, params};
use super::{Sql, Store, StoreError};
use crate::recount::Off;

/// A table of counters, and what it counts.
struct Counted {
    /// Whose counters are looked at next, behind the last.
    next: &'static str,
    /// Which of them are off, by name, with what they say and what they should.
    off: &'static str,
    /// Empties them.
    empty: &'static str,
    /// Counts anew.
    fill: &'static str,
}

const WAVES: Counted = Counted {
    next: "SELECT id FROM plans WHERE id > ?1 ORDER BY id LIMIT 1",
    off: "SELECT what, CAST(sum(kept) AS BIGINT), CAST(sum(there) AS BIGINT) FROM (
            SELECT 'plan ' || plan_id || ' wave ' || wave || ' ' || outcome AS what, count AS kept, 0 AS there
              FROM plan_wave_counts WHERE plan_id = ?1
            UNION ALL
            SELECT 'plan ' || plan_id || ' wave ' || wave || ' ' || outcome, 0, count(*)
              FROM plan_members WHERE plan_id = ?1 GROUP BY plan_id, wave, outcome
          ) AS counted GROUP BY what HAVING sum(kept) <> sum(there) ORDER BY what",
    empty: "DELETE FROM plan_wave_counts WHERE plan_id = ?1",
    fill: "INSERT INTO plan_wave_counts SELECT plan_id, wave, outcome, 0, count(*) FROM plan_members WHERE plan_id = ?1
           GROUP BY plan_id, wave, outcome",
};

/// What has ended is read from an index, and from no row.
const UPGRADES: Counted = Counted {
    next: "SELECT id FROM accounts WHERE id > ?1 ORDER BY id LIMIT 1",
    off: "SELECT what, CAST(sum(kept) AS BIGINT), CAST(sum(there) AS BIGINT) FROM (
            SELECT 'account ' || account_id || ' ' || stage AS what, count AS kept, 0 AS there
              FROM upgrade_counts WHERE account_id = ?1
            UNION ALL
            SELECT 'account ' || account_id || ' ' || stage, 0, count(*)
              FROM upgrades WHERE account_id = ?1 AND ended_at IS NOT NULL GROUP BY account_id, stage
          ) AS counted GROUP BY what HAVING sum(kept) <> sum(there) ORDER BY what",
    empty: "DELETE FROM upgrade_counts WHERE account_id = ?1",
    fill: "INSERT INTO upgrade_counts SELECT account_id, stage, count(*) FROM upgrades
           WHERE account_id = ?1 AND ended_at IS NOT NULL GROUP BY account_id, stage",
};

impl Store {
    /// Counts anew how many executors of each wave are where, and answers what was off and is put right.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn recount_waves(&self) -> Result<Vec<Off>, StoreError> {
        self.recount(&WAVES).await
    }

    /// Counts anew how many upgrades of each account have ended at each stage, and answers what was off and is put right.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn recount_upgrades(&self) -> Result<Vec<Off>, StoreError> {
        self.recount(&UPGRADES).await
    }

    async fn recount(&self, counted: &'static Counted) -> Result<Vec<Off>, StoreError> {
        let (mut all, mut last) = (Vec::new(), Uuid::nil());
        while let Some((owner, is_off)) = self.read(move |sql| look_behind(sql, counted, last)).await? {
            if is_off {
                // They are compared once more: what was off may have been put right by another control plane.
                all.extend(self.write(move |sql| put_right(sql, counted, owner)).await?);
            }
            last = owner;
        }
        Ok(all)
    }
}

/// Whose counters come behind `last`, and whether any of them is off.
fn look_behind(sql: &Connection, counted: &Counted, last: Uuid) -> Sql<Option<(Uuid, bool)>> {
    let next: Option<Word<Uuid>> =
        sql.prepare_cached(counted.next)?.query_row(params![Word(&last)], |row| row.get(0)).optional()?;
    let Some(Word(owner)) = next else { return Ok(None) };
    Ok(Some((owner, !off(sql, counted, owner)?.is_empty())))
}

fn put_right(sql: &Connection, counted: &Counted, owner: Uuid) -> Sql<Vec<Off>> {
    let off = off(sql, counted, owner)?;
    if !off.is_empty() {
        sql.execute(counted.empty, params![Word(&owner)])?;
        sql.execute(counted.fill, params![Word(&owner)])?;
    }
    Ok(off)
}

/// In one statement, so that nobody comes between the counters and what they count.
fn off(sql: &Connection, counted: &Counted, owner: Uuid) -> Sql<Vec<Off>> {
    sql.prepare_cached(counted.off)?
        .query_map(params![Word(&owner)], |row| {
            Ok(Off { what: row.get(0)?, kept: row.get(1)?, there: row.get(2)? })
        })?
        .collect()
}
