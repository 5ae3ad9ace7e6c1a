//! The upgrade in hand: the thread that carries it out, what its end means, and how that end is remembered.

use std::thread::{self, Scope, ScopedJoinHandle};

use novacula_protocol::spec::{PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{LogLine, ReportError};
use novacula_protocol::{LogLevel, Refusal, RefusalCode, Stage, Status};

use super::on_trial::{arm_if_supervised, restart};
use super::{Agent, Course, LAST_SYNC_LIMIT, RestartDue, identity_of, say_not_now};
use crate::error::{Error, chain, printable};
use crate::host::dice;
use crate::upgrade::admit::Admitted;
use crate::upgrade::hand::Hand;
use crate::upgrade::trial::{EndedAttempt, LockedRecords, find, report_error};
use crate::upgrade::{self, Done, Means};

/// The upgrade in hand and the thread that carries it out.
pub(super) struct InHand<'scope> {
    pub(super) hand: Hand,
    pub(super) header: SpecHeader,
    path: ScopedJoinHandle<'scope, ()>,
}

impl Course<'_> {
    /// There is nothing to do and nothing to tell.
    pub(super) fn is_idle(&self) -> bool {
        self.in_hand.is_none()
            && self.trial.is_none()
            && self.telling.is_none()
            && self.paused.is_none()
            && self.preflight.is_empty()
    }
}

impl Agent<'_> {
    pub(super) fn start<'scope>(
        &'scope self,
        course: &mut Course<'scope>,
        scope: &'scope Scope<'scope, '_>,
        admitted: Admitted,
        left_ms: u64,
    ) {
        if (self.clock.ticks_ms)() < course.retry_at_ms {
            return;
        }
        course.lines.clear();
        let header = admitted.spec().header.clone();
        let hand = Hand::take(&header, admitted.spec().size, left_ms, course.bell.clone(), self.clock);
        let means = Means {
            build: self.build,
            places: self.places,
            records: self.records,
            keys: self.keys,
            control_plane: self.control_plane,
            allow_plain_http: self.config.control_plane.allow_plain_http,
            bytes_per_second: self.config.max_bytes_per_second,
            clock: self.clock,
            reported: true,
            arm: arm_if_supervised,
        };
        let spawned = thread::Builder::new().name("upgrade".to_owned()).spawn_scoped(scope, {
            let hand = hand.clone();
            move || hand.end(upgrade::carry_out(&admitted, &means, &hand))
        });
        match spawned {
            Ok(path) => course.in_hand = Some(InHand { hand, header, path }),
            Err(e) => log::error!("cannot start a thread for the upgrade: {e}"),
        }
    }

    pub(super) fn look_at_hand<'scope>(
        &'scope self,
        course: &mut Course<'scope>,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Option<RestartDue>, Error> {
        let Some(in_hand) = &course.in_hand else { return Ok(None) };
        // Looked at before the outcome, which is there before the thread is finished, unless it panicked.
        let is_finished = in_hand.path.is_finished();
        let Some(outcome) = in_hand.hand.outcome() else {
            return match is_finished {
                true => Err(Error::host("the upgrade ended without an outcome; starting again")),
                false => Ok(None),
            };
        };
        if matches!(outcome, Ok(Done::Swapped)) {
            self.sync(course, scope, LAST_SYNC_LIMIT);
            return Ok(Some(restart()));
        }
        let (header, report) = (in_hand.header.clone(), in_hand.hand.report());
        course.in_hand = None;
        if let Err(Error::NotNow(reason)) = &outcome {
            course.retry.failed(None);
            let pause_ms = course.retry.wait_ms(self.config.sync_interval_ms, false, dice());
            course.retry_at_ms = (self.clock.ticks_ms)() + pause_ms;
            // What was fetched is kept for the next try, and swept when there is none.
            course.unswept = true;
            say_not_now(course, reason);
            return Ok(None);
        }
        course.retry.succeeded();
        course.said_not_now.clear();
        course.lines = report.log;
        let (stage, error) = match outcome {
            Ok(Done::Swapped | Done::Validated) => (Stage::Verify, None),
            Err(Error::Refused(refusal)) => (Stage::Failed, Some(self.said(course, &header, refusal))),
            Err(Error::Host(error)) => {
                (Stage::Failed, Some(self.said(course, &header, error.into_refusal())))
            }
            Err(Error::Abandoned | Error::NotNow(_)) => (Stage::Abandoned, None),
        };
        let bytes = (report.bytes_done, report.bytes_total);
        self.end(course, EndedAttempt { bytes, ..self.ended(&header, stage, error) });
        Ok(None)
    }

    pub(super) fn refuse(&self, course: &mut Course<'_>, header: &SpecHeader, refusal: Refusal) {
        let error = Some(self.said(course, header, refusal));
        self.end(course, self.ended(header, Stage::Failed, error));
    }

    /// A refusal goes into the log of this host and into the log of the upgrade.
    fn said(&self, course: &mut Course<'_>, header: &SpecHeader, refusal: Refusal) -> ReportError {
        let at = (self.clock.wall)();
        let message = printable(&format!("the upgrade to {} is refused: {refusal}", header.target_version));
        log::error!("{message}");
        course.lines.push(LogLine { at, level: LogLevel::Error, message });
        report_error(refusal, at)
    }

    pub(super) fn refuse_unreadable(&self, course: &mut Course<'_>, value: serde_json::Value) {
        let Some((upgrade_id, attempt)) = identity_of(&value) else {
            return say_not_now(
                course,
                "the pending upgrade cannot be read and names no upgradeId and attempt",
            );
        };
        let known = self.records.ended().unwrap_or_default();
        if let Some(ended) = find(&known, &upgrade_id, attempt) {
            course.telling = Some(ended.clone());
            return;
        }
        if course.trial.is_some() || course.in_hand.is_some() {
            return;
        }
        // Read once more as what it claims to be, for the sentence that names the field.
        let found = match serde_json::from_value::<PendingUpgrade>(value) {
            Err(e) => e.to_string(),
            Ok(_) => "it contradicts itself".to_owned(),
        };
        let refusal =
            Refusal::new(RefusalCode::InvalidSpec, printable(&format!("the spec cannot be read: {found}")));
        log::error!("an upgrade is refused: {refusal}");
        let at = (self.clock.wall)();
        let error = Some(report_error(refusal, at));
        let (stage, status) = (Stage::Failed, Status::Failed);
        let (from_version, target_version, bytes, swapped, untold) = (None, None, (0, 0), false, true);
        self.end(
            course,
            EndedAttempt {
                upgrade_id,
                attempt,
                from_version,
                target_version,
                stage,
                status,
                bytes,
                error,
                swapped,
                untold,
                at,
            },
        );
    }

    pub(super) fn ended(
        &self,
        header: &SpecHeader,
        stage: Stage,
        error: Option<ReportError>,
    ) -> EndedAttempt {
        let status = if stage == Stage::Failed { Status::Failed } else { Status::Completed };
        EndedAttempt::of(header, stage, status, error, (self.clock.wall)())
    }

    /// Remembers an end, then tells it at once. The memory is what counts: where the disk is too full for it, this
    /// process keeps it until there is room, so that the attempt is not tried again meanwhile.
    pub(super) fn end(&self, course: &mut Course<'_>, ended: EndedAttempt) {
        course.unwritten.push(ended.clone());
        self.write_ends(course);
        course.telling = Some(ended);
        self.ring(course);
    }

    /// Writes the ends that could not be written before.
    pub(super) fn write_ends(&self, course: &mut Course<'_>) {
        if course.unwritten.is_empty() {
            return;
        }
        let written = self.records.lock().and_then(|mut records| {
            course.unwritten.iter().try_for_each(|ended| records.remember(ended.clone()))
        });
        match written {
            Ok(()) => course.unwritten.clear(),
            Err(e) => log::error!("{}", chain(&e)),
        }
    }

    pub(super) fn note(
        &self,
        needed: bool,
        change: impl FnOnce(&mut LockedRecords<'_>) -> Result<(), Error>,
    ) {
        if needed && let Err(e) = self.records.lock().and_then(|mut records| change(&mut records)) {
            log::error!("{}", chain(&e));
        }
    }
}
