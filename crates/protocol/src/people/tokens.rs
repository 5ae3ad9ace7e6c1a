//! Personal tokens: a person's right to act in one account, for programs.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A token as people see it: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// UUIDv7.
    pub id: String,
    /// Whose: a login name.
    pub user: String,
    /// What for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; only the first one never does.
    pub expires_at: Option<Timestamp>,
    /// The day it was last used on, in UTC.
    pub last_used_on: Option<Date>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// `POST /tokens`: a token of the caller, in the account they act in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// What for: 1 to 128 printable characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// When it ends, at most a year from now; 90 days when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}
