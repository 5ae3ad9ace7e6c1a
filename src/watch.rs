//! The watcher: run by systemd as `.prev`, so that known-good code judges the binary on trial from outside.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use novacula_protocol::Refusal;

use crate::control_plane::ControlPlane;
use crate::error::{Error, chain};
use crate::host::{Clock, Places, boot_id};
use crate::systemd;
use crate::upgrade::judge::{self, Decision, InPlace, Seen};
use crate::upgrade::swap;
use crate::upgrade::trial::{Elapsed, LockedRecords, Records, Trial, Verdict, report_error};

/// How often the lock is tried before its holder is stopped, and how long between two tries.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Looks at the open trial once and does what the judge decides; gives one sentence about it.
///
/// # Errors
/// The host failed at something; the next look goes on from there.
pub fn look(
    records: &Records,
    places: &Places,
    clock: Clock,
    control_plane: impl FnOnce() -> Option<ControlPlane>,
) -> Result<String, Error> {
    if records.trial()?.is_none() {
        systemd::disarm_trial_timer()?;
        return Ok("no trial is open; nothing was changed".to_owned());
    }
    let service = systemd::agent_service()?;
    let mut locked = lock(records)?;
    let (boot_id, now_ms) = (boot_id(), (clock.ticks_ms)());
    let Some(trial) = locked.change_trial(|trial| {
        trial.elapsed.tick(&boot_id, now_ms);
        trial.seen_in_place |= swap::in_place(places, trial) == InPlace::New;
    })?
    else {
        return Ok("the trial has just ended; nothing was changed".to_owned());
    };
    let mut seen = Seen {
        in_place: swap::in_place(places, &trial),
        failed: service.has_failed(),
        only_start_limit: service.result == "start-limit-hit",
        restarts: service.restarts,
        reachable: None,
    };
    let mut decision = judge::by_watcher(&trial, seen);
    if decision == Decision::AskControlPlane {
        // Nobody shall wait for the network with the lock in hand.
        drop(locked);
        seen.reachable = Some(control_plane().is_some_and(|it| it.is_healthy()));
        locked = lock(records)?;
        let Some(trial) = records.trial()? else { return Ok("the trial has just ended".to_owned()) };
        decision = judge::by_watcher(&trial, seen);
    }
    let now = (clock.wall)();
    match decision {
        Decision::Wait | Decision::AwaitConfirmation | Decision::AskControlPlane => Ok(progress(&trial)),
        Decision::Start => {
            systemd::start_agent()?;
            Ok("the service was stopped by too many starts that were not crashes; started it".to_owned())
        }
        Decision::Inconclusive => {
            locked.change_trial(|trial| trial.inconclusive = true)?;
            Ok("no sync by the deadline, but nobody reaches the control plane: inconclusive, waiting"
                .to_owned())
        }
        Decision::BeginAnew => {
            locked.change_trial(|trial| {
                trial.inconclusive = false;
                trial.elapsed = Elapsed::begin(&boot_id, now_ms);
            })?;
            Ok("the control plane is reachable again: the deadline starts anew".to_owned())
        }
        Decision::Discard => {
            swap::discard(&mut locked, places, &trial, now)?;
            start_if_stopped(&service)?;
            systemd::disarm_trial_timer()?;
            Ok("nothing was left to judge; the trial is closed".to_owned())
        }
        Decision::Commit => {
            swap::finish(&mut locked, places, &trial, now)?;
            systemd::disarm_trial_timer()?;
            Ok(format!("{} was committed", trial.target_version))
        }
        Decision::RollBack(refusal) => roll_back(locked, places, Some(refusal), now),
        Decision::FinishRollback => roll_back(locked, places, None, now),
    }
}

/// Rolls the open trial back, now, because of `refusal` or of the verdict that stands. A verdict to commit that came
/// first is final. Gives one sentence.
///
/// # Errors
/// The host failed at something; the verdict is on disk, so that the next look goes on from there.
pub fn roll_back(
    mut locked: LockedRecords<'_>,
    places: &Places,
    refusal: Option<Refusal>,
    now: Timestamp,
) -> Result<String, Error> {
    if let Some(refusal) = refusal {
        locked.decide(Verdict::RollBack(report_error(refusal, now)))?;
    }
    let Some(trial) = locked.records().trial()? else { return Ok("no trial is open".to_owned()) };
    // Stopped first: what is on trial must not run on beside the one that replaces it.
    if let Err(e) = systemd::stop_agent() {
        log::warn!("{}", chain(&e));
    }
    let carried_out = swap::carry_out_verdict(&mut locked, places, &trial, now);
    // Whatever became of it: a host with an agent is better off than one without. The record goes only after the
    // start, since without a record nobody would look again.
    systemd::start_agent()?;
    carried_out?;
    locked.remove_trial()?;
    drop(locked);
    systemd::disarm_trial_timer()?;
    Ok(match trial.verdict {
        Some(Verdict::RollBack(error)) => format!("rolled back to {}: {}", trial.from_version, error.message),
        _ => format!("{} was committed before it could be rolled back", trial.target_version),
    })
}

/// The records' lock; whoever keeps it too long is the service, and the service is then stopped.
///
/// # Errors
/// The lock cannot be had.
pub fn lock(records: &Records) -> Result<LockedRecords<'_>, Error> {
    for _ in 0..LOCK_TRIES {
        if let Some(locked) = records.try_lock()? {
            return Ok(locked);
        }
        thread::sleep(LOCK_PAUSE);
    }
    log::warn!("{} holds the records' lock and does not let go: stopping it", systemd::AGENT);
    systemd::stop_agent()?;
    records.lock()
}

fn start_if_stopped(service: &systemd::Service) -> Result<(), Error> {
    match service.has_failed() {
        true => systemd::start_agent(),
        false => Ok(()),
    }
}

fn progress(trial: &Trial) -> String {
    let proof = match (trial.healthy, trial.synced) {
        (true, _) => "healthy, waiting for a person",
        (_, true) => "synced, proving that it stays up",
        _ => "no sync accepted yet",
    };
    let (elapsed, deadline) = (trial.elapsed.ms / 1_000, judge::deadline_ms(trial) / 1_000);
    format!("{} is on trial for {elapsed} s of {deadline} s: {proof}", trial.target_version)
}
