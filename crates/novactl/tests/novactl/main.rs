//! novactl from outside: the real binary against a control plane that records what it is asked.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test writes files, runs programs, and ends where something is not as it must be"
)]

mod activity;
mod command_line;
mod control_plane;
mod coverage;
mod executors;
mod first_run;
mod fleet;
mod fleet_groups;
mod fleet_live;
mod fleet_plans;
mod freezes;
mod novactl;
mod people;
mod preflight;
mod publish;
mod recorder;
mod release_keys;
mod release_script;
mod samples;
mod steering;
mod steps;
mod terminal;
mod upgrades;
mod webhooks;
mod windows;
