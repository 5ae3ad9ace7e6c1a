use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Selector, Wait, WaitCode};
use uuid::Uuid;

use super::{Calendar, Entries, LiveCalendar, Stop};
use crate::freeze::Freeze;
use crate::labels::Labels;
use crate::window::Window;

const ACCOUNT: Uuid = Uuid::from_u128(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ring(value: &str) -> Labels {
    Labels::from([("ring", value)])
}

fn only(value: &str) -> Selector {
    Selector { match_labels: ring(value).to_map(), ..Selector::default() }
}

fn window(name: &str, selector: Selector, cron: &str, zone: &str) -> Window {
    Window {
        id: Uuid::from_u128(2),
        account_id: ACCOUNT,
        name: name.into(),
        selector,
        cron: cron.into(),
        duration_ms: 3_600_000,
        zone: zone.into(),
        created_by: "owner".into(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn freeze(reason: &str, selector: Selector, from: &str, to: &str) -> Freeze {
    Freeze {
        id: Uuid::from_u128(3),
        account_id: ACCOUNT,
        reason: reason.into(),
        starts_at: at(from),
        ends_at: at(to),
        selector,
        zone: "Europe/Berlin".into(),
        created_by: "owner".into(),
        created_at: Timestamp::UNIX_EPOCH,
        ended: None,
    }
}

fn entries() -> Entries {
    Entries {
        revision: 1,
        windows: vec![
            window("nightly", Selector::default(), "0 2 * * *", "Europe/Berlin"),
            window("canary lunch", only("canary"), "0 12 * * *", "America/New_York"),
        ],
        freezes: vec![
            freeze("audit", only("prod"), "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"),
            freeze("year end", Selector::default(), "2026-12-20T00:00:00Z", "2027-01-01T23:00:00Z"),
            freeze("longer", only("prod"), "2026-12-20T00:00:00Z", "2027-01-10T23:00:00Z"),
        ],
    }
}

#[test]
fn a_stop_says_in_one_sentence_until_when_in_local_time_and_in_utc() {
    let calendar = Calendar::of(entries(), at("2026-11-01T00:00:00Z"));
    for (sentence, labels, now, expected) in [
        ("inside the window of everybody", ring("beta"), "2026-11-21T01:30:00Z", None),
        (
            "outside it",
            ring("beta"),
            "2026-11-21T02:00:00Z",
            Some(
                "outside its maintenance windows: `nightly` opens at 2026-11-22T02:00:00+01:00 in Europe/Berlin (2026-11-22T01:00:00Z)",
            ),
        ),
        (
            "a canary has two windows, and the next counts",
            ring("canary"),
            "2026-11-21T02:00:00Z",
            Some(
                "outside its maintenance windows: `canary lunch` opens at 2026-11-21T12:00:00-05:00 in America/New_York (2026-11-21T17:00:00Z)",
            ),
        ),
        ("one open window is enough", ring("canary"), "2026-11-21T17:00:00Z", None),
        (
            "a freeze wins over an open window",
            ring("prod"),
            "2026-11-21T01:30:00Z",
            Some("frozen until 2026-11-23T01:00:00+01:00 in Europe/Berlin (2026-11-23T00:00:00Z): audit"),
        ),
        ("its end does not belong to it", ring("prod"), "2026-11-24T01:30:00Z", None),
        (
            "of two freezes the one that ends last is told",
            ring("prod"),
            "2026-12-24T01:30:00Z",
            Some("frozen until 2027-01-11T00:00:00+01:00 in Europe/Berlin (2027-01-10T23:00:00Z): longer"),
        ),
        (
            "the other holds for everybody else",
            Labels::default(),
            "2026-12-24T01:30:00Z",
            Some("frozen until 2027-01-02T00:00:00+01:00 in Europe/Berlin (2027-01-01T23:00:00Z): year end"),
        ),
    ] {
        let stop = calendar.stops(ACCOUNT, &labels, at(now)).map(|stop| stop.to_string());
        assert_eq!(stop.as_deref(), expected, "{sentence}");
    }
    for (labels, code) in [(ring("prod"), WaitCode::Frozen), (ring("beta"), WaitCode::OutsideWindow)] {
        let stop = calendar.stops(ACCOUNT, &labels, at("2026-11-21T02:00:00Z")).unwrap();
        let wait = Wait::from(&stop);
        assert_eq!((wait.code, wait.message), (code, stop.to_string()), "what waits is told the same");
    }
    let elsewhere = calendar.stops(Uuid::from_u128(9), &ring("prod"), at("2026-12-24T12:00:00Z"));
    assert_eq!(elsewhere, None, "the calendar of one account is nothing to another");
}

#[test]
fn what_was_found_once_holds_whichever_way_the_clock_moves() {
    let kept = Calendar::of(entries(), at("2026-03-01T00:00:00Z"));
    let mut now = at("2026-03-27T00:00:00Z");
    let steps = [7, 61, -40, 3, 600, -1_441, 1_500, 30].map(SignedDuration::from_mins);
    for step in steps.iter().cycle().take(400) {
        let fresh = Calendar::of(entries(), at("2026-03-01T00:00:00Z"));
        for labels in [ring("canary"), ring("beta")] {
            assert_eq!(kept.stops(ACCOUNT, &labels, now), fresh.stops(ACCOUNT, &labels, now), "{now}");
        }
        now += *step;
    }
}

#[test]
fn a_window_whose_zone_is_gone_stays_shut_and_says_so() {
    let lost = Entries {
        windows: vec![window("old", Selector::default(), "0 2 * * *", "Mars/Olympus")],
        ..Entries::default()
    };
    let calendar = Calendar::of(lost, at("2026-11-01T00:00:00Z"));
    let stop = calendar.stops(ACCOUNT, &Labels::default(), at("2026-11-21T02:30:00Z")).unwrap();
    assert!(matches!(stop, Stop::OutsideWindow { opens_at: None, .. }));
    assert!(stop.to_string().contains("`old` does not open again"), "{stop}");
}

#[test]
fn a_late_copy_does_not_take_the_place_of_a_newer_one() {
    let now = at("2026-11-21T12:00:00Z");
    let live = LiveCalendar::of(Entries::default(), now);
    live.replace(Entries { revision: 7, ..entries() }, now);
    live.replace(Entries { revision: 5, ..Entries::default() }, now);
    assert!(live.read().stops(ACCOUNT, &Labels::default(), now).is_some());
    live.replace(Entries { revision: 8, ..Entries::default() }, now);
    assert!(live.read().stops(ACCOUNT, &Labels::default(), now).is_none());
}
