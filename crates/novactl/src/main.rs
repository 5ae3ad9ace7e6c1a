//! See `novactl --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    novactl::run(std::env::args_os())
}
