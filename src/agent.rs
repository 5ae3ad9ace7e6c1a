//! The loop: settle a trial, sync, take a spec, wait.
//!
//! There is no handler for SIGTERM on purpose: being ended at any instant is the normal case that everything here is
//! built for, so the ordinary way to stop is the same as a crash.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, Scope};
use std::time::Duration;

use jiff::Timestamp;
use novacula_protocol::signature::{MAX_TRUSTED_KEYS, TrustedKeys};
use novacula_protocol::spec::{Intent, Kind, PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{
    Held, LogLine, Offer, PreflightResult, SyncRequest, SyncResponse, UpgradeReport,
};
use novacula_protocol::{Stage, Status};

use crate::backoff::Backoff;
use crate::config::Config;
use crate::control_plane::{ControlPlane, NoAnswer};
use crate::error::{Error, chain, printable};
use crate::host::{Build, Clock, Places, dice};
use crate::pacing::Pacing;
use crate::upgrade::admit::{Admission, Standing, admit};
use crate::upgrade::trial::{EndedAttempt, Records, Trial};
use crate::{preflight, systemd};

mod clearing; // what is cleared away when nobody needs it any more
mod in_hand; // what is done about the upgrade in hand, and how its end is remembered
mod on_trial; // what the binary on trial does about itself

pub use on_trial::arm;

use in_hand::InHand;

/// The longest time one sync may take.
const SYNC_LIMIT: Duration = Duration::from_secs(15);
/// Before a restart nobody waits long for a report to get through.
const LAST_SYNC_LIMIT: Duration = Duration::from_secs(2);
/// How long systemd is given to end this process once it was asked to restart it.
const RESTART_LIMIT: Duration = Duration::from_secs(10);

/// A longer upgradeId is not worth remembering, in bytes.
const LONGEST_ID: usize = 128;
/// More checks than this are not asked for in one answer.
const CHECKS: usize = 16;
/// News is told at once, but not more often than this.
const BETWEEN_NEWS: Duration = Duration::from_millis(250);

/// Whatever now stands at the path of the binary has to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartDue;

/// Everything the loop was started with.
pub struct Agent<'a> {
    /// This build.
    pub build: &'a Build,
    /// Where the binary is.
    pub places: &'a Places,
    /// What the sysadmin decided.
    pub config: &'a Config,
    /// The memory of this host.
    pub records: &'a Records,
    /// Whose signatures count.
    pub keys: &'a TrustedKeys,
    /// Whom to sync with.
    pub control_plane: &'a ControlPlane,
    /// The two clocks.
    pub clock: Clock,
    /// Changes with every boot.
    pub boot_id: String,
    /// When this process started, by both clocks.
    pub started: (Timestamp, u64),
    /// Starts of the service in this boot before this one.
    pub restarts: u32,
}

/// What changes while the loop runs.
struct Course<'scope> {
    pacing: Pacing,
    /// A spec that was *not now* for a reason of this host is left alone until then.
    retry: Backoff,
    retry_at_ms: u64,
    /// The trial of this very binary.
    trial: Option<Trial>,
    intent: Option<Intent>,
    in_hand: Option<InHand<'scope>>,
    /// The end to tell until the control plane stops offering it.
    telling: Option<EndedAttempt>,
    /// Ends that the disk was too full for.
    unwritten: Vec<EndedAttempt>,
    /// Lines of its log that were not acknowledged while it was in hand.
    lines: Vec<LogLine>,
    /// Offered, but asked to pause before it began.
    paused: Option<SpecHeader>,
    preflight: Vec<PreflightResult>,
    said_not_now: String,
    /// There may be a download that nobody goes on with.
    unswept: bool,
    bell: Sender<()>,
    listen: Receiver<()>,
}

impl Agent<'_> {
    /// Runs until a restart is due. Nothing a control plane says or fails to say ends it.
    ///
    /// # Errors
    /// The records of this host cannot be used at all.
    pub fn run(&self) -> Result<RestartDue, Error> {
        thread::scope(|scope| self.run_within(scope))
    }

    fn run_within<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<RestartDue, Error> {
        let (bell, listen) = mpsc::channel();
        let mut course = Course {
            pacing: Pacing::new(self.config.sync_interval_ms, self.config.long_poll_ms),
            retry: Backoff::default(),
            retry_at_ms: 0,
            trial: None,
            intent: None,
            in_hand: None,
            telling: None,
            unwritten: Vec::new(),
            lines: Vec::new(),
            paused: None,
            preflight: Vec::new(),
            said_not_now: String::new(),
            unswept: true,
            bell,
            listen,
        };
        self.forget_starts();
        systemd::notify("READY=1");
        systemd::extend_watchdog(self.config.long_poll_ms);
        // Whatever is wrong with the records, an agent that syncs can still be told what to do about it.
        match self.settle(&mut course) {
            Ok(Some(due)) => return Ok(due),
            Ok(None) => {}
            Err(e) => log::error!("the trial on record is not settled: {}", chain(&e)),
        }
        log::info!("{} is running, syncing with {}", self.build.version, self.config.control_plane.url);
        self.disarm(&course);
        self.refresh_units();
        course.telling = self.records.ended()?.into_iter().rev().find(|ended| ended.untold);
        loop {
            self.sync(&mut course, scope, SYNC_LIMIT);
            let due = match self.look_at_trial(&mut course) {
                None => self.look_at_hand(&mut course, scope)?,
                due => due,
            };
            if let Some(due) = due {
                return Ok(due);
            }
            self.wait(&mut course);
        }
    }

    fn sync<'scope>(
        &'scope self,
        course: &mut Course<'scope>,
        scope: &'scope Scope<'scope, '_>,
        limit: Duration,
    ) {
        systemd::notify("WATCHDOG=1");
        let request = self.request(course);
        let is_idle = course.is_idle();
        let wait_s = course.pacing.begin(is_idle, dice());
        let began_ms = (self.clock.ticks_ms)();
        let answered = self.control_plane.sync_waiting(&request, limit, wait_s);
        let took_ms = (self.clock.ticks_ms)().saturating_sub(began_ms);
        match answered {
            Ok((answer, was_let_wait)) => {
                if course.pacing.failures() > 0 {
                    log::info!(
                        "the control plane accepts syncs again, after {} it did not",
                        course.pacing.failures()
                    );
                }
                course.pacing.answered(answer.sync_interval_ms, was_let_wait, took_ms);
                course.preflight.clear();
                let lines = request.upgrade.as_ref().map_or(0, |report| report.log.len());
                let told = request.upgrade.map(|report| (report.upgrade_id, report.attempt, report.stage));
                match &course.in_hand {
                    Some(in_hand) => in_hand.hand.acknowledged(lines),
                    None => drop(course.lines.drain(..lines.min(course.lines.len()))),
                }
                self.note_accepted_sync(course);
                self.heard(course, scope, answer, told);
            }
            Err(NoAnswer { reason, retry_after_ms }) => {
                let before = course.pacing.failures();
                match (course.pacing.failed(retry_after_ms, took_ms), before) {
                    (true, 0) => log::warn!("no sync is accepted, trying on: {reason}"),
                    (true, _) => log::debug!("tried in vain: {reason}"),
                    (false, _) => log::debug!("waited in vain: {reason}"),
                }
            }
        }
    }

    fn request(&self, course: &Course<'_>) -> SyncRequest {
        SyncRequest {
            name: self.config.name.clone(),
            kind: Kind::Agent,
            current_version: self.build.version.clone(),
            channel: self.config.channel,
            target: self.build.target.to_owned(),
            labels: self.config.labels.clone(),
            boot_id: self.boot_id.clone(),
            started_at: Some(self.started.0),
            restarts: self.restarts,
            held: self.held(),
            upgrade: self.report(course),
            preflight: course.preflight.clone(),
            trusted_keys: Some(self.keys.ids().take(MAX_TRUSTED_KEYS).map(str::to_owned).collect()),
        }
    }

    fn subject(&self) -> preflight::Subject<'_> {
        preflight::Subject {
            places: self.places,
            records: self.records,
            keys: self.keys,
            control_plane: Ok(self.control_plane),
            clock: self.clock,
        }
    }

    fn held(&self) -> Option<Held> {
        self.records.hold((self.clock.wall)()).unwrap_or_else(|e| {
            log::error!("{}", chain(&e));
            None
        })
    }

    fn report(&self, course: &Course<'_>) -> Option<UpgradeReport> {
        if let Some(in_hand) = &course.in_hand {
            return Some(in_hand.hand.report());
        }
        if let Some(trial) = &course.trial {
            return on_trial::report(trial, course.intent, (self.clock.wall)());
        }
        if let Some(ended) = &course.telling {
            return Some(UpgradeReport { log: course.lines.clone(), ..ended.report() });
        }
        course.paused.as_ref().map(|header| bare_report(header, Stage::ConfirmStart, Status::Paused))
    }

    fn heard<'scope>(
        &'scope self,
        course: &mut Course<'scope>,
        scope: &'scope Scope<'scope, '_>,
        answer: SyncResponse,
        told: Option<(String, u32, Stage)>,
    ) {
        let checks = answer.preflight.iter().take(CHECKS);
        course.preflight = checks.map(|check| preflight::run(check, &self.subject())).collect();
        let offered = answer.pending_upgrade.as_ref().and_then(identity);
        // An end counts as told once it was told and the control plane offers it no more.
        let is_told = |ended: &mut EndedAttempt| {
            let is_this = |id: &str, attempt: u32| id == ended.upgrade_id && attempt == ended.attempt;
            told.as_ref().is_some_and(|(id, attempt, stage)| is_this(id, *attempt) && *stage == ended.stage)
                && !offered.as_ref().is_some_and(|(id, attempt)| is_this(id, *attempt))
        };
        if let Some(told) = course.telling.take_if(is_told) {
            self.note(told.untold, |records| records.told(&told.upgrade_id, told.attempt));
        }
        self.sweep(course, answer.pending_upgrade.as_ref());
        course.paused = None;
        course.intent = None;
        match answer.pending_upgrade {
            Some(Offer::Understood(spec)) => {
                if let Err(e) = self.consider(course, scope, *spec, answer.now) {
                    log::error!("{}", chain(&e));
                }
            }
            Some(Offer::NotUnderstood(value)) => self.refuse_unreadable(course, value),
            None => course.said_not_now.clear(),
        }
    }

    fn consider<'scope>(
        &'scope self,
        course: &mut Course<'scope>,
        scope: &'scope Scope<'scope, '_>,
        spec: PendingUpgrade,
        now: Timestamp,
    ) -> Result<(), Error> {
        let header = spec.header().clone();
        let is_of_trial =
            |trial: &Trial| trial.upgrade_id == header.upgrade_id && trial.attempt == header.attempt;
        // Another upgrade has no say in this one's trial.
        course.intent = course.trial.as_ref().filter(|trial| is_of_trial(trial)).map(|_| header.intent);
        if header.upgrade_id.is_empty() || header.upgrade_id.len() > LONGEST_ID {
            say_not_now(course, "the pending upgrade must have an upgradeId of 1 to 128 bytes, it has not");
            return Ok(());
        }
        self.write_ends(course);
        let ended: Vec<_> = self.records.ended()?.into_iter().chain(course.unwritten.clone()).collect();
        let held = self.records.hold(now)?;
        let standing = Standing {
            version: &self.build.version,
            floor: self.records.floor()?.into_iter().chain(self.build.floor.clone()).max(),
            ended: &ended,
            on_trial: course.trial.is_some(),
            in_hand: course.in_hand.as_ref().map(|it| (it.header.upgrade_id.as_str(), it.header.attempt)),
            held: held.as_ref().map(|held| held.reason.as_str()),
            allow_plain_http: self.config.control_plane.allow_plain_http,
            now,
        };
        match admit(spec, &standing) {
            Admission::Admitted(admitted) => self.start(course, scope, *admitted, left_ms(now, &header)),
            Admission::InHand(header) => {
                if let Some(in_hand) = &course.in_hand {
                    in_hand.hand.steer(header.intent, left_ms(now, &header));
                }
            }
            // It was told in the request that brought this answer, or will be in the next.
            Admission::Ended(ended) => course.telling = Some(*ended),
            // Not worth a line: the binary on trial is itself the reason.
            Admission::NotNow(_) if course.trial.is_some() => {}
            Admission::NotNow(reason) => say_not_now(course, &reason),
            Admission::Paused => course.paused = Some(header),
            Admission::Abandoned => self.end(course, self.ended(&header, Stage::Abandoned, None)),
            Admission::Refused(refusal) => self.refuse(course, &header, refusal),
        }
        Ok(())
    }

    fn ring(&self, course: &Course<'_>) {
        // We hold the other end.
        let _ = course.bell.send(());
    }

    fn wait(&self, course: &mut Course<'_>) {
        let on_trial = course.trial.is_some();
        let mut wait_ms = course.pacing.wait_ms(on_trial, dice());
        if let Some(left_ms) = self.until_healthy_ms(course) {
            wait_ms = wait_ms.min(left_ms);
        }
        let until_ms = (self.clock.ticks_ms)() + wait_ms;
        let slice = systemd::watchdog().map_or(Duration::from_secs(60), |limit| limit / 3);
        loop {
            let left = Duration::from_millis(until_ms.saturating_sub((self.clock.ticks_ms)()));
            match course.listen.recv_timeout(left.min(slice)) {
                Ok(()) if course.pacing.failures() == 0 => {
                    thread::sleep(BETWEEN_NEWS);
                    return;
                }
                // While no sync is accepted, news waits with everything else; an end does not.
                Ok(()) if course.in_hand.as_ref().is_some_and(|in_hand| in_hand.hand.has_ended()) => return,
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) if left <= slice => return,
                Err(_) => systemd::notify("WATCHDOG=1"),
            }
        }
    }
}

fn bare_report(header: &SpecHeader, stage: Stage, status: Status) -> UpgradeReport {
    UpgradeReport {
        upgrade_id: header.upgrade_id.clone(),
        attempt: header.attempt,
        stage,
        status,
        bytes_done: 0,
        bytes_total: 0,
        error: None,
        log: Vec::new(),
    }
}

fn say_not_now(course: &mut Course<'_>, reason: &str) {
    if course.said_not_now != reason {
        log::info!("not now: {}", printable(reason));
        reason.clone_into(&mut course.said_not_now);
    }
}

fn identity(offer: &Offer) -> Option<(String, u32)> {
    match offer {
        Offer::Understood(spec) => Some((spec.header().upgrade_id.clone(), spec.header().attempt)),
        Offer::NotUnderstood(value) => identity_of(value),
    }
}

fn identity_of(value: &serde_json::Value) -> Option<(String, u32)> {
    let id = value.get("upgradeId")?.as_str().filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)?;
    Some((id.to_owned(), u32::try_from(value.get("attempt")?.as_u64()?).ok()?))
}

fn left_ms(now: Timestamp, header: &SpecHeader) -> u64 {
    u64::try_from(header.expires_at.duration_since(now).as_millis()).unwrap_or(0)
}
