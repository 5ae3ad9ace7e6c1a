//! Sessions: a person in a browser.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;

/// `POST /session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginRequest {
    /// The login name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// `GET /session`: who the caller is, in which account they act, and where else they could.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// UUIDv7.
    pub user_id: String,
    /// The login name.
    pub name: String,
    /// The account they act in.
    pub account_id: String,
    /// What they may do there.
    pub role: Role,
    /// They may publish releases there.
    #[serde(rename = "releaseManager")]
    pub is_release_manager: bool,
    /// That account is the founding one, whose owners keep the house.
    #[serde(default, rename = "foundingAccount")]
    pub is_in_founding_account: bool,
    /// The accounts they are in; with a token, only its own.
    pub accounts: Vec<Membership>,
    /// Nothing else can be done before the password is changed.
    pub must_change_password: bool,
    /// What `X-CSRF-Token` must say on every change; `null` for a token, which needs none.
    pub csrf_token: Option<String>,
    /// When it ends at the latest.
    pub expires_at: Option<Timestamp>,
}

/// An account somebody is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// UUIDv7 of the account.
    pub account_id: String,
    /// Its name.
    pub name: String,
    /// As what.
    pub role: Role,
    /// With the right to publish.
    #[serde(rename = "releaseManager")]
    pub is_release_manager: bool,
    /// It only keeps its lists.
    #[serde(rename = "suspended")]
    pub is_suspended: bool,
}

/// `PATCH /session`: act in another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionPatch {
    /// One of the caller's own.
    pub account_id: String,
}

/// `PUT /session/password`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChange {
    /// The one until now.
    pub current: String,
    /// 12 to 256 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 12, max = 256)))]
    pub new: String,
}
