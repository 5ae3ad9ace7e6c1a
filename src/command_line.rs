//! The command line: what was asked, or one sentence about what was wrong with it.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;
use lexopt::prelude::{Long, Short, Value, ValueExt as _};
use novacula_agent::by_hand::Order;
use novacula_protocol::sync::Held;
use novacula_protocol::trusted_comment::plain_version;

/// Shown by `--help`.
pub const HELP: &str = "\
novacula-agent: upgrades itself as its control plane asks, and rolls itself back when a release is bad

Usage: novacula-agent COMMAND [OPTIONS]

When a host is in trouble:
  status               what runs here, what stands beside it, what was tried last
  rollback             put the previous binary back, now; needs no network and no control plane
                       (if this binary is good for nothing: novacula-agent.prev rollback)
  repair               put the committed version back, if something else stands in its place
  explain              the first rule that keeps this host from its next upgrade
  preflight            everything that must be true before an upgrade
  hold --reason TEXT [--until TIME]  begin no upgrade until TIME (like 2027-01-31T08:00:00Z) or `unhold`
  unhold               end the hold

Running it:
  run                  sync with the control plane for ever (this is what systemd starts)
  install              write, reload and enable the units of systemd; starts nothing
  uninstall            disable and remove the units; leaves the binary and its data alone

By hand, along the same path as from the control plane:
  upgrade --target-version V --download-url URL --sha256 HEX --signature TEXT|FILE
          [--size BYTES] [--downgrade] [--health-window-ms MS]
  verify FILE [--signature FILE]     check an artifact against FILE.minisig and the built-in keys

Options:
  -c, --config FILE    the config (default: NOVACULA_CONFIG, or /etc/novacula/agent.toml)
  -b, --binary FILE    with install: the binary to run (default: this one)
      --json           answer in JSON (not with run, install, uninstall)
  -h, --help           this text
  -V, --version        the version

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing to do, 4 refused by policy
";

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// What to do.
    pub command: Command,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// `--help`
    Help,
    /// `--version`
    Version,
    /// `run`
    Run,
    /// `install`
    Install {
        /// `--binary`
        binary: Option<PathBuf>,
    },
    /// `uninstall`
    Uninstall,
    /// `status`
    Status,
    /// `upgrade`
    Upgrade(Box<Order>),
    /// `rollback`
    Rollback,
    /// `repair`
    Repair,
    /// `explain`
    Explain,
    /// `preflight`
    Preflight,
    /// `hold`
    Hold(Held),
    /// `unhold`
    Unhold,
    /// `verify`
    Verify {
        /// The artifact.
        artifact: PathBuf,
        /// `--signature`, or the artifact's name with `.minisig`.
        signature: PathBuf,
    },
    /// `judge`: for systemd only.
    Judge {
        /// `--data-dir`: what the units were installed for, whatever has become of the config.
        data_dir: PathBuf,
    },
}

#[derive(Default)]
struct Found {
    config: Option<PathBuf>,
    binary: Option<PathBuf>,
    json: bool,
    file: Option<PathBuf>,
    target_version: Option<String>,
    download_url: Option<String>,
    sha256: Option<String>,
    signature: Option<OsString>,
    size: Option<u64>,
    health_window_ms: Option<u64>,
    downgrade: bool,
    reason: Option<String>,
    until: Option<Timestamp>,
    data_dir: Option<PathBuf>,
}

/// The commands that answer in JSON when asked to.
const ANSWERING: [&str; 9] =
    ["status", "rollback", "repair", "explain", "preflight", "hold", "unhold", "upgrade", "verify"];

/// Reads the arguments after the program's name.
///
/// # Errors
/// One sentence about the first thing that is wrong.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut command: Option<String> = None;
    let mut found = Found::default();
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        let on = |names: &[&str]| {
            let asked = command.as_deref().unwrap_or_default();
            names.contains(&asked)
        };
        match argument {
            Short('h') | Long("help") => return Ok(asked(Command::Help, found)),
            Short('V') | Long("version") => return Ok(asked(Command::Version, found)),
            Short('c') | Long("config") => found.config = Some(value(&mut parser)?.into()),
            Short('b') | Long("binary") if on(&["install"]) => {
                found.binary = Some(value(&mut parser)?.into())
            }
            Long("json") if on(&ANSWERING) => found.json = true,
            Long("target-version") if on(&["upgrade"]) => found.target_version = Some(text(&mut parser)?),
            Long("download-url") if on(&["upgrade"]) => found.download_url = Some(text(&mut parser)?),
            Long("sha256") if on(&["upgrade"]) => found.sha256 = Some(text(&mut parser)?),
            Long("signature") if on(&["upgrade", "verify"]) => found.signature = Some(value(&mut parser)?),
            Long("size") if on(&["upgrade"]) => found.size = Some(number(&mut parser)?),
            Long("health-window-ms") if on(&["upgrade"]) => {
                found.health_window_ms = Some(number(&mut parser)?)
            }
            Long("reason") if on(&["hold"]) => found.reason = Some(text(&mut parser)?),
            Long("until") if on(&["hold"]) => found.until = Some(time(&mut parser)?),
            Long("data-dir") if on(&["judge"]) => found.data_dir = Some(value(&mut parser)?.into()),
            Long("downgrade") if on(&["upgrade"]) => found.downgrade = true,
            Value(word) if command.is_none() => command = Some(word.to_string_lossy().into_owned()),
            Value(file) if on(&["verify"]) && found.file.is_none() => found.file = Some(file.into()),
            // The units may be newer than the previous binary that they run, and a judge must judge.
            _ if on(&["judge"]) => {}
            other => return Err(other.unexpected().to_string()),
        }
    }
    let command = match command.as_deref() {
        None => return Err("a command is missing".to_owned()),
        Some("help") => Command::Help,
        Some("run") => Command::Run,
        Some("install") => Command::Install { binary: found.binary.take() },
        Some("uninstall") => Command::Uninstall,
        Some("status") => Command::Status,
        Some("upgrade") => Command::Upgrade(Box::new(order(&mut found)?)),
        Some("rollback") => Command::Rollback,
        Some("verify") => verify(&mut found)?,
        Some("repair") => Command::Repair,
        Some("explain") => Command::Explain,
        Some("preflight") => Command::Preflight,
        Some("hold") => Command::Hold(hold(&mut found)?),
        Some("unhold") => Command::Unhold,
        Some("judge") => Command::Judge {
            data_dir: found.data_dir.take().ok_or("judge needs --data-dir, as its unit has it")?,
        },
        Some(other) => return Err(format!("there is no command {other:?}")),
    };
    Ok(asked(command, found))
}

fn asked(command: Command, found: Found) -> Asked {
    Asked { command, config: found.config, json: found.json }
}

fn order(found: &mut Found) -> Result<Order, String> {
    let missing = |flag: &str| format!("upgrade needs --{flag}");
    let target_version = found.target_version.take().ok_or_else(|| missing("target-version"))?;
    let signature = found.signature.take().ok_or_else(|| missing("signature"))?;
    Ok(Order {
        target_version: plain_version(&target_version)
            .ok_or_else(|| format!("--target-version must be like 1.2.3, it is {target_version:?}"))?,
        download_url: found.download_url.take().ok_or_else(|| missing("download-url"))?,
        sha256: found.sha256.take().ok_or_else(|| missing("sha256"))?,
        signature: signature.into_string().map_err(|_| "--signature must be UTF-8".to_owned())?,
        size: found.size,
        downgrade: found.downgrade,
        health_window_ms: found.health_window_ms,
    })
}

fn hold(found: &mut Found) -> Result<Held, String> {
    let reason = found.reason.take().filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or("hold needs --reason, for whoever asks why this host stands still")?;
    Ok(Held { reason, until: found.until.take() })
}

fn verify(found: &mut Found) -> Result<Command, String> {
    let artifact = found.file.take().ok_or("verify needs the file to check")?;
    let signature = found.signature.take().map_or_else(
        || {
            let mut name = artifact.clone().into_os_string();
            name.push(".minisig");
            PathBuf::from(name)
        },
        PathBuf::from,
    );
    Ok(Command::Verify { artifact, signature })
}

fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|e| e.to_string())
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    value(parser)?.string().map_err(|e| e.to_string())
}

fn time(parser: &mut lexopt::Parser) -> Result<Timestamp, String> {
    let text = text(parser)?;
    text.parse().map_err(|_| format!("--until must be a time like 2027-01-31T08:00:00Z, it is {text:?}"))
}

fn number(parser: &mut lexopt::Parser) -> Result<u64, String> {
    value(parser)?.parse().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn flags_stand_before_or_after_what_they_belong_to() {
        let asked = read("status --json -c /x").unwrap();
        assert_eq!(asked, Asked { command: Command::Status, config: Some("/x".into()), json: true });
        assert_eq!(read("-c /x run").unwrap().config, Some("/x".into()));
        assert_eq!(read("rollback --help").unwrap().command, Command::Help);
    }

    #[test]
    fn a_judge_judges_under_units_of_a_newer_version() {
        let asked = read("judge --config /c --data-dir /d --from-the-future yes --flag").unwrap();
        assert_eq!(asked.command, Command::Judge { data_dir: "/d".into() });
    }

    #[test]
    fn an_order_has_the_fields_of_a_spec() {
        let asked =
            read("upgrade --target-version 1.2.3 --download-url http://x --sha256 ab --signature s --size 5");
        let Ok(Asked { command: Command::Upgrade(order), .. }) = asked else { panic!("{asked:?}") };
        assert_eq!((order.target_version.to_string().as_str(), order.size), ("1.2.3", Some(5)));
    }

    #[test]
    fn the_signature_is_looked_for_beside_the_artifact() {
        let expected = Command::Verify { artifact: "a".into(), signature: "a.minisig".into() };
        assert_eq!(read("verify a").unwrap().command, expected);
    }

    #[test]
    fn wrong_usage_is_told_in_one_sentence() {
        for (line, expected) in [
            ("", "a command is missing"),
            ("fly", "no command \"fly\""),
            ("run --json", "--json"),
            ("status extra", "extra"),
            ("upgrade --target-version 1.2.3", "--signature"),
            ("upgrade --target-version one --signature s", "like 1.2.3"),
            ("upgrade --size many", "many"),
            ("verify", "needs the file"),
            ("run --config", "--config"),
            ("hold", "--reason"),
            ("hold --reason x --until tomorrow", "2027-01-31"),
            ("status --data-dir /x", "--data-dir"),
        ] {
            let sentence = read(line).unwrap_err();
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{line}: {sentence}");
        }
    }
}
