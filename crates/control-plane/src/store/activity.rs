//! The activity: appended to inside the transaction it tells of, and never changed.

use jiff::Timestamp;
use novacula_protocol::people::{Action, Activity, ActivityVerdict};
use serde_json::Value;
use uuid::Uuid;

use super::column::{Count, Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, named_params, params};
use super::{Sql, Store, StoreError, deliveries};
use crate::activity::{CHAIN_START, chained};

/// Who acts when nobody asked.
pub(super) const CONTROL_PLANE: &str = "control plane";

/// Something that was done, before it has its place in the chain.
pub(super) struct Deed<'a> {
    pub account_id: Uuid,
    pub at: Timestamp,
    pub actor: &'a str,
    pub action: Action,
    pub target: &'a str,
    pub name: &'a str,
    pub reason: &'a str,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl<'a> Deed<'a> {
    pub(super) fn by(actor: &'a str, account_id: Uuid, at: Timestamp, action: Action) -> Self {
        let (target, name, reason) = ("", "", "");
        Self { account_id, at, actor, action, target, name, reason, before: None, after: None }
    }
}

/// Which entries are listed.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only by this actor.
    pub actor: Option<String>,
    /// Only this.
    pub action: Option<Action>,
    /// Only done to what has this id, or had this name.
    pub target: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Only those before this entry.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Entries of an account, newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn activity(&self, account_id: Uuid, wanted: Wanted) -> Result<Vec<Activity>, StoreError> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(
                "SELECT * FROM activity WHERE account_id = :account
                   AND (CAST(:actor AS TEXT) IS NULL OR actor = :actor)
                   AND (CAST(:action AS TEXT) IS NULL OR action = :action)
                   AND (CAST(:target AS TEXT) IS NULL OR target = :target OR name = :target)
                   AND (CAST(:since AS BIGINT) IS NULL OR at >= :since)
                   AND (CAST(:before AS BIGINT) IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :limit",
            )?;
            rows.query_map(
                named_params! {
                    ":account": Word(&account_id),
                    ":actor": wanted.actor,
                    ":action": wanted.action.as_ref().map(Word),
                    ":target": wanted.target,
                    ":since": wanted.since.map(Time),
                    ":before": wanted.before.map(Count),
                    ":limit": wanted.limit,
                },
                read,
            )?
            .collect()
        })
        .await
    }

    /// Follows the chain of an account from its start.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn verify_activity(&self, account_id: Uuid) -> Result<ActivityVerdict, StoreError> {
        self.read(move |sql| {
            let mut statement = sql.prepare("SELECT * FROM activity WHERE account_id = ?1 ORDER BY id")?;
            let mut verdict = ActivityVerdict {
                intact: true,
                first_broken: None,
                entries: 0,
                head: CHAIN_START.to_owned(),
            };
            for entry in statement.query_map(params![Word(&account_id)], read)? {
                verdict.entries += 1;
                // What cannot be read is not what was written.
                let fits = entry.as_ref().is_ok_and(|entry| {
                    entry.id == verdict.entries && entry.hash == chained(entry, &verdict.head)
                });
                if !fits && verdict.intact {
                    verdict.intact = false;
                    verdict.first_broken = Some(verdict.entries);
                }
                if let Ok(entry) = entry {
                    verdict.head = entry.hash;
                }
            }
            Ok(verdict)
        })
        .await
    }
}

/// Adds an entry behind the last one of the account.
pub(super) fn append(sql: &Connection, deed: Deed<'_>) -> Sql<()> {
    let last: Option<(Count, String)> = sql
        .prepare_cached("SELECT id, hash FROM activity WHERE account_id = ?1 ORDER BY id DESC LIMIT 1")?
        .query_row(params![Word(&deed.account_id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (Count(last), previous) = last.unwrap_or((Count(0), CHAIN_START.to_owned()));
    let mut entry = Activity {
        id: last + 1,
        at: deed.at,
        actor: deed.actor.to_owned(),
        action: deed.action,
        target: deed.target.to_owned(),
        name: deed.name.to_owned(),
        reason: deed.reason.to_owned(),
        before: deed.before,
        after: deed.after,
        hash: String::new(),
    };
    entry.hash = chained(&entry, &previous);
    sql.prepare_cached(
        "INSERT INTO activity (account_id, id, at, actor, action, target, name, reason, before, after, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        Word(&deed.account_id),
        Count(entry.id),
        Time(entry.at),
        entry.actor,
        Word(&entry.action),
        entry.target,
        entry.name,
        entry.reason,
        entry.before.as_ref().map(Json),
        entry.after.as_ref().map(Json),
        entry.hash,
    ])?;
    deliveries::enqueue(sql, deed.account_id, &entry)
}

fn read(row: &Row<'_>) -> Sql<Activity> {
    Ok(Activity {
        id: row.get::<_, Count>("id")?.0,
        at: row.get::<_, Time>("at")?.0,
        actor: row.get("actor")?,
        action: row.get::<_, Word<_>>("action")?.0,
        target: row.get("target")?,
        name: row.get("name")?,
        reason: row.get("reason")?,
        before: row.get::<_, Option<Json<_>>>("before")?.map(|Json(value)| value),
        after: row.get::<_, Option<Json<_>>>("after")?.map(|Json(value)| value),
        hash: row.get("hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_process::database::TestDatabase;
    use crate::key::NewKey;
    use crate::secrets::SecretHash;

    #[tokio::test]
    async fn whoever_changes_the_activity_behind_our_back_breaks_the_chain() {
        for (tampering, broken) in [
            ("SELECT 1", None),
            ("UPDATE activity SET actor = 'somebody else' WHERE id = 2", Some(2)),
            ("UPDATE activity SET reason = '' WHERE id = 3", Some(3)),
            ("UPDATE activity SET at = at + 1 WHERE id = 1", Some(1)),
            ("UPDATE activity SET after = '{}' WHERE id = 1", Some(1)),
            ("UPDATE activity SET action = 'nonsense' WHERE id = 2", Some(2)),
            ("UPDATE activity SET hash = 'x' WHERE id = 3", Some(3)),
            ("DELETE FROM activity WHERE id = 2", Some(2)),
            ("DELETE FROM activity WHERE id = 1", Some(1)),
            ("UPDATE activity SET id = 9 WHERE id = 3", Some(3)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let database = TestDatabase::new(folder.path());
            let store = database.open();
            let account = Uuid::from_u128(1);
            store.write(move |sql| three_entries(sql, account)).await.unwrap();
            let whole = store.verify_activity(account).await.unwrap();
            assert_eq!((whole.intact, whole.entries), (true, 3));

            if broken.is_some() {
                let refused = database.behind(tampering).unwrap_err();
                assert!(refused.contains("append-only"), "{tampering}: {refused}");
            }
            database.tamper(tampering);
            let verdict = store.verify_activity(account).await.unwrap();
            assert_eq!((verdict.first_broken, verdict.intact), (broken, broken.is_none()), "{tampering}");
        }
    }

    #[tokio::test]
    async fn an_entry_that_is_rewritten_with_its_own_hash_breaks_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::new(folder.path());
        let store = database.open();
        let account = Uuid::from_u128(1);
        store.write(move |sql| three_entries(sql, account)).await.unwrap();
        let entries = store.activity(account, Wanted { limit: 3, ..Wanted::default() }).await.unwrap();
        let forged = Activity { actor: "somebody else".to_owned(), ..entries[1].clone() };
        let hash = chained(&forged, &entries[2].hash);
        database
            .tamper(&format!("UPDATE activity SET actor = '{}', hash = '{hash}' WHERE id = 2", forged.actor));
        assert_eq!(store.verify_activity(account).await.unwrap().first_broken, Some(3));
    }

    #[tokio::test]
    async fn what_cannot_be_told_is_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::new(folder.path());
        let store = database.open();
        let account_id = Uuid::from_u128(1);
        store.write(move |sql| three_entries(sql, account_id)).await.unwrap();
        database.refuse("no", "INSERT ON activity");
        let key = NewKey {
            id: Uuid::from_u128(2),
            account_id,
            hash: SecretHash::of("nva_1"),
            bound_name: None,
            expires_at: None,
            enrolment_token_id: None,
            created_by: "owner".into(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        assert!(store.add_key(key.clone()).await.is_err());
        assert_eq!(store.live_keys(Uuid::nil(), 100).await.unwrap(), []);
        database.stop_refusing("no", "activity");
        store.add_key(key).await.unwrap();
        assert_eq!(store.verify_activity(account_id).await.unwrap().entries, 4);
    }

    fn three_entries(sql: &Connection, account_id: Uuid) -> Sql<()> {
        sql.execute(
            "INSERT INTO accounts (id, name, created_at) VALUES (?1, 'a', 0)",
            params![Word(&account_id)],
        )?;
        for n in 0..3 {
            let after = Some(serde_json::json!({"n": n}));
            let deed = Deed {
                account_id,
                at: Timestamp::UNIX_EPOCH,
                actor: "owner",
                action: Action::KeyIssued,
                target: "key",
                name: "host-1",
                reason: "as asked",
                before: None,
                after,
            };
            append(sql, deed)?;
        }
        Ok(())
    }
}
