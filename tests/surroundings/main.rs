//! What is around an agent may be slow, cut off, hostile or taken by another: the real agent as a plain process, with
//! real servers, proxies and certificates.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test: its files and programs are its own, and what it cannot have fails it with what the others said"
)]

mod bench; // an agent as a plain process
mod certificates; // made as a test needs them, also wrong ones
mod line; // a connection that breaks off or drips
mod nginx; // a real server

mod buckets;
mod clock;
mod downloads;
mod hostile_answers;
mod hostile_tls;
mod keys;
mod neighbours;
mod places;
mod proxy;
mod slow_servers;
