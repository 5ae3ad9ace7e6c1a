//! The least that a service of systemd can be which talks to a server: one request to the address in its only argument,
//! READY, and then nothing. `make bench` restarts it beside the agent.
//!
//! Depends on the standard library alone: the laboratory compiles this one file with rustc.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a stand-in for an agent, not a part of one"
)]

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

fn main() -> ExitCode {
    if let Err(e) = begin() {
        eprintln!("bare: {e}");
        return ExitCode::FAILURE;
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

fn begin() -> io::Result<()> {
    let missing = |what: &str| io::Error::other(format!("{what} is missing"));
    let address = env::args().nth(1).ok_or_else(|| missing("the address"))?;
    let mut server = TcpStream::connect(&address)?;
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bare\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    server.read_to_end(&mut Vec::new())?;
    let socket = env::var_os("NOTIFY_SOCKET").ok_or_else(|| missing("NOTIFY_SOCKET"))?;
    UnixDatagram::unbound()?.send_to(b"READY=1", socket)?;
    Ok(())
}
