//! Users: who is in an account, and as what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;

/// One user, as seen from one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// UUIDv7.
    pub id: String,
    /// The login name, unique over the control plane.
    pub name: String,
    /// What they may do in this account.
    pub role: Role,
    /// They may publish releases of this account.
    #[serde(rename = "releaseManager")]
    pub is_release_manager: bool,
    /// They can log in with a password.
    pub has_password: bool,
    /// The password is a one-time one that waits to be changed.
    pub must_change_password: bool,
    /// Who they are at the OpenID provider.
    pub oidc_subject: Option<String>,
    /// Since when they can do nothing.
    pub disabled_at: Option<Timestamp>,
    /// When they came into this account.
    pub created_at: Timestamp,
}

/// `POST /users`: somebody for this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserRequest {
    /// 1 to 64 letters, digits, `.`, `_`, `-` and `@`.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9._@-]+$"))
    )]
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// They may publish releases.
    #[serde(default, rename = "releaseManager")]
    pub is_release_manager: bool,
    /// A password is made up for their first login, and answered once.
    #[serde(default)]
    pub one_time_password: bool,
    /// Who they are at the OpenID provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255)))]
    pub oidc_subject: Option<String>,
}

/// A user, with the one-time password if one was made up; it is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UserWithPassword {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// For the first login, where it must be changed.
    pub one_time_password: Option<String>,
}

/// `PATCH /users/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserPatch {
    /// What they may do in this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// They may publish releases of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_manager: Option<bool>,
    /// Who they are at the OpenID provider; empty for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 255)))]
    pub oidc_subject: Option<String>,
    /// They can do nothing, in no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}
