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
            r#type: "agent".into(),
            from_version: "1.0.0".parse().unwrap(),
            target_version: "1.1.0".parse().unwrap(),
            hops_to: None,
            direction: Direction::Upgrade,
            confirm_start: Confirm::Auto,
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
            deadline: None,
            overdue: false,
            started_by: None,
            forced: false,
            plan_id: None,
            approval: None,
            validation: None,
            waits_for: None,
            actions: Vec::new(),
            offered_at: Some(at(0)),
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
        let stray =
            UpgradeReport { upgrade_id: id.into(), attempt, ..report(Stage::Completed, Status::Completed) };
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
fn every_stage_has_a_deadline_but_where_a_person_is_awaited() {
    use Stage::*;
    use Status::{Failed as Bad, Paused, Underway};
    let fits = |_: &mut Upgrade| {};
    let by_hand = |upgrade: &mut Upgrade| upgrade.shown.confirm = Confirm::Manual;
    let told = |upgrade: &mut Upgrade| {
        upgrade.shown.confirm = Confirm::Manual;
        upgrade.shown.intent = Intent::Complete;
    };
    let long = |upgrade: &mut Upgrade| upgrade.shown.health_window_ms = 3_600_000;
    type Row = (&'static str, Stage, Status, fn(&mut Upgrade), Option<i64>);
    let rows: &[Row] = &[
        ("picked up", ConfirmStart, Underway, fits, Some(300)),
        ("paused before it began", ConfirmStart, Paused, fits, None),
        ("at the checks", Preflight, Underway, fits, Some(300)),
        ("no new bytes", Download, Underway, fits, Some(900)),
        ("paused in the middle", Download, Paused, fits, None),
        ("a pause was asked for", Download, Underway, |u| u.shown.intent = Intent::Pause, None),
        ("at the signature", Verify, Underway, fits, Some(860)),
        ("swapping", Swap, Underway, fits, Some(860)),
        ("swapping, with a long window", Swap, Underway, long, Some(860)),
        ("coming up", Restart, Underway, fits, Some(260)),
        (
            "coming up, with a short window",
            Restart,
            Underway,
            |u| u.shown.health_window_ms = 1_000,
            Some(142),
        ),
        ("on trial", CheckHealth, Underway, fits, Some(260)),
        ("on trial, with a long window", CheckHealth, Underway, long, Some(7_340)),
        ("on its way back", CheckHealth, Bad, fits, Some(260)),
        ("healthy, and nobody is asked", ConfirmCompletion, Underway, fits, Some(300)),
        ("healthy, and a person is asked", ConfirmCompletion, Underway, by_hand, None),
        ("healthy, and a person has said so", ConfirmCompletion, Underway, told, Some(300)),
    ];
    for (sentence, stage, status, change, limit) in rows {
        let mut upgrade = after(&[(*stage, *status)]);
        change(&mut upgrade);
        let Some(seconds) = limit else {
            assert_eq!(time_out(&upgrade, at(10), 5_000, at(9_000_000)), None, "{sentence}");
            continue;
        };
        let due = 10 + seconds + 4 * 5;
        assert_eq!(time_out(&upgrade, at(10), 5_000, at(due - 1)), None, "{sentence}");
        let ended = time_out(&upgrade, at(10), 5_000, at(due)).expect(sentence).shown;
        let error = ended.error.unwrap();
        assert_eq!((error.code.as_str(), error.stage), (TIMED_OUT, *stage), "{sentence}");
        assert_eq!((ended.stage, ended.state), (Failed, Progress::Error), "{sentence}");
        assert_eq!(ended.ended_at, Some(at(due)), "{sentence}");
    }
    assert_eq!(time_out(&requested(), at(0), 5_000, at(9_000_000)), None, "that is the TTL's");
    for stage in Stage::ALL.into_iter().filter(|stage| stage.is_end()) {
        assert_eq!(time_out(&after(&[(stage, Bad)]), at(0), 5_000, at(9_000_000)), None, "{stage}");
    }
}

#[test]
fn the_time_of_a_stage_begins_anew_with_news_and_with_nothing_else() {
    let underway = after(&[(Stage::Download, Status::Underway)]);
    let more = |bytes_done| UpgradeReport { bytes_done, ..report(Stage::Download, Status::Underway) };
    let further = absorb(&underway, &more(10), at(20));
    assert!(has_moved(&underway, &further));
    assert!(!has_moved(&further, &absorb(&further, &more(10), at(30))), "the same again");
    assert!(!has_moved(&further, &absorb(&further, &more(3), at(30))), "bytes that were there already");
    assert!(has_moved(&further, &absorb(&further, &report(Stage::Verify, Status::Underway), at(30))));
    assert!(has_moved(
        &requested(),
        &absorb(&requested(), &report(Stage::ConfirmStart, Status::Unstarted), at(1))
    ));
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

    let picked_up = after(&[(Stage::Download, Status::Underway)]);
    let timed_out = time_out(&picked_up, at(10), 5_000, at(9_000)).unwrap();
    assert_eq!(absorb(&timed_out, &report(Stage::Swap, Status::Underway), at(9_001)), timed_out);
    let completed = absorb(&timed_out, &report(Stage::Completed, Status::Completed), at(9_002));
    assert_eq!((completed.shown.state, completed.shown.error), (Progress::Completed, None));
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
fn it_is_offered_from_its_turn_until_it_lapses_or_ends() {
    let mut waiting = requested();
    waiting.shown.offered_at = None;
    assert!(!waiting.is_offered(at(10)));
    let offered = offer(&waiting, 10_000, at(10));
    assert!(offered.is_offered(at(10)) && offered.is_offered(at(19)));
    assert!(!offered.is_offered(at(20)));
    assert!(!withdraw(&offered, at(15)).unwrap().is_offered(at(15)));
    let picked_up = absorb(&offered, &report(Stage::Preflight, Status::Underway), at(12));
    assert!(picked_up.is_offered(at(2_000)));
    assert!(!after(&[(Stage::Completed, Status::Completed)]).is_offered(at(11)));
}

#[test]
fn reports_in_any_order_never_move_an_upgrade_back() {
    let seed = std::env::var("NOVACULA_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| {
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
        for second in 0..40 {
            let before = upgrade.clone();
            let mut said = report(Stage::ALL[next(12)], Status::ALL[next(6)]);
            said.attempt = upgrade.shown.attempt - 1 + [0, 1, 1, 1, 2][next(5)] as u32;
            upgrade = match next(12) {
                0 => lapse(&upgrade, at(880 + second)).unwrap_or(upgrade),
                1 => time_out(&upgrade, at(0), 5_000, at(300 + 30 * second)).unwrap_or(upgrade),
                2 => withdraw(&upgrade, at(second)).unwrap_or(upgrade),
                3 => offer(&upgrade, 900_000, at(second)),
                4 => steer(&upgrade, ASKS[next(ASKS.len())], at(second)).unwrap_or(upgrade),
                _ => {
                    let moved = absorb(&upgrade, &said, at(second));
                    let again = absorb(&moved, &said, at(second + 1));
                    assert_eq!(again, moved, "seed {seed}: said twice {said:?}");
                    may_follow(&before, &moved).unwrap_or_else(|why| {
                        panic!("seed {seed}: {why}: {before:?}, then {said:?}, then {moved:?}")
                    });
                    moved
                }
            };
            assert!(upgrade.shown.attempt >= before.shown.attempt, "seed {seed}: an attempt came back");
            let is_sound = upgrade.is_open() != upgrade.shown.stage.is_end();
            assert!(is_sound, "seed {seed}: {upgrade:?} after {before:?}");
        }
    }
}

/// Whether a report may have made `after` of `before`.
fn may_follow(before: &Upgrade, after: &Upgrade) -> Result<(), &'static str> {
    let place = |u: &Upgrade| position(u.shown.stage, u.shown.status);
    let was_final = !before.is_open() && !before.ended_by_server;
    if was_final && after != before {
        return Err("a final end moved");
    }
    if after.shown.attempt > before.shown.attempt {
        return if before.is_dry_run() { Ok(()) } else { Err("a report began a new attempt") };
    }
    if !before.is_open() && after.is_open() && after.shown.stage != Stage::ConfirmCompletion {
        return Err("what was given up came back by itself");
    }
    if before.is_open() && before.is_picked_up() && place(after) < place(before) {
        return Err("it went back");
    }
    Ok(())
}

const ASKS: [Ask; 10] = [
    Ask::Start,
    Ask::Validate,
    Ask::Pause,
    Ask::Continue,
    Ask::Retry,
    Ask::Reschedule,
    Ask::Rollback,
    Ask::Abandon,
    Ask::AbandonUnstarted,
    Ask::Complete,
];
