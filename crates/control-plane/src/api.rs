//! One file a resource or verb, with its errors.

pub(crate) mod activity;
pub(crate) mod artifacts;
pub(crate) mod batches;
pub(crate) mod census;
pub(crate) mod diff;
pub(crate) mod enroll;
pub(crate) mod enrolment_tokens;
pub(crate) mod events;
pub(crate) mod executor_keys;
pub(crate) mod executors;
pub(crate) mod explain;
pub(crate) mod four_eyes;
pub(crate) mod freezes;
pub(crate) mod health;
pub(crate) mod preflight;
pub(crate) mod progress;
pub(crate) mod releases;
pub(crate) mod request_upgrade;
pub(crate) mod revisions;
pub(crate) mod steer;
pub(crate) mod steps;
pub(crate) mod sync;
pub(crate) mod upgrades;
pub(crate) mod upload;
pub(crate) mod windows;
