//! Executor keys and enrolment tokens, as the store keeps them: never the secret itself.

use jiff::Timestamp;
use uuid::Uuid;

use crate::secrets::SecretHash;

/// A key of one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorKey {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// How it is known again.
    pub hash: SecretHash,
    /// Whom it belongs to; nobody until the first name syncs with it.
    pub bound_name: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ended.
    pub revoked_at: Option<Timestamp>,
}

/// A key about to be kept.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// How it is known again.
    pub hash: SecretHash,
    /// Whom it belongs to.
    pub bound_name: Option<String>,
    /// What it was exchanged for.
    pub enrolment_token_id: Option<Uuid>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A token that many executors may exchange for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// How it is known again.
    pub hash: SecretHash,
    /// How often it may be used.
    pub max_uses: u32,
    /// How often it was.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When a person ended it.
    pub revoked_at: Option<Timestamp>,
}
