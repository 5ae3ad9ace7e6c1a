//! A host in this process: the real agent, judge and command line, under a simulated systemd that starts whatever
//! stands at the path of the binary.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use novacula_lab::scripted::{Scripted, reply_with};
use novacula_lab::{Signer, builds, poll, signing, wait_for};
use novacula_protocol::signature::TrustedKeys;
use novacula_protocol::sync::Channel;
use semver::Version;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::by_hand;
use crate::config::{Access, Config, ControlPlaneConfig};
use crate::control_plane::ControlPlane;
use crate::disk::sha256_of;
use crate::disk::stop::{Life, Part, is_stop, ticks_ms};
use crate::host::{Build, Clock, Places};
use crate::systemd::simulated::Simulated;
use crate::upgrade::judge::CRASHES;
use crate::upgrade::trial::{EndedAttempt, Records, Verdict};
use crate::watch;

pub const OLD: Version = Version::new(1, 0, 0);
pub const NEW: Version = Version::new(1, 1, 0);
pub const UPGRADE_ID: &str = "0199f3b2-0000-7000-8000-000000000001";

const CLOCK: Clock = Clock { wall, ticks_ms };
/// The longest time one process may run until something is heard of it.
const LIMIT: Duration = Duration::from_secs(60);
/// More processes than this in one life mean that a host never comes to rest.
const PROCESSES: usize = 30;

/// What can stand at the path of the binary: scripts that tell their version. This process plays what they would do.
pub struct Releases {
    old: Vec<u8>,
    new: Vec<u8>,
    new_sha256: String,
    signature: String,
    /// A good signature of other bytes.
    misfit: String,
    keys: TrustedKeys,
}

impl Releases {
    pub fn made() -> &'static Self {
        static MADE: OnceLock<Releases> = OnceLock::new();
        MADE.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let script =
                |version: &Version| format!("#!/bin/sh\necho novacula-agent {version}\n").into_bytes();
            let sign = |bytes: &[u8]| {
                let file = folder.path().join("file");
                fs::write(&file, bytes).unwrap();
                (Signer::trusted().sign_agent(&file, &NEW.to_string()), sha256_of(&file).unwrap())
            };
            let (old, new) = (script(&OLD), script(&NEW));
            let (misfit, _) = sign(&old);
            let (signature, new_sha256) = sign(&new);
            let key = fs::read_to_string(signing::trusted_keys().join("lab.pub")).unwrap();
            let keys = TrustedKeys::from_texts([("lab", key.as_str())]).unwrap();
            Self { old, new, new_sha256, signature, misfit, keys }
        })
    }
}

pub struct Host {
    pub control_plane: Scripted,
    releases: &'static Releases,
    directory: tempfile::TempDir,
    build: [Build; 2],
    config: Config,
    places: Places,
    /// Whether the new binary was found in place, at each look at which that was news.
    found: Mutex<Vec<bool>>,
}

impl Host {
    /// A host on which a sysadmin has put the old binary.
    pub fn new() -> Self {
        let releases = Releases::made();
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("bin/novacula-agent");
        fs::create_dir(directory.path().join("bin")).unwrap();
        fs::write(&binary, &releases.old).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let control_plane = Scripted::start(Box::new(|_, connection| {
            reply_with(connection, "200 OK", "", &releases.new);
        }));
        let config = Config {
            name: "stopped".to_owned(),
            data_dir: directory.path().join("data"),
            channel: Channel::default(),
            labels: BTreeMap::new(),
            sync_interval_ms: 1_000,
            long_poll_ms: 0,
            max_bytes_per_second: None,
            control_plane: ControlPlaneConfig {
                url: control_plane.url(),
                access: Access::Stored,
                allow_plain_http: false,
                ca_file: None,
            },
            token_file: None,
            level: log::LevelFilter::Off,
            warnings: Vec::new(),
        };
        let build = [OLD, NEW].map(|version| Build { version, target: builds::target(), floor: None });
        let places = Places { binary, config: directory.path().join("agent.toml") };
        Self { control_plane, releases, directory, build, config, places, found: Mutex::new(vec![false]) }
    }

    /// Offers the upgrade, always as the same attempt.
    pub fn offer(&self, intent: &str, confirm: &str, fits: bool) {
        let releases = self.releases;
        self.control_plane.offer(json!({
            "kind": "agent", "upgradeId": UPGRADE_ID, "attempt": 1, "intent": intent, "fromVersion": OLD,
            "targetVersion": NEW, "direction": "upgrade", "confirm": confirm, "healthWindowMs": 1,
            "expiresAt": "2026-01-01T01:00:00Z", "size": releases.new.len(),
            "downloadUrl": format!("{}/artifact", self.control_plane.url()), "sha256": releases.new_sha256,
            "signature": if fits { &releases.signature } else { &releases.misfit },
        }));
    }

    pub fn take_back(&self) {
        self.control_plane.offer(Value::Null);
    }

    pub fn records(&self) -> Records {
        Records::at(&self.config.data_dir)
    }

    /// How the upgrade ended, as this host remembers it.
    pub fn remembered(&self) -> Option<EndedAttempt> {
        let mut ended = self.records().ended().unwrap();
        assert!(ended.len() <= 1, "one attempt has one end: {ended:#?}");
        ended.pop()
    }

    /// The verdict in the record of the open trial.
    pub fn verdict(&self) -> Option<Verdict> {
        self.records().trial().unwrap().and_then(|trial| trial.verdict)
    }

    /// A complete agent stands at the path; whether it is the new one.
    #[track_caller]
    pub fn has_the_new_agent(&self) -> bool {
        let found = fs::read(&self.places.binary).expect("something stands at the path of the binary");
        let mode = fs::metadata(&self.places.binary).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        let is_new = found == self.releases.new;
        assert!(is_new || found == self.releases.old, "a complete agent stands at the path of the binary");
        let mut found = self.found.lock().unwrap();
        if found.last() != Some(&is_new) {
            found.push(is_new);
        }
        assert!(found.len() <= 3, "what was rolled back never comes back");
        is_new
    }

    /// Nothing is left but what must be.
    #[track_caller]
    pub fn is_tidy(&self) {
        assert!(!self.trial_file().exists(), "the trial is closed");
        for folder in ["bin", "data"] {
            for entry in fs::read_dir(self.directory.path().join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.starts_with('.') && !name.ends_with(".unreadable"), "{name} is left over");
            }
        }
    }

    /// Starts the host; it stops before its durable effect of that number. The timer's judge looks before the agent is
    /// started, or only after it has failed.
    pub fn boot(&self, stops_before: Option<usize>, timer_first: bool) -> Arc<Life> {
        let systemd = Simulated::boot(self.places.previous(), self.config.data_dir.clone());
        let is_armed = systemd.units().timer_is_armed;
        systemd.units().judge_is_due = is_armed && timer_first;
        Life::begin(self.directory.path(), stops_before, systemd)
    }

    /// Lets it live until there is something to see, or until it is stopped. A new release that is not `well` ends as
    /// soon as it is started.
    pub fn live<T>(&self, life: &Arc<Life>, well: bool, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        life.enter(Part::Other);
        let seen = unless_stopped(|| self.obey(life, well, &mut look));
        life.end();
        seen.flatten()
    }

    /// What systemd does.
    fn obey<T>(&self, life: &Arc<Life>, well: bool, look: &mut impl FnMut() -> Option<T>) -> Option<T> {
        for _ in 0..PROCESSES {
            if life.is_over() {
                return None;
            }
            if let Some(seen) = look() {
                return Some(seen);
            }
            let units = life.systemd.units().clone();
            let on_failure = units.agent.has_failed() && self.trial_file().exists();
            if units.judge_is_due || on_failure || units.agent.is_down() && units.timer_is_armed {
                life.systemd.units().judge_is_due = false;
                self.judge();
                continue;
            }
            assert_eq!(units.agent.active, "activating", "somebody starts the agent again");
            life.systemd.units().agent.active = "active".to_owned();
            let is_new = self.has_the_new_agent();
            if is_new && self.records().trial().unwrap().is_some() {
                assert!(units.timer_is_armed, "a trial has a judge");
            }
            if !is_new || well {
                let seen = self.run(life, is_new, look);
                if seen.is_some() {
                    return seen;
                }
            }
            // Restart=always, until the limit of starts.
            let mut units = life.systemd.units();
            if units.agent.active == "active" {
                let is_last = units.agent.restarts + 1 >= CRASHES;
                units.agent.active = if is_last { "failed" } else { "activating" }.to_owned();
                units.agent.result = if is_last { "start-limit-hit" } else { "success" }.to_owned();
                units.agent.restarts += u32::from(!is_last);
            }
        }
        panic!("this host does not come to rest");
    }

    /// Runs the agent until it ends or there is something to see.
    fn run<T>(&self, life: &Arc<Life>, is_new: bool, look: &mut impl FnMut() -> Option<T>) -> Option<T> {
        life.begin_agent();
        thread::scope(|scope| {
            let agent = scope.spawn(|| {
                life.enter(Part::Agent);
                match catch_unwind(AssertUnwindSafe(|| self.agent(is_new))) {
                    // On a stopped host the loop may find its thread for the upgrade gone, and say so in its own way.
                    Err(unwound) if !is_stop(&*unwound) && !life.is_over() => resume_unwind(unwound),
                    _ => {}
                }
            });
            let seen = catch_unwind(AssertUnwindSafe(|| {
                poll(LIMIT, || match agent.is_finished() {
                    true => Some(None),
                    false => look().map(Some),
                })
            }));
            // Nothing else would end it.
            if !matches!(seen, Ok(Some(None))) {
                life.end();
            }
            agent.join().unwrap_or_else(|unwound| resume_unwind(unwound));
            seen.unwrap_or_else(|unwound| resume_unwind(unwound))
                .expect("something is heard of a running agent")
        })
    }

    /// What `novacula-agent run` does.
    fn agent(&self, is_new: bool) {
        let build = &self.build[usize::from(is_new)];
        let started = ((CLOCK.wall)(), (CLOCK.ticks_ms)());
        let records = Records::open(&self.config.data_dir).unwrap();
        // Another test that starts a program right now holds the lock of the last agent for a moment.
        let _the_only_agent = wait_for("one agent a host", LIMIT, || records.be_the_only_agent().unwrap());
        let restarts = records.lock().unwrap().count_start("boot").unwrap();
        let control_plane =
            ControlPlane::new(&self.config.control_plane, "nva_test".to_owned(), &build.version).unwrap();
        let agent = Agent {
            build,
            places: &self.places,
            config: &self.config,
            records: &records,
            keys: &self.releases.keys,
            control_plane: &control_plane,
            clock: CLOCK,
            boot_id: "boot".to_owned(),
            started,
            restarts,
        };
        agent.run().unwrap();
    }

    /// What novacula-agent-rollback.service does: `.prev judge`, if a trial is open.
    fn judge(&self) {
        if !self.trial_file().exists() {
            return;
        }
        // Where nothing was swapped yet there may be nothing to run.
        let Ok(judge) = fs::read(self.places.previous()) else { return };
        assert!(judge == self.releases.old, "the judge is known-good code");
        watch::look(&self.records(), &self.places, CLOCK, || None).unwrap();
    }

    /// What `novacula-agent rollback` does.
    pub fn roll_back_by_hand(&self) {
        by_hand::rollback(&self.places, &self.records(), CLOCK).unwrap();
    }

    fn trial_file(&self) -> PathBuf {
        self.config.data_dir.join("trial.json")
    }
}

fn wall() -> Timestamp {
    // Nothing is told of a host for which no time passes.
    let _ = ticks_ms();
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// `None` when the host was stopped on the way.
fn unless_stopped<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => Some(done),
        Err(unwound) if is_stop(&*unwound) => None,
        Err(unwound) => resume_unwind(unwound),
    }
}
