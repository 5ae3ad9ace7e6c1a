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
    /// When its secret ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The secret before the last rotation, and until when it goes on working.
    pub previous: Option<(SecretHash, Timestamp)>,
    /// When it ended.
    pub revoked_at: Option<Timestamp>,
}

/// A new secret for a key.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// How it is known from now on.
    pub hash: SecretHash,
    /// Until when the old secret goes on working; `None` when it ends at once.
    pub previous_until: Option<Timestamp>,
    /// When the new secret ends, if that is to change.
    pub expires_at: Option<Timestamp>,
}

/// Why a key gets no new secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationRefused {
    /// The account has none.
    #[error("there is no such executor key")]
    NotFound,
    /// Nobody holds it any more.
    #[error("the key is revoked; make a new one with POST /executor-keys")]
    Revoked,
    /// A new secret would be over at once.
    #[error("the key has expired; say when the new secret ends with `expiresAt`")]
    Expired,
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
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
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
