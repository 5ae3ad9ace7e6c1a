//! Executors that sync over real HTTP, as agents do, and do what a test has told them to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use novacula_lab::poll;
use novacula_protocol::Stage;
use serde_json::{Value, json};

use crate::server::{Answer, Server, TARGET};

const PACE: Duration = Duration::from_millis(300);

/// What a host is, and what it makes of its upgrades.
#[derive(Clone)]
pub struct Host {
    pub name: &'static str,
    runs: String,
    channel: &'static str,
    labels: &'static [(&'static str, &'static str)],
    held: Option<&'static str>,
    /// How far it goes with an upgrade.
    pub until: Stage,
    /// New versions fail on it: why.
    pub fails: Option<&'static str>,
    /// It syncs.
    pub is_on: bool,
    key: String,
    job: Option<Job>,
}

#[derive(Clone)]
struct Job {
    told: Value,
    stage: Stage,
    said: Vec<Value>,
}

impl Host {
    pub fn new(
        name: &'static str,
        runs: &str,
        channel: &'static str,
        labels: &'static [(&str, &str)],
    ) -> Self {
        let (runs, key) = (runs.to_owned(), String::new());
        let (held, fails, until, is_on, job) = (None, None, Stage::Completed, true, None);
        Self { name, runs, channel, labels, held, until, fails, is_on, key, job }
    }

    /// It goes no further with an upgrade.
    pub fn until(self, until: Stage) -> Self {
        Self { until, ..self }
    }

    /// New versions fail on it.
    pub fn failing(self, why: &'static str) -> Self {
        Self { fails: Some(why), ..self }
    }

    /// Somebody holds it.
    pub fn held(self, why: &'static str) -> Self {
        Self { held: Some(why), ..self }
    }

    fn sync(&mut self, server: &Server) {
        let mut said = json!({
            "name": self.name, "kind": "agent", "target": TARGET, "channel": self.channel,
            "labels": self.labels.iter().copied().collect::<BTreeMap<_, _>>(),
            "bootId": "b1", "startedAt": "2026-01-01T00:00:00Z",
            "held": self.held.map(|reason| json!({"reason": reason, "until": null})),
        });
        if let Some(job) = &mut self.job {
            job.go_on(self.until, self.fails);
            let target = job.told["targetVersion"].as_str().unwrap();
            let from = job.told["fromVersion"].as_str().unwrap();
            let is_new = job.stage > Stage::Swap && job.stage <= Stage::Completed;
            (if is_new { target } else { from }).clone_into(&mut self.runs);
            said["upgrade"] = job.report(self.fails);
        }
        said["currentVersion"] = json!(self.runs);
        let Answer::Accepted(told) = server.call("POST", "/syncExecutor", &self.key, &said) else { return };
        self.job.take_if(|job| job.stage.is_end());
        let told = &told["pendingUpgrade"];
        if told.is_null() {
            self.job = None;
            return;
        }
        match &mut self.job {
            Some(job) if job.told["upgradeId"] == told["upgradeId"] => job.told = told.clone(),
            job => *job = Some(Job { told: told.clone(), stage: Stage::ConfirmStart, said: Vec::new() }),
        }
    }
}

impl Job {
    /// One stage at a sync, as far as it shall go and a person lets it.
    fn go_on(&mut self, until: Stage, fails: Option<&str>) {
        let has_swapped = self.stage >= Stage::Swap;
        self.said.clear();
        match self.told["intent"].as_str().unwrap() {
            "rollback" => self.stage = Stage::RolledBack,
            "complete" => self.stage = Stage::Completed,
            "abandon" if !has_swapped => self.stage = Stage::Abandoned,
            "pause" if !has_swapped => {}
            _ if fails.is_some() && self.stage == Stage::CheckHealth => self.stage = Stage::RolledBack,
            _ => {
                let last = if self.told["confirm"] == "manual" {
                    Stage::ConfirmCompletion
                } else {
                    Stage::Completed
                };
                let next = Stage::ALL.into_iter().find(|next| *next > self.stage).unwrap();
                let skips = next == Stage::ConfirmCompletion && last == Stage::Completed;
                let next = if skips { Stage::Completed } else { next };
                if next <= until.min(last) {
                    self.stage = next;
                    let now = "2026-01-01T00:00:00Z";
                    self.said.push(json!({"at": now, "level": "info", "message": format!("reached {next}")}));
                }
            }
        }
    }

    fn report(&self, fails: Option<&str>) -> Value {
        let is_paused = self.told["intent"] == "pause" && self.stage < Stage::Swap;
        let status = match self.stage {
            Stage::Completed | Stage::Abandoned => "COMPLETED",
            Stage::RolledBack => "ROLLEDBACK",
            Stage::Failed => "FAILED",
            _ if is_paused => "PAUSED",
            _ => "UNDERWAY",
        };
        let size = self.told["size"].as_u64().unwrap_or(0);
        let done = if self.stage > Stage::Download { size } else { size * 3 / 5 };
        let error = fails.filter(|_| self.stage == Stage::RolledBack).map(|message| {
            json!({"code": "health_failed", "stage": "CHECK_HEALTH", "message": message, "timestamp": "2026-01-01T00:00:00Z"})
        });
        json!({
            "upgradeId": self.told["upgradeId"], "attempt": self.told["attempt"], "stage": self.stage, "status": status,
            "bytesDone": if self.stage < Stage::Download { 0 } else { done }, "bytesTotal": size,
            "error": error, "log": self.said,
        })
    }
}

/// All hosts, each syncing again and again until this is dropped.
pub struct Fleet {
    hosts: Arc<Mutex<Vec<Host>>>,
    is_over: Arc<AtomicBool>,
    syncing: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Gives each its key, and has each sync once before this comes back.
    pub fn start(server: &Arc<Server>, hosts: Vec<Host>) -> Self {
        let owner = server.owner.clone().unwrap();
        let mut hosts = hosts;
        for host in &mut hosts {
            let issued = server.call("POST", "/executor-keys", &owner, &json!({"name": host.name}));
            let Answer::Accepted(issued) = issued else { panic!("{issued:?}") };
            issued["secret"].as_str().unwrap().clone_into(&mut host.key);
            host.sync(server);
        }
        let (hosts, is_over) = (Arc::new(Mutex::new(hosts)), Arc::new(AtomicBool::new(false)));
        let (shared, over, server) = (Arc::clone(&hosts), Arc::clone(&is_over), Arc::clone(server));
        let syncing = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let mut all = lock(&shared);
                all.iter_mut().filter(|host| host.is_on).for_each(|host| host.sync(&server));
                drop(all);
                poll(PACE, || over.load(Ordering::SeqCst).then_some(()));
            }
        });
        Self { hosts, is_over, syncing: Some(syncing) }
    }

    /// Tells a host something else from now on.
    pub fn tell(&self, name: &str, change: impl FnOnce(&mut Host)) {
        let mut hosts = lock(&self.hosts);
        change(hosts.iter_mut().find(|host| host.name == name).unwrap());
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(syncing) = self.syncing.take() {
            // Its panic has been printed already.
            let _ = syncing.join();
        }
    }
}

fn lock(hosts: &Mutex<Vec<Host>>) -> MutexGuard<'_, Vec<Host>> {
    hosts.lock().unwrap_or_else(PoisonError::into_inner)
}
