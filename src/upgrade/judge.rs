//! The verdict on a trial, from what is known and nothing else. Pure.
//!
//! Two look at a trial: the binary on trial, which alone can prove that it is good, and the watcher, known-good code
//! that systemd runs as `.prev`, which alone can find that it is bad.

use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::{Refusal, RefusalCode};

use super::trial::{Trial, Verdict};

/// Added to twice the health window: time for a start, a backed-off sync and a slow machine, in ms.
const GRACE_MS: u64 = 20_000;

/// The longest time until the first accepted sync that a long health window can bring, in ms.
const FIRST_SYNC_MS: u64 = 120_000;

/// Crashes that make a release bad: as many as systemd allows before it gives up.
pub const CRASHES: u32 = 3;

/// How long a trial may last without proof, in ms; counted anew from the first accepted sync.
#[must_use]
pub fn deadline_ms(trial: &Trial) -> u64 {
    let twice = trial.health_window_ms.saturating_mul(2);
    let proof = if trial.synced { twice } else { twice.min(FIRST_SYNC_MS) };
    proof.saturating_add(GRACE_MS)
}

/// What stands at the path of the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPlace {
    /// The known-good binary.
    Old,
    /// The binary on trial.
    New,
    /// Neither: somebody else put something there, or nothing is there.
    Other,
}

/// What the binary on trial knows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnTrial {
    /// Since this process started.
    pub up_ms: u64,
    /// What the control plane last told it to do.
    pub intent: Option<Intent>,
}

/// What the watcher sees from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// At the path of the binary.
    pub in_place: InPlace,
    /// systemd gave up on the service.
    pub failed: bool,
    /// It gave up only because there were too many starts.
    pub only_start_limit: bool,
    /// It does not run, and nobody is about to start it.
    pub stopped: bool,
    /// Automatic restarts since the swap.
    pub restarts: u32,
    /// Whether the known-good binary reaches the control plane now; `None` while nobody asked.
    pub reachable: Option<bool>,
}

/// What to do about a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Wait,
    /// Healthy; only a person's word is missing.
    AwaitConfirmation,
    /// Proven good, or a verdict that has to be carried to its end.
    Commit,
    /// Proven bad.
    RollBack(Refusal),
    /// The verdict stands on disk and has to be carried to its end.
    FinishRollback,
    /// The swap never happened, or somebody else ended it.
    Discard,
    /// The watcher must ask the control plane before it can blame anybody.
    AskControlPlane,
    /// Nobody can tell who is at fault: the trial waits.
    Inconclusive,
    /// The control plane is back: a good binary may still have been backing off, so it gets the whole time again.
    BeginAnew,
    /// It stands still for a reason that is not its own: start it.
    Start,
}

/// What the binary on trial concludes about itself. It never blames itself.
#[must_use]
pub fn by_itself(trial: &Trial, known: OnTrial) -> Decision {
    match &trial.verdict {
        Some(Verdict::Commit) => return Decision::Commit,
        Some(Verdict::RollBack(_)) => return Decision::FinishRollback,
        None => {}
    }
    if known.intent == Some(Intent::Rollback) {
        return Decision::RollBack(Refusal::new(
            RefusalCode::RollbackRequested,
            format!("a rollback to {} was requested at the control plane", trial.from_version),
        ));
    }
    let proven = trial.healthy || trial.synced && known.up_ms >= trial.health_window_ms;
    match (proven, trial.confirm, known.intent) {
        (false, _, _) => Decision::Wait,
        (true, Confirm::Auto, _) | (true, Confirm::Manual, Some(Intent::Complete)) => Decision::Commit,
        (true, Confirm::Manual, _) => Decision::AwaitConfirmation,
    }
}

/// What known-good code concludes about the binary on trial.
#[must_use]
pub fn by_watcher(trial: &Trial, seen: Seen) -> Decision {
    match &trial.verdict {
        Some(Verdict::Commit) => return Decision::Commit,
        Some(Verdict::RollBack(_)) => return Decision::FinishRollback,
        None => {}
    }
    if seen.in_place == InPlace::Old {
        return Decision::Discard;
    }
    if seen.failed && seen.only_start_limit && seen.restarts + 1 < CRASHES {
        return Decision::Start;
    }
    if seen.failed || seen.restarts >= CRASHES {
        return Decision::RollBack(crashed(trial, seen));
    }
    if seen.in_place == InPlace::Other {
        return Decision::Discard;
    }
    // During its trial it is kept running: what stands still proves nothing.
    if seen.stopped {
        return Decision::Start;
    }
    if trial.healthy || trial.elapsed.ms < deadline_ms(trial) {
        return Decision::Wait;
    }
    if trial.synced {
        return Decision::RollBack(Refusal::new(
            RefusalCode::Unstable,
            format!(
                "{} must stay up for {} ms, it did not within {} ms after its first accepted sync",
                trial.target_version, trial.health_window_ms, trial.elapsed.ms
            ),
        ));
    }
    match seen.reachable {
        None => Decision::AskControlPlane,
        Some(false) => Decision::Inconclusive,
        Some(true) if trial.inconclusive => Decision::BeginAnew,
        Some(true) => Decision::RollBack(Refusal::new(
            RefusalCode::NeverSynced,
            format!(
                "{} must have a sync accepted within {} ms, it had none although {} reaches the control plane",
                trial.target_version, trial.elapsed.ms, trial.from_version
            ),
        )),
    }
}

fn crashed(trial: &Trial, seen: Seen) -> Refusal {
    Refusal::new(
        RefusalCode::CrashLoop,
        format!("{} must stay up, it ended by itself {} times", trial.target_version, seen.restarts.max(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::trial::{Elapsed, report_error};
    use super::*;

    fn trial() -> Trial {
        Trial {
            upgrade_id: "u".to_owned(),
            attempt: 1,
            reported: true,
            binary: "/agent".into(),
            from_version: semver::Version::new(1, 0, 0),
            target_version: semver::Version::new(1, 1, 0),
            old_sha256: "old".to_owned(),
            new_sha256: "new".to_owned(),
            size: 1,
            floor: None,
            health_window_ms: 60_000,
            confirm: Confirm::Auto,
            opened_at: jiff::Timestamp::UNIX_EPOCH,
            elapsed: Elapsed::default(),
            synced: false,
            healthy: false,
            inconclusive: false,
            seen_in_place: true,
            verdict: None,
        }
    }

    fn lasted(ms: u64) -> Trial {
        let mut trial = trial();
        trial.elapsed.ms = ms;
        trial
    }

    fn rolled_back() -> Option<Verdict> {
        let refusal = Refusal::new(RefusalCode::CrashLoop, "");
        Some(Verdict::RollBack(report_error(refusal, jiff::Timestamp::UNIX_EPOCH)))
    }

    const FINE: Seen = Seen {
        in_place: InPlace::New,
        failed: false,
        only_start_limit: false,
        stopped: false,
        restarts: 0,
        reachable: None,
    };

    fn name(decision: &Decision) -> &'static str {
        match decision {
            Decision::RollBack(refusal) => refusal.code.as_str(),
            Decision::Wait => "wait",
            Decision::AwaitConfirmation => "await confirmation",
            Decision::Commit => "commit",
            Decision::FinishRollback => "finish the rollback",
            Decision::Discard => "discard",
            Decision::AskControlPlane => "ask",
            Decision::Inconclusive => "inconclusive",
            Decision::BeginAnew => "begin anew",
            Decision::Start => "start",
        }
    }

    #[test]
    fn the_watcher_judges() {
        const DEADLINE: u64 = 140_000;
        let crashing = Seen { restarts: 3, ..FINE };
        let dead = Seen { failed: true, restarts: 3, ..FINE };
        let stopped_by_others = Seen { failed: true, only_start_limit: true, ..FINE };
        let reaches = |reachable| Seen { reachable: Some(reachable), ..FINE };
        for (sentence, trial, seen, expected) in [
            ("a young trial has time", trial(), FINE, "wait"),
            ("two crashes may be bad luck", trial(), Seen { restarts: 2, ..FINE }, "wait"),
            ("three crashes are a verdict", trial(), crashing, "crash_loop"),
            ("a service systemd gave up on is a verdict", trial(), dead, "crash_loop"),
            ("restarts by other tools are not crashes", trial(), stopped_by_others, "start"),
            (
                "a start limit reached by crashes is a crash loop",
                trial(),
                Seen { restarts: 3, ..stopped_by_others },
                "crash_loop",
            ),
            ("what was stopped is started", trial(), Seen { stopped: true, ..FINE }, "start"),
            (
                "a person's absence does not keep it stopped",
                Trial { healthy: true, ..trial() },
                Seen { stopped: true, ..FINE },
                "start",
            ),
            ("just before the deadline nothing is asked", lasted(DEADLINE - 1), FINE, "wait"),
            ("at the deadline the control plane is asked first", lasted(DEADLINE), FINE, "ask"),
            ("silence is its fault when others get through", lasted(DEADLINE), reaches(true), "never_synced"),
            ("silence is nobody's fault in a blackout", lasted(DEADLINE), reaches(false), "inconclusive"),
            (
                "after a blackout the time begins anew",
                Trial { inconclusive: true, ..lasted(DEADLINE) },
                reaches(true),
                "begin anew",
            ),
            (
                "a blackout goes on",
                Trial { inconclusive: true, ..lasted(DEADLINE) },
                reaches(false),
                "inconclusive",
            ),
            (
                "a blackout does not excuse a crash loop",
                Trial { inconclusive: true, ..lasted(DEADLINE) },
                dead,
                "crash_loop",
            ),
            (
                "one that syncs but never stays up is bad",
                Trial { synced: true, ..lasted(DEADLINE) },
                FINE,
                "unstable",
            ),
            (
                "one that waits for a person may wait",
                Trial { healthy: true, ..lasted(u64::MAX) },
                FINE,
                "wait",
            ),
            (
                "one that waits for a person may not crash",
                Trial { healthy: true, ..trial() },
                dead,
                "crash_loop",
            ),
            ("no swap, no trial", trial(), Seen { in_place: InPlace::Old, ..dead }, "discard"),
            (
                "what others put there is theirs",
                trial(),
                Seen { in_place: InPlace::Other, ..FINE },
                "discard",
            ),
            (
                "a binary that broke its own file is still rolled back",
                trial(),
                Seen { in_place: InPlace::Other, ..dead },
                "crash_loop",
            ),
            (
                "a verdict is final, whatever is seen",
                Trial { verdict: rolled_back(), ..trial() },
                Seen { in_place: InPlace::Old, ..FINE },
                "finish the rollback",
            ),
            ("a commit is final too", Trial { verdict: Some(Verdict::Commit), ..trial() }, dead, "commit"),
        ] {
            assert_eq!(name(&by_watcher(&trial, seen)), expected, "{sentence}");
        }
    }

    #[test]
    fn the_binary_on_trial_judges_itself() {
        let up = |up_ms| OnTrial { up_ms, intent: Some(Intent::Apply) };
        let told = |intent| OnTrial { up_ms: 60_000, intent: Some(intent) };
        let synced = || Trial { synced: true, ..trial() };
        let manual = || Trial { confirm: Confirm::Manual, ..synced() };
        for (sentence, trial, known, expected) in [
            ("without a sync it never commits", trial(), up(u64::MAX), "wait"),
            ("with a sync it still has to stay up", synced(), up(59_999), "wait"),
            ("a sync and the whole window commit", synced(), up(60_000), "commit"),
            (
                "no answer is needed after the first",
                synced(),
                OnTrial { up_ms: 60_000, intent: None },
                "commit",
            ),
            ("a person may want the last word", manual(), up(60_000), "await confirmation"),
            ("the person said complete", manual(), told(Intent::Complete), "commit"),
            (
                "complete does not replace health",
                manual(),
                OnTrial { up_ms: 1, intent: Some(Intent::Complete) },
                "wait",
            ),
            (
                "health proven before a restart stays proven",
                Trial { healthy: true, ..manual() },
                OnTrial { up_ms: 1, intent: Some(Intent::Complete) },
                "commit",
            ),
            ("a person wants it back", synced(), told(Intent::Rollback), "rollback_requested"),
            ("too late to abandon", synced(), told(Intent::Abandon), "commit"),
            (
                "it does not overrule a verdict",
                Trial { verdict: rolled_back(), ..synced() },
                up(u64::MAX),
                "finish the rollback",
            ),
            (
                "nor does a person",
                Trial { verdict: Some(Verdict::Commit), ..synced() },
                told(Intent::Rollback),
                "commit",
            ),
        ] {
            assert_eq!(name(&by_itself(&trial, known)), expected, "{sentence}");
        }
    }

    #[test]
    fn a_long_window_does_not_give_a_mute_release_a_long_life() {
        let endless = Trial { health_window_ms: u64::MAX, ..trial() };
        assert_eq!(deadline_ms(&endless), FIRST_SYNC_MS + GRACE_MS);
        assert_eq!(deadline_ms(&Trial { synced: true, ..endless }), u64::MAX);
    }
}
