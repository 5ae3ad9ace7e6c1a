//! The agent, in reading order. Private to its binary and its tests.

pub mod agent; // the loop: settle a trial, sync, take a spec, wait
pub mod upgrade; // one pendingUpgrade, top to bottom

pub mod by_hand; // what a sysadmin asks for: upgrade, rollback, verify
pub mod explain; // pure: the first rule that stops an upgrade
pub mod status; // what stands on this host, for people and machines
pub mod watch; // run by systemd as `.prev`: the judge of a trial

pub mod backoff; // when to sync next
pub mod config; // agent.toml
pub mod control_plane; // HTTP to the control plane
pub mod disk; // the only durable writes
pub mod enrol; // the executor's key
pub mod error; // errors by reaction
pub mod host; // what is true of this host and this build
pub mod pacing; // how often to sync
pub mod preflight; // what must be true of a host before an upgrade
pub mod systemd; // notify and systemctl
pub mod units; // what the units say: written, refreshed, removed

#[cfg(test)]
mod stopped; // stopped before each durable effect in turn, and started again
