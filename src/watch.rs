//! The watcher: run by systemd as `.prev`, so that known-good code judges the binary on trial from outside.
//!
//! Whatever a look comes to, it never leaves a host without a running agent: the record, which makes the timer look
//! again, is removed only after the agent was started where it stood still.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use novacula_protocol::{Refusal, RefusalCode};

use crate::control_plane::ControlPlane;
use crate::disk;
use crate::error::{Error, chain};
use crate::host::{Clock, Places, boot_id};
use crate::systemd::{self, Service};
use crate::upgrade::judge::{self, Decision, InPlace, Seen};
use crate::upgrade::swap;
use crate::upgrade::trial::{Elapsed, LockedRecords, Records, Trial, Verdict, report_error};

/// How often the lock is tried before its holder is taken to hang, and how long between two tries.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How long a trial may last whose record nobody can read, in ms.
const UNREADABLE_MS: u64 = 140_000;

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
        return without_trial(records, places, clock);
    }
    let (mut locked, mut service) = lock(records)?;
    let (boot_id, now_ms) = (boot_id(), (clock.ticks_ms)());
    let Some(trial) = tick(&mut locked, &boot_id, now_ms)? else {
        return Ok("the trial has just ended; nothing was changed".to_owned());
    };
    let mut seen = Seen {
        in_place: swap::in_place(&trial)?,
        failed: service.has_failed(),
        only_start_limit: service.result == "start-limit-hit",
        stopped: service.is_down(),
        restarts: service.restarts,
        reachable: None,
    };
    let mut decision = judge::by_watcher(&trial, seen);
    if decision == Decision::AskControlPlane {
        // Nobody shall wait for the network with the lock in hand.
        drop(locked);
        seen.reachable = Some(control_plane().is_some_and(|it| it.is_healthy()));
        (locked, service) = lock(records)?;
        let Some(now) = records.trial()? else { return Ok("the trial has just ended".to_owned()) };
        // Who had a sync accepted in the meantime is judged anew at the next look.
        decision = if now.synced == trial.synced { judge::by_watcher(&trial, seen) } else { Decision::Wait };
    }
    let now = (clock.wall)();
    match decision {
        Decision::Wait | Decision::AwaitConfirmation | Decision::AskControlPlane => Ok(progress(&trial)),
        Decision::Start => {
            systemd::start_agent()?;
            Ok("the agent stood still during its trial, for a reason that is not its own; started it"
                .to_owned())
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
            swap::discard(&mut locked, &trial, seen.in_place, now)?;
            close(locked, &service)?;
            Ok("nothing was left to judge; the trial is closed".to_owned())
        }
        Decision::Commit => {
            swap::carry_out_verdict(&mut locked, &trial, now)?;
            close(locked, &service)?;
            Ok(format!("{} was committed", trial.target_version))
        }
        Decision::RollBack(refusal) => roll_back(locked, trial, Some(refusal), now),
        Decision::FinishRollback => roll_back(locked, trial, None, now),
    }
}

/// Counts the time since the last look. A disk that is full must not blind the judge: then the timer knows the time.
fn tick(locked: &mut LockedRecords<'_>, boot_id: &str, now_ms: u64) -> Result<Option<Trial>, Error> {
    let ticked = locked.change_trial(|trial| {
        trial.elapsed.tick(boot_id, now_ms);
        trial.seen_in_place |= swap::in_place(trial).is_ok_and(|found| found == InPlace::New);
    });
    let Err(e) = ticked else { return ticked };
    log::warn!("{}", chain(&e));
    let trial = locked.records().trial()?;
    Ok(trial.map(|mut trial| {
        // Since the first accepted sync another time counts, which only the record knows.
        if !trial.synced {
            trial.elapsed.ms = trial.elapsed.ms.max(systemd::armed_for_ms(now_ms).unwrap_or(0));
        }
        trial
    }))
}

/// Closes a trial, after the agent was started if it stood still.
fn close(mut locked: LockedRecords<'_>, service: &Service) -> Result<(), Error> {
    if service.is_down() {
        systemd::start_agent()?;
    }
    locked.remove_trial()?;
    drop(locked);
    systemd::disarm_trial_timer()
}

/// Rolls the open trial back, now, because of `refusal` or of the verdict that stands. A verdict to commit that came
/// first is final. Gives one sentence.
///
/// # Errors
/// The host failed at something; the record stands, so that the next look goes on from there.
pub fn roll_back(
    mut locked: LockedRecords<'_>,
    mut trial: Trial,
    refusal: Option<Refusal>,
    now: Timestamp,
) -> Result<String, Error> {
    // Before anything is stopped: where there is nothing to go back to, what runs is better than nothing.
    if swap::in_place(&trial)? != InPlace::Old
        && let Err(e) = swap::previous_must_be(&trial.binary, &trial.old_sha256)
    {
        swap::fail(&mut locked, &trial, Refusal::new(RefusalCode::HostFailure, chain(&e)), now)?;
        close(locked, &systemd::agent_service()?)?;
        return Err(e);
    }
    if let Some(refusal) = refusal {
        let verdict = Verdict::RollBack(report_error(refusal, now));
        match locked.decide(verdict.clone()) {
            Ok(Some(decided)) => trial = decided,
            Ok(None) => return Ok("no trial is open".to_owned()),
            Err(e) => {
                log::warn!("rolling back although the verdict cannot be written: {}", chain(&e));
                trial.verdict.get_or_insert(verdict);
            }
        }
    }
    // Stopped first: what is on trial must not run on beside the one that replaces it.
    if matches!(trial.verdict, Some(Verdict::RollBack(_))) {
        systemd::stop_agent()?;
    }
    let carried_out = swap::carry_out_verdict(&mut locked, &trial, now);
    // Whatever became of it: a host with an agent is better off than one without.
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

/// No trial can be made out: either none is open, or its record makes no sense to this version.
fn without_trial(records: &Records, places: &Places, clock: Clock) -> Result<String, Error> {
    if !records.trial_is_unreadable()? {
        systemd::disarm_trial_timer()?;
        return Ok("no trial is open; nothing was changed".to_owned());
    }
    let (mut locked, service) = lock(records)?;
    if !records.trial_is_unreadable()? {
        return Ok("the trial has just ended; nothing was changed".to_owned());
    }
    // Nobody can prove anything under a record that cannot be read: after a while the known-good binary comes back.
    let armed_ms = systemd::armed_for_ms((clock.ticks_ms)()).unwrap_or(0);
    let same = disk::sha256_of(&places.binary).ok() == disk::sha256_of(&places.previous()).ok();
    let gone_wrong = service.has_failed() || service.restarts >= judge::CRASHES || armed_ms >= UNREADABLE_MS;
    if !same && !gone_wrong {
        return Ok("the trial record cannot be read; waiting a while before the previous binary comes back"
            .to_owned());
    }
    if !same {
        systemd::stop_agent()?;
        let put_back = swap::put_back(&places.binary, None);
        systemd::start_agent()?;
        put_back?;
    }
    locked.set_trial_aside()?;
    systemd::disarm_trial_timer()?;
    Ok("the trial record could not be read; the previous binary is in place".to_owned())
}

/// The records' lock, and what systemd says now. Whoever keeps the lock too long is taken to be an agent that hangs,
/// and is stopped; the judge, or a failed look itself, starts it again.
///
/// # Errors
/// The lock cannot be had even so.
pub fn lock(records: &Records) -> Result<(LockedRecords<'_>, Service), Error> {
    if let Some(locked) = try_for_a_while(records)? {
        return Ok((locked, systemd::agent_service()?));
    }
    log::warn!("somebody holds the records' lock and does not let go: stopping {}", systemd::AGENT);
    systemd::stop_agent()?;
    match try_for_a_while(records)? {
        Some(locked) => Ok((locked, systemd::agent_service()?)),
        None => {
            systemd::start_agent()?;
            Err(Error::host(
                "the records' lock must be let go, whoever holds it is not the agent; trying again",
            ))
        }
    }
}

fn try_for_a_while(records: &Records) -> Result<Option<LockedRecords<'_>>, Error> {
    for _ in 0..LOCK_TRIES {
        if let Some(locked) = records.try_lock()? {
            return Ok(Some(locked));
        }
        thread::sleep(LOCK_PAUSE);
    }
    Ok(None)
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
