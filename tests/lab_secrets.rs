//! What an unprivileged user of the host learns of the agent's keys: nothing.

#![allow(clippy::disallowed_methods, reason = "a test: it reads the clock of this machine")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, EXECUTOR, HEALTH_WINDOW};
use novacula_lab::{Scene, Suite, builds, wait_for};
use novacula_protocol::Stage;
use novacula_protocol::people::{EnrolmentTokenRequest, IssuedSecret};

/// Anybody on the host.
const NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups --";
const ENROLLED: &str = "host-2";
const SOON: Duration = Duration::from_secs(30);

/// A host whose agent enrols itself with a token; gives the token.
fn enrolling(suite: Suite) -> (Scene, String) {
    let scene = Scene::with_agent_not_installed(suite, "1.0.0");
    let expires_at = Timestamp::now() + SignedDuration::from_hours(1);
    let wanted = EnrolmentTokenRequest { max_uses: 1, expires_at };
    let token = scene.owner().post::<IssuedSecret>("enrolment-tokens", &wanted).secret;
    // The name of the scene's own executor belongs to a key already.
    scene.host.ok(&format!("sed -i 's#{EXECUTOR}#{ENROLLED}#' {CONFIG}"));
    scene.host.ok(&format!("sed -i 's#^access_token = .*#access_token = \"{token}\"#' {CONFIG}"));
    scene.agent("install");
    (scene, token)
}

fn start(scene: &Scene) {
    scene.host.ok(&format!("systemctl restart {AGENT}"));
    scene.owner().wait_for_version(ENROLLED, "1.0.0");
}

#[test]
fn an_unprivileged_user_reads_no_key_in_a_file_a_log_a_status_or_a_process() {
    for suite in Suite::chosen() {
        let (scene, token) = enrolling(suite);
        start(&scene);
        let credentials = scene.host.ok(&format!("cat {DATA_DIR}/credentials.json"));
        let key = credentials.split('"').find(|word| word.starts_with("nva_")).expect("the key is kept");
        // The records of a whole upgrade, and what the next version makes of them.
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        let executor = scene.owner().executor(ENROLLED).expect("the control plane knows the executor");
        let requested = scene.owner().request_upgrade(&executor, "1.1.0", HEALTH_WINDOW);
        assert_eq!(scene.end_of(&requested).stage, Stage::Completed);
        scene.owner().wait_for_version(ENROLLED, "1.1.0");

        assert_eq!(
            scene.host.ok(&format!("stat -c %a:%U {CONFIG} {DATA_DIR}/credentials.json")),
            "600:root\n600:root"
        );
        let files = scene.host.ok(&format!("find {DATA_DIR} -type f"));
        assert!(files.lines().count() > 5, "{files}");
        for file in files.lines().chain([CONFIG]) {
            let read = scene.host.sh(&format!("{NOBODY} cat {file}"));
            assert!(read.code == 1 && read.stdout.is_empty(), "{file}: {read:?}");
            assert!(read.stderr.contains("Permission denied"), "{file}: {read:?}");
        }
        assert_eq!(scene.host.sh(&format!("{NOBODY} ls {DATA_DIR}")).stdout, "");
        assert_eq!(
            scene.host.ok(&format!("{NOBODY} {BINARY} --version")),
            "novacula-agent 1.1.0",
            "it may look"
        );

        let pid = scene.host.property(AGENT, "MainPID");
        let places = [
            "journalctl --no-pager --output=export".to_owned(),
            format!("{BINARY} status --json"),
            format!("{BINARY} explain --json"),
            format!("{BINARY} preflight --json"),
            format!("tr '\\0' '\\n' < /proc/{pid}/cmdline"),
            format!("tr '\\0' '\\n' < /proc/{pid}/environ"),
            format!("systemctl --no-pager show {AGENT}"),
            format!("systemctl --no-pager --full status {AGENT}"),
        ];
        for place in places {
            let shown = scene.host.sh(&place).stdout;
            assert!(!shown.is_empty(), "{place}");
            for secret in [key, token.as_str()] {
                // Not even the part behind the prefix, by which scanners find them.
                assert!(!shown.contains(&secret[4..]), "{place} shows a key");
            }
        }
    }
}

#[test]
fn a_key_that_others_can_read_is_told_in_one_sentence_and_costs_no_sync() {
    let (scene, token) = enrolling(Suite::Bookworm);
    let warned = |file: &str| {
        let sentence =
            format!("{file} holds a key and can be read by others (mode 0644); run `chmod 600 {file}`");
        wait_for(&sentence, SOON, || {
            (scene.host.journal(AGENT).matches(&sentence).count() == 1).then_some(())
        });
    };
    scene.host.ok(&format!("chmod 644 {CONFIG}"));
    start(&scene);
    warned(CONFIG);

    // The same for a token in a file of its own; then the config holds none.
    let file = "/etc/novacula/token";
    scene.host.put(file, token.as_bytes(), 0o644);
    scene.host.ok(&format!("sed -i 's#^access_token = .*#access_token_file = \"{file}\"#' {CONFIG}"));
    start(&scene);
    warned(file);
    warned(CONFIG);
}
