//! What each command does, and the code it ends with.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use novacula_agent::agent::Agent;
use novacula_agent::by_hand::{self, Order, Outcome};
use novacula_agent::config::{Access, Config, DEFAULT_DATA_DIR};
use novacula_agent::control_plane::ControlPlane;
use novacula_agent::error::{Error, chain, printable_json};
use novacula_agent::explain::{Facts, explain};
use novacula_agent::host::{Build, Clock, Places, boot_id};
use novacula_agent::status::Standing;
use novacula_agent::upgrade::Means;
use novacula_agent::upgrade::trial::Records;
use novacula_agent::{enrol, preflight, systemd, units, watch};
use novacula_protocol::signature::TrustedKeys;
use serde::Serialize;
use serde_json::json;

use crate::command_line::{Asked, Command, HELP};

pub const DONE: u8 = 0;
pub const FAILED: u8 = 1;
pub const WRONG_USAGE: u8 = 2;
pub const NOTHING_TO_DO: u8 = 3;
pub const REFUSED: u8 = 4;

/// Where nothing can be done until somebody mends something, the next look is taken after this.
const MENDING: Duration = Duration::from_secs(5);

/// What every command works on.
pub struct Process {
    pub build: Build,
    pub keys: TrustedKeys,
    pub clock: Clock,
    /// The installed path of this very program.
    pub binary: PathBuf,
    pub config: PathBuf,
    pub json: bool,
}

/// What becomes of the process after a command.
pub enum Ending {
    /// It ends with this code.
    Code(u8),
    /// Whatever stands at the path of the binary has to be started.
    Restart,
}

impl Process {
    pub fn carry_out(&self, asked: Asked) -> Result<Ending, Error> {
        let code = match asked.command {
            Command::Help => self.print(HELP.trim_end()),
            Command::Version => self.print(&format!("novacula-agent {}", self.build.version)),
            Command::Run => return self.run(),
            Command::Install { binary } => self.install(binary)?,
            Command::Uninstall => self.uninstall()?,
            Command::Status => self.status()?,
            Command::Explain => self.explain()?,
            Command::Preflight => self.preflight()?,
            Command::Upgrade(order) => self.upgrade(*order)?,
            Command::Rollback => {
                self.outcome(by_hand::rollback(&self.installed(), &self.records()?, self.clock)?)
            }
            Command::Repair => self.outcome(by_hand::repair(&self.installed(), &self.records()?)?),
            Command::Hold(held) => self.outcome(by_hand::hold(&self.records()?, &held)?),
            Command::Unhold => self.outcome(by_hand::unhold(&self.records()?)?),
            Command::Verify { artifact, signature } => {
                let signed = by_hand::verify(&artifact, &signature, &self.keys)?;
                let (kind, version, target) = (&signed.kind, &signed.version, &signed.target);
                let facts =
                    json!({ "kind": kind, "version": version, "target": target, "floor": signed.floor });
                self.answer(&facts, &[format!("good: {}", signed.render())])
            }
            Command::Judge { data_dir } => self.judge(&data_dir)?,
        };
        Ok(Ending::Code(code))
    }

    fn run(&self) -> Result<Ending, Error> {
        let started = ((self.clock.wall)(), (self.clock.ticks_ms)());
        let places = self.here();
        let config = until_mended(|| Config::read(&self.config))?;
        log::set_max_level(config.level);
        config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        let records = until_mended(|| Records::open(&config.data_dir))?;
        let _the_only_agent = until_mended(|| {
            records.be_the_only_agent()?.ok_or_else(|| {
                let lock = config.data_dir.join("lock");
                Error::host(format!("one agent a host: another one holds {}; stop it first", lock.display()))
            })
        })?;
        let boot_id = boot_id();
        // A counter is not worth an agent.
        let restarts =
            records.lock().and_then(|mut records| records.count_start(&boot_id)).unwrap_or_else(|e| {
                log::warn!("{}", chain(&e));
                0
            });
        let key = until_mended(|| enrol::key(&config, &records, &self.build.version))?;
        let control_plane =
            until_mended(|| ControlPlane::new(&config.control_plane, key.clone(), &self.build.version))?;
        let agent = Agent {
            build: &self.build,
            places: &places,
            config: &config,
            records: &records,
            keys: &self.keys,
            control_plane: &control_plane,
            clock: self.clock,
            boot_id,
            started,
            restarts,
        };
        agent.run().map(|_due| Ending::Restart)
    }

    fn install(&self, binary: Option<PathBuf>) -> Result<u8, Error> {
        let mut places = self.here();
        if let Some(binary) = binary {
            places.binary = absolute(&binary)?;
        }
        places.config = absolute(&places.config)?;
        let data_dir = Config::read(&places.config).map_or(DEFAULT_DATA_DIR.into(), |config| config.data_dir);
        for unit in units::install(&places, &data_dir)? {
            self.print(&format!("wrote {unit}"));
        }
        Ok(self.print(&format!("enabled, not started; start it with: systemctl start {}", systemd::AGENT)))
    }

    fn uninstall(&self) -> Result<u8, Error> {
        if Records::at(&self.data_dir()).trial()?.is_some() {
            let sentence =
                "a trial is open and these units judge it; wait for its end, or end it with `rollback`";
            return Err(Error::NotNow(sentence.to_owned()));
        }
        let removed = units::uninstall()?;
        if removed.is_empty() {
            self.print("no unit is installed; nothing was changed");
            return Ok(NOTHING_TO_DO);
        }
        for path in removed {
            self.print(&format!("removed {}", path.display()));
        }
        Ok(DONE)
    }

    fn status(&self) -> Result<u8, Error> {
        let names = self.keys.names().map(str::to_owned).collect();
        let now = (self.clock.wall)();
        let standing = Standing::of(&self.build, &self.installed(), &self.data_dir(), names, now)?;
        Ok(self.answer(&standing, &standing.lines()))
    }

    fn preflight(&self) -> Result<u8, Error> {
        let checks = self.checks();
        let all_ok = checks.iter().all(|check| check.ok);
        let lines: Vec<_> = checks
            .iter()
            .map(|check| {
                format!("{}  {:<18} {}", if check.ok { "ok  " } else { "FAIL" }, check.check, check.note)
            })
            .collect();
        self.answer(&checks, &lines);
        Ok(if all_ok { DONE } else { FAILED })
    }

    fn explain(&self) -> Result<u8, Error> {
        let records = Records::at(&self.data_dir());
        let (trial, held) = (records.trial()?, records.hold((self.clock.wall)())?);
        let ended = records.ended()?;
        let service = systemd::is_running().then(systemd::agent_service).and_then(Result::ok);
        let explanation = explain(&Facts {
            checks: &self.checks(),
            service: service.as_ref(),
            trial: trial.as_ref(),
            held: held.as_ref(),
            last: ended.last(),
        });
        let line = match &explanation.rule {
            Some(rule) => format!("stopped by {rule}: {}", explanation.sentence),
            None => explanation.sentence.clone(),
        };
        Ok(self.answer(&explanation, &[line]))
    }

    fn checks(&self) -> Vec<novacula_protocol::sync::PreflightResult> {
        let control_plane = Config::read(&self.config)
            .and_then(|config| ControlPlane::new(&config.control_plane, String::new(), &self.build.version));
        preflight::all(&preflight::Subject {
            places: &self.installed(),
            records: &Records::at(&self.data_dir()),
            keys: &self.keys,
            control_plane: control_plane.as_ref().map_err(|e| chain(e)),
            clock: self.clock,
        })
    }

    fn upgrade(&self, mut order: Order) -> Result<u8, Error> {
        let config = Config::read(&self.config)?;
        let records = Records::open(&config.data_dir)?;
        // A path is what a person has at hand; a text of four lines is what a spec has.
        if !order.signature.contains('\n') {
            order.signature = by_hand::read_signature(Path::new(&order.signature))?;
        }
        let key = match &config.control_plane.access {
            Access::Key(key) => key.clone(),
            _ => records.stored_key()?.unwrap_or_default(),
        };
        let control_plane = ControlPlane::new(&config.control_plane, key, &self.build.version)?;
        let means = Means {
            build: &self.build,
            places: &self.installed(),
            records: &records,
            keys: &self.keys,
            control_plane: &control_plane,
            allow_plain_http: config.control_plane.allow_plain_http,
            bytes_per_second: config.max_bytes_per_second,
            clock: self.clock,
            reported: false,
            arm: by_hand::arm,
        };
        Ok(self.outcome(by_hand::upgrade(order, &means)?))
    }

    fn judge(&self, data_dir: &Path) -> Result<u8, Error> {
        let records = Records::at(data_dir);
        let control_plane = || {
            let config = Config::read(&self.config).ok()?;
            ControlPlane::new(&config.control_plane, String::new(), &self.build.version).ok()
        };
        let said = watch::look(&records, &self.here(), self.clock, control_plane)?;
        Ok(self.print(&said))
    }

    /// Where this very program belongs.
    fn here(&self) -> Places {
        Places { binary: self.binary.clone(), config: self.config.clone() }
    }

    /// Where the agent of this host belongs, which is not here if this is a copy that somebody carried in.
    fn installed(&self) -> Places {
        let binary = systemd::exec_path(systemd::AGENT).unwrap_or_else(|| self.binary.clone());
        Places { binary, config: self.config.clone() }
    }

    fn records(&self) -> Result<Records, Error> {
        Records::open(&self.data_dir())
    }

    /// What a sysadmin needs in trouble must not need a config: without one the units know where the records are.
    fn data_dir(&self) -> PathBuf {
        match Config::read(&self.config) {
            Ok(config) => config.data_dir,
            Err(e) => {
                let known = systemd::judged_data_dir().unwrap_or_else(|| DEFAULT_DATA_DIR.into());
                log::warn!("{}; the records are taken to be in {}", chain(&e), known.display());
                known
            }
        }
    }

    fn outcome(&self, outcome: Outcome) -> u8 {
        let (sentence, code) = match outcome {
            Outcome::Done(sentence) => (sentence, DONE),
            Outcome::NothingToDo(sentence) => (sentence, NOTHING_TO_DO),
        };
        self.answer(&json!({ "message": sentence }), std::slice::from_ref(&sentence));
        code
    }

    fn answer<T: Serialize>(&self, facts: &T, lines: &[String]) -> u8 {
        match self.json {
            true => self.print(&printable_json(&json!(facts))),
            false => self.print(&lines.join("\n")),
        }
    }

    /// Nobody reading is no reason to fail: `status | head -1` has what it wants.
    fn print(&self, text: &str) -> u8 {
        let _ = writeln!(std::io::stdout(), "{text}");
        DONE
    }
}

/// Under systemd a start limit would make three quick failures final; what somebody may be mending right now is worth
/// waiting for. Anywhere else whoever started us hears of it at once.
fn until_mended<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut said = String::new();
    loop {
        match attempt() {
            Err(e) if systemd::supervises_us() => {
                let sentence = chain(&e);
                systemd::notify(&format!("READY=1\nWATCHDOG=1\nSTATUS=waiting: {sentence}"));
                if said != sentence {
                    log::error!("{sentence}; waiting until it is mended");
                    said = sentence;
                }
                thread::sleep(MENDING);
            }
            outcome => return outcome,
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let found = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    found.map_err(|e| Error::host(format!("{} must be a path: {e}", path.display())))
}
