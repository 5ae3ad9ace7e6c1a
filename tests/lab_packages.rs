//! The packages on real systemd hosts: a seed that starts a host, and never gets in the way of an agent that upgrades
//! itself.

#![expect(clippy::disallowed_methods, reason = "a test runs the programs that make packages")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use novacula_lab::scene::{AGENT, BINARY, CONFIG, DATA_DIR, EXECUTOR, PREVIOUS, ROLLBACK, TRIAL_TIMER};
use novacula_lab::{Output, Scene, Suite, builds, wait_for};
use novacula_protocol::Stage;

/// Long enough to install a package in the middle of a trial.
const LONG_WINDOW: Duration = Duration::from_secs(8);

#[test]
fn a_package_starts_an_agent_that_has_a_config_and_no_other() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        let config = scene.host.read(CONFIG).expect("the scene has a config");
        scene.host.ok("rm -r /etc/novacula");
        let installed = install_deb(&scene, "1.0.0");
        assert!(
            installed.stderr.contains("not started, there is no /etc/novacula/agent.toml"),
            "{installed:?}"
        );
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "inactive");
        assert_eq!(scene.host.property(AGENT, "UnitFileState"), "enabled");
        assert_eq!(scene.host.property(TRIAL_TIMER, "UnitFileState"), "enabled");
        assert_eq!(scene.host.read(CONFIG), None, "a package brings no config");

        scene.host.ok("dpkg --purge novacula-agent");
        scene.host.put(CONFIG, &config, 0o600);
        install_deb(&scene, "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
    }
}

#[test]
fn a_newer_package_replaces_the_binary_and_an_older_one_adopts_it() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        let config = scene.host.read(CONFIG);
        install_deb(&scene, "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");

        let old = scene.sha256(BINARY);
        install_deb(&scene, "1.1.0");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        assert_eq!(scene.sha256(PREVIOUS), old, "what was replaced is kept");
        assert_eq!(scene.host.read(CONFIG), config);
        let repaired = scene.host.sh(&format!("{BINARY} repair"));
        assert_eq!(repaired.code, 3, "what the package brought belongs here: {repaired:?}");

        scene.publish("1.4.0", &builds::agent("1.4.0"));
        assert_eq!(scene.upgrade_to("1.4.0").stage, Stage::Completed);
        let (process, own) = (scene.host.property(AGENT, "MainPID"), scene.sha256(BINARY));
        let adopted = install_deb(&scene, "1.2.0");
        assert!(adopted.stderr.contains("is 1.4.0 and the package brings 1.2.0"), "{adopted:?}");
        assert_eq!(scene.sha256(BINARY), own);
        assert_eq!(scene.host.property(AGENT, "MainPID"), process, "nothing was restarted");
        assert_eq!(scene.host.ok("ls -A /opt/novacula/bin"), "novacula-agent\nnovacula-agent.prev");
    }
}

#[test]
fn a_package_leaves_a_release_on_trial_alone() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        install_deb(&scene, "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        let release = builds::agent("1.1.0");
        scene.publish("1.1.0", &release);
        put_deb(&scene, "1.2.0");
        let requested = scene.request_with("1.1.0", LONG_WINDOW);
        scene.wait_until_in_place(&release);
        let installed = install(&scene);
        assert!(installed.stderr.contains("a release is on trial"), "{installed:?}");
        let ended = scene.end_of(&requested);
        assert_eq!(ended.stage, Stage::Completed, "{ended:#?}");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");

        // What was put off is made up for.
        scene.host.ok("dpkg-reconfigure novacula-agent");
        scene.owner().wait_for_version(EXECUTOR, "1.2.0");
    }
}

#[test]
fn removing_keeps_what_makes_the_host_and_purging_keeps_nothing() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        install_deb(&scene, "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        scene.host.ok("dpkg --remove novacula-agent");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "inactive");
        assert_eq!(scene.host.property(AGENT, "LoadState"), "not-found");
        scene.host.ok(&format!("test -x {BINARY} && test -f {CONFIG} && test -d {DATA_DIR}"));
        assert_eq!(scene.host.ok("find /etc/systemd/system -name 'novacula*'"), "", "no link is left");

        // As if it had been removed in the middle of a trial.
        scene.host.put(&format!("{DATA_DIR}/trial.json"), b"unreadable", 0o600);
        install_deb(&scene, "1.0.0");
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "active", "the same host again");
        assert_ne!(scene.host.property(TRIAL_TIMER, "ActiveEnterTimestamp"), "", "somebody judges again");
        scene.host.ok("dpkg --purge novacula-agent");
        assert_eq!(scene.host.property(AGENT, "LoadState"), "not-found");
        let left =
            scene.host.ok("find / -xdev -name '*novacula*' -not -path '/proc/*' -not -path '/var/log/*'");
        assert_eq!(left, "");
    }
}

#[test]
fn units_that_install_wrote_give_way_to_the_same_ones_of_a_package() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent(suite, "1.0.0");
        let drop_in = "/etc/systemd/system/novacula-agent.service.d/own.conf";
        scene.host.put(drop_in, b"[Service]\nEnvironment=OWN=yes\n", 0o644);
        scene.host.ok("echo '# changed by hand' >>/etc/systemd/system/novacula-agent-trial.timer");
        let installed = install_deb(&scene, "1.1.0");
        assert!(installed.stderr.contains("novacula-agent-trial.timer is not the unit"), "{installed:?}");
        let place = |unit| scene.host.property(unit, "FragmentPath");
        assert!(place(AGENT).contains("/lib/systemd/system/"), "{}", place(AGENT));
        assert!(place(TRIAL_TIMER).starts_with("/etc/systemd/system/"), "{}", place(TRIAL_TIMER));
        assert_eq!(scene.host.property(AGENT, "UnitFileState"), "enabled");
        assert!(scene.host.read(drop_in).is_some());
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
    }
}

#[test]
fn units_that_a_release_brought_follow_the_next_package_and_go_with_it() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        install_deb(&scene, "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        let written = format!("/etc/systemd/system/{AGENT}");
        assert_eq!(scene.host.read(&written), None, "a package's own units are as its agent wants them");

        scene.publish("1.1.0", &builds::agent_with_other_units("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        wait_for("the units of the release are in force", Duration::from_secs(30), || {
            (scene.host.property(AGENT, "TimeoutStartUSec") == builds::OTHER_START_LIMIT).then_some(())
        });
        install_deb(&scene, "1.2.0");
        scene.owner().wait_for_version(EXECUTOR, "1.2.0");
        wait_for("the units of the package are in force", Duration::from_secs(30), || {
            (scene.host.property(AGENT, "TimeoutStartUSec") == "30s").then_some(())
        });
        assert!(scene.agent("status").contains("as this version writes them"));

        scene.host.ok("dpkg --remove novacula-agent");
        assert_eq!(scene.host.property(AGENT, "LoadState"), "not-found");
        assert_eq!(scene.host.read(&written), None);
    }
}

#[test]
fn versions_are_ordered_as_semver_orders_them() {
    let settle = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/files/settle");
    // Each is older than the next.
    let ascending = [
        "0.9.10",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-B",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.b",
        "1.0.0-alphab",
        "1.0.0-rc.9",
        "1.0.0-rc.18446744073709551614",
        "1.0.0-rc.18446744073709551615",
        "1.0.0",
        "1.0.1",
        "1.9.0",
        "1.10.0",
        "10.0.0",
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            let asked = Command::new(&settle).args(["is-older", a, b]).status().expect("settle can be run");
            assert_eq!(asked.success(), i < j, "{a} is older than {b}");
        }
    }
}

#[test]
fn an_rpm_installs_upgrades_adopts_and_removes_as_a_deb_does() {
    for suite in Suite::chosen() {
        let scene = bare_scene(suite);
        put_rpm_itself(&scene);
        rpm(&scene, "-U", "1.0.0");
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");
        for unit in [AGENT, TRIAL_TIMER] {
            assert_eq!(scene.host.property(unit, "UnitFileState"), "enabled", "{unit}");
        }
        assert_eq!(
            scene.host.ok(&format!("{RPM} -V --nodeps novacula-agent")),
            "",
            "all is as it was packaged"
        );
        let files = scene.host.ok(&format!("{RPM} -ql novacula-agent"));
        for file in ["/usr/lib/novacula/settle", "/etc/needrestart/conf.d/novacula.conf"] {
            assert!(files.lines().any(|line| line == file), "{file}: {files}");
        }

        let old = scene.sha256(BINARY);
        rpm(&scene, "-U", "1.1.0");
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        assert_eq!(scene.sha256(PREVIOUS), old, "what was replaced is kept");

        scene.publish("1.4.0", &builds::agent("1.4.0"));
        assert_eq!(scene.upgrade_to("1.4.0").stage, Stage::Completed);
        let (process, own) = (scene.host.property(AGENT, "MainPID"), scene.sha256(BINARY));
        let adopted = rpm(&scene, "-U", "1.2.0");
        let said = format!("{}{}", adopted.stdout, adopted.stderr);
        assert!(said.contains("is 1.4.0 and the package brings 1.2.0"), "{adopted:?}");
        assert_eq!(scene.sha256(BINARY), own);
        assert_eq!(scene.host.property(AGENT, "MainPID"), process, "nothing was restarted");
        assert_eq!(scene.host.ok("/usr/lib/novacula/novacula-agent --version"), "novacula-agent 1.2.0");
        scene.host.ok(&format!("{BINARY} preflight"));

        scene.host.ok(&format!("{RPM} -e novacula-agent"));
        assert_eq!(scene.host.property(AGENT, "ActiveState"), "inactive");
        assert_eq!(scene.host.property(AGENT, "LoadState"), "not-found");
        assert_eq!(scene.host.ok("find /etc/systemd/system -name 'novacula*'"), "", "no link is left");
        assert_eq!(scene.sha256(BINARY), own);
        scene.host.ok(&format!("test -f {CONFIG} && test -d {DATA_DIR}"));

        rpm(&scene, "-i", "1.2.0");
        scene.wait_until_active(AGENT);
        assert_eq!(scene.sha256(BINARY), own, "the same host again");
    }
}

#[test]
fn a_deb_is_clean_to_lintian() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let deb = package(folder.path(), "1.0.0", "deb");
    let found = Command::new("lintian").args(["--fail-on", "error,warning"]).arg(deb).output();
    let found = found.expect("lintian is there");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
}

#[test]
fn the_scripts_of_the_packages_are_clean_to_shellcheck() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let rpm = package(folder.path(), "1.0.0", "rpm");
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    let mut scripts: Vec<_> =
        ["deb/postinst", "deb/prerm", "deb/postrm", "files/settle"].map(|name| packaging.join(name)).into();
    for tag in ["POSTIN", "PREUN", "POSTUN"] {
        let text = run(Command::new("rpm").args(["-qp", "--queryformat", &format!("%{{{tag}}}")]).arg(&rpm));
        assert!(text.contains("systemctl"), "{tag} is a script: {text}");
        scripts.push(folder.path().join(tag));
        std::fs::write(folder.path().join(tag), text).expect("a file can be written");
    }
    run(Command::new("shellcheck").arg("--shell=sh").args(scripts));
}

/// As needrestart itself does: it evaluates the files of conf.d, and a service is restarted unless one of the patterns
/// in `override_rc` says 0.
const NEEDRESTART: &str = r"
use strict;
our %nrconf = (override_rc => { qr(^dbus) => 0 });
my $file = shift;
eval do { local (@ARGV, $/) = $file; <> };
die $@ if $@;
for my $unit (@ARGV) {
    my ($said) = map { $nrconf{override_rc}->{$_} } grep { $unit =~ /$_/ } keys %{ $nrconf{override_rc} };
    print $unit, ' ', defined $said && !$said ? 'left alone' : 'restarted', qq(\n);
}
";

#[test]
fn needrestart_is_told_to_leave_the_agent_alone() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/files/needrestart.conf");
    let said = run(Command::new("perl").args(["-e", NEEDRESTART]).arg(config).args([
        AGENT,
        ROLLBACK,
        "dbus.service",
        "other-novacula-agent.service",
    ]));
    assert_eq!(
        said,
        format!(
            "{AGENT} left alone\n{ROLLBACK} left alone\ndbus.service left alone\nother-novacula-agent.service restarted\n"
        )
    );
}

/// A host with a config and nothing else of ours.
fn bare_scene(suite: Suite) -> Scene {
    let scene = Scene::with_agent_not_installed(suite, "1.0.0");
    scene.host.ok("rm -r /opt/novacula");
    scene
}

/// Installs the package of this version; dpkg must be content.
#[track_caller]
fn install_deb(scene: &Scene, version: &str) -> Output {
    put_deb(scene, version);
    install(scene)
}

fn put_deb(scene: &Scene, version: &str) {
    static MADE: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = made.entry(version.to_owned()).or_insert_with(|| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        std::fs::read(package(folder.path(), version, "deb")).expect("the package can be read")
    });
    scene.host.put("/root/agent.deb", bytes, 0o644);
}

#[track_caller]
fn install(scene: &Scene) -> Output {
    let installed = scene.host.sh("dpkg --install /root/agent.deb && rm /root/agent.deb");
    assert_eq!(installed.code, 0, "{installed:?}");
    installed
}

/// The rpm of this machine: a host of the laboratory is a Debian and has none. Its database is the host's own.
const RPM: &str = "rpm --dbpath /var/lib/rpm";

fn put_rpm_itself(scene: &Scene) {
    scene.host.put_program("rpm");
    let packed = Command::new("tar").args(["-C", "/", "-cz", "usr/lib/rpm"]).output().expect("tar is there");
    assert!(packed.status.success(), "{packed:?}");
    scene.host.put("/root/rpm.tgz", &packed.stdout, 0o644);
    scene.host.ok("tar -xzf /root/rpm.tgz -C / --keep-directory-symlink");
}

/// `rpm -i` or `rpm -U` of the package of this version; rpm must be content. What Debian's packages bring, its
/// database does not know.
#[track_caller]
fn rpm(scene: &Scene, mode: &str, version: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let bytes = std::fs::read(package(folder.path(), version, "rpm")).expect("the package can be read");
    scene.host.put("/root/agent.rpm", &bytes, 0o644);
    let done = scene.host.sh(&format!("{RPM} {mode} --nodeps --force-debian /root/agent.rpm"));
    assert_eq!(done.code, 0, "{done:?}");
    done
}

/// A package of a build of the laboratory, made by the same script as those that are shipped.
fn package(folder: &Path, version: &str, format: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/package.sh");
    let mut command = Command::new(script);
    command.arg("--binary").arg(builds::agent(version)).arg("--out").arg(folder).args(["--only", format]);
    let made = run(&mut command);
    PathBuf::from(made.trim_end())
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let done = command.output().expect("the program is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it prints text")
}
