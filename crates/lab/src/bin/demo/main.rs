//! `make demo`: one real host, one agent, three signed releases, two of them bad; then a plan for a whole fleet. Nothing is played;
//! whoever watches sees what a sysadmin would see, and the host keeps a working agent all the time.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demonstration looks at the clock, starts programs and speaks"
)]

mod fleet;
mod screen;
mod story;

use std::time::Instant;

fn main() {
    // What breaks is one sentence; the journal of the host follows when the host is dropped.
    std::panic::set_hook(Box::new(|broken| {
        let payload = broken.payload();
        let sentence = payload.downcast_ref::<String>().map(String::as_str);
        let sentence =
            sentence.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("(it has no name)");
        eprintln!("\n  ✗ this was expected and did not happen: {sentence}\n");
    }));
    let screen = screen::Screen::new();
    let props = story::build(&screen);
    let begun = Instant::now();
    story::tell(&screen, &props);
    screen.say(&format!(
        "\nThe end, after {:.0} s. The host, the control plane and all they wrote are gone; the caches are in target/lab.",
        begun.elapsed().as_secs_f64()
    ));
}
