//! The console in a real browser: Debian's chromium, driven as a person would, against the real program with executors
//! that sync. `make test` looks at one page of each kind; `make test-ui` at them all, in
//! every light and width.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod axe;
mod browser;
mod busy;
mod first_steps;
mod fleet;
mod keyboard;
mod pages;
mod pictures;
mod planning;
mod publishing;
mod roles;
mod scene;
#[expect(dead_code, reason = "nobody kills it here")]
#[path = "../killed/server.rs"]
mod server;
mod sign_in;
mod steering;
mod webdriver;
mod without_scripts;

/// As much is looked at as there is.
fn is_whole_walk() -> bool {
    std::env::var_os("NOVACULA_WALKS").is_some_and(|walks| walks == "all")
}
