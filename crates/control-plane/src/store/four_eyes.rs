//! Which channels want the approval of a second person.

use jiff::Timestamp;
use novacula_protocol::people::Action;
use novacula_protocol::sync::Channel;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::Word;
use super::sql::{Connection, params};
use super::{Person, Sql, Store, StoreError};

impl Store {
    /// The channels of an account, in their order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn four_eyes(&self, account_id: Uuid) -> Result<Vec<Channel>, StoreError> {
        self.read(move |sql| channels(sql, account_id)).await
    }

    /// Replaces them. Upgrades that were requested before keep what they were told.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn set_four_eyes(
        &self,
        by: Person,
        wanted: Vec<Channel>,
        now: Timestamp,
    ) -> Result<Vec<Channel>, StoreError> {
        self.write(move |sql| {
            let before = channels(sql, by.account_id)?;
            sql.execute("DELETE FROM four_eyes WHERE account_id = ?1", params![Word(&by.account_id)])?;
            for channel in &wanted {
                sql.prepare_cached(
                    "INSERT INTO four_eyes (account_id, channel) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![Word(&by.account_id), Word(channel)])?;
            }
            let after = channels(sql, by.account_id)?;
            if before != after {
                let json = |channels: &Vec<Channel>| Some(serde_json::json!({ "channels": channels }));
                let deed = Deed::by(&by.name, by.account_id, now, Action::FourEyesChanged);
                append(sql, Deed { before: json(&before), after: json(&after), ..deed })?;
            }
            Ok(after)
        })
        .await
    }
}

/// Whether upgrades to releases of the channel want an approval.
pub(super) fn are_wanted(sql: &Connection, account_id: Uuid, channel: Channel) -> Sql<bool> {
    Ok(channels(sql, account_id)?.contains(&channel))
}

fn channels(sql: &Connection, account_id: Uuid) -> Sql<Vec<Channel>> {
    let mut found: Vec<Channel> = sql
        .prepare_cached("SELECT channel FROM four_eyes WHERE account_id = ?1")?
        .query_map(params![Word(&account_id)], |row| Ok(row.get::<_, Word<_>>(0)?.0))?
        .collect::<Sql<_>>()?;
    found.sort_unstable();
    Ok(found)
}
