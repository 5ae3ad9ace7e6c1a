//! The Novacula protocol as types: what executor and control plane say to each other, and the rules both must
//! agree on. No I/O and no clock; whoever calls brings bytes and the time.

mod stage;

pub mod enroll;
pub mod people;
pub mod problem;
pub mod reach;
pub mod refusal;
pub mod signature;
pub mod spec;
pub mod sync;
pub mod trusted_comment;

pub use refusal::{Refusal, RefusalCode};
pub use stage::{LogLevel, Progress, Stage, Status};
