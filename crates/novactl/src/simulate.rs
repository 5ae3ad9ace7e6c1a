//! `novactl simulate`: a plan carried out on executors that are not there, by a real control plane.
//!
//! ```text
//! plan ─▶ waves ─▶ executors ─▶ engine ══ HTTP ══ program (novacula-control-plane, in fast motion)
//!                                  │                 ▲
//!                                judge            campaign (applies, approves, watches) ─▶ report
//! ```

mod campaign;
mod dice;
mod engine;
mod executor;
mod faults;
mod job;
mod judge;
mod pace;
mod program;
mod releases;
mod report;
mod waves;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{EnrolmentTokenRequest, FleetUpgradePlan, IssuedSecret};
use novacula_protocol::spec::Kind;
use semver::Version;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use ureq::tls::RootCerts;

use crate::connection::Connection;
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::terminal::Terminal;
use campaign::{Campaign, Outcome, People};
use dice::Dice;
use engine::Engine;
use executor::Executor;
use faults::{Fault, Faults};
use judge::{Judge, Known};
use pace::Pace;
use program::Program;
use releases::Signer;
use report::{Asked, Report};
use waves::Wave;

const MAX_PLAN_BYTES: u64 = 1024 * 1024;
const FOR_ALL_TIME: SignedDuration = SignedDuration::from_hours(24 * 365);

/// Try a fleet plan on executors that are not there
///
/// Starts a control plane of its own on this machine, in fast motion, and lets so many simulated executors sync with it
/// as docs/protocol.md says; none downloads anything. It needs no other control plane and no token, and leaves nothing
/// behind. Exit codes: 0 the plan completed, 1 it halted or stands still, 2 wrong usage, 3 the control plane broke one of
/// the promises that are watched at every answer.
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// How many executors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    executors: u32,

    /// The plan, YAML or JSON
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,

    /// What goes wrong, as so many or so many of a hundred: bad (goes back), dead, hang, late, flap, disorder
    #[arg(long, value_name = "SPEC", default_value = "")]
    faults: Faults,

    /// What is drawn; the same seed draws the same faults [default: any]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Seconds of simulated time in one
    #[arg(long, value_name = "X", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    speed: u32,

    /// How many executors each wave has, with commas between [default: equal shares]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    sizes: Vec<u32>,

    /// What runs before [default: a minor version less than the target]
    #[arg(long = "from", value_name = "VERSION", value_parser = crate::release::version)]
    from: Option<Version>,

    /// The control plane's program [default: beside novactl, else as PATH has it]
    #[arg(long, value_name = "PATH")]
    control_plane: Option<PathBuf>,

    /// Leave waves that wait for a person where they are
    #[arg(long)]
    no_approve: bool,

    /// Undo the whole plan if it halts
    #[arg(long)]
    rollback: bool,

    /// Kill the control plane in the middle of each wave, and start it again
    #[arg(long)]
    kill_control_plane: bool,

    /// Keep what the control plane has kept, with its log, in this new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Simulate {
    /// Simulates.
    #[expect(
        clippy::disallowed_methods,
        reason = "a simulation begins when it really is, and takes real time"
    )]
    pub fn run(&self, terminal: &Terminal) -> anyhow::Result<Ending> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Whoever presses twice does not want to wait.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)))
                .context("signals cannot be listened to")?;
        }
        let began = Instant::now();
        let seed = self.seed.unwrap_or_else(Dice::any_seed);
        terminal.note(format!("seed {seed}"));
        let plan = read_plan(&self.plan)?;
        let waves = self.waves(&plan)?;
        let (from, target) = self.versions(&plan)?;
        let drawn = self.faults.draw(seed, self.executors).map_err(wrong_usage)?;
        let since = Timestamp::from_second(Timestamp::now().as_second()).context("the clock is far off")?;
        let pace = Pace::of(self.executors, self.speed, since).map_err(wrong_usage)?;
        self.say_how_long(terminal, &waves);

        let folder = Folder::of(self.keep.as_deref())?;
        let signer = Signer::new()?;
        let path = self.control_plane.clone().unwrap_or_else(program::beside_this_one);
        let mut program = Program::start(&path, folder.path(), pace, &signer.public_key()?)?;
        let connection = |token: &str| Connection {
            url: program.url.clone(),
            token: token.to_owned(),
            roots: RootCerts::WebPki,
        };
        let control_plane = ControlPlane::new(connection(&program.token));
        for version in releases::way(&from, &target) {
            signer.publish(&control_plane, plan.spec.executor_kind, &version)?;
        }
        let asked = EnrolmentTokenRequest { max_uses: self.executors, expires_at: pace.now() + FOR_ALL_TIME };
        let token: IssuedSecret = control_plane.post("/enrolment-tokens", &asked)?;
        let door = ControlPlane::new(connection(&token.secret));

        let on_time = drawn.iter().filter(|fault| !matches!(fault, Some(Fault::Late(_)))).count();
        let (executors, known) = populate(&waves, &drawn, (plan.spec.executor_kind, &from), &pace, seed);
        let judge = Judge::new(pace, waves.clone(), known);
        let mut engine = Engine::start(pace, plan.spec.executor_kind, executors, judge, door);
        let mut campaign = Campaign {
            control_plane: &control_plane,
            program: &mut program,
            engine: &engine,
            pace,
            waves: &waves,
            terminal,
            interrupted: &interrupted,
            people: People {
                approve: !self.no_approve,
                roll_back: self.rollback,
                kill: self.kill_control_plane,
            },
        };
        let ended = campaign
            .introduce(on_time)
            .and_then(|()| campaign.make_groups())
            .and_then(|()| campaign.run(&plan))
            .map_err(|e| with_seed(&e, seed))?;
        engine.stop();
        let mut judge = engine.judge();
        let reached = ended.plan.waves.iter().rposition(|wave| wave.began_at.is_some()).unwrap_or_default();
        let undone: Vec<bool> = ended
            .plan
            .waves
            .iter()
            .map(|wave| wave.state == novacula_protocol::people::WaveState::RolledBack)
            .collect();
        judge.at_the_end(reached, &undone, &ended.stuck, &target);
        if let Some(broken) = &judge.broken {
            let found = format!("it must hold that {}: {}", broken.invariant, broken.event);
            return Err(with_seed(&Failure::new(Ending::Broken, "invariant_broken", found).into(), seed));
        }
        let asked = Asked {
            seed,
            faults: self.faults.to_string(),
            pace,
            from: &from,
            target: &target,
            waves: &waves,
        };
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = Report::of(&asked, &ended, &judge, engine.syncs().1, took);
        report.show(terminal)?;
        Ok(if ended.outcome == Outcome::Completed { Ending::Done } else { Ending::Failed })
    }

    fn waves(&self, plan: &FleetUpgradePlan) -> Result<Vec<Wave>, Failure> {
        let count = plan.spec.waves.len();
        let sizes = match self.sizes.as_slice() {
            [] => waves::equal_shares(self.executors, count),
            sizes => sizes.to_vec(),
        };
        let sum: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
        if sizes.len() != count || sum != u64::from(self.executors) {
            return Err(wrong_usage(format!(
                "--sizes must be one number for each of the {count} waves and {} together, it is {} numbers and {sum}",
                self.executors,
                sizes.len()
            )));
        }
        waves::of_plan(plan, &sizes).map_err(wrong_usage)
    }

    fn versions(&self, plan: &FleetUpgradePlan) -> Result<(Version, Version), Failure> {
        let text = &plan.spec.target_version;
        let target = releases::target(text).ok_or_else(|| {
            wrong_usage(format!("`spec.targetVersion` must be a version or its beginning, it is `{text}`"))
        })?;
        let from = self.from.clone().or_else(|| releases::usual_start(&target));
        let from = from.filter(|from| *from < target).ok_or_else(|| {
            wrong_usage(format!("--from must be a lower version than the plan's target {target}"))
        })?;
        Ok((from, target))
    }

    fn say_how_long(&self, terminal: &Terminal, waves: &[Wave]) {
        let soaks: u64 = waves.iter().map(|wave| wave.soak_ms).sum();
        let seconds = soaks / 1_000 / u64::from(self.speed);
        if seconds > 120 {
            let soaks = novacula_protocol::people::PlanDuration { ms: soaks };
            terminal.note(format!(
                "the soaks of this plan are {soaks} together, which takes {seconds} s at a --speed of {}",
                self.speed
            ));
        }
    }
}

/// A folder that goes, or one that stays.
enum Folder {
    Passing(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn of(keep: Option<&Path>) -> anyhow::Result<Self> {
        match keep {
            None => Ok(Self::Passing(tempfile::Builder::new().prefix("novacula-simulation-").tempdir()?)),
            Some(path) => {
                std::fs::create_dir(path)
                    .with_context(|| format!("{} must be a folder that can be made", path.display()))?;
                Ok(Self::Kept(path.to_owned()))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

fn read_plan(path: &Path) -> anyhow::Result<FleetUpgradePlan> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_PLAN_BYTES + 1).read_to_string(&mut text))
        .map_err(|e| {
            wrong_usage(format!(
                "the plan {} must be a file that can be read, it cannot ({e})",
                path.display()
            ))
        })?;
    let plan = FleetUpgradePlan::read(&text);
    Ok(plan.map_err(|refused| wrong_usage(format!("{}: {refused}", path.display())))?)
}

fn populate(
    waves: &[Wave],
    drawn: &[Option<Fault>],
    (kind, from): (Kind, &Version),
    pace: &Pace,
    seed: u64,
) -> (Vec<Executor>, Vec<Known>) {
    let members =
        waves.iter().enumerate().flat_map(|(index, wave)| (0..wave.size).map(move |_| (index, wave)));
    let one = |(number, ((index, wave), fault)): (usize, ((usize, &Wave), &Option<Fault>))| {
        let name = format!("simulated-{:05}", number + 1);
        let dice = Dice::of(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let executor =
            Executor::new(name.clone(), wave.labels.clone(), (kind, from.clone()), *fault, pace, dice);
        (executor, Known::new(name, index, *fault, from.clone()))
    };
    members.zip(drawn).enumerate().map(one).unzip()
}

/// Whoever looks for the cause wants the same again.
fn with_seed(error: &anyhow::Error, seed: u64) -> anyhow::Error {
    let mut failure = Failure::from_chain(error);
    failure.problem.message.push_str(&format!(" (seed {seed})"));
    failure.into()
}
