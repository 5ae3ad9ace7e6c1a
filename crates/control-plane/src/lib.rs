//! The control plane: keeps the catalogue of signed releases, hears the executors, and hands each its upgrade.

pub mod settings;

pub mod serve;

pub use store::{Address, BackupError, Database, MigrateError, MigrateStep, Moved, back_up, migrate};

mod app;
mod background;
pub mod certificate;
mod door;
mod hall;
#[cfg(test)]
mod in_process;
#[cfg(test)]
mod probing;
mod routes;

mod api;
mod attempts;
mod auth;
mod caller;
mod entrance;
mod example;
mod extract;
mod hear_out;
mod openapi;
mod operation;
mod problem;
mod refusal;
mod request_log;
mod right;
mod shape;

mod pages;

mod activity;
mod artifacts;
pub mod clock;
mod fleet;
mod ledger;
mod metrics;
mod oidc;
mod outgoing;
mod password;
mod secrets;
mod store;
mod suspended;

mod calendar;
mod executor;
mod explain;
mod freeze;
mod gate_probe;
mod group;
mod hops;
mod in_plan;
mod key;
mod labels;
mod limiter;
mod long_poll;
pub mod pace;
mod particulars;
mod people;
mod plan_document;
mod plan_dry_run;
mod plan_schema;
mod presence;
mod range;
mod reason;
mod recount;
mod replicas;
mod rollout;
mod said;
mod selector;
mod session;
mod upgrade;
mod webhook;
mod window;
