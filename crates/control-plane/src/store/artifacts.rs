//! Which bytes may be fetched, and which are still needed.

use novacula_protocol::people::ReleaseStatus;
use uuid::Uuid;

use super::column::{Count, Word};
use super::sql::{OptionalExtension, params};
use super::{Store, StoreError};

impl Store {
    /// Size of an artifact of the account whose release is at least as far as `least`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn artifact_size(
        &self,
        account_id: Uuid,
        sha256: String,
        least: ReleaseStatus,
    ) -> Result<Option<u64>, StoreError> {
        self.read(move |sql| {
            let size: Option<Count> = sql
                .prepare_cached(
                    "SELECT size FROM artifacts a JOIN releases r ON r.id = a.release_id
                     WHERE a.sha256 = ?1 AND a.account_id = ?2 AND (?3 = 'draft' OR r.status <> 'draft') LIMIT 1",
                )?
                .query_row(params![sha256, Word(&account_id), Word(&least)], |row| row.get(0))
                .optional()?;
            Ok(size.map(|Count(bytes)| bytes))
        })
        .await
    }

    /// Some release of some account has these bytes.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn is_artifact_needed(&self, sha256: String) -> Result<bool, StoreError> {
        self.read(move |sql| {
            sql.prepare_cached("SELECT 1 FROM artifacts WHERE sha256 = ?1")?.exists(params![sha256])
        })
        .await
    }
}
