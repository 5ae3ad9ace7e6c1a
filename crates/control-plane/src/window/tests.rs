use jiff::{SignedDuration, Timestamp, ToSpan as _, civil};

use super::schedule::{DURATION_MS, NoSchedule, Schedule};
use super::{Named, closes_at, is_open, next, zone};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(cron: &str, minutes: u64, zone: &str) -> Schedule {
    Schedule::read(cron, minutes * MINUTE_MS, zone, at("2026-01-01T00:00:00Z")).unwrap()
}

fn named(schedule: &Schedule) -> [Named<'_>; 1] {
    [Named { name: "w", schedule }]
}

/// The openings after an instant, as `local (UTC) +minutes`.
fn openings(cron: &str, minutes: u64, zone: &str, after: &str) -> Vec<String> {
    let schedule = schedule(cron, minutes, zone);
    let shown = next(&named(&schedule), at(after), 3).into_iter().map(|opening| {
        let minutes = opening.closes_at.duration_since(opening.opens_at).as_mins();
        assert_eq!(opening.zone, zone);
        format!("{} ({}) +{minutes}", opening.opens_at_local, opening.opens_at)
    });
    shown.collect()
}

#[test]
fn a_window_opens_when_the_clocks_of_its_zone_say_so_across_both_changes() {
    for (sentence, (cron, minutes, zone), after, expected) in [
        (
            "Berlin, summer begins: half past two is jumped over, so it opens when the jump is done",
            ("30 2 * * *", 60, "Europe/Berlin"),
            "2026-03-28T00:00:00Z",
            [
                "2026-03-28T02:30:00+01:00 (2026-03-28T01:30:00Z) +60",
                "2026-03-29T03:00:00+02:00 (2026-03-29T01:00:00Z) +60",
                "2026-03-30T02:30:00+02:00 (2026-03-30T00:30:00Z) +60",
            ],
        ),
        (
            "Berlin, summer ends: half past two comes twice, it opens the first time",
            ("30 2 * * *", 60, "Europe/Berlin"),
            "2026-10-24T12:00:00Z",
            [
                "2026-10-25T02:30:00+02:00 (2026-10-25T00:30:00Z) +60",
                "2026-10-26T02:30:00+01:00 (2026-10-26T01:30:00Z) +60",
                "2026-10-27T02:30:00+01:00 (2026-10-27T01:30:00Z) +60",
            ],
        ),
        (
            "Berlin, asked in the second of the two hours, before half past: that has been",
            ("30 2 * * *", 60, "Europe/Berlin"),
            "2026-10-25T01:10:00Z",
            [
                "2026-10-26T02:30:00+01:00 (2026-10-26T01:30:00Z) +60",
                "2026-10-27T02:30:00+01:00 (2026-10-27T01:30:00Z) +60",
                "2026-10-28T02:30:00+01:00 (2026-10-28T01:30:00Z) +60",
            ],
        ),
        (
            "Berlin, every quarter of the hour that is jumped over is one opening",
            ("*/15 2 * * *", 60, "Europe/Berlin"),
            "2026-03-28T01:44:59Z",
            [
                "2026-03-28T02:45:00+01:00 (2026-03-28T01:45:00Z) +60",
                "2026-03-29T03:00:00+02:00 (2026-03-29T01:00:00Z) +60",
                "2026-03-30T02:00:00+02:00 (2026-03-30T00:00:00Z) +60",
            ],
        ),
        (
            "New York, summer begins on another day",
            ("15 2 * * SUN", 60, "America/New_York"),
            "2026-03-01T12:00:00Z",
            [
                "2026-03-08T03:00:00-04:00 (2026-03-08T07:00:00Z) +60",
                "2026-03-15T02:15:00-04:00 (2026-03-15T06:15:00Z) +60",
                "2026-03-22T02:15:00-04:00 (2026-03-22T06:15:00Z) +60",
            ],
        ),
        (
            "New York, summer ends",
            ("30 1 1 11 *", 120, "America/New_York"),
            "2026-01-01T00:00:00Z",
            [
                "2026-11-01T01:30:00-04:00 (2026-11-01T05:30:00Z) +120",
                "2027-11-01T01:30:00-04:00 (2027-11-01T05:30:00Z) +120",
                "2028-11-01T01:30:00-04:00 (2028-11-01T05:30:00Z) +120",
            ],
        ),
        (
            "Lord Howe jumps by half an hour",
            ("0,15,30 2 * * *", 30, "Australia/Lord_Howe"),
            "2026-10-03T15:00:00Z",
            [
                "2026-10-04T02:30:00+11:00 (2026-10-03T15:30:00Z) +30",
                "2026-10-05T02:00:00+11:00 (2026-10-04T15:00:00Z) +30",
                "2026-10-05T02:15:00+11:00 (2026-10-04T15:15:00Z) +30",
            ],
        ),
        (
            "Lord Howe shows half an hour twice",
            ("45 1 * * *", 60, "Australia/Lord_Howe"),
            "2026-04-04T12:00:00Z",
            [
                "2026-04-05T01:45:00+11:00 (2026-04-04T14:45:00Z) +60",
                "2026-04-06T01:45:00+10:30 (2026-04-05T15:15:00Z) +60",
                "2026-04-07T01:45:00+10:30 (2026-04-06T15:15:00Z) +60",
            ],
        ),
        (
            "Kolkata has no summer time, and half an hour to UTC",
            ("0 2 * * 1-5", 60, "Asia/Kolkata"),
            "2026-03-27T12:00:00Z",
            [
                "2026-03-30T02:00:00+05:30 (2026-03-29T20:30:00Z) +60",
                "2026-03-31T02:00:00+05:30 (2026-03-30T20:30:00Z) +60",
                "2026-04-01T02:00:00+05:30 (2026-03-31T20:30:00Z) +60",
            ],
        ),
        (
            "a leap day is worth waiting for",
            ("0 0 29 2 *", 1440, "UTC"),
            "2026-01-01T00:00:00Z",
            [
                "2028-02-29T00:00:00+00:00 (2028-02-29T00:00:00Z) +1440",
                "2032-02-29T00:00:00+00:00 (2032-02-29T00:00:00Z) +1440",
                "2036-02-29T00:00:00+00:00 (2036-02-29T00:00:00Z) +1440",
            ],
        ),
    ] {
        assert_eq!(openings(cron, minutes, zone, after), expected, "{sentence}");
    }
}

#[test]
fn the_duration_is_elapsed_time_whatever_the_clocks_do() {
    for (cron, opens, closes_local) in [
        // Four hours from one o'clock, over the jump and over the hour that comes twice.
        ("0 1 29 3 *", "2026-03-29T00:00:00Z", "2026-03-29T06:00:00+02:00"),
        ("0 1 25 10 *", "2026-10-24T23:00:00Z", "2026-10-25T04:00:00+01:00"),
    ] {
        let schedule = schedule(cron, 240, "Europe/Berlin");
        let opening = &next(&named(&schedule), at("2026-01-01T00:00:00Z"), 1)[0];
        assert_eq!((opening.opens_at, opening.closes_at_local.as_str()), (at(opens), closes_local));
    }
}

#[test]
fn the_start_of_a_window_belongs_to_it_and_its_end_does_not() {
    let schedule = schedule("30 2 * * *", 60, "Europe/Berlin");
    for (now, open) in [
        ("2026-10-25T00:29:59.999Z", false),
        ("2026-10-25T00:30:00Z", true),
        ("2026-10-25T01:29:59.999Z", true),
        // The clocks show half past two again.
        ("2026-10-25T01:30:00Z", false),
        ("2026-10-25T01:30:00.001Z", false),
        ("2026-10-25T02:00:00Z", false),
    ] {
        assert_eq!(is_open(&named(&schedule), at(now)), open, "{now}");
        let end = open.then(|| at("2026-10-25T01:30:00Z"));
        assert_eq!(closes_at(&named(&schedule), at(now)), end, "{now}");
    }
}

#[test]
fn several_windows_are_open_while_one_of_them_is() {
    let (early, late) = (schedule("0 2 * * *", 60, "UTC"), schedule("30 2 * * *", 90, "Europe/Berlin"));
    let both = [Named { name: "early", schedule: &early }, Named { name: "late", schedule: &late }];
    for (now, open, end) in [
        ("2026-01-05T01:29:00Z", false, None),
        ("2026-01-05T01:30:00Z", true, Some("2026-01-05T03:00:00Z")),
        ("2026-01-05T02:59:59Z", true, Some("2026-01-05T03:00:00Z")),
        ("2026-01-05T03:00:00Z", false, None),
    ] {
        assert_eq!((is_open(&both, at(now)), closes_at(&both, at(now))), (open, end.map(at)), "{now}");
    }
    let names: Vec<_> =
        next(&both, at("2026-01-05T01:45:00Z"), 3).into_iter().map(|opening| opening.window).collect();
    assert_eq!(names, ["early", "late", "early"]);
    assert!(is_open(&[], at("2026-01-05T12:00:00Z")), "without a window it is always open");
    assert_eq!(next(&[], at("2026-01-05T12:00:00Z"), 3), []);
    let always = schedule("* * * * *", 2, "UTC");
    assert_eq!(closes_at(&named(&always), at("2026-01-05T12:00:00Z")), None, "no end in sight");
}

#[test]
fn what_is_no_schedule_is_refused_in_one_sentence() {
    let now = at("2026-01-01T00:00:00Z");
    for (cron, duration_ms, zone, said) in [
        ("0 2 30 2 *", HOUR_MS, "UTC", "`0 2 30 2 *` never does"),
        ("0 2 31 4,6,9,11 *", HOUR_MS, "UTC", "never does"),
        ("", HOUR_MS, "UTC", "has 0"),
        ("0 2 * *", HOUR_MS, "UTC", "has 4"),
        ("0 0 2 * * *", HOUR_MS, "UTC", "has 6"),
        ("0 2 * * * Europe/Berlin", HOUR_MS, "UTC", "has 6"),
        ("@daily", HOUR_MS, "UTC", "has 1"),
        ("60 2 * * *", HOUR_MS, "UTC", "0..=59; found 60"),
        ("0 24 * * *", HOUR_MS, "UTC", "0..=23; found 24"),
        ("0 2 0 * *", HOUR_MS, "UTC", "1..=31; found 0"),
        ("0 2 * 13 *", HOUR_MS, "UTC", "1..=12; found 13"),
        ("0 2 * * 8", HOUR_MS, "UTC", "0..=7; found 8"),
        ("5-1 2 * * *", HOUR_MS, "UTC", "5-1"),
        ("*/0 2 * * *", HOUR_MS, "UTC", "five fields"),
        ("0 2 L * *", HOUR_MS, "UTC", "`L` is neither"),
        ("0 2 15W * *", HOUR_MS, "UTC", "`15W` is neither"),
        ("0 2 * * 5L", HOUR_MS, "UTC", "`5L` is neither"),
        ("0 2 * * 5#3", HOUR_MS, "UTC", "`#` is none"),
        ("H 2 * * *", HOUR_MS, "UTC", "`H` is neither"),
        ("0 2 * * ?", HOUR_MS, "UTC", "five fields"),
        ("-1 2 * * *", HOUR_MS, "UTC", "five fields"),
        ("0 2 * * *\n0", HOUR_MS, "UTC", "something else"),
        ("<b>'; DROP TABLE windows; --</b>", HOUR_MS, "UTC", "five fields"),
        ("0 2 * * *", MINUTE_MS - 1, "UTC", "it is 59999"),
        ("0 2 * * *", 7 * 24 * HOUR_MS + 1, "UTC", "it is 604800001"),
        ("0 2 * * *", 0, "UTC", "it is 0"),
        ("0 2 * * *", u64::MAX, "UTC", "1 minute to 7 days"),
        ("0 2 * * *", HOUR_MS, "Europe/Atlantis", "IANA"),
        ("0 2 * * *", HOUR_MS, "", "IANA"),
        ("0 2 * * *", HOUR_MS, "../../etc/passwd", "IANA"),
        ("0 2 * * *", HOUR_MS, "/etc/localtime", "IANA"),
        ("0 2 * * *", HOUR_MS, "Etc/Unknown", "IANA"),
        ("0 2 * * *", HOUR_MS, "CET-1CEST", "IANA"),
        ("0 2 * * *", HOUR_MS, "<b>'; --\u{1b}[2J", "IANA"),
    ] {
        let refused = Schedule::read(cron, duration_ms, zone, now).unwrap_err();
        let sentence = refused.to_string();
        assert!(sentence.contains(said), "{cron:?}: {sentence}");
        assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
    }
    for (cron, duration_ms, zone) in [
        ("  0   2 * *\tsun ", *DURATION_MS.start(), "europe/berlin"),
        ("0 2 1-7 JAN,jul MON-FRI", *DURATION_MS.end(), "Etc/UTC"),
        ("0-59/7 */2 * * 0,7", HOUR_MS, "America/Argentina/Buenos_Aires"),
    ] {
        assert!(Schedule::read(cron, duration_ms, zone, now).is_ok(), "{cron}");
    }
    assert!(matches!(Schedule::read("0 2 31 2 *", HOUR_MS, "UTC", now), Err(NoSchedule::Never(_))));
}

/// Another one in every run, unless somebody asks for one again.
fn seed() -> u64 {
    let asked = std::env::var("NOVACULA_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    asked.unwrap_or_else(|| {
        let secret = crate::secrets::SecretHash::of(&crate::secrets::issue("").unwrap());
        u64::from_le_bytes(*secret.0.first_chunk().unwrap())
    })
}

/// A deterministic source of odd cases.
struct Odd(u64);

impl Odd {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    fn field(&mut self, from: u64, to: u64) -> String {
        match self.below(4) {
            0 => "*".to_owned(),
            1 => format!("{}", from + self.below(to - from + 1)),
            2 => format!("*/{}", 1 + self.below(to - from)),
            _ => {
                let low = from + self.below(to - from + 1);
                format!("{low}-{}", low + self.below(to - low + 1))
            }
        }
    }
}

/// The same fields, read in the simplest way.
fn fires(cron: &[String], clock: civil::DateTime) -> bool {
    let has = |field: &str, first: i8, value: i8| {
        let (range, step) = field.split_once('/').unwrap_or((field, "1"));
        let number = |text: &str| text.parse::<i8>().unwrap();
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (number(low), number(high)),
            None if range == "*" => (first, i8::MAX),
            None => (number(range), number(range)),
        };
        low <= value && value <= high && (value - low) % number(step) == 0
    };
    let of_month = has(&cron[2], 1, clock.day());
    let of_week = has(&cron[4], 0, clock.date().weekday().to_sunday_zero_offset());
    let is_either = !cron[2].starts_with('*') && !cron[4].starts_with('*');
    has(&cron[0], 0, clock.minute())
        && has(&cron[1], 0, clock.hour())
        && has(&cron[3], 1, clock.month())
        && if is_either { of_month || of_week } else { of_month && of_week }
}

/// A year in minutes: a clock that walks, sees what it jumps over, and knows what it has shown before.
fn minute_by_minute(cron: &[String], minutes: u64, zone: &str, from: Timestamp, to: Timestamp) -> Vec<bool> {
    let zone = zone::zone(zone).unwrap();
    let minute = SignedDuration::from_mins(1);
    let lead = SignedDuration::from_mins(minutes.cast_signed());
    let mut now = from - lead;
    let mut shown = zone.to_datetime(now - minute);
    let mut left = 0;
    let mut open = Vec::new();
    while now < to {
        let clock = zone.to_datetime(now);
        while shown < clock {
            shown = shown.checked_add(minute).unwrap();
            if fires(cron, shown) {
                left = minutes;
            }
        }
        if now >= from {
            open.push(left > 0);
        }
        left = left.saturating_sub(1);
        now += minute;
    }
    open
}

#[test]
fn windows_are_open_in_the_minutes_in_which_a_walking_clock_says_so() {
    let seed = seed();
    let mut odd = Odd(seed);
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let zones = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "UTC",
        "Africa/Casablanca",
    ];
    for round in 0..12 {
        let zone = zones[round % zones.len()];
        let mut cron =
            vec![odd.field(0, 59), odd.field(0, 23), odd.field(1, 31), odd.field(1, 12), odd.field(0, 6)];
        if round < 6 {
            // The hours that the changes touch, on every day.
            cron.splice(1.., ["1-3", "*", "*", "*"].map(str::to_owned));
        }
        let minutes = 1 + odd.below(if round % 4 == 0 { 10_080 } else { 120 });
        let text = cron.join(" ");
        let case = format!("NOVACULA_TEST_SEED={seed}, `{text}` for {minutes} min in {zone}");
        let Ok(schedule) = Schedule::read(&text, minutes * MINUTE_MS, zone, from) else {
            let days = ["*", "*", &cron[2], &cron[3], &cron[4]].map(str::to_owned);
            let first = civil::date(2026, 1, 1).at(0, 0, 0, 0);
            let mut days_of_four_years = first.series(1.day()).take_while(|day| day.year() < 2030);
            assert_eq!(days_of_four_years.find(|day| fires(&days, *day)), None, "{case} is refused");
            continue;
        };
        let expected = minute_by_minute(&cron, minutes, zone, from, to);
        let mut now = from;
        let mut span = schedule.now_or_next(now);
        for (number, open) in expected.iter().enumerate() {
            // What was found holds until it closes: nothing is asked anew in every minute of a year.
            if span.is_some_and(|span| span.closes_at <= now) {
                span = schedule.now_or_next(now);
            }
            assert_eq!(span.is_some_and(|span| span.has(now)), *open, "{case}, at {now}");
            if number % 997 == 0 {
                assert_eq!(is_open(&named(&schedule), now), *open, "{case}, asked at {now}");
            }
            now += SignedDuration::from_mins(1);
        }
    }
}
