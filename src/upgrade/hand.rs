//! The upgrade in hand, between the thread that carries it out and the loop that syncs: one tells, one steers.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use novacula_protocol::spec::{Intent, SpecHeader};
use novacula_protocol::sync::{LogLine, UpgradeReport};
use novacula_protocol::{LogLevel, RefusalCode, Stage, Status};

use super::Done;
use crate::error::{Error, printable};
use crate::host::Clock;

/// More lines than this are not kept for a control plane that does not answer.
const LINES_KEPT: usize = 200;

/// How often a pause looks whether it has expired.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(1);

/// Both ends of the upgrade in hand.
#[derive(Clone)]
pub struct Hand {
    shared: Arc<Shared>,
    bell: Sender<()>,
    clock: Clock,
}

struct Shared {
    state: Mutex<State>,
    steered: Condvar,
}

struct State {
    report: UpgradeReport,
    intent: Intent,
    /// On the ticking clock.
    expires_at_ms: u64,
    outcome: Option<Result<Done, Error>>,
}

impl Hand {
    /// Takes an upgrade in hand. `bell` rings at every change that is worth a sync. `left_ms` is the time until the
    /// spec expires.
    #[must_use]
    pub fn take(header: &SpecHeader, bytes_total: u64, left_ms: u64, bell: Sender<()>, clock: Clock) -> Self {
        let report = UpgradeReport {
            upgrade_id: header.upgrade_id.clone(),
            attempt: header.attempt,
            stage: Stage::Preflight,
            status: Status::Underway,
            bytes_done: 0,
            bytes_total,
            error: None,
            log: Vec::new(),
        };
        let expires_at_ms = (clock.ticks_ms)().saturating_add(left_ms);
        let state = Mutex::new(State { report, intent: header.intent, expires_at_ms, outcome: None });
        Self { shared: Arc::new(Shared { state, steered: Condvar::new() }), bell, clock }
    }

    /// What to tell the control plane.
    #[must_use]
    pub fn report(&self) -> UpgradeReport {
        self.state().report.clone()
    }

    /// The control plane has these many lines of the log.
    pub fn acknowledged(&self, lines: usize) {
        let mut state = self.state();
        let lines = lines.min(state.report.log.len());
        state.report.log.drain(..lines);
    }

    /// The control plane offers the same attempt again, with what it wants now and the time left until it expires.
    pub fn steer(&self, intent: Intent, left_ms: u64) {
        let mut state = self.state();
        state.intent = intent;
        state.expires_at_ms = (self.clock.ticks_ms)().saturating_add(left_ms);
        drop(state);
        self.shared.steered.notify_all();
    }

    /// The path came to its end.
    pub fn end(&self, outcome: Result<Done, Error>) {
        self.state().outcome = Some(outcome);
        self.ring();
    }

    /// How the path came to its end, once.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Done, Error>> {
        self.state().outcome.take()
    }

    /// The path came to its end and nobody has looked at it yet.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state().outcome.is_some()
    }

    /// The path goes on to `stage`.
    pub fn enter(&self, stage: Stage) {
        let mut state = self.state();
        (state.report.stage, state.report.status) = (stage, Status::Underway);
        drop(state);
        self.ring();
    }

    /// One line for the log of this upgrade, and for the log of this host.
    pub fn say(&self, level: LogLevel, message: impl Into<String>) {
        let message = printable(&message.into());
        match level {
            LogLevel::Error => log::error!("{message}"),
            LogLevel::Warning => log::warn!("{message}"),
            LogLevel::Info | LogLevel::Success => log::info!("{message}"),
        }
        let mut state = self.state();
        if state.report.log.len() < LINES_KEPT {
            state.report.log.push(LogLine { at: (self.clock.wall)(), level, message });
        }
    }

    /// The ticking clock, in ms.
    #[must_use]
    pub fn ticks_ms(&self) -> u64 {
        (self.clock.ticks_ms)()
    }

    /// So much of the artifact is here.
    pub fn bytes(&self, done: u64) {
        self.state().report.bytes_done = done;
    }

    /// What the control plane wants now.
    #[must_use]
    pub fn intent(&self) -> Intent {
        self.state().intent
    }

    /// Stops here while the intent is to pause.
    ///
    /// # Errors
    /// [`Error::Abandoned`] when it is to abandon; `stale_spec` when the spec has expired meanwhile.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let mut state = self.state();
        if state.intent == Intent::Pause {
            state.report.status = Status::Paused;
            self.ring();
            // A pause lasts while it is offered: one that nobody offers any more must not hold the host for ever.
            while state.intent == Intent::Pause && self.ticks_ms() < state.expires_at_ms {
                let woken = self.shared.steered.wait_timeout(state, LOOK_AT_THE_CLOCK);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
            state.report.status = Status::Underway;
            self.ring();
        }
        match state.intent {
            Intent::Abandon | Intent::Rollback => Err(Error::Abandoned),
            _ if (self.clock.ticks_ms)() >= state.expires_at_ms => Err(Error::refused(
                RefusalCode::StaleSpec,
                "the spec must not expire before the swap, it did, and was not offered again",
            )),
            _ => Ok(()),
        }
    }

    fn ring(&self) {
        // Nobody listens any more only when the process is about to end.
        let _ = self.bell.send(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use novacula_protocol::spec::{Confirm, Direction};

    use super::*;

    fn hand() -> (Hand, std::sync::mpsc::Receiver<()>) {
        let header = SpecHeader {
            upgrade_id: "u".to_owned(),
            attempt: 1,
            intent: Intent::Apply,
            from_version: semver::Version::new(1, 0, 0),
            target_version: semver::Version::new(1, 1, 0),
            direction: Direction::Upgrade,
            confirm: Confirm::Auto,
            health_window_ms: 1,
            expires_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let (bell, listen) = channel();
        let clock = Clock { wall: || jiff::Timestamp::UNIX_EPOCH, ticks_ms: || 0 };
        (Hand::take(&header, 10, 1_000, bell, clock), listen)
    }

    #[test]
    fn a_pause_holds_the_path_until_it_is_lifted() {
        let (hand, listen) = hand();
        hand.steer(Intent::Pause, 1_000);
        let path = thread::spawn({
            let hand = hand.clone();
            move || hand.checkpoint().is_ok()
        });
        listen.recv().unwrap();
        assert_eq!(hand.report().status, Status::Paused);
        hand.steer(Intent::Apply, 1_000);
        assert!(path.join().unwrap());
        assert_eq!(hand.report().status, Status::Underway);
    }

    #[test]
    fn a_paused_upgrade_can_be_abandoned() {
        let (hand, listen) = hand();
        hand.steer(Intent::Pause, 1_000);
        let path = thread::spawn({
            let hand = hand.clone();
            move || matches!(hand.checkpoint(), Err(Error::Abandoned))
        });
        listen.recv().unwrap();
        hand.steer(Intent::Abandon, 1_000);
        assert!(path.join().unwrap());
    }

    #[test]
    fn a_spec_that_expires_on_the_way_is_stale_unless_it_is_offered_again() {
        let (hand, _listen) = hand();
        hand.steer(Intent::Apply, 0);
        let Err(Error::Refused(refusal)) = hand.checkpoint() else { panic!("not refused") };
        assert_eq!(refusal.code, RefusalCode::StaleSpec);
        hand.steer(Intent::Apply, 1);
        assert!(hand.checkpoint().is_ok());
    }

    #[test]
    fn only_acknowledged_lines_are_dropped() {
        let (hand, _listen) = hand();
        hand.say(LogLevel::Info, "one");
        let sent = hand.report().log.len();
        hand.say(LogLevel::Info, "two\x1b[0m");
        hand.acknowledged(sent);
        let left: Vec<_> = hand.report().log.into_iter().map(|line| line.message).collect();
        assert_eq!(left, ["two?[0m"]);
    }
}
