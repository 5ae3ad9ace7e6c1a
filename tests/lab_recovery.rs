//! The recovery part of `docs/operations.md` on real systemd hosts: every heading's host is broken as it says, its
//! commands are taken out of the page and run as they stand there, and the host is well afterwards.

use std::time::Duration;

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, EXECUTOR, PREVIOUS, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Fault, Scene, Signer, Suite, builds, faulty_release, wait_for};
use novacula_protocol::Stage;
use novacula_protocol::people::Upgrade;

const PAGE: &str = include_str!("../docs/operations.md");
const CHAPTER: &str = "\n## A host in trouble\n";
/// What the page tells its reader to bring along.
const BROUGHT: &str = "/root/novacula-agent";
/// Nobody waits for the end of such a trial.
const LONG_WINDOW: Duration = Duration::from_secs(600);

/// One test a heading, and no heading without one.
macro_rules! situations {
    ($($heading:literal => $test:ident($scene:ident, $steps:ident) $body:block)*) => {
        const TRIED: &[&str] = &[$($heading),*];
        $(
            #[test]
            fn $test() {
                for suite in Suite::chosen() {
                    #[allow(unused_mut, reason = "not every situation changes its scene")]
                    let (mut $scene, mut $steps) = (Scene::with_agent(suite, "1.0.0"), Steps::below($heading));
                    $body
                    $steps.all_done();
                }
            }
        )*
    };
}

#[test]
fn every_heading_of_the_recovery_part_is_tried() {
    let headings: Vec<_> = sections().map(|(heading, _)| heading).collect();
    assert_eq!(headings, TRIED);
    for (heading, text) in sections() {
        assert!(!blocks(text).is_empty(), "{heading} has commands");
        assert_eq!(text.matches("```").count() % 2, 0, "{heading}");
        assert_eq!(text.matches("```").count() / 2, blocks(text).len(), "{heading} has commands for sh only");
    }
}

situations! {
    "Look first" => looking_changes_nothing_and_says_what_happened(scene, steps) {
        commit(&scene, "1.1.0");
        let said = steps.run(&scene);
        assert!(said.contains("1.1.0") && said.contains("nothing on this host stops an upgrade"), "{said}");
        assert_eq!(scene.host.ok(&format!("{PREVIOUS} status")), scene.agent("status"));
        let said = steps.run(&scene);
        assert!(said.contains("1.1.0 had a sync accepted and stayed up: committed"), "{said}");
        is_well(&scene, "1.1.0");
    }

    "Keep upgrades away while you look" => a_host_is_held_and_let_go(scene, steps) {
        scene.publish("1.1.0", &builds::agent("1.1.0"));
        steps.run(&scene);
        let requested = scene.request("1.1.0");
        scene.wait_for_journal(AGENT, "this host is held: we are looking into this host");
        assert_eq!(scene.agent("--version"), "novacula-agent 1.0.0");
        steps.run(&scene);
        assert_eq!(scene.end_of(&requested).stage, Stage::Completed);
        is_well(&scene, "1.1.0");
    }

    "A new release is bad and its trial is still open" => a_trial_is_ended_by_hand(scene, steps) {
        let requested = open_trial(&scene);
        steps.run(&scene);
        was_rolled_back_by_hand(&scene, &requested);
        is_well(&scene, "1.0.0");
    }

    "A committed release turns out to be bad" => what_was_committed_is_rolled_back(scene, steps) {
        commit(&scene, "1.1.0");
        steps.run(&scene);
        is_well(&scene, "1.0.0");
        assert!(scene.agent("status").contains("until `unhold`: the new release is bad here"));
    }

    "There is no network or no control plane" => a_rollback_needs_neither_network_nor_config(scene, steps) {
        let requested = open_trial(&scene);
        scene.control_plane.stop();
        let config = scene.host.read(CONFIG).expect("the scene has a config");
        scene.host.ok(&format!("rm {CONFIG}"));
        steps.within("unshare --net").run(&scene);
        scene.wait_until_active(AGENT);
        assert_eq!(scene.agent("--version"), "novacula-agent 1.0.0");
        scene.host.put(CONFIG, &config, 0o600);
        scene.control_plane.start_again();
        was_rolled_back_by_hand(&scene, &requested);
        is_well(&scene, "1.0.0");
    }

    "Something else stands in place of the agent" => what_belongs_here_comes_back(scene, steps) {
        scene.host.put(&format!("{BINARY}.other"), &read_agent("1.2.0"), 0o755);
        scene.host.ok(&format!("mv {BINARY} {PREVIOUS} && mv {BINARY}.other {BINARY} && systemctl restart {AGENT}"));
        scene.owner().wait_for_version(EXECUTOR, "1.2.0");
        assert!(scene.agent("status").contains("which is not in place"));
        steps.run(&scene);
        is_well(&scene, "1.0.0");
    }

    "The binary is missing or damaged" => the_predecessor_takes_its_place(scene, steps) {
        for (version, damage) in [
            ("1.1.0", format!("rm {BINARY}")),
            ("1.2.0", format!("head -c 100000 {BINARY} >{BINARY}.cut && mv {BINARY}.cut {BINARY} && chmod 755 {BINARY}")),
        ] {
            commit(&scene, version);
            let before = scene.host.ok(&format!("{PREVIOUS} --version"));
            scene.host.ok(&damage);
            cannot_start(&scene);
            steps.again().run(&scene);
            is_well(&scene, before.trim_start_matches("novacula-agent "));
        }
    }

    "The binary and its predecessor are both gone" => a_binary_that_was_brought_takes_their_place(scene, steps) {
        commit(&scene, "1.1.0");
        scene.host.put(BROUGHT, &read_agent("1.2.0"), 0o600);
        scene.host.ok("rm -r /opt/novacula");
        cannot_start(&scene);
        steps.run(&scene);
        is_well(&scene, "1.2.0");
    }

    "Check a binary before you trust it" => a_binary_is_checked(scene, steps) {
        let release = builds::agent("1.2.0");
        scene.host.put(BROUGHT, &read_agent("1.2.0"), 0o600);
        let signature = Signer::trusted().sign_agent(&release, "1.2.0");
        scene.host.put(&format!("{BROUGHT}.minisig"), signature.as_bytes(), 0o600);
        let said = steps.run(&scene);
        assert!(said.contains("good: ") && said.contains("version:1.2.0"), "{said}");
        scene.host.ok(&format!("printf x >>{BROUGHT}"));
        let changed = scene.host.sh(steps.last());
        assert_eq!(changed.code, 4, "{changed:?}");
        is_well(&scene, "1.0.0");
    }

    "The units are missing" => units_are_written_again(scene, steps) {
        scene.host.ok(&format!("systemctl stop {AGENT} && rm /etc/systemd/system/novacula-agent*"));
        scene.host.ok("systemctl daemon-reload");
        assert_eq!(scene.host.property(AGENT, "LoadState"), "not-found");
        steps.run(&scene);
        is_well(&scene, "1.0.0");
    }

    "The config is broken" => a_good_config_takes_the_place_of_a_broken_one(scene, steps) {
        scene.host.ok(&format!("cp {CONFIG} /root/agent.toml && echo 'no [toml' >{CONFIG} && systemctl restart {AGENT}"));
        scene.wait_for_journal(AGENT, "waiting until it is mended");
        let said = steps.run(&scene);
        assert!(said.contains("stopped by config: "), "{said}");
        is_well(&scene, "1.0.0");
    }

    "The disk is full" => a_full_disk_keeps_no_host_from_its_way_back(scene, steps) {
        let small = "/srv/small";
        scene.host.ok(&format!(
            "systemctl stop {AGENT} && mkdir {small} && mount -t tmpfs -o size=96m small {small} && \
             cp -a /opt/novacula/bin {small}/bin && cp -a {DATA_DIR} {small}/records && \
             mount --bind {small}/bin /opt/novacula/bin && mount --bind {small}/records {DATA_DIR} && \
             systemctl start {AGENT}"
        ));
        let fill = format!(
            "! cat /dev/zero >/opt/novacula/bin/.novacula-agent.cut-short && ! (echo more >{DATA_DIR}/more) && \
             touch {DATA_DIR}/hold.json.unreadable"
        );
        let requested = open_trial(&scene);
        scene.host.ok(&fill);
        steps.run(&scene);
        assert_eq!(scene.host.ok(&format!("ls -A {DATA_DIR} /opt/novacula/bin | grep -c 'unreadable\\|cut' || :")), "0");
        steps.run(&scene);
        was_rolled_back_by_hand(&scene, &requested);
        is_well(&scene, "1.0.0");

        let requested = scene.request_with("1.1.0", LONG_WINDOW);
        scene.wait_until_in_place(&faulty_release("1.1.0", Fault::NeverSync));
        scene.host.ok(&fill);
        let unwritten = scene.host.sh(steps.last());
        assert_eq!(unwritten.code, 1, "{unwritten:?}");
        assert!(unwritten.stderr.contains("No space left on device"), "{unwritten:?}");
        assert_eq!(scene.agent("--version"), "novacula-agent 1.0.0");
        scene.wait_until_active(AGENT);
        steps.again().run(&scene);
        was_rolled_back_by_hand(&scene, &requested);
        is_well(&scene, "1.0.0");
        steps.skip_to_end();
    }

    "The records are damaged" => new_records_keep_the_key(scene, steps) {
        let config = scene.host.ok(&format!("cat {CONFIG}"));
        let key = config.lines().find_map(|line| line.strip_prefix("access_token = ")).expect("the scene has a key");
        let credentials = format!("{{\"accessToken\": {key}}}");
        scene.host.put(&format!("{DATA_DIR}/credentials.json"), credentials.as_bytes(), 0o600);
        scene.host.ok(&format!("sed -i '/^access_token/d' {CONFIG} && systemctl restart {AGENT}"));
        is_well(&scene, "1.0.0");
        scene.host.ok(&format!("for record in attempts committed floor starts; do echo rot >{DATA_DIR}/$record.json; done"));
        scene.host.ok(&format!("mkdir {DATA_DIR}/trial.json && systemctl restart {AGENT}"));
        assert_eq!(scene.host.sh(&format!("{BINARY} status")).code, 1, "not even a look is possible");
        steps.run(&scene);
        is_well(&scene, "1.0.0");
    }

    "The last resort" => coreutils_and_systemctl_are_enough(scene, steps) {
        let requested = open_trial(&scene);
        steps.run(&scene);
        was_rolled_back_by_hand(&scene, &requested);
        is_well(&scene, "1.0.0");

        commit(&scene, "1.2.0");
        scene.host.ok(&format!("echo rot >/root/rot && install -m 755 /root/rot {BINARY}"));
        cannot_start(&scene);
        steps.again().run(&scene);
        is_well(&scene, "1.0.0");
    }

    "The agent installed afresh" => a_host_begins_anew(scene, steps) {
        open_trial(&scene);
        for path in [BINARY, PREVIOUS] {
            scene.host.ok(&format!("echo rot >/root/rot && install -m 755 /root/rot {path}"));
        }
        scene.host.ok(&format!("for record in {DATA_DIR}/*.json; do echo rot >$record; done"));
        scene.host.ok(&format!("cd /etc/systemd/system && echo '# older' >>{AGENT} && rm {ROLLBACK}"));
        scene.host.ok("systemctl daemon-reload");
        scene.host.put(BROUGHT, &read_agent("1.2.0"), 0o600);
        steps.run(&scene);
        is_well(&scene, "1.2.0");
        assert_eq!(scene.host.read(PREVIOUS), None);
    }
}

/// The commands below one heading, block by block.
struct Steps {
    heading: &'static str,
    blocks: Vec<&'static str>,
    done: usize,
    wrapper: &'static str,
}

impl Steps {
    fn below(heading: &'static str) -> Self {
        let (_, text) = sections().find(|(found, _)| *found == heading).expect("the page has the heading");
        Self { heading, blocks: blocks(text), done: 0, wrapper: "" }
    }

    /// From the first block once more.
    fn again(&mut self) -> &mut Self {
        self.done = 0;
        self
    }

    /// The commands are run by this one.
    fn within(&mut self, wrapper: &'static str) -> &mut Self {
        self.wrapper = wrapper;
        self
    }

    /// The rest is for a host in another state.
    fn skip_to_end(&mut self) {
        self.done = self.blocks.len();
    }

    fn last(&self) -> &'static str {
        self.blocks[self.done - 1]
    }

    /// Runs the next block as somebody does who types it: line by line, each of which must succeed. What they said.
    #[track_caller]
    fn run(&mut self, scene: &Scene) -> String {
        let block =
            self.blocks.get(self.done).unwrap_or_else(|| panic!("{} has another block", self.heading));
        self.done += 1;
        let mut said = String::new();
        for line in block.lines() {
            let done = match self.wrapper {
                "" => scene.host.sh(line),
                wrapper => scene.host.sh(&format!("{wrapper} {line}")),
            };
            assert_eq!(done.code, 0, "{}: {line}\n{done:?}", self.heading);
            said += &done.stdout;
        }
        said
    }

    #[track_caller]
    fn all_done(&self) {
        assert_eq!(self.done, self.blocks.len(), "every block below {} was run", self.heading);
    }
}

/// The headings of the recovery part with what is below each.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    let (_, rest) = PAGE.split_once(CHAPTER).expect("the page has a recovery part");
    let chapter = rest.split("\n## ").next().unwrap_or(rest);
    chapter.split("\n### ").skip(1).map(|section| section.split_once('\n').expect("a heading has a text"))
}

fn blocks(text: &'static str) -> Vec<&'static str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect()
}

fn read_agent(version: &str) -> Vec<u8> {
    std::fs::read(builds::agent(version)).expect("a release can be read")
}

#[track_caller]
fn commit(scene: &Scene, version: &str) {
    scene.publish(version, &builds::agent(version));
    assert_eq!(scene.upgrade_to(version).stage, Stage::Completed);
}

/// A release is on trial that runs, and does nothing.
#[track_caller]
fn open_trial(scene: &Scene) -> Upgrade {
    let bad = faulty_release("1.1.0", Fault::NeverSync);
    scene.publish("1.1.0", &bad);
    let requested = scene.request_with("1.1.0", LONG_WINDOW);
    scene.wait_until_in_place(&bad);
    scene.wait_until_active(TRIAL_TIMER);
    requested
}

#[track_caller]
fn was_rolled_back_by_hand(scene: &Scene, requested: &Upgrade) {
    let ended = scene.end_of(requested);
    let code = ended.error.as_ref().map(|error| error.code.as_str());
    assert_eq!((ended.stage, code), (Stage::RolledBack, Some("rolled_back_by_hand")), "{ended:#?}");
}

/// systemd has tried, and given up.
#[track_caller]
fn cannot_start(scene: &Scene) {
    scene.host.sh(&format!("systemctl restart {AGENT}"));
    wait_for("systemd has given up", Duration::from_secs(60), || {
        (scene.host.property(AGENT, "ActiveState") == "failed").then_some(())
    });
}

/// This version runs and syncs, nothing is open, nothing is left, and the next upgrade is welcome.
#[track_caller]
fn is_well(scene: &Scene, version: &str) {
    let executor = || scene.owner().executor(EXECUTOR).expect("the control plane knows the executor");
    let seen = executor().last_seen_at;
    wait_for(&format!("the agent syncs anew as {version}"), Duration::from_secs(30), || {
        let now = executor();
        (now.last_seen_at > seen && now.current_version.to_string() == version).then_some(())
    });
    assert_eq!(scene.agent("--version"), format!("novacula-agent {version}"));
    scene.wait_until_active(AGENT);
    scene.wait_until_inactive(TRIAL_TIMER);
    assert_eq!(scene.host.read(&format!("{DATA_DIR}/trial.json")), None);
    let checked = scene.host.sh(&format!("{BINARY} preflight"));
    assert_eq!(checked.code, 0, "{checked:?}");
    let status = scene.agent("status");
    assert!(!status.contains("which is not in place"), "{status}");
    let left = scene.host.ok("ls -A /opt/novacula/bin");
    assert!(left.lines().all(|name| ["novacula-agent", "novacula-agent.prev"].contains(&name)), "{left}");
}
