//! The command line of the control plane.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use novacula_control_plane::clock::Clock;
use novacula_control_plane::serve;
use novacula_control_plane::settings::{BackupArgs, MigrateArgs, ResetOwnerArgs, ServeArgs, Settings};
use novacula_control_plane::{Database, MigrateStep, migrate};
use novacula_protocol::signature::TrustedKeys;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps the catalogue of releases, hears the executors, and hands each its upgrade.
#[derive(Parser)]
#[command(name = "novacula-control-plane", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the control plane until it is told to end.
    Serve(Box<ServeArgs>),
    /// Copy the database into FILE, also while the control plane runs.
    Backup(BackupArgs),
    /// Move everything from SQLite to an empty PostgreSQL database, whole or not at all. The control plane must not be running.
    Migrate(MigrateArgs),
    /// Print a new token for an owner, when everybody has lost theirs. The control plane must not be running.
    ResetOwner(ResetOwnerArgs),
}

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => run(*args),
        Command::Backup(args) => back_up(&args),
        Command::Migrate(args) => move_all(&args),
        Command::ResetOwner(args) => reset_owner(args),
    }
}

fn reset_owner(args: ResetOwnerArgs) -> ExitCode {
    let (data_dir, database) = match args.place() {
        Ok(place) => place,
        Err(line) => return refuse(WRONG_USAGE, &line),
    };
    if let Database::Sqlite(file) = &database
        && !file.exists()
    {
        return refuse(
            FAILED,
            &format!("there is no database {database}; name it with --data-dir or --database-url"),
        );
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(e) => return refuse(FAILED, &format!("the runtime does not start: {e}")),
    };
    match runtime.block_on(serve::reset_owner(&data_dir, &database, Clock::of_the_system())) {
        Ok(Some((name, token))) => {
            say(&format!("token of {name} (shown once, for 90 days): {token}"));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            refuse(FAILED, "there is no account yet; start the control plane, it prints the first token")
        }
        Err(e) => refuse(FAILED, &e.to_string()),
    }
}

fn back_up(args: &BackupArgs) -> ExitCode {
    let database = match args.database() {
        Ok(database) => database,
        Err(line) => return refuse(WRONG_USAGE, &line),
    };
    match novacula_control_plane::back_up(&database, &args.file) {
        Ok(()) => {
            say(&format!("{} is a copy of {database}", args.file.display()));
            ExitCode::SUCCESS
        }
        Err(e) => refuse(FAILED, &e.to_string()),
    }
}

fn move_all(args: &MigrateArgs) -> ExitCode {
    let (from, to) = match args.read() {
        Ok(read) => read,
        Err(line) => return refuse(WRONG_USAGE, &line),
    };
    // Shown on a terminal only.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:30} [{bar:30}] {percent:>3} % {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let moved = migrate(&from, &to, &mut |step| match step {
        // Every row goes once, and is read once.
        MigrateStep::Begun { rows } => bar.set_length(2 * rows),
        MigrateStep::Moving(table) => bar.set_message(format!("moving {table}")),
        MigrateStep::Checking(table) => bar.set_message(format!("reading back {table}")),
        MigrateStep::Rows(rows) => bar.inc(rows),
    });
    bar.finish_and_clear();
    let moved = match moved {
        Ok(moved) => moved,
        Err(e) => return refuse(FAILED, &e.to_string()),
    };
    for (table, rows, sha256) in &moved.tables {
        say(&format!("{table:20} {rows:>10} rows  sha256 {sha256}"));
    }
    let rows: u64 = moved.tables.iter().map(|(_, rows, _)| rows).sum();
    say(&format!("all {rows} rows of {} are in {to} and read there as here", from.display()));
    if moved.replaced > 0 {
        say(&format!(
            "{} texts had a NUL, which PostgreSQL does not keep; U+FFFD stands there now",
            moved.replaced
        ));
    }
    say(
        "artifacts stay where they are: start with the same DATA_DIR, and with this database as DATABASE_URL",
    );
    say(&format!("{} is not used any more; keep it until you are sure", from.display()));
    ExitCode::SUCCESS
}

fn run(args: ServeArgs) -> ExitCode {
    // A fleet lies in small pieces: in pages of 2 MiB it takes several times the memory. Where the system does not let
    // us choose, it works as well.
    let _ = nix::sys::prctl::set_thp_disable(true);
    if let Err(line) = log(args.log_format.as_deref()) {
        return refuse(WRONG_USAGE, &line);
    }
    let settings = match Settings::read(args) {
        Ok(settings) => settings,
        Err(line) => return refuse(WRONG_USAGE, &line),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return refuse(FAILED, &format!("the runtime does not start: {e}")),
    };
    let ended = runtime.block_on(serve(settings));
    // A webhook that is being called is not waited for: it is called again after the next start.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => refuse(FAILED, &line),
    }
}

/// Text for a person who watches, JSON for whatever else reads.
fn log(format: Option<&str>) -> Result<(), String> {
    let is_terminal = std::io::stderr().is_terminal();
    let is_json = match format {
        None => !is_terminal,
        Some("json") => true,
        Some("text") => false,
        Some(found) => {
            return Err(format!("LOG_FORMAT (--log-format) must be json or text, found `{found}`"));
        }
    };
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The client of webhooks tells their URLs and all that it sends, whatever is asked for.
    for quiet in ["ureq=off", "ureq_proto=off", "rustls=warn"] {
        filter = filter.add_directive(quiet.parse().map_err(|e| format!("{quiet}: {e}"))?);
    }
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Where the log cannot be written, it cannot be said there either: the attempt would end the request.
        .log_internal_errors(false);
    if is_json {
        log.json().flatten_event(true).with_span_list(false).init();
    } else {
        log.with_ansi(is_terminal).init();
    }
    Ok(())
}

async fn serve(settings: Settings) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("no signals: {e}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| format!("no signals: {e}"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|e| format!("no signals: {e}"))?;
    let test_mode = settings.test_mode.clone();
    test_mode.warn();
    let keys = test_mode.keys(TrustedKeys::baked_in()?)?;
    let running = serve::start(settings, keys, test_mode.clock()).await.map_err(|e| e.to_string())?;
    if let Some(token) = &running.owner_token {
        say(&format!("owner token (shown once): {token}"));
    }
    say(&format!("listening on {}", running.url()));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.read_certificate_again(),
        }
    }
    tracing::info!("ending");
    running.stop().await;
    Ok(())
}

/// Nobody may be reading; that is no reason not to serve.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn refuse(code: u8, line: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "novacula-control-plane: {line}");
    ExitCode::from(code)
}
