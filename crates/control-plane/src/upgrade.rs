//! Pure: the rules of one upgrade. Reports arrive late, twice and in any order; an upgrade only ever moves forward.
//!
//! ```text
//! CONFIRM_START ─▶ … ─▶ CONFIRM_COMPLETION ─▶ COMPLETED | ROLLEDBACK | ABANDONED | FAILED   (said by the executor: final)
//!       └────────── not picked up in time ──▶ FAILED `lapsed`                               (said by the server: until
//!                                                                                            the executor says an end)
//! ```

use jiff::Timestamp;
use novacula_protocol::people::{self, Artifact};
use novacula_protocol::spec::{AgentUpgradeSpec, PendingUpgrade, SpecHeader};
use novacula_protocol::sync::{ReportError, UpgradeReport};
use novacula_protocol::{Progress, Stage, Status};
use uuid::Uuid;

/// The code of an upgrade that nobody picked up in time.
pub const LAPSED: &str = "lapsed";

/// One upgrade, with what people do not see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// Whose.
    pub account_id: Uuid,
    /// The end is the server's guess; what the executor says later counts more.
    pub ended_by_server: bool,
    /// What is offered, as it was when it was requested.
    pub artifact: Artifact,
    /// What people see.
    pub shown: people::Upgrade,
}

impl Upgrade {
    /// It has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shown.ended_at.is_none()
    }

    /// The executor has said something about it.
    #[must_use]
    pub fn is_picked_up(&self) -> bool {
        self.shown.started_at.is_some()
    }

    /// The executor shall hear of it: due, not ended, and in time unless it is already at work.
    #[must_use]
    pub fn is_offered(&self, now: Timestamp) -> bool {
        self.is_open()
            && self.shown.scheduled_at <= now
            && (self.is_picked_up() || now < self.shown.expires_at)
    }

    /// The spec, for an executor that fetches from `download_url`. The TTL limits the pick-up only: to an executor
    /// that is at work on it the spec stays fresh until `fresh_until`, however slow its link is.
    #[must_use]
    pub fn spec(&self, download_url: String, fresh_until: Timestamp) -> PendingUpgrade {
        let shown = &self.shown;
        let expires_at = match self.is_picked_up() {
            true => shown.expires_at.max(fresh_until),
            false => shown.expires_at,
        };
        PendingUpgrade::Agent(AgentUpgradeSpec {
            header: SpecHeader {
                upgrade_id: shown.id.clone(),
                attempt: shown.attempt,
                intent: shown.intent,
                from_version: shown.from_version.clone(),
                target_version: shown.target_version.clone(),
                direction: shown.direction,
                confirm: shown.confirm,
                health_window_ms: shown.health_window_ms,
                expires_at,
            },
            download_url,
            size: self.artifact.size,
            sha256: self.artifact.sha256.clone(),
            signature: self.artifact.signature.clone(),
        })
    }

    fn move_to(&mut self, stage: Stage, status: Status) {
        self.shown.stage = stage;
        self.shown.status = status;
        self.shown.state = Progress::of(stage);
    }
}

/// The upgrade after a report: moved forward, or as it was.
#[must_use]
pub fn absorb(upgrade: &Upgrade, report: &UpgradeReport, now: Timestamp) -> Upgrade {
    let mut after = upgrade.clone();
    if !is_about(report, upgrade) {
        return after;
    }
    if let Some(end) = end_of(report) {
        if upgrade.is_open() || upgrade.ended_by_server {
            after.move_to(end, status_at(end));
            after.ended_by_server = false;
            after.shown.error = report.error.clone();
            after.shown.started_at.get_or_insert(now);
            after.shown.ended_at = Some(now);
            take_bytes(&mut after, report);
        }
        return after;
    }
    if !upgrade.is_open() {
        return after;
    }
    after.shown.started_at.get_or_insert(now);
    let (here, there) =
        (position(upgrade.shown.stage, upgrade.shown.status), position(report.stage, report.status));
    if there < here {
        return after;
    }
    after.move_to(report.stage, report.status);
    // An executor that stamps the same trouble anew at every sync must not cost a durable write each time.
    if there > here || !is_same_trouble(upgrade.shown.error.as_ref(), report.error.as_ref()) {
        after.shown.error = report.error.clone();
    }
    take_bytes(&mut after, report);
    after
}

/// The upgrade after it was not picked up in time; `None` while that has not happened.
#[must_use]
pub fn lapse(upgrade: &Upgrade, now: Timestamp) -> Option<Upgrade> {
    if !upgrade.is_open() || upgrade.is_picked_up() || now < upgrade.shown.expires_at {
        return None;
    }
    let mut after = upgrade.clone();
    after.move_to(Stage::Failed, Status::Failed);
    after.ended_by_server = true;
    after.shown.ended_at = Some(now);
    after.shown.error = Some(ReportError {
        code: LAPSED.to_owned(),
        stage: Stage::ConfirmStart,
        message: format!(
            "the executor had to pick the upgrade up before {}, it did not; request it again when it is online",
            upgrade.shown.expires_at
        ),
        timestamp: now,
    });
    Some(after)
}

/// More than the bytes has changed: it must be durable before it is answered.
#[must_use]
pub fn is_durable_change(before: &Upgrade, after: &Upgrade) -> bool {
    let mut level = after.clone();
    level.shown.bytes_done = before.shown.bytes_done;
    level.shown.bytes_total = before.shown.bytes_total;
    level != *before
}

/// The report speaks of this attempt, not of an older one.
#[must_use]
pub fn is_about(report: &UpgradeReport, upgrade: &Upgrade) -> bool {
    report.upgrade_id == upgrade.shown.id && report.attempt == upgrade.shown.attempt
}

/// The end a report speaks of. A stage up to VERIFY that failed is one too, whatever word stands there: nothing was
/// swapped, so nothing can follow. From SWAP on a failed stage is followed by the news of the rollback.
fn end_of(report: &UpgradeReport) -> Option<Stage> {
    match (report.stage, report.status) {
        (stage, _) if stage.is_end() => Some(stage),
        (_, Status::RolledBack) => Some(Stage::RolledBack),
        (stage, Status::Failed) if stage <= Stage::Verify => Some(Stage::Failed),
        _ => None,
    }
}

fn status_at(end: Stage) -> Status {
    match end {
        Stage::Completed | Stage::Abandoned => Status::Completed,
        Stage::RolledBack => Status::RolledBack,
        _ => Status::Failed,
    }
}

/// How far along: paused and underway are the same distance, since a person moves an upgrade between them.
fn position(stage: Stage, status: Status) -> (Stage, u8) {
    let within = match status {
        Status::Unstarted => 0,
        Status::Underway | Status::Paused => 1,
        Status::Completed | Status::RolledBack | Status::Failed => 2,
    };
    (stage, within)
}

fn is_same_trouble(known: Option<&ReportError>, reported: Option<&ReportError>) -> bool {
    let trouble = |e: &ReportError| (e.code.clone(), e.stage, e.message.clone());
    known.map(trouble) == reported.map(trouble)
}

fn take_bytes(after: &mut Upgrade, report: &UpgradeReport) {
    after.shown.bytes_done = after.shown.bytes_done.max(report.bytes_done);
    after.shown.bytes_total = after.shown.bytes_total.max(report.bytes_total);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use novacula_protocol::spec::{Confirm, Direction, Intent, Kind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    pub(crate) fn requested() -> Upgrade {
        Upgrade {
            account_id: Uuid::nil(),
            ended_by_server: false,
            artifact: Artifact {
                target: "x86_64-unknown-linux-musl".into(),
                size: 100,
                sha256: "ab".into(),
                signature: "sig".into(),
            },
            shown: people::Upgrade {
                id: "u1".into(),
                executor_id: "e1".into(),
                executor_name: "host-1".into(),
                kind: Kind::Agent,
                from_version: "1.0.0".parse().unwrap(),
                target_version: "1.1.0".parse().unwrap(),
                direction: Direction::Upgrade,
                confirm: Confirm::Auto,
                intent: Intent::Apply,
                attempt: 2,
                health_window_ms: 60_000,
                stage: Stage::ConfirmStart,
                status: Status::Unstarted,
                state: Progress::Pending,
                bytes_done: 0,
                bytes_total: 0,
                error: None,
                description: String::new(),
                requested_by: "owner".into(),
                created_at: at(0),
                scheduled_at: at(0),
                expires_at: at(900),
                started_at: None,
                ended_at: None,
                log: Vec::new(),
            },
        }
    }

    fn report(stage: Stage, status: Status) -> UpgradeReport {
        UpgradeReport {
            upgrade_id: "u1".into(),
            attempt: 2,
            stage,
            status,
            bytes_done: 0,
            bytes_total: 0,
            error: None,
            log: Vec::new(),
        }
    }

    fn after(reports: &[(Stage, Status)]) -> Upgrade {
        reports
            .iter()
            .fold(requested(), |upgrade, (stage, status)| absorb(&upgrade, &report(*stage, *status), at(10)))
    }

    #[test]
    fn reports_move_an_upgrade_forward_and_never_back() {
        use Stage::*;
        use Status::{Completed as Done, Failed as Bad, Paused, RolledBack as Undone, Underway, Unstarted};
        type Place = (Stage, Status);
        let rows: &[(&str, &[Place], Place)] = &[
            ("the first report is the pick-up", &[(ConfirmStart, Underway)], (ConfirmStart, Underway)),
            ("a later stage moves it", &[(Download, Underway), (Verify, Underway)], (Verify, Underway)),
            ("stages may be skipped", &[(CheckHealth, Underway)], (CheckHealth, Underway)),
            ("an earlier stage is late news", &[(Verify, Underway), (Download, Done)], (Verify, Underway)),
            ("an earlier status is late news", &[(Download, Done), (Download, Underway)], (Download, Done)),
            ("a pause shows", &[(Download, Underway), (Download, Paused)], (Download, Paused)),
            ("a pause ends", &[(Download, Paused), (Download, Underway)], (Download, Underway)),
            (
                "an unstarted stage is behind one underway",
                &[(Swap, Underway), (Swap, Unstarted)],
                (Swap, Underway),
            ),
            ("completed ends it", &[(Completed, Done)], (Completed, Done)),
            ("completed is final", &[(Completed, Done), (RolledBack, Undone)], (Completed, Done)),
            ("rolled back is final", &[(RolledBack, Undone), (Completed, Done)], (RolledBack, Undone)),
            ("failed is final", &[(Failed, Bad), (Completed, Done)], (Failed, Bad)),
            ("abandoned is final", &[(Abandoned, Done), (Completed, Done)], (Abandoned, Done)),
            ("nothing follows an end", &[(Failed, Bad), (Download, Underway)], (Failed, Bad)),
            ("a stage that failed before the swap is an end", &[(Verify, Bad)], (Failed, Bad)),
            ("a stage that failed on trial is not yet one", &[(CheckHealth, Bad)], (CheckHealth, Bad)),
            ("a stage undone is a rollback", &[(CheckHealth, Undone)], (RolledBack, Undone)),
        ];
        for (sentence, reports, expected) in rows {
            let upgrade = after(reports);
            assert_eq!((upgrade.shown.stage, upgrade.shown.status), *expected, "{sentence}");
            assert_eq!(upgrade.is_open(), !expected.0.is_end(), "{sentence}");
            assert!(upgrade.is_picked_up(), "{sentence}");
        }
    }

    #[test]
    fn a_report_on_another_upgrade_or_another_attempt_changes_nothing() {
        for (id, attempt) in [("u2", 2), ("u1", 1), ("u1", 3)] {
            let stray = UpgradeReport {
                upgrade_id: id.into(),
                attempt,
                ..report(Stage::Completed, Status::Completed)
            };
            assert_eq!(absorb(&requested(), &stray, at(1)), requested(), "{id} {attempt}");
        }
    }

    #[test]
    fn what_nobody_picked_up_lapses_when_its_time_is_over() {
        assert_eq!(lapse(&requested(), at(899)), None);
        let lapsed = lapse(&requested(), at(900)).unwrap();
        assert_eq!(lapsed.shown.error.as_ref().unwrap().code, LAPSED);
        assert_eq!((lapsed.shown.stage, lapsed.shown.state), (Stage::Failed, Progress::Error));
        assert_eq!(lapse(&lapsed, at(9_000)), None);
        assert_eq!(lapse(&after(&[(Stage::Preflight, Status::Underway)]), at(9_000)), None);
    }

    #[test]
    fn a_late_end_wins_over_the_servers_own_but_only_once() {
        let lapsed = lapse(&requested(), at(900)).unwrap();
        let underway = absorb(&lapsed, &report(Stage::Download, Status::Underway), at(901));
        assert_eq!(underway, lapsed);
        let completed = absorb(&lapsed, &report(Stage::Completed, Status::Completed), at(950));
        assert_eq!(completed.shown.stage, Stage::Completed);
        assert_eq!(completed.shown.error, None);
        let later = absorb(&completed, &report(Stage::RolledBack, Status::RolledBack), at(960));
        assert_eq!(later, completed);
    }

    #[test]
    fn bytes_alone_are_not_worth_a_durable_write() {
        let underway = after(&[(Stage::Download, Status::Underway)]);
        let more =
            UpgradeReport { bytes_done: 10, bytes_total: 100, ..report(Stage::Download, Status::Underway) };
        let moved = absorb(&underway, &more, at(11));
        assert_eq!(moved.shown.bytes_done, 10);
        assert!(!is_durable_change(&underway, &moved));
        assert!(is_durable_change(&requested(), &underway));
        let less = absorb(&moved, &report(Stage::Download, Status::Underway), at(12));
        assert_eq!(less.shown.bytes_done, 10);
    }

    #[test]
    fn it_is_offered_from_its_time_until_it_lapses_or_ends() {
        let scheduled = |from, until| {
            let mut upgrade = requested();
            upgrade.shown.scheduled_at = at(from);
            upgrade.shown.expires_at = at(until);
            upgrade
        };
        assert!(!scheduled(10, 20).is_offered(at(9)));
        assert!(scheduled(10, 20).is_offered(at(10)));
        assert!(!scheduled(10, 20).is_offered(at(20)));
        let picked_up = absorb(&scheduled(10, 20), &report(Stage::Preflight, Status::Underway), at(12));
        assert!(picked_up.is_offered(at(2_000)));
        assert!(!after(&[(Stage::Completed, Status::Completed)]).is_offered(at(11)));
    }

    #[test]
    fn reports_in_any_order_never_move_an_upgrade_back() {
        let seed =
            std::env::var("NOVACULA_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| {
                u64::from_le_bytes(
                    *crate::secrets::SecretHash::of(&crate::secrets::issue("").unwrap())
                        .0
                        .first_chunk::<8>()
                        .unwrap(),
                )
            });
        let mut state = seed | 1;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        for _ in 0..2_000 {
            let mut upgrade = requested();
            for second in 0..30 {
                let before = upgrade.clone();
                let mut said = report(Stage::ALL[next(12)], Status::ALL[next(6)]);
                said.attempt = [1, 2, 2, 2, 3][next(5)];
                upgrade = match next(10) {
                    0 => lapse(&upgrade, at(880 + second)).unwrap_or(upgrade),
                    _ => {
                        let moved = absorb(&upgrade, &said, at(second));
                        let again = absorb(&moved, &said, at(second + 1));
                        assert_eq!(again, moved, "seed {seed}: said twice {said:?}");
                        moved
                    }
                };
                let place = |u: &Upgrade| (!u.is_open(), !u.is_open() && !u.ended_by_server);
                assert!(place(&upgrade) >= place(&before), "seed {seed}: {before:?} then {said:?}");
                let moved = |u: &Upgrade| position(u.shown.stage, u.shown.status);
                if !before.is_open() && !before.ended_by_server {
                    assert_eq!(upgrade, before, "seed {seed}: a final end moved after {said:?}");
                } else if !before.ended_by_server {
                    assert!(moved(&upgrade) >= moved(&before), "seed {seed}: {before:?} then {said:?}");
                }
            }
        }
    }
}
