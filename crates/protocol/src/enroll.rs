//! `POST /api/v1/enroll`: an enrolment token is exchanged once for a key that belongs to one executor.

use serde::{Deserialize, Serialize};

use crate::spec::Kind;

/// The path of the call, below the control plane's URL.
pub const ENROLL_PATH: &str = "/api/v1/enroll";

/// Prefix of an executor's key.
pub const EXECUTOR_KEY_PREFIX: &str = "nva_";
/// Prefix of an enrolment token.
pub const ENROLMENT_TOKEN_PREFIX: &str = "nve_";
/// Prefix of a person's token.
pub const USER_TOKEN_PREFIX: &str = "nvu_";

/// Who wants a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrollRequest {
    /// The executor's name; the key is bound to it.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 128), regex(pattern = crate::PRINTABLE)))]
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// The key, shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnrollResponse {
    /// `nva_…`
    pub access_token: String,
}
