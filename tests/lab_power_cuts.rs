//! Power cuts at any moment of an upgrade, on real systemd hosts: whatever it was doing, the host comes back with a
//! running agent and the upgrade with the end that it deserves.
//!
//! `make test` cuts a few; `make test-power-cuts` cuts fifty, or as many as `NOVACULA_POWER_CUTS` says. The moments are
//! drawn with a seed that is printed (`NOVACULA_CRASH_SEED` repeats it).

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that says what it tried, and is told how much to try"
)]

use std::env;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use novacula_lab::dice::{Dice, seed};
use novacula_lab::scene::{AGENT, BINARY, EXECUTOR, TRIAL_TIMER};
use novacula_lab::{Fault, Scene, Suite, builds, faulty_release, poll};
use novacula_protocol::people::Upgrade;
use novacula_protocol::{RefusalCode, Stage};

/// Hosts at once, which mostly wait.
const AT_ONCE: usize = 4;
/// The shortest that a control plane takes.
const WINDOW: Duration = Duration::from_secs(1);
/// When a second cut comes at the latest, in ms after the host is up again.
const AGAIN_MS: usize = 2_500;

#[test]
fn a_power_cut_at_any_moment_leaves_a_host_with_a_running_agent_and_the_right_end() {
    let cuts = match env::var("NOVACULA_POWER_CUTS") {
        Ok(text) => text.parse().expect("NOVACULA_POWER_CUTS is a number"),
        Err(_) => 3,
    };
    println!("{cuts} hosts are cut off from power, seed {}", seed());
    let (numbers, lost) = (Mutex::new(0..cuts), Mutex::new(Vec::new()));
    let next = || numbers.lock().expect("nobody panics with it").next();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(number) = next() {
                    let cut = Cut::drawn(number);
                    match catch_unwind(|| cut.is_survived()) {
                        Ok(seen) => println!("{cut:?} at {}", seen.join(" and ")),
                        Err(_) => lost.lock().expect("nobody panics with it").push(cut),
                    }
                }
            });
        }
    });
    let lost = lost.into_inner().expect("nobody panics with it");
    assert!(lost.is_empty(), "with seed {} these hosts were lost: {lost:#?}", seed());
}

/// One upgrade and when the power fails during it.
#[derive(Clone, Debug)]
struct Cut {
    suite: Suite,
    /// What is wrong with the release, if anything is.
    fault: Option<Fault>,
    /// After the request, and after the host is up again.
    moments: Vec<Duration>,
}

impl Cut {
    /// Good and bad releases in turn, and every other time a second cut.
    fn drawn(number: usize) -> Self {
        let mut dice = Dice::of(seed() + number as u64);
        let suites = Suite::chosen();
        let bad = [Fault::CrashLoop, Fault::Abort, Fault::CleanExit, Fault::NeverSync][dice.below(4)];
        let fault = (number % 2 == 1).then_some(bad);
        // From the request to the end of an upgrade that nobody disturbs, in ms.
        let journey_ms = match fault {
            None => 3_000,
            Some(Fault::NeverSync) => 24_000,
            Some(_) => 4_500,
        };
        let mut moment = |end| Duration::from_millis(dice.below(end) as u64);
        let first = moment(journey_ms);
        let second = (number % 4 >= 2).then(|| moment(AGAIN_MS));
        let moments = [first].into_iter().chain(second).collect();
        Self { suite: suites[number % suites.len()], fault, moments }
    }

    fn release(&self) -> PathBuf {
        self.fault.map_or_else(|| builds::agent("1.1.0"), |fault| faulty_release("1.1.0", fault))
    }

    /// The stages that the control plane knew of when the power failed.
    fn is_survived(&self) -> Vec<String> {
        let mut scene = Scene::with_agent(self.suite, "1.0.0");
        scene.publish("1.1.0", &self.release());
        let requested = scene.request_with("1.1.0", WINDOW);
        let mut seen = Vec::new();
        for moment in &self.moments {
            // The moment comes whatever the host does until then.
            assert_eq!(poll(*moment, || None::<()>), None);
            scene.host.power_cut();
            seen.push(scene.owner().upgrade(&requested.id).stage.to_string());
            scene.host.boot_again();
        }
        self.has_the_right_end(&scene, &scene.end_of(&requested));
        seen
    }

    fn has_the_right_end(&self, scene: &Scene, ended: &Upgrade) {
        let (version, file) = match self.fault {
            None => {
                assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
                ("1.1.0", self.release())
            }
            Some(fault) => {
                let reason = match fault {
                    Fault::NeverSync => RefusalCode::NeverSynced,
                    _ => RefusalCode::CrashLoop,
                };
                assert_eq!(ended.stage, Stage::RolledBack, "{ended:#?}");
                let error = ended.error.as_ref().expect("a rollback has a reason");
                assert_eq!(error.code, reason.as_str(), "{}", error.message);
                ("1.0.0", builds::agent("1.0.0"))
            }
        };
        scene.owner().wait_for_version(EXECUTOR, version);
        scene.wait_until_active(AGENT);
        scene.wait_until_inactive(TRIAL_TIMER);
        assert_eq!(scene.sha256(BINARY), scene.sha256_of(&file), "what runs is what is in place");
    }
}
