//! Accounts: whose fleet it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// UUIDv7.
    pub id: String,
    /// Unique over the control plane, whatever the case.
    pub name: String,
    /// It came with the control plane; its owners keep the other accounts.
    #[serde(rename = "founding")]
    pub is_founding: bool,
    /// Since when it only keeps its lists.
    pub suspended_at: Option<Timestamp>,
    /// Why.
    pub suspension_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// `POST /accounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountRequest {
    /// 1 to 128 printable characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
}

/// `PATCH /accounts/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountPatch {
    /// 1 to 128 printable characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: Option<String>,
}

/// `POST /accounts/{id}/suspend` and `…/resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuspensionRequest {
    /// Why, for the people of the account and for the activity.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1024), regex(pattern = r"\S")))]
    pub reason: String,
}
