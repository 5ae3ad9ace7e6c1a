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

/// What names are made of, as a pattern for schemas: nothing that controls a terminal, hides, or turns the text around
/// it.
#[cfg(feature = "schema")]
const PRINTABLE: &str = r"^[^\u0000-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]+$";

pub use refusal::{Refusal, RefusalCode};
pub use stage::{LogLevel, Progress, Stage, Status};
