//! Pure: one simulated executor. It says what docs/protocol.md has an executor say, carries out what it is told, and has
//! at most one fault.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use novacula_protocol::Stage;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{
    Channel, Offer, PreflightResult, SyncRequest, SyncResponse, UpgradeReport, clamp_interval_ms,
};
use semver::Version;

use super::dice::Dice;
use super::faults::Fault;
use super::job::{Attempt, Job};
use super::pace::{Pace, later};

/// What simulated executors run on.
pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// One executor.
pub struct Executor {
    /// Unique in the simulation.
    pub name: String,
    /// From its config.
    pub labels: BTreeMap<String, String>,
    /// What goes wrong with it.
    pub fault: Option<Fault>,
    /// The key that it got for its enrolment token.
    pub key: Option<String>,
    /// What runs there.
    pub runs: Version,
    kind: Kind,
    restarts: u32,
    job: Option<Job>,
    /// How each attempt ended, so that none is carried out twice.
    ended: HashMap<Attempt, UpgradeReport>,
    checks: Vec<PreflightResult>,
    /// Reports that are still on their way, with disorder.
    late: Vec<UpgradeReport>,
    was_introduced: bool,
    is_dead: bool,
    silent_until: Option<Timestamp>,
    has_flapped: bool,
    interval_ms: u64,
    failures: u32,
    next: Option<Timestamp>,
    dice: Dice,
}

impl Executor {
    /// One that has not synced yet.
    pub fn new(
        name: String,
        labels: BTreeMap<String, String>,
        (kind, runs): (Kind, Version),
        fault: Option<Fault>,
        pace: &Pace,
        mut dice: Dice,
    ) -> Self {
        let first = match fault {
            Some(Fault::Late(timeouts)) => timeouts * pace.heartbeat_timeout_ms,
            _ => dice.below(pace.sync_interval_ms),
        };
        Self {
            name,
            labels,
            fault,
            key: None,
            runs,
            kind,
            restarts: 0,
            job: None,
            ended: HashMap::new(),
            checks: Vec::new(),
            late: Vec::new(),
            was_introduced: false,
            is_dead: false,
            silent_until: None,
            has_flapped: false,
            interval_ms: pace.sync_interval_ms,
            failures: 0,
            next: Some(later(pace.now(), first)),
            dice,
        }
    }

    /// When it does the next thing; never, if it is dead.
    pub fn next(&self) -> Option<Timestamp> {
        let next = self.next?;
        let due = self.job.as_ref().and_then(|job| job.due);
        let next = due.map_or(next, |due| due.min(next));
        Some(self.silent_until.map_or(next, |until| until.max(next)))
    }

    /// It was answered at least once.
    pub fn was_introduced(&self) -> bool {
        self.was_introduced
    }

    /// Does the step whose time has come. `false` where it has fallen silent over it.
    pub fn go_on(&mut self, now: Timestamp, pace: &Pace) -> bool {
        if self.silent_until.is_some_and(|until| until <= now) {
            self.silent_until = None;
        }
        let Some(job) = self.job.as_mut().filter(|job| job.due.is_some_and(|due| due <= now)) else {
            return true;
        };
        let before = job.report();
        let is_bad = self.fault == Some(Fault::Bad) && job.is_forward();
        if is_bad && job.stage == Stage::Restart {
            // Its own start and that of the old version; what started in between was not the old one's to count.
            self.restarts += 2;
            job.go_back(now);
        } else {
            self.restarts += u32::from(job.stage == Stage::Restart);
            job.step(now, &mut self.dice);
        }
        stand_still(self.fault, job);
        let reached = job.stage;
        self.runs.clone_from(job.runs());
        if self.fault == Some(Fault::Disorder) && self.dice.heads() {
            self.late.push(before);
        }
        match self.fault {
            Some(Fault::Dead(Some(at))) if at == reached => self.is_dead = true,
            Some(Fault::Flap(Some(at), tenths)) if at == reached && !self.has_flapped => {
                self.fall_silent(now, tenths, pace);
            }
            _ => {}
        }
        // Late by a whole interval: the control plane hears of the step with the next heartbeat.
        let is_held_back = self.fault == Some(Fault::Disorder) && self.dice.below(4) == 0;
        !(is_held_back && self.next.is_some_and(|next| next > now))
    }

    /// What it says now.
    pub fn say(&mut self, now: Timestamp) -> SyncRequest {
        let upgrade = self.late.pop().or_else(|| self.job.as_ref().map(Job::report));
        SyncRequest {
            name: self.name.clone(),
            kind: self.kind,
            current_version: self.runs.clone(),
            channel: Channel::Stable,
            target: TARGET.to_owned(),
            labels: self.labels.clone(),
            boot_id: format!("boot of {}", self.name),
            started_at: Some(now),
            restarts: self.restarts,
            held: None,
            upgrade,
            preflight: self.checks.clone(),
            trusted_keys: None,
        }
    }

    /// Takes an answer in.
    pub fn hear(&mut self, said: &SyncRequest, answer: &SyncResponse, now: Timestamp, pace: &Pace) {
        self.failures = 0;
        self.was_introduced = true;
        self.interval_ms = clamp_interval_ms(answer.sync_interval_ms);
        let passed = |name: &String| {
            let note = "simulated".to_owned();
            PreflightResult { check: name.clone(), ok: true, note }
        };
        self.checks = answer.preflight.iter().take(16).map(passed).collect();
        let is_news = self.listen(said, answer, now) || !self.checks.is_empty() || !self.late.is_empty();
        let wait_ms = if is_news { 0 } else { self.jittered(self.interval_ms) };
        self.next = Some(later(now, wait_ms));
        match self.fault {
            Some(Fault::Dead(None)) => self.is_dead = true,
            Some(Fault::Flap(None, tenths)) if !self.has_flapped => self.fall_silent(now, tenths, pace),
            _ => {}
        }
        if self.is_dead {
            self.next = None;
            self.job.as_mut().map(|job| job.due.take());
        }
    }

    /// Nobody answered, or not with a yes: it comes again, later each time.
    pub fn was_not_heard(&mut self, now: Timestamp, pace: &Pace) {
        self.failures = (self.failures + 1).min(10);
        let most = (1_000_u64 << self.failures).min(60_000);
        // Real time counts as well: a fleet in fast motion would not let a control plane start again.
        let least = 50 * u64::from(pace.speed);
        self.next = Some(later(now, least + self.dice.below(most.max(least * 4))));
    }

    fn fall_silent(&mut self, now: Timestamp, tenths: u64, pace: &Pace) {
        self.has_flapped = true;
        self.silent_until = Some(later(now, pace.heartbeat_timeout_ms / 10 * tenths));
    }

    /// `true` where there is something to say about it at once.
    fn listen(&mut self, said: &SyncRequest, answer: &SyncResponse, now: Timestamp) -> bool {
        // What it said last of the job was heard; while more is on its way it is not done with it.
        let heard_end = |job: &Job| {
            let report = said.upgrade.as_ref();
            job.is_over() && report.is_some_and(|report| *report == job.report())
        };
        if let Some(job) = self.job.take_if(|job| heard_end(job)) {
            self.ended.insert(job.attempt.clone(), job.report());
        }
        let Some(Offer::Understood(spec)) = &answer.pending_upgrade else { return false };
        let told = spec.header();
        let attempt = (told.upgrade_id.clone(), told.attempt);
        if self.ended.contains_key(&attempt) {
            return false;
        }
        match &mut self.job {
            Some(job) if job.attempt == attempt => {
                if matches!(self.fault, Some(Fault::Hang(_))) {
                    return false;
                }
                let before = (job.stage, job.status, job.error_code());
                let had_swapped = job.has_swapped;
                job.steer(told.intent, now, &mut self.dice);
                self.runs.clone_from(job.runs());
                if job.stage == Stage::RolledBack && had_swapped && before.0 != Stage::RolledBack {
                    self.restarts += 1;
                }
                before != (job.stage, job.status, job.error_code())
            }
            // Not now: one upgrade at a time.
            Some(_) => false,
            None => {
                let mut job = Job::begin(told, &self.runs, self.interval_ms, answer.now, &mut self.dice);
                stand_still(self.fault, &mut job);
                self.job = Some(job);
                true
            }
        }
    }

    fn jittered(&mut self, ms: u64) -> u64 {
        ms - ms / 10 + self.dice.below(ms / 5 + 1)
    }
}

fn stand_still(fault: Option<Fault>, job: &mut Job) {
    if fault == Some(Fault::Hang(job.stage)) && job.is_forward() {
        job.due = None;
    }
}
