//! Lists that people page through, newest first.

use uuid::Uuid;

use super::column::Word;
use super::sql::{Row, named_params};
use super::{Sql, Store, StoreError};

impl Store {
    /// Rows of an account, newest first, from below `before`, at most `limit`.
    pub(super) async fn newest<T: Send + 'static>(
        &self,
        table: &'static str,
        read: fn(&Row<'_>) -> Sql<T>,
        account_id: Uuid,
        (before, limit): (Option<Uuid>, u32),
    ) -> Result<Vec<T>, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached(&format!(
                "SELECT * FROM {table} WHERE account_id = :account AND (CAST(:before AS TEXT) IS NULL OR id < :before)
                 ORDER BY id DESC LIMIT :limit"
            ))?
            .query_map(
                named_params! { ":account": Word(&account_id), ":before": before.as_ref().map(Word), ":limit": limit },
                read,
            )?
            .collect()
        })
        .await
    }
}
