//! The load run of `make bench`, for seconds instead of minutes: no figure is asked for, only that every sync is answered as it
//! should be and nothing that was acknowledged is lost.

#![allow(clippy::disallowed_methods, reason = "a test of the laboratory starts programs and reads files")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use novacula_lab::{ControlPlane, wait_for};
use novacula_protocol::people::{Executor, Page};
use serde_json::Value;

const EXECUTORS: u32 = 400;
const SOON: Duration = Duration::from_secs(30);

/// A control plane that knows many executors; one of ten has an upgrade.
fn with_a_fleet() -> ControlPlane {
    let mut control_plane = ControlPlane::start();
    control_plane.stop();
    let seeded = Command::new("python3")
        .args(["-B", "benches/fleet.py", "--in-upgrade", "10", "--advancing", "10"])
        .arg("--database")
        .arg(format!("sqlite:{}", control_plane.database().display()))
        .args(["--executors", &EXECUTORS.to_string()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output();
    let seeded = seeded.expect("python3 can be started");
    assert!(seeded.status.success(), "the fleet is seeded: {}", String::from_utf8_lossy(&seeded.stderr));
    control_plane.start_again();
    control_plane
}

/// The load of so many executors, on two threads.
fn load(targets: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load"));
    command.args(["--targets", targets, "--connections", "8", "--threads", "2", "--executors"]);
    command.arg(EXECUTORS.to_string()).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn figures(ended: &Output) -> Value {
    let said = String::from_utf8_lossy(&ended.stdout);
    serde_json::from_str(&said)
        .unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&ended.stderr)))
}

fn address(control_plane: &ControlPlane) -> String {
    control_plane.url().trim_start_matches("http://").to_owned()
}

/// Whoever was told that a label is kept: executor, the last value that was acknowledged, the last that was sent.
fn acknowledged(file: &Path) -> Vec<(String, u64, u64)> {
    let text = fs::read_to_string(file).expect("the load has written down what was acknowledged");
    let numbers =
        |line: &str| line.split(' ').map(|word| word.parse().expect("a number")).collect::<Vec<u64>>();
    text.lines().map(numbers).map(|line| (format!("executor-{:08}", line[0]), line[1], line[2])).collect()
}

fn labels(control_plane: &ControlPlane) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: Page<Executor> = control_plane.owner().get(&format!("executors?limit=200{cursor}"));
        all.extend(page.items.into_iter().map(|executor| {
            let said = executor.labels.get("said").and_then(|said| said.parse().ok());
            (executor.name, said.expect("every executor says a number"))
        }));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

struct Ended(Option<Child>);

impl Ended {
    fn output(mut self) -> Output {
        let child = self.0.take().expect("it was started");
        child.wait_with_output().expect("it can be waited for")
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_whole_fleet_syncs_without_an_error_and_what_was_acknowledged_outlives_a_kill() {
    let mut control_plane = with_a_fleet();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let kept = folder.path().join("acknowledged");
    let kept_text = kept.to_str().expect("it is plain text");
    let targets = address(&control_plane);
    let running = load(
        &targets,
        &["--in-upgrade", "10", "--changing", "30", "--seconds", "4", "--acknowledged", kept_text],
    )
    .spawn()
    .expect("the load can be started");
    let running = Ended(Some(running));
    wait_for("labels of the load are kept", SOON, || {
        labels(&control_plane).iter().any(|(_, said)| *said > 0).then_some(())
    });
    control_plane.stop();
    control_plane.start_again();
    let ended = running.output();
    let figures = figures(&ended);
    assert!(ended.status.success(), "no request stays without a good answer: {figures}");
    assert_eq!(figures["errors"], 0, "{figures}");
    assert!(figures["requests"].as_u64().is_some_and(|requests| requests > EXECUTORS.into()), "{figures}");
    assert!(
        figures["lostOnTheWire"].as_u64().is_some_and(|lost| lost > 0),
        "it was killed under load: {figures}"
    );

    control_plane.stop();
    control_plane.start_again();
    let labels = labels(&control_plane);
    let acknowledged = acknowledged(&kept);
    assert!(acknowledged.len() >= 100, "{} executors had something new to say", acknowledged.len());
    for (name, acknowledged, sent) in acknowledged {
        let kept = labels.iter().find(|(known, _)| *known == name).map(|(_, said)| *said);
        assert!(
            kept.is_some_and(|kept| acknowledged <= kept && kept <= sent),
            "{name} was told that {acknowledged} is kept and sent {sent}, there is {kept:?}"
        );
    }
}

#[test]
fn stages_of_upgrades_are_reported_and_kept() {
    let control_plane = with_a_fleet();
    let requests = (EXECUTORS * 3).to_string();
    let run = ["--changing", "10", "--change", "stage", "--requests", &requests];
    let ended = load(&address(&control_plane), &run).output().expect("the load can be started");
    let figures = figures(&ended);
    assert_eq!((&figures["errors"], &figures["badAnswers"]), (&0.into(), &0.into()), "{figures}");
    assert_eq!(figures["requests"], EXECUTORS * 3, "{figures}");
    let upgrades: Page<Value> = control_plane.owner().get("upgrades?limit=200");
    let of_the_last = |upgrade: &&Value| {
        let name = upgrade["executorName"].as_str().and_then(|name| name.get(name.len() - 2..));
        name.is_some_and(|number| number >= "90")
    };
    let advanced: Vec<&Value> = upgrades.items.iter().filter(of_the_last).collect();
    assert_eq!(advanced.len(), usize::try_from(EXECUTORS / 10).expect("a small number"));
    for upgrade in advanced {
        assert_eq!(upgrade["stage"], "DOWNLOAD", "each has reported three times: {upgrade}");
    }
}

#[test]
fn an_answer_that_is_no_answer_to_a_sync_and_a_server_that_is_not_there_are_errors() {
    let control_plane = ControlPlane::start();
    let strangers = ["--requests", "50", "--patience", "2"];
    let ended = load(&address(&control_plane), &strangers).output().expect("the load can be started");
    let figures_of_strangers = figures(&ended);
    assert!(!ended.status.success(), "keys that nobody knows are refused");
    assert_eq!(figures_of_strangers["errors"], 50, "{figures_of_strangers}");
    assert_eq!(figures_of_strangers["requests"], 0, "{figures_of_strangers}");

    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = free.expect("a port can be found").to_string();
    let ended = load(&nobody, &["--requests", "8", "--patience", "0.2"]).output().expect("it can be started");
    assert!(!ended.status.success(), "nobody is there");
    assert_eq!(figures(&ended)["errors"], 8);
}
