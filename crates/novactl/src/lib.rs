//! novactl: the command line of release engineers and operators.
//!
//! Everything it does is a call of the control plane's API for people; it keeps no state of its own. `terminal` is the
//! only home of printing, `control_plane` the only home of network.

mod account;
mod activity;
mod answer;
mod batch;
mod command_line;
mod completions;
mod connection;
mod control_plane;
mod durations;
mod ending;
mod executor;
mod fleet;
mod form;
mod four_eyes;
mod freeze;
mod named;
mod release;
mod revoke;
mod simulate;
mod terminal;
mod token;
mod upgrade;
mod user;
mod webhook;
mod window;

pub use command_line::run;
