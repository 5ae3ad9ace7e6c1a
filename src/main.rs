//! The process: command line, logger, clock, exit code and restart live here and nowhere else.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the home of the process: its clock, its environment, its output and its end"
)]

use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use novacula_agent::config::DEFAULT_CONFIG;
use novacula_agent::error::{Error, chain, printable};
use novacula_agent::host::{Build, Clock, installed_path};
use novacula_agent::systemd;
use novacula_protocol::signature::TrustedKeys;
use novacula_protocol::trusted_comment::plain_version;
use serde_json::json;

use command_line::Asked;
use commands::{Ending, FAILED, Process, REFUSED, WRONG_USAGE};

mod command_line;
mod commands;
mod journal;

const CLOCK: Clock = Clock { wall, ticks_ms };

fn main() -> ExitCode {
    let asked = match command_line::parse(env::args_os().skip(1)) {
        Ok(asked) => asked,
        Err(sentence) => {
            journal::complain(&format!("novacula-agent: {sentence}; see novacula-agent --help"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    journal::start(ticks_ms);
    let json = asked.json;
    match process(&asked).and_then(|process| Ok((process.carry_out(asked)?, process))) {
        Ok((Ending::Code(code), _)) => ExitCode::from(code),
        Ok((Ending::Restart, process)) => restart(&process.binary),
        Err(error) => tell(&error, json),
    }
}

fn process(asked: &Asked) -> Result<Process, Error> {
    let executable =
        env::current_exe().map_err(|e| Error::host(format!("the path of this binary is unknown: {e}")))?;
    let config = asked.config.clone().or_else(|| env::var_os("NOVACULA_CONFIG").map(PathBuf::from));
    Ok(Process {
        build: build()?,
        keys: TrustedKeys::baked_in().map_err(Error::host)?,
        clock: CLOCK,
        binary: installed_path(&executable)?,
        config: config.unwrap_or_else(|| DEFAULT_CONFIG.into()),
        json: asked.json,
    })
}

fn build() -> Result<Build, Error> {
    let version = option_env!("NOVACULA_BUILD_VERSION").unwrap_or(env!("CARGO_PKG_VERSION"));
    let read = |name: &str, text: &str| {
        plain_version(text).ok_or_else(|| {
            Error::host(format!("this binary was built with {name}={text:?}, which must be like 1.2.3"))
        })
    };
    Ok(Build {
        version: read("NOVACULA_BUILD_VERSION", version)?,
        target: env!("NOVACULA_TARGET"),
        floor: option_env!("NOVACULA_BUILD_FLOOR")
            .map(|text| read("NOVACULA_BUILD_FLOOR", text))
            .transpose()?,
    })
}

/// Under systemd our end is enough. Elsewhere nobody would start us again, so the new binary takes this process over.
fn restart(binary: &Path) -> ExitCode {
    if systemd::supervises_us() {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let failed = process::Command::new(binary).args(arguments).exec();
    tell(&Error::host(format!("cannot start {}: {failed}", binary.display())), false)
}

fn tell(error: &Error, json: bool) -> ExitCode {
    let mut sentence = printable(&chain(error));
    if matches!(error, Error::Host(host) if host.is_forbidden()) && !nix::unistd::geteuid().is_root() {
        sentence.push_str("; run this as root");
    }
    let (code, exit) = match error {
        Error::Refused(refusal) => (refusal.code.as_str(), REFUSED),
        Error::NotNow(_) => ("not_now", REFUSED),
        Error::Host(_) => ("host_failure", FAILED),
        Error::Abandoned => ("abandoned", FAILED),
    };
    match json {
        true => {
            let _ =
                writeln!(std::io::stdout(), "{}", json!({ "error": { "code": code, "message": sentence } }));
        }
        false => journal::complain(&format!("novacula-agent: {sentence}")),
    }
    ExitCode::from(exit)
}

/// To the millisecond: nobody reads more of it.
fn wall() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn ticks_ms() -> u64 {
    let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return 0 };
    let (seconds, nanoseconds) = (time.tv_sec().unsigned_abs(), time.tv_nsec().unsigned_abs());
    seconds * 1_000 + nanoseconds / 1_000_000
}
