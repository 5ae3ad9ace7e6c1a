//! The laboratory: what the promises about systemd, signatures and bad releases are tried on.
//!
//! A [`Host`] is a real systemd in a container of its own, cheap to boot and safe to cut the power of. What runs on
//! it are real agents from [`builds`], bad ones from [`faults`], all signed by [`signing`]; what it talks to is the
//! real [`ControlPlane`]. A [`Scene`] puts the three together. A [`forgetful`] disk is what an agent alone is tried on.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test tool: its files, clocks and programs are its own, and it may say what it does"
)]

mod bucket;
mod checkout;
mod control_plane;
mod install;
mod lock;
mod people;
mod postgresql;
mod prometheus;
mod proxy;
mod wait;

pub mod builds;
pub mod dice;
pub mod faults;
pub mod forgetful;
pub mod guard;
pub mod host;
pub mod scene;
pub mod scripted;
pub mod signing;

pub use bucket::Bucket;
pub use control_plane::ControlPlane;
pub use faults::{Fault, faulty_release};
pub use host::{Host, Output, Suite};
pub use install::install;
pub use people::Person;
pub use postgresql::Postgresql;
pub use prometheus::Prometheus;
pub use proxy::Proxy;
pub use scene::Scene;
pub use signing::{Signer, Trust};
pub use wait::{poll, wait_for};
