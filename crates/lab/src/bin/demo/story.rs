//! The story itself, chapter by chapter. Every sentence with a ✓ was checked before it was printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use novacula_lab::scene::{AGENT, BINARY, EXECUTOR, PREVIOUS, Scene};
use novacula_lab::{Fault, Person, Signer, Suite, builds, faulty_release, poll};
use novacula_protocol::Stage;
use novacula_protocol::people::Upgrade;

use crate::fleet;
use crate::screen::Screen;

const HEALTH_WINDOW: Duration = Duration::from_secs(5);
const UPGRADE_LIMIT: Duration = Duration::from_secs(100);

const FIRST: &str = "1.0.0";
const GOOD: &str = "1.1.0";
const CRASHING: &str = "1.2.0";
const HANGING: &str = "1.3.0";

/// What the story needs.
pub struct Props {
    novactl: PathBuf,
    good: PathBuf,
    crashing: PathBuf,
    hanging: PathBuf,
}

/// Builds everything, which takes minutes the first time and a second later on.
pub fn build(screen: &Screen) -> Props {
    let begun = Instant::now();
    screen.say(
        "Building the agent twice, the control plane and novactl (minutes the first time, then a second) …",
    );
    // The scene asks for these two again; what is missing shall be missing now.
    let _control_plane = builds::control_plane();
    let _first = builds::agent(FIRST);
    let novactl = builds::novactl();
    let good = builds::agent(GOOD);
    let crashing = faulty_release(CRASHING, Fault::CrashLoop);
    let hanging = faulty_release(HANGING, Fault::HangAfterReady);
    screen.good(&format!("built in {:.0} s, for {}", begun.elapsed().as_secs_f64(), builds::target()));
    Props { novactl, good, crashing, hanging }
}

/// The whole story.
pub fn tell(screen: &Screen, props: &Props) {
    screen.chapter("1  A host, an agent, a control plane");
    let begun = Instant::now();
    let scene = Scene::with_agent(Suite::Bookworm, FIRST);
    let systemd = scene.host.ok("systemctl --version | head -n 1 | cut -d' ' -f1,2");
    screen.good(&format!("a host of its own is up: {}, Debian {}", systemd, Suite::Bookworm.name()));
    screen.good(&format!("the control plane listens on {}", scene.control_plane.url()));
    screen.good(&format!(
        "the agent {FIRST} is installed and syncs, {:.1} s after the host was switched on",
        begun.elapsed().as_secs_f64()
    ));

    screen.chapter("2  Three releases, signed and published");
    screen.remark(
        "The control plane checks each signature on receipt; the agent will check it again for itself.",
    );
    publish(screen, props, &scene, GOOD, &props.good, "a good one");
    publish(screen, props, &scene, CRASHING, &props.crashing, "exits with an error as soon as it runs");
    publish(screen, props, &scene, HANGING, &props.hanging, "says it is ready, then hangs");

    screen.chapter(&format!("3  {FIRST} → {GOOD}: a good release"));
    screen.remark("Committed only when the new agent itself has synced and stayed up for the health window.");
    let ended = upgrade(screen, props, &scene, GOOD);
    expect_end(&scene, &ended, Stage::Completed, GOOD);
    let kept = scene.host.ok(&format!("{PREVIOUS} --version"));
    screen.good(&format!(
        "{GOOD} runs, syncs and is committed; beside it lies {kept}, for the day it is needed"
    ));

    screen.chapter(&format!("4  {GOOD} → {CRASHING}: crashes at once"));
    screen
        .remark("Signed and correctly named, so it is swapped in. Then it has to prove itself, and cannot.");
    roll_back(screen, props, &scene, CRASHING);

    screen.chapter(&format!("5  {GOOD} → {HANGING}: starts, then hangs"));
    screen.remark(
        "It neither crashes nor ends. A timer has the old binary look, and that one still reaches the control plane.",
    );
    roll_back(screen, props, &scene, HANGING);

    screen.chapter("6  What is left");
    let executor = scene.owner().wait_for_version(EXECUTOR, GOOD);
    assert_eq!(executor.pending_upgrade_id, None, "no upgrade is open at the end");
    assert_eq!(
        scene.host.property(AGENT, "ActiveState"),
        "active",
        "the agent's service is active at the end"
    );
    screen.good(&format!("{EXECUTOR} runs {GOOD}, is online, and can be upgraded again at any time"));
    for line in scene.agent("status").lines() {
        screen.remark(line);
    }

    screen.chapter("7  A whole fleet, wave by wave");
    fleet::tell(screen, &props.novactl);
}

fn publish(screen: &Screen, props: &Props, scene: &Scene, version: &str, file: &Path, what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let signature = folder.path().join("artifact.minisig");
    std::fs::write(&signature, Signer::trusted().sign_agent(file, version))
        .expect("a signature can be written");
    let shown = format!("novactl release publish --version {version} novacula-agent-{version}");
    let artifact = format!("{}={}", file.display(), signature.display());
    screen.command(&shown);
    novactl(
        props,
        scene.owner(),
        &scene.control_plane.url(),
        &["release", "publish", "--version", version, &artifact],
    );
    let bytes = std::fs::metadata(file).expect("a release can be looked at").len();
    screen.good(&format!("{version} is published, {}: {what}", megabytes(bytes)));
}

fn novactl(props: &Props, person: &Person, url: &str, arguments: &[&str]) -> String {
    let done = Command::new(&props.novactl)
        .args(arguments)
        .env("NOVACULA_URL", url)
        .env("NOVACULA_TOKEN", person.token())
        .output()
        .expect("novactl can be started");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "novactl {} succeeds: {said}", arguments.join(" "));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Orders an upgrade as a sysadmin would, and shows it live until its end.
fn upgrade(screen: &Screen, props: &Props, scene: &Scene, version: &str) -> Upgrade {
    let window = format!("{}s", HEALTH_WINDOW.as_secs());
    screen.command(&format!(
        "novactl upgrade request {EXECUTOR} --target-version {version} --health-window {window}"
    ));
    let arguments = ["upgrade", "request", EXECUTOR, "--target-version", version, "--health-window", &window];
    let answer =
        novactl(props, scene.owner(), &scene.control_plane.url(), &[&arguments[..], &["--json"]].concat());
    let requested: Upgrade = serde_json::from_str(&answer).expect("novactl --json prints the upgrade");
    watch(screen, scene.owner(), &requested)
}

fn watch(screen: &Screen, person: &Person, requested: &Upgrade) -> Upgrade {
    let begun = Instant::now();
    let (mut stage, mut entered) = (requested.stage, begun);
    let ended = poll(UPGRADE_LIMIT, || {
        let now = person.upgrade(&requested.id);
        if now.stage != stage {
            screen.say(&line(stage, &now, entered.elapsed()));
            (stage, entered) = (now.stage, Instant::now());
        }
        if now.stage.is_end() {
            screen.say(&line(stage, &now, begun.elapsed()));
            return Some(now);
        }
        screen.moving(&line(stage, &now, entered.elapsed()));
        None
    });
    ended.unwrap_or_else(|| panic!("the upgrade ends; it stands at {:#?}", person.upgrade(&requested.id)))
}

fn line(stage: Stage, upgrade: &Upgrade, spent: Duration) -> String {
    let bytes = match stage {
        Stage::Download => {
            format!("  {} of {}", megabytes(upgrade.bytes_done), megabytes(upgrade.bytes_total))
        }
        _ => String::new(),
    };
    format!("    {stage:<20}{:>6.1} s{bytes}", spent.as_secs_f64())
}

fn roll_back(screen: &Screen, props: &Props, scene: &Scene, version: &str) {
    let good = scene.sha256(BINARY);
    let ended = upgrade(screen, props, scene, version);
    expect_end(scene, &ended, Stage::RolledBack, GOOD);
    assert_eq!(scene.sha256(BINARY), good, "the very same binary as before is back in place");
    let reason = ended.error.expect("a rollback has a reason");
    screen.caught(&format!("rolled back: {}: {}", reason.code, reason.message));
    screen.good(&format!("{GOOD} is back, the same file bit by bit, and syncs"));
}

/// The upgrade has ended as it should, and the version that should run after it syncs.
fn expect_end(scene: &Scene, ended: &Upgrade, stage: Stage, running: &str) {
    assert_eq!(
        ended.stage, stage,
        "the upgrade to {} ends as {stage}; it says {ended:#?}",
        ended.target_version
    );
    scene.owner().wait_for_version(EXECUTOR, running);
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}
