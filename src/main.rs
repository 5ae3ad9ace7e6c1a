//! The process: command line, logger, clock, exit code and restart live here and nowhere else.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the home of the process: its clock, its environment, its output and its end"
)]

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::{env, fs};

use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::time::{ClockId, clock_gettime};
use novacula_agent::agent::Agent;
use novacula_agent::by_hand::{self, Order, RolledBack};
use novacula_agent::config::{Access, Config, DEFAULT_CONFIG, DEFAULT_DATA_DIR};
use novacula_agent::control_plane::ControlPlane;
use novacula_agent::error::{Error, chain, printable};
use novacula_agent::host::{Build, Clock, Places, boot_id, installed_path};
use novacula_agent::status::Standing;
use novacula_agent::upgrade::Means;
use novacula_agent::upgrade::trial::Records;
use novacula_agent::{enrol, install, systemd, watch};
use novacula_protocol::signature::TrustedKeys;
use serde_json::json;

use command_line::{Asked, Command};

mod command_line;

const CLOCK: Clock = Clock { wall, ticks_ms };

const DONE: u8 = 0;
const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const NOTHING_TO_DO: u8 = 3;
const REFUSED: u8 = 4;

fn main() -> ExitCode {
    let asked = match command_line::parse(env::args_os().skip(1)) {
        Ok(asked) => asked,
        Err(sentence) => {
            eprintln!("novacula-agent: {sentence}; see novacula-agent --help");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    start_logger();
    let json = asked.json;
    match carry_out(asked) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(tell(&error, json)),
    }
}

fn carry_out(asked: Asked) -> Result<u8, Error> {
    let build = build()?;
    let keys = TrustedKeys::baked_in().map_err(Error::host)?;
    let config_path = asked
        .config
        .or_else(|| env::var_os("NOVACULA_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| DEFAULT_CONFIG.into());
    let json = asked.json;
    match asked.command {
        Command::Help => print!("{}", command_line::HELP),
        Command::Version => println!("novacula-agent {}", build.version),
        Command::Run => return run(&build, &keys, config_path),
        Command::Install { binary } => {
            let mut places = places(config_path)?;
            if let Some(binary) = binary {
                places.binary = absolute(&binary)?;
            }
            places.config = absolute(&places.config)?;
            let data_dir = data_dir(&places.config);
            let written = install::install(&places, &data_dir)?.written;
            written.iter().for_each(|path| println!("wrote {}", path.display()));
            println!("enabled, not started; start it with: systemctl start {}", systemd::AGENT);
        }
        Command::Uninstall => {
            let removed = install::uninstall()?;
            if removed.is_empty() {
                println!("no unit is installed; nothing was changed");
                return Ok(NOTHING_TO_DO);
            }
            removed.iter().for_each(|path| println!("removed {}", path.display()));
        }
        Command::Status => {
            let places = places(config_path)?;
            let names = keys.names().map(str::to_owned).collect();
            let standing = Standing::of(&build, &places, &data_dir(&places.config), names)?;
            match json {
                true => println!("{}", json!(standing)),
                false => standing.lines().iter().for_each(|line| println!("{line}")),
            }
        }
        Command::Upgrade(order) => return upgrade(*order, &build, &keys, config_path, json),
        Command::Rollback => return rollback(config_path, json),
        Command::Verify { artifact, signature } => {
            let signed = by_hand::verify(&artifact, &signature, &keys)?;
            match json {
                true => println!(
                    "{}",
                    json!({ "kind": signed.kind, "version": signed.version, "target": signed.target, "floor": signed.floor })
                ),
                false => println!("good: {}", signed.render()),
            }
        }
        Command::Judge => {
            let places = places(config_path)?;
            let records = Records::at(&data_dir(&places.config));
            let control_plane = || {
                let config = Config::read(&places.config).ok()?;
                ControlPlane::new(&config.control_plane, String::new(), &build.version).ok()
            };
            println!("{}", watch::look(&records, &places, CLOCK, control_plane)?);
        }
    }
    Ok(DONE)
}

fn run(build: &Build, keys: &TrustedKeys, config_path: PathBuf) -> Result<u8, Error> {
    let started = (wall(), ticks_ms());
    let places = places(config_path)?;
    let config = Config::read(&places.config)?;
    log::set_max_level(config.level);
    config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let records = Records::open(&config.data_dir)?;
    let Some(_the_only_agent) = records.be_the_only_agent()? else {
        return Err(Error::host(format!(
            "one agent a host: another one holds {}/lock; stop it first",
            config.data_dir.display()
        )));
    };
    let boot_id = boot_id();
    let restarts = records.lock()?.count_start(&boot_id)?;
    let key = enrol::key(&config, &records, &build.version)?;
    let control_plane = ControlPlane::new(&config.control_plane, key, &build.version)?;
    let agent = Agent {
        build,
        places: &places,
        config: &config,
        records: &records,
        keys,
        control_plane: &control_plane,
        clock: CLOCK,
        boot_id,
        started,
        restarts,
    };
    agent.run()?;
    restart(&places.binary)
}

/// Under systemd our end is enough. Elsewhere nobody would start us again, so the new binary takes this process over.
fn restart(binary: &Path) -> Result<u8, Error> {
    if systemd::supervises_us() {
        return Ok(DONE);
    }
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let failed = process::Command::new(binary).args(arguments).exec();
    Err(Error::host(format!("cannot start {}: {failed}", binary.display())))
}

fn upgrade(
    mut order: Order,
    build: &Build,
    keys: &TrustedKeys,
    config: PathBuf,
    json: bool,
) -> Result<u8, Error> {
    let places = places(config)?;
    let config = Config::read(&places.config)?;
    let records = Records::open(&config.data_dir)?;
    // A path is what a person has at hand; a text of four lines is what a spec has.
    if !order.signature.contains('\n') {
        order.signature = by_hand::read_signature(Path::new(&order.signature))?;
    }
    let key = match &config.control_plane.access {
        Access::Key(key) => key.clone(),
        _ => records.stored_key()?.unwrap_or_default(),
    };
    let control_plane = ControlPlane::new(&config.control_plane, key, &build.version)?;
    let means = Means {
        build,
        places: &places,
        records: &records,
        keys,
        control_plane: &control_plane,
        allow_plain_http: config.control_plane.allow_plain_http,
        bytes_per_second: config.max_bytes_per_second,
        clock: CLOCK,
        reported: false,
        arm: by_hand::arm,
    };
    say(&by_hand::upgrade(order, &means)?, json);
    Ok(DONE)
}

fn rollback(config: PathBuf, json: bool) -> Result<u8, Error> {
    let places = places(config)?;
    let records = Records::open(&data_dir(&places.config))?;
    match by_hand::rollback(&places, &records, CLOCK)? {
        RolledBack::Done(said) => {
            say(&said, json);
            Ok(DONE)
        }
        RolledBack::NothingToDo(said) => {
            say(&said, json);
            Ok(NOTHING_TO_DO)
        }
    }
}

fn say(sentence: &str, json: bool) {
    match json {
        true => println!("{}", json!({ "message": sentence })),
        false => println!("{sentence}"),
    }
}

fn tell(error: &Error, json: bool) -> u8 {
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
        true => println!("{}", json!({ "error": { "code": code, "message": sentence } })),
        false => eprintln!("novacula-agent: {sentence}"),
    }
    exit
}

fn build() -> Result<Build, Error> {
    let version = option_env!("NOVACULA_BUILD_VERSION").unwrap_or(env!("CARGO_PKG_VERSION"));
    let read = |name: &str, text: &str| {
        novacula_protocol::trusted_comment::plain_version(text).ok_or_else(|| {
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

fn places(config: PathBuf) -> Result<Places, Error> {
    let executable =
        env::current_exe().map_err(|e| Error::host(format!("the path of this binary is unknown: {e}")))?;
    Ok(Places { binary: installed_path(&executable)?, config })
}

/// Where the records are, even if the config cannot be read: what a sysadmin needs in trouble must not need a config.
fn data_dir(config: &Path) -> PathBuf {
    match Config::read(config) {
        Ok(config) => config.data_dir,
        Err(e) => {
            log::warn!("{}; assuming the records are in {DEFAULT_DATA_DIR}", chain(&e));
            DEFAULT_DATA_DIR.into()
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let found = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    found.map_err(|e| Error::host(format!("{} must be a path: {e}", path.display())))
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

struct Journal {
    /// systemd reads the level from a prefix; on a terminal it would be noise.
    prefixed: bool,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("novacula") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (priority, word) = match record.level() {
            Level::Error => (3, "error"),
            Level::Warn => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug | Level::Trace => (7, "debug"),
        };
        match self.prefixed {
            true => eprintln!("<{priority}>{}", record.args()),
            false => eprintln!("{word}: {}", record.args()),
        }
    }

    fn flush(&self) {}
}

fn start_logger() {
    let journal = Journal { prefixed: env::var_os("JOURNAL_STREAM").is_some() };
    // The only logger of this process; a second one cannot have been first.
    if log::set_boxed_logger(Box::new(journal)).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
