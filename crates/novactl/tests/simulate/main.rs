//! Fleet plans on simulated executors, by the real programs: where a plan halts, what a rollback undoes, what a killed
//! control plane remembers. `make test-fleet` tries many seeds; FLEET_FIRST_SEED says which is the first.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test writes files, runs programs, says what it drew, and ends where something is not as it must be"
)]

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use novacula_lab::{builds, wait_for};
use serde_json::Value;

/// A wave of the plan: its name, how many may fail in it, and how many go at once.
struct Wave {
    name: &'static str,
    size: u64,
    max_failed: u64,
    max_in_flight: u64,
    rest: &'static str,
}

/// Four waves, so that with 5 % bad ones any of them may be the one that has too many.
fn waves(executors: u64) -> [Wave; 4] {
    let sizes = [(executors / 100).max(3), (executors / 25).max(6), executors * 3 / 20];
    let rest = executors - sizes.iter().sum::<u64>();
    let wave = |name, size: u64, max_failed: u64, rest| Wave {
        name,
        size,
        max_failed,
        max_in_flight: (size / 3).max(2),
        rest,
    };
    [
        wave("canary", sizes[0], 1, "validation: {healthCheckDuration: 5m, automated: true}"),
        wave("early", sizes[1], executors / 300, "validation: {healthCheckDuration: 5m, automated: true}"),
        wave("standard", sizes[2], executors / 100, "validation: {healthCheckDuration: 10m}, canary: 10%"),
        wave(
            "critical",
            rest,
            executors * 3 / 100,
            "validation: {healthCheckDuration: 10m, automated: true}",
        ),
    ]
}

fn plan(waves: &[Wave], folder: &Path) -> PathBuf {
    let mut text = "apiVersion: novacula/v1\nkind: FleetUpgradePlan\nmetadata: {name: simulated}\nspec:\n  \
                    targetVersion: '1.34'\n  waves:\n"
        .to_owned();
    for Wave { name, max_failed, max_in_flight, rest, .. } in waves {
        writeln!(
            text,
            "    - {{name: {name}, clusterSelector: {{matchLabels: {{upgrade-wave: {name}}}}}, maxFailed: {max_failed}, \
             maxInFlight: {max_in_flight}, maxSlow: 100, maxUnreachable: 90%, {rest}}}"
        )
        .unwrap();
    }
    let path = folder.join("plan.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

fn sizes(waves: &[Wave]) -> String {
    waves.iter().map(|wave| wave.size.to_string()).collect::<Vec<_>>().join(",")
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// As fast as so many can sync.
fn speed(executors: u64) -> String {
    (900_000 / executors.max(500)).to_string()
}

/// novactl, and the control plane that it starts: as the tests were built, or as FLEET_PROGRAMS has them.
fn simulate(plan: &Path, executors: u64, more: &[&str]) -> Command {
    let folder = std::env::var_os("FLEET_PROGRAMS").map(PathBuf::from);
    let (novactl, control_plane) = match folder {
        Some(folder) => (folder.join("novactl"), folder.join("novacula-control-plane")),
        None => (env!("CARGO_BIN_EXE_novactl").into(), builds::control_plane()),
    };
    let mut command = Command::new(novactl);
    command.args(["simulate", "--json", "--executors", &executors.to_string(), "--plan"]).arg(plan);
    command.arg("--control-plane").arg(control_plane).args(more).stdin(Stdio::null());
    command
}

/// The report, and how it ended.
fn report(command: &mut Command) -> (i32, Value) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    let report = serde_json::from_slice(&stdout).unwrap_or_else(|e| panic!("{e}: {status} {said}"));
    (status.code().unwrap(), report)
}

/// One seed: `None` where all is as it must be.
fn try_seed(seed: u64, executors: u64) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let waves = waves(executors);
    let (seed, speed, sizes) = (seed.to_string(), speed(executors), sizes(&waves));
    let more =
        ["--seed", &seed, "--speed", &speed, "--sizes", &sizes, "--faults", "bad=5%,dead=3%", "--rollback"];
    let Output { status, stdout, stderr } =
        simulate(&plan(&waves, folder.path()), executors, &more).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    let report: Value = serde_json::from_slice(&stdout).map_err(|e| format!("{e}: {status} {said}"))?;

    let drawn =
        |wave: usize, fault: &str| report["waves"][wave]["faults"][fault].as_u64().unwrap_or_default();
    let must_halt = (0..4).find(|wave| drawn(*wave, "bad") > waves[*wave].max_failed);
    let name = |wave: Option<usize>| wave.map_or(Value::Null, |wave| waves[wave].name.into());
    let must = |is_so: bool, what: &str| if is_so { Ok(()) } else { Err(format!("{what}: {report} {said}")) };
    must(report["haltedIn"] == name(must_halt), "it halts in the wave in which it must")?;
    must(report["mustHaltIn"] == name(must_halt), "novactl knows it as well")?;
    let ended = if must_halt.is_some() { ("rolledBack", Some(1)) } else { ("completed", Some(0)) };
    must((report["outcome"].as_str(), status.code()) == (Some(ended.0), ended.1), "it ends as it must")?;
    for (index, wave) in waves.iter().enumerate() {
        let shown = &report["waves"][index];
        let stand = |what: &str| shown["stand"][what].as_u64().unwrap();
        must(shown["peak"].as_u64().unwrap() <= wave.max_in_flight, "the cap holds")?;
        match must_halt {
            Some(halted) if index > halted => must(stand("offered") == 0, "nobody beyond is touched")?,
            // The dead are where they were when they died.
            Some(_) => must(stand("onTarget") <= drawn(index, "dead"), "everybody went back")?,
            None => {
                let most = wave.size - drawn(index, "bad");
                must((most - drawn(index, "dead")..=most).contains(&stand("onTarget")), "all went forward")?;
            }
        }
    }
    let halted = must_halt.map_or("no wave", |wave| waves[wave].name);
    let (took, answers) = (report["tookReallyMs"].as_u64().unwrap() / 1_000, &report["answers"]);
    Ok(format!("seed {seed}: halted in {halted}, {answers} answers in {took} s"))
}

#[test]
fn a_plan_halts_in_the_wave_where_it_must_and_a_rollback_brings_back_exactly_those_it_has_touched() {
    let (seeds, executors) = (number("FLEET_SEEDS").unwrap_or(2), number("FLEET_EXECUTORS").unwrap_or(150));
    let any = RandomState::new().build_hasher().finish() % 1_000_000;
    let first = number("FLEET_FIRST_SEED").unwrap_or(any);
    println!("FLEET_FIRST_SEED={first} FLEET_SEEDS={seeds} FLEET_EXECUTORS={executors}");
    let (left, failed) = (Mutex::new(first..first + seeds), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // Most of a simulation is waiting.
        for _ in 0..number("FLEET_AT_ONCE").unwrap_or(2) {
            scope.spawn(|| {
                loop {
                    let Some(seed) = left.lock().unwrap().next() else { return };
                    match try_seed(seed, executors) {
                        Ok(line) => println!("{line}"),
                        Err(line) => failed.lock().unwrap().push(format!("FLEET_FIRST_SEED={seed}: {line}")),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {seeds} seeds: {}", failed.len(), failed.join("\n"));
}

#[test]
fn a_control_plane_that_is_killed_in_the_middle_of_each_wave_goes_on_and_grants_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let executors = 120;
    // Nobody has too many bad ones: the plan comes to its end.
    let waves = waves(executors).map(|wave| Wave { max_failed: 100, ..wave });
    let (speed, sizes) = (speed(executors), sizes(&waves));
    let faults = "bad=3%,dead=2%,disorder=10%,flap=2%";
    let more = ["--speed", &speed, "--sizes", &sizes, "--faults", faults, "--kill-control-plane"];
    let (code, report) = report(&mut simulate(&plan(&waves, folder.path()), executors, &more));
    println!("seed {}, {} answers", report["seed"], report["answers"]);
    assert_eq!((code, report["outcome"].as_str()), (0, Some("completed")), "{report}");
    assert_eq!(report["kills"], 4, "once in each wave: {report}");
    assert_ne!(report["unanswered"], 0, "somebody was not heard meanwhile: {report}");
}

#[test]
fn every_fault_at_once_breaks_no_promise() {
    let folder = tempfile::tempdir().unwrap();
    let executors = 120;
    let waves = waves(executors).map(|wave| Wave { max_failed: 100, ..wave });
    let (speed, sizes) = (speed(executors), sizes(&waves));
    let faults = "bad=5%,dead=4%,hang=3%,late=4%,flap=4%,disorder=20%";
    let more = ["--speed", &speed, "--sizes", &sizes, "--faults", faults];
    let (code, report) = report(&mut simulate(&plan(&waves, folder.path()), executors, &more));
    println!("seed {}, {} answers", report["seed"], report["answers"]);
    assert_eq!((code, report["outcome"].as_str()), (0, Some("completed")), "{report}");
}

#[test]
fn an_interrupt_ends_the_control_plane_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let waves = waves(60);
    let mut command = simulate(&plan(&waves, folder.path()), 60, &["--speed", "1"]);
    let mut running =
        command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The processes whose data are below our folder.
    let started = || {
        let of = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("environ")).ok();
        let mark = format!("DATA_DIR={}", folder.path().display());
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| of(entry.unwrap()));
        all.filter(|environment| environment.windows(mark.len()).any(|it| it == mark.as_bytes())).count()
    };
    let limit = Duration::from_secs(60);
    wait_for("the control plane is started", limit, || (started() == 1).then_some(()));
    let began = Instant::now();
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let status = running.wait().unwrap();
    assert_eq!(status.code(), Some(1), "after {:?}", began.elapsed());
    assert_eq!(started(), 0, "the control plane is ended");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["plan.yaml"]);
}

#[test]
fn what_cannot_be_simulated_is_told_in_one_sentence_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&waves(100), folder.path());
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "kind: FleetUpgradePlan\n").unwrap();
    for (plan, more, said) in [
        (&plan, &["--sizes", "1,2,3"][..], "--sizes must be one number for each of the 4 waves"),
        (&plan, &["--sizes", "1,2,3,4"], "100 together"),
        (&plan, &["--faults", "bad=60%,dead=60%"], "one fault at most"),
        (&plan, &["--faults", "worse=1"], "expected one of"),
        (&plan, &["--speed", "10000"], "choose a lower --speed"),
        (&plan, &["--from", "1.34.0"], "a lower version"),
        (&broken, &[], "apiVersion"),
        (&folder.path().join("nothing"), &[], "cannot"),
    ] {
        let output = simulate(plan, 100, more).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{more:?}: {line}");
        assert!(line.lines().last().unwrap().contains(said), "{more:?}: {line}");
    }
}
