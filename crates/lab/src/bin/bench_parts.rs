//! What `make bench` needs of the laboratory: `agents OLD NEW BAD` builds two versions of the agent as it ships, a release
//! that crashes and a bare service; `host` boots a host that stays until stdin ends. Both print lines of a word and what it
//! stands for.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a part of a measurement, not of an agent"
)]

use std::env;
use std::io::{Read as _, stdin};
use std::process::ExitCode;

use novacula_lab::{Fault, Host, Suite, builds, faulty_release};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["agents", old, new, bad] => {
            println!("target {}", builds::target());
            println!("old {}", builds::shipped_agent(old).display());
            println!("new {}", builds::shipped_agent(new).display());
            println!("bad {}", faulty_release(bad, Fault::CrashLoop).display());
            println!("bare {}", builds::bare_service().display());
        }
        ["host"] => {
            let suites = Suite::chosen();
            let host = Host::boot(suites[0]);
            println!("host {}", host.init());
            // Whoever started us lets go, or ends in whatever way.
            let _ = stdin().read_to_end(&mut Vec::new());
        }
        _ => {
            eprintln!("bench_parts: knows `agents OLD NEW BAD` and `host` only");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
