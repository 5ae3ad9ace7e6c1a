//! Releases of the laboratory are signed as real ones are, and the bad ones are bad in the way they claim.

#![allow(clippy::disallowed_methods, reason = "a test of the laboratory may start programs and write files")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use novacula_lab::{Fault, Host, Signer, Suite, faulty_release, signing, wait_for};
use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};

const SOON: Duration = Duration::from_secs(20);

fn trusted() -> TrustedKeys {
    let text = fs::read_to_string(signing::trusted_keys().join("lab.pub")).expect("the public key is there");
    TrustedKeys::from_texts([("lab", text.as_str())]).expect("it is a key")
}

#[test]
fn a_signature_of_the_laboratory_is_trusted_and_one_of_a_stranger_is_not() {
    let release = faulty_release("1.2.3", Fault::CrashLoop);
    let keys = trusted();
    let check = |text: &str| {
        let signature = ReleaseSignature::parse(text).map_err(|refusal| refusal.code.as_str())?;
        let mut verifier = signature.verifier(&keys).map_err(|refusal| refusal.code.as_str())?;
        verifier.update(&fs::read(&release).expect("the release can be read"));
        let comment = verifier.finish().map_err(|refusal| refusal.code.as_str())?;
        Ok(comment.version.to_string())
    };
    assert_eq!(check(&Signer::trusted().sign_agent(&release, "1.2.3")), Ok("1.2.3".to_owned()));

    let folder = tempfile::tempdir().expect("a folder can be made");
    let stranger = Signer::stranger(folder.path()).sign_agent(&release, "1.2.3");
    assert_eq!(check(&stranger), Err("untrusted_key"));
}

#[test]
fn a_bad_release_says_its_version_unless_that_is_its_fault() {
    let says = |fault| {
        let release = faulty_release("1.3.0", fault);
        let done = Command::new(release).arg("--version").output().map_err(|e| e.kind())?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        Ok::<_, std::io::ErrorKind>(done.status.success().then_some(said))
    };
    assert_eq!(says(Fault::NeverSync), Ok(Some("novacula-agent 1.3.0\n".to_owned())));
    assert_eq!(says(Fault::WrongVersion), Ok(Some("novacula-agent 99.0.0\n".to_owned())));
    assert_eq!(says(Fault::NoVersion), Ok(None));
    assert!(says(Fault::Garbage).is_err());
}

#[test]
fn every_fault_looks_to_systemd_as_it_should() {
    let host = Host::boot(Suite::Bookworm);
    for (fault, expected) in [
        (Fault::CrashLoop, "failed exit-code"),
        (Fault::Abort, "failed signal"),
        (Fault::HangBeforeReady, "failed timeout"),
        (Fault::HangAfterReady, "failed watchdog"),
        (Fault::CleanExit, "failed protocol"),
        (Fault::CleanExitSlow, "inactive success"),
        (Fault::NeverSync, "active success"),
        (Fault::UnexecutableAfterSwap, "failed exit-code"),
    ] {
        let unit = fault.name();
        let release = fs::read(faulty_release("1.3.0", fault)).expect("the release can be read");
        host.put("/opt/release", &release, 0o755);
        let text = "[Service]\nType=notify\nExecStart=/opt/release run\nWatchdogSec=1\nTimeoutStartSec=2\n\
                    TimeoutAbortSec=2\n";
        host.put(&format!("/etc/systemd/system/{unit}.service"), text.as_bytes(), 0o644);
        host.ok(&format!("systemctl daemon-reload; systemctl start --no-block {unit}"));
        let state = || format!("{} {}", host.property(unit, "ActiveState"), host.property(unit, "Result"));
        wait_for(&format!("{unit} ends as `{expected}`"), SOON, || (state() == expected).then_some(()));
    }
    let mode = host.ok("stat -c %a /opt/release");
    assert_eq!(mode, "0", "the last one has taken its own permissions away");
    let up_s = "systemctl show --value --property=ActiveEnterTimestampMonotonic never-sync";
    wait_for("never-sync outlives its watchdog", SOON, || {
        let entered_us: u64 = host.ok(up_s).parse().expect("systemd says when it came up");
        let uptime = host.ok("cut -d' ' -f1 /proc/uptime");
        let now_s: f64 = uptime.parse().expect("the kernel says how long it is up");
        let up_for = Duration::from_secs_f64(now_s).saturating_sub(Duration::from_micros(entered_us));
        (up_for > Duration::from_secs(3)).then_some(())
    });
    assert_eq!(host.property("never-sync", "ActiveState"), "active");
    host.ok("systemctl stop never-sync");
}
