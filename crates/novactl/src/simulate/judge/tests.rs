//! Each promise is broken once, as a control plane with a mistake would.

use novacula_protocol::spec::{AgentUpgradeSpec, Confirm, Kind, PendingUpgrade};
use novacula_protocol::sync::{Channel, Support, UpgradeReport};
use novacula_protocol::{Stage, Status};

use super::*;
use crate::simulate::waves::Labels;

const MINUTE_MS: u64 = 60_000;

/// Two waves: `a` with two executors, one at once, which wants an approval; `b` with two. All soak for ten minutes.
struct Bench {
    judge: Judge,
    now: Timestamp,
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

impl Bench {
    fn new() -> Self {
        let wave = |name: &str, cap, is_automated| Wave {
            name: name.to_owned(),
            size: 2,
            labels: Labels::new(),
            group: None,
            cap,
            soak_ms: 10 * MINUTE_MS,
            is_automated,
            is_rolled_back: false,
            max_failed: Some(0),
            max_slow: Some(0),
        };
        let known = |name: &str, wave| Known::new(name.to_owned(), wave, None, version("1.0.0"));
        let known = vec![known("a1", 0), known("a2", 0), known("b1", 1), known("b2", 1)];
        let pace = Pace::of(4, 1, Timestamp::UNIX_EPOCH).unwrap();
        // Nobody is silent here, whatever time passes between two lines.
        let pace = Pace { heartbeat_timeout_ms: u64::MAX, ..pace };
        let judge = Judge::new(pace, vec![wave("a", 1, false), wave("b", 2, true)], known);
        let mut bench = Self { judge, now: Timestamp::UNIX_EPOCH };
        (0..4).for_each(|index| bench.sync(index, None, None));
        bench
    }

    fn after(&mut self, minutes: u64) -> &mut Self {
        self.now = later(self.now, minutes * MINUTE_MS);
        self
    }

    fn sync(&mut self, index: usize, report: Option<(&str, Stage)>, told: Option<PendingUpgrade>) {
        let runs = match report {
            Some((_, Stage::Completed)) => version("1.1.0"),
            Some((_, Stage::RolledBack)) => version("1.0.0"),
            _ => self.judge.executors[index].runs.clone(),
        };
        let upgrade = report.map(|(id, stage)| UpgradeReport {
            upgrade_id: id.to_owned(),
            attempt: 1,
            stage,
            status: if stage.is_end() { Status::Completed } else { Status::Underway },
            bytes_done: 0,
            bytes_total: 0,
            error: None,
            log: Vec::new(),
        });
        let said = SyncRequest {
            name: self.judge.executors[index].name.clone(),
            kind: Kind::Agent,
            current_version: runs,
            channel: Channel::Stable,
            target: "x".to_owned(),
            labels: Labels::new(),
            boot_id: String::new(),
            started_at: None,
            restarts: 0,
            held: None,
            upgrade,
            preflight: Vec::new(),
            trusted_keys: None,
        };
        let answer = SyncResponse {
            control_plane_version: "1.0.0".to_owned(),
            now: self.now,
            support: Support::InWindow,
            sync_interval_ms: 1_000,
            pending_upgrade: told.map(|spec| Offer::Understood(Box::new(spec))),
            preflight: Vec::new(),
        };
        self.judge.saying(index, &said, self.now);
        self.judge.heard(index, &said, &answer, Instant::now(), self.now);
    }

    fn offer(&mut self, index: usize, id: &str) {
        self.sync(index, None, Some(spec(id, "1.0.0", "1.1.0")));
    }

    fn end(&mut self, index: usize, id: &str, end: Stage) {
        self.sync(index, Some((id, end)), None);
    }

    /// Wave `a` as it should go.
    fn first_wave(&mut self) -> &mut Self {
        for (index, id) in [(0, "u1"), (1, "u2")] {
            self.after(1).offer(index, id);
            self.after(1).end(index, id, Stage::Completed);
        }
        self
    }

    fn broken(&self) -> &'static str {
        self.judge.broken.as_ref().map_or("nothing", |broken| broken.invariant)
    }
}

fn spec(id: &str, from: &str, to: &str) -> PendingUpgrade {
    let (from, to) = (version(from), version(to));
    PendingUpgrade::Agent(AgentUpgradeSpec {
        header: SpecHeader {
            upgrade_id: id.to_owned(),
            attempt: 1,
            intent: Intent::Apply,
            direction: if to > from { Direction::Upgrade } else { Direction::Downgrade },
            from_version: from,
            target_version: to,
            confirm: Confirm::Auto,
            health_window_ms: 1_000,
            expires_at: Timestamp::MAX,
        },
        download_url: String::new(),
        size: 1,
        sha256: String::new(),
        signature: String::new(),
    })
}

#[test]
fn a_plan_that_goes_as_it_should_breaks_nothing() {
    let mut bench = Bench::new();
    bench.first_wave().judge.note_approval(0, Timestamp::UNIX_EPOCH);
    bench.after(10).offer(2, "u3");
    bench.offer(3, "u4");
    bench.after(1).end(2, "u3", Stage::RolledBack);
    bench.end(3, "u4", Stage::Completed);
    bench.judge.note_halt(Instant::now());
    bench.judge.note_rollback();
    bench.sync(3, None, Some(spec("u5", "1.1.0", "1.0.0")));
    bench.judge.at_the_end(1, &[false, false], &HashSet::new(), &version("1.1.0"));
    assert_eq!(bench.broken(), "nothing", "{:?}", bench.judge.broken);
    assert_eq!(bench.judge.peaks, [1, 2]);
}

#[test]
fn each_promise_is_seen_when_it_is_broken() {
    type Mistake = fn(&mut Bench);
    let mistakes: [(&str, Mistake); 13] = [
        ("never more are in hand than the cap", |it| {
            it.offer(0, "u1");
            it.offer(1, "u2");
        }),
        ("a wave begins when the one before it has passed", |it| {
            it.offer(0, "u1");
            it.offer(2, "u3");
        }),
        ("a wave begins when the one before it has passed", |it| {
            it.first_wave().judge.note_approval(0, Timestamp::UNIX_EPOCH);
            it.after(9).offer(2, "u3");
        }),
        ("a wave begins when the one before it was approved", |it| it.first_wave().after(11).offer(2, "u3")),
        ("the canaries go first", |it| {
            it.offer(1, "u1");
            it.judge.note_canaries(0, &HashSet::from(["a1".to_owned()]));
        }),
        ("the canaries go first", |it| {
            it.judge.note_canaries(0, &HashSet::from(["a1".to_owned()]));
            it.offer(0, "u1");
            it.after(1).end(0, "u1", Stage::Completed);
            it.after(9).offer(1, "u2");
        }),
        ("an attempt is offered to one executor only", |it| {
            it.offer(0, "u1");
            it.after(1).end(0, "u1", Stage::Completed);
            it.offer(1, "u1");
        }),
        ("an attempt is carried out at most once", |it| {
            it.offer(0, "u1");
            it.after(1).end(0, "u1", Stage::RolledBack);
            it.after(1).offer(0, "u1");
        }),
        ("a host is asked for one upgrade at a time", |it| {
            it.offer(0, "u1");
            it.after(1).offer(0, "u2");
        }),
        ("nobody is started after the plan has halted", |it| {
            it.judge.note_halt(Instant::now().checked_sub(HALT_REACHES_ALL * 2).unwrap());
            it.offer(0, "u1");
        }),
        ("nobody is started after the plan has halted", |it| {
            it.judge.note_halt(Instant::now().checked_sub(HALT_REACHES_MOST * 2).unwrap());
            it.offer(0, "u1");
            assert_eq!(it.broken(), "nothing", "it may yet hear that it was dropped");
            it.sync(0, Some(("u1", Stage::Swap)), None);
        }),
        ("only what the plan did is undone", |it| {
            it.judge.note_rollback();
            it.sync(0, None, Some(spec("u1", "1.0.0", "0.9.0")));
        }),
        ("only what the plan did is undone", |it| {
            it.first_wave().sync(0, None, Some(spec("u3", "1.1.0", "1.0.0")));
        }),
    ];
    for (number, (invariant, mistake)) in mistakes.into_iter().enumerate() {
        let mut bench = Bench::new();
        mistake(&mut bench);
        assert_eq!(bench.broken(), invariant, "mistake {number}: {:?}", bench.judge.broken);
    }
}

#[test]
fn what_is_wrong_only_at_the_end_is_seen_there() {
    let none = HashSet::new();
    let target = version("1.1.0");
    let mut bench = Bench::new();
    bench.first_wave().judge.at_the_end(0, &[true, true], &none, &target);
    assert_eq!(bench.broken(), "a rollback brings everybody back whom the plan has moved");
    let mut stuck = Bench::new();
    stuck.first_wave().judge.at_the_end(0, &[true], &["a1", "a2"].map(str::to_owned).into(), &target);
    assert_eq!(stuck.broken(), "nothing", "the control plane says so itself");
    let mut beyond = Bench::new();
    beyond.judge.executors[3].runs = version("1.1.0");
    beyond.judge.at_the_end(0, &[], &none, &target);
    assert_eq!(beyond.broken(), "nobody beyond the last wave that began is touched");
    let mut strange = Bench::new();
    strange.judge.executors[0].runs = version("1.0.7");
    strange.judge.at_the_end(0, &[], &none, &target);
    assert_eq!(strange.broken(), "executors run what they ran before, or the target");
}

#[test]
fn who_stands_still_for_long_is_not_counted_any_more() {
    let mut bench = Bench::new();
    bench.offer(0, "u1");
    bench.sync(0, Some(("u1", Stage::Download)), None);
    bench.after(14).sync(1, None, None);
    assert!(bench.judge.executors[0].is_counted(bench.now, 1_000));
    bench.after(2).offer(1, "u2");
    assert_eq!(bench.broken(), "nothing", "{:?}", bench.judge.broken);
    bench.judge.note_started(0, 1);
    assert_eq!(bench.broken(), "nothing");
    bench.judge.note_started(0, 2);
    assert_eq!(bench.broken(), "never more are in hand than the cap");
}
