//! novactl from outside: the real binary against a control plane that records what it is asked.

#![expect(clippy::disallowed_methods, reason = "a test writes files and runs programs")]

mod command_line;
mod executors;
mod novactl;
mod publish;
mod recorder;
mod release_script;
mod samples;
mod terminal;
mod upgrades;
