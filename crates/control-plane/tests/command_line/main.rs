//! The control plane from outside: the real program, its lines, its exit codes, its log, its end.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod full_disk;
mod log;
mod moving;
mod program;
mod starting;
mod tls;
