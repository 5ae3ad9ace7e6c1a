//! A host with an agent on it and the control plane it talks to: where most tests begin.

use std::path::Path;
use std::time::Duration;

use novacula_protocol::Stage;
use novacula_protocol::people::Upgrade;

use crate::builds;
use crate::control_plane::ControlPlane;
use crate::host::{Host, Suite};
use crate::people::Person;
use crate::wait::wait_for;

/// The agent's name: every scene has a control plane of its own, so that they can all have the same.
pub const EXECUTOR: &str = "host-1";
/// Where the agent's binary is on every host of the laboratory.
pub const BINARY: &str = "/opt/novacula/bin/novacula-agent";
/// What the last committed upgrade left beside it.
pub const PREVIOUS: &str = "/opt/novacula/bin/novacula-agent.prev";
/// The agent's config.
pub const CONFIG: &str = "/etc/novacula/agent.toml";
/// The agent's records.
pub const DATA_DIR: &str = "/var/lib/novacula";
/// The agent's unit.
pub const AGENT: &str = "novacula-agent.service";
/// The unit that judges a trial.
pub const ROLLBACK: &str = "novacula-agent-rollback.service";
/// The dead-man's switch of a trial.
pub const TRIAL_TIMER: &str = "novacula-agent-trial.timer";

/// Long enough to see a version die, short enough for a test.
pub const HEALTH_WINDOW: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(150);

/// One host, one agent, one control plane.
pub struct Scene {
    /// The host with the agent.
    pub host: Host,
    /// What the agent talks to.
    pub control_plane: ControlPlane,
}

impl Scene {
    /// A fresh host on which this version of the agent runs and syncs.
    #[must_use]
    pub fn with_agent(suite: Suite, version: &str) -> Self {
        Self::with_build(suite, version, &builds::agent(version))
    }

    /// A fresh host on which this build of this version runs and syncs.
    #[must_use]
    pub fn with_build(suite: Suite, version: &str, build: &Path) -> Self {
        let scene = Self::with_build_not_installed(suite, build);
        scene.agent("install");
        scene.host.ok(&format!("systemctl start {AGENT}"));
        scene.owner().wait_for_version(EXECUTOR, version);
        scene
    }

    /// A fresh host with the binary and the config in place, and nothing done with them.
    #[must_use]
    pub fn with_agent_not_installed(suite: Suite, version: &str) -> Self {
        Self::with_build_not_installed(suite, &builds::agent(version))
    }

    fn with_build_not_installed(suite: Suite, build: &Path) -> Self {
        let control_plane = ControlPlane::start();
        let host = Host::boot(suite);
        let scene = Self { host, control_plane };
        scene.host.put(BINARY, &read(build), 0o755);
        scene.host.put(CONFIG, scene.config().as_bytes(), 0o600);
        scene
    }

    fn config(&self) -> String {
        format!(
            "[agent]\nname = \"{EXECUTOR}\"\ndata_dir = \"{DATA_DIR}\"\nchannel = \"stable\"\nsync_interval_ms = 1000\n\n\
             [agent.labels]\nlab = \"yes\"\n\n\
             [control_plane]\nurl = \"{}\"\naccess_token = \"{}\"\n\n[logging]\nlevel = \"debug\"\n",
            self.control_plane.url(),
            self.owner().executor_key(EXECUTOR)
        )
    }

    /// Whoever orders upgrades here.
    #[must_use]
    pub fn owner(&self) -> &Person {
        self.control_plane.owner()
    }

    /// Runs the agent's command line on the host, which must succeed; what it printed.
    #[track_caller]
    pub fn agent(&self, arguments: &str) -> String {
        self.host.ok(&format!("{BINARY} {arguments}"))
    }

    /// Signs and publishes a release.
    pub fn publish(&self, version: &str, file: &Path) {
        self.owner().publish(version, file);
    }

    /// Orders an upgrade to a published release.
    #[track_caller]
    pub fn request(&self, version: &str) -> Upgrade {
        self.request_with(version, HEALTH_WINDOW)
    }

    /// Orders an upgrade with another health window.
    #[track_caller]
    pub fn request_with(&self, version: &str, health_window: Duration) -> Upgrade {
        let executor = self.owner().executor(EXECUTOR).expect("the control plane knows the executor");
        self.owner().request_upgrade(&executor, version, health_window)
    }

    /// Waits until an upgrade stands at this stage.
    #[track_caller]
    pub fn wait_for_stage(&self, requested: &Upgrade, stage: Stage) {
        wait_for(&format!("the upgrade stands at {stage}"), SOON, || {
            (self.owner().upgrade(&requested.id).stage == stage).then_some(())
        });
    }

    /// Waits until this release stands at the path of the binary.
    #[track_caller]
    pub fn wait_until_in_place(&self, release: &Path) {
        let expected = self.sha256_of(release);
        wait_for("the release is in place", SOON, || (self.sha256(BINARY) == expected).then_some(()));
    }

    /// Waits until a unit is active.
    #[track_caller]
    pub fn wait_until_active(&self, unit: &str) {
        self.wait_for_state(unit, "active");
    }

    /// Waits until a unit is inactive.
    #[track_caller]
    pub fn wait_until_inactive(&self, unit: &str) {
        self.wait_for_state(unit, "inactive");
    }

    #[track_caller]
    fn wait_for_state(&self, unit: &str, state: &str) {
        wait_for(&format!("{unit} is {state}"), SOON, || {
            (self.host.property(unit, "ActiveState") == state).then_some(())
        });
    }

    /// Waits until a unit has logged something.
    #[track_caller]
    pub fn wait_for_journal(&self, unit: &str, part: &str) {
        wait_for(&format!("{unit} logs `{part}`"), SOON, || {
            self.host.journal(unit).contains(part).then_some(())
        });
    }

    /// Waits until an upgrade has ended in some way.
    ///
    /// # Panics
    /// When it has not in two minutes and a half; with all that it has logged.
    #[track_caller]
    pub fn end_of(&self, requested: &Upgrade) -> Upgrade {
        match self.owner().wait_for_end(&requested.id, END_LIMIT) {
            Some(ended) => ended,
            None => panic!(
                "the upgrade ends within {END_LIMIT:?}; it is {:#?}",
                self.owner().upgrade(&requested.id)
            ),
        }
    }

    /// Orders an upgrade and waits for its end.
    #[track_caller]
    pub fn upgrade_to(&self, version: &str) -> Upgrade {
        let requested = self.request(version);
        self.end_of(&requested)
    }

    /// The hash of a file here, as one on the host is given.
    #[must_use]
    pub fn sha256_of(&self, file: &Path) -> Option<String> {
        Some(builds::sha256(&read(file)))
    }

    /// The hash of a file on the host; `None` when there is none.
    #[must_use]
    pub fn sha256(&self, path: &str) -> Option<String> {
        self.host.read(path).map(|bytes| builds::sha256(&bytes))
    }
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{} can be read: {e}", file.display()))
}
