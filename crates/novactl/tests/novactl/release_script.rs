//! `packaging/release.sh`, run for real in a repository of its own, with a throw-away key and the real minisign. What
//! it signs was built before, as one that comes from a build elsewhere: once the agent, else a stand-in for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use novacula_lab::{Signer, builds, signing};
use serde_json::json;
use tempfile::TempDir;

use crate::novactl::{Run, command, run};
use crate::recorder::Recorder;
use crate::samples;

const SCRIPT: &str = include_str!("../../../../packaging/release.sh");
const VERSION: &str = "1.4.0";

/// A clean repository with the script in it, and beside it a key.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(desk.repository().join("packaging")).unwrap();
        let script = desk.repository().join("packaging/release.sh");
        std::fs::write(&script, SCRIPT).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(desk.repository().join(".gitignore"), "/target\n").unwrap();
        let _made = Signer::trusted();
        let secret = signing::trusted_keys().with_file_name("secret").join("lab.key");
        std::fs::copy(secret, desk.key()).unwrap();
        std::fs::set_permissions(desk.key(), PermissionsExt::from_mode(0o600)).unwrap();
        for line in ["init -q", "add .", "-c user.name=T -c user.email=t@example.com commit -q -m first"] {
            let git =
                Command::new("git").current_dir(desk.repository()).args(line.split(' ')).output().unwrap();
            assert!(git.status.success(), "{git:?}");
        }
        desk
    }

    fn repository(&self) -> PathBuf {
        self.dir.path().join("repository")
    }

    fn key(&self) -> PathBuf {
        self.dir.path().join("secret.key")
    }

    fn out(&self) -> PathBuf {
        self.repository().join("target/dist").join(VERSION)
    }

    fn script(&self) -> Command {
        let mut script = command(&self.repository().join("packaging/release.sh"));
        script.env("NOVACULA_KEYS_DIR", signing::trusted_keys());
        script
    }

    /// A static program that prints this version and can do nothing else.
    fn stand_in(&self, version: &str) -> PathBuf {
        let source = self.dir.path().join("stand-in.rs");
        std::fs::write(&source, format!("fn main() {{ println!(\"novacula-agent {version}\") }}")).unwrap();
        let program = self.dir.path().join(format!("stand-in-{version}"));
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "-Cpanic=abort", "--target", builds::target(), "-o"]).arg(&program);
        let compiled = rustc.arg(&source).output().unwrap();
        assert!(compiled.status.success(), "{compiled:?}");
        program
    }

    /// Releases a binary with the key, and with whatever else is asked for.
    fn release(&self, binary: &Path, more: &[&str]) -> Run {
        run(self
            .script()
            .arg(VERSION)
            .arg("--key")
            .arg(self.key())
            .args(["--binary", &format!("{}={}", builds::target(), binary.display())])
            .args(more))
    }
}

#[test]
fn a_release_is_checked_signed_verified_and_summed() {
    let desk = Desk::new();
    let said = desk.release(&builds::agent(VERSION), &["--floor", "1.2.0"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    let name = format!("novacula-agent-{VERSION}-{}", builds::target());
    let signature = std::fs::read_to_string(desk.out().join(format!("{name}.minisig"))).unwrap();
    let comment = signature.lines().nth(2).unwrap();
    assert!(comment.starts_with("trusted comment: timestamp:"), "{comment}");
    let fields = format!(" file:{name} kind:agent version:{VERSION} target:{} floor:1.2.0", builds::target());
    assert!(comment.ends_with(&fields), "{comment}");
    let sums = Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(desk.out()).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
    assert_eq!(String::from_utf8(sums.stdout).unwrap().lines().count(), 2, "the artifact and its signature");
    assert!(
        said.stdout.contains("signed with lab") && said.stdout.contains("publish it with: novactl"),
        "{said:?}"
    );

    let again = desk.release(&builds::agent(VERSION), &[]);
    assert!(again.code == 1 && again.stderr.contains("must not exist yet"), "{again:?}");
}

#[test]
fn a_release_is_published_in_the_same_go() {
    let desk = Desk::new();
    let server = Recorder::start(|asked| match asked.line.split(' ').next() {
        Some("GET") => (200, samples::page(&[])),
        _ => (201, samples::release(VERSION, "published", &json!([])).to_string()),
    });
    let notes = desk.dir.path().join("notes.md");
    std::fs::write(&notes, "better").unwrap();
    let said = run(desk
        .script()
        .env("NOVACULA_URL", server.url())
        .env("NOVACTL", builds::novactl())
        .args([VERSION, "--publish", "--channel", "beta", "--key"])
        .arg(desk.key())
        .arg("--notes-file")
        .arg(&notes)
        .args(["--binary", &format!("{}={}", builds::target(), desk.stand_in(VERSION).display())]));
    assert_eq!(said.code, 0, "{said:?}");
    let upload = &server.asked()[1];
    assert_eq!((upload.field("version"), upload.field("channel")), (VERSION.to_owned(), "beta".to_owned()));
    assert_eq!(upload.field("notes"), "better");
    assert!(upload.field("signature").contains(&format!("version:{VERSION}")));
}

#[test]
fn a_release_that_cannot_be_published_stays_signed_and_says_how_to_go_on() {
    let desk = Desk::new();
    let server = Recorder::start(|_| (403, samples::problem("forbidden", "not yours")));
    let said = run(desk
        .script()
        .env("NOVACULA_URL", server.url())
        .env("NOVACTL", builds::novactl())
        .args([VERSION, "--publish", "--key"])
        .arg(desk.key())
        .args(["--binary", &format!("{}={}", builds::target(), desk.stand_in(VERSION).display())]));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("not yours") && said.stderr.contains("novactl release publish --version"),
        "{said:?}"
    );
    assert!(desk.out().join("SHA256SUMS").exists());
}

#[test]
fn a_binary_that_agents_would_refuse_is_not_signed() {
    let desk = Desk::new();
    let agent = desk.stand_in(VERSION);
    let bytes = std::fs::read(&agent).unwrap();
    let made = |name: &str, bytes: &[u8]| {
        let path = desk.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    // The machine of an ELF file stands at byte 18; 8 is MIPS.
    let mut foreign = bytes.clone();
    foreign[18..20].copy_from_slice(&[8, 0]);
    for (binary, sentence) in [
        (desk.stand_in("1.3.0"), "must print version 1.4.0, it prints"),
        (made("foreign", &foreign), "must be an ELF file for"),
        (made("script", b"#!/bin/sh\necho 1.4.0\n"), "must be an ELF file for"),
        (PathBuf::from("/bin/ls"), "must be static"),
        (desk.dir.path().join("absent"), "nothing is there"),
    ] {
        let said = desk.release(&binary, &[]);
        assert!(said.code == 1 && said.stderr.contains(sentence), "{sentence}: {said:?}");
        assert!(!desk.out().exists());
    }
    let left: Vec<_> = std::fs::read_dir(desk.repository().join("target/dist")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_key_that_is_in_the_repository_or_that_nobody_trusts_is_refused() {
    let desk = Desk::new();
    let agent = desk.stand_in(VERSION);
    let inside = desk.repository().join("target/inside.key");
    std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
    std::fs::copy(desk.key(), &inside).unwrap();
    let link = desk.dir.path().join("link.key");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    let _stranger = Signer::stranger(desk.dir.path());
    let stranger = desk.dir.path().join("stranger.key");
    let no_key = desk.dir.path().join("no.key");
    std::fs::write(&no_key, "hello").unwrap();
    for (key, sentence) in [
        (inside, "must not be inside the repository"),
        (link, "must not be inside the repository"),
        (stranger, "it is by another"),
        (no_key, "must be a minisign key"),
        (desk.dir.path().join("absent"), "must be a readable file"),
    ] {
        let binary = format!("{}={}", builds::target(), agent.display());
        let said = run(desk.script().arg(VERSION).arg("--key").arg(&key).args(["--binary", &binary]));
        assert!(said.code == 1 && said.stderr.contains(sentence), "{sentence}: {said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        assert!(!desk.out().exists());
    }
}

#[test]
fn a_folder_without_public_keys_is_refused() {
    let desk = Desk::new();
    let said = run(desk.script().env_remove("NOVACULA_KEYS_DIR").arg(VERSION).arg("--key").arg(desk.key()));
    assert!(said.code == 1 && said.stderr.contains("keys/README.md"), "{said:?}");
    let said = run(desk
        .script()
        .env("NOVACULA_KEYS_DIR", desk.dir.path())
        .arg(VERSION)
        .arg("--key")
        .arg(desk.key()));
    assert!(said.code == 1 && said.stderr.contains("must hold the public keys (*.pub)"), "{said:?}");
}

#[test]
fn a_tree_with_changes_is_refused_unless_allowed() {
    let desk = Desk::new();
    std::fs::write(desk.repository().join("forgotten.rs"), "").unwrap();
    let said = desk.release(&desk.stand_in(VERSION), &[]);
    assert!(said.code == 1 && said.stderr.contains("must be clean"), "{said:?}");
    let said = desk.release(&desk.stand_in(VERSION), &["--allow-dirty"]);
    assert!(said.code == 0 && said.stdout.contains("with changes that are not committed"), "{said:?}");
}

#[test]
fn wrong_usage_is_2_and_one_sentence() {
    let desk = Desk::new();
    let key = desk.key();
    let key = key.to_str().unwrap();
    for arguments in [
        &[][..],
        &["1.2", "--key", key],
        &["v1.2.3", "--key", key],
        &["01.2.3", "--key", key],
        &["1.2.3+build", "--key", key],
        &["1.2.3"],
        &["1.2.3", "--key"],
        &["1.2.3", "1.2.4", "--key", key],
        &["1.2.3", "--key", key, "--floor", "1.3.0"],
        &["1.2.3-rc.1", "--key", key, "--floor", "1.2.3"],
        &["1.2.3", "--key", key, "--channel", "nightly"],
        &["1.2.3", "--key", key, "--target", "x86_64;true"],
        &["1.2.3", "--key", key, "--binary", "x86_64-unknown-linux-musl"],
        &["1.2.3", "--key", key, "--target", "a-b", "--binary", "a-b=/bin/ls"],
        &["1.2.3", "--key", key, "--force"],
    ] {
        let said = run(desk.script().args(arguments));
        assert_eq!((said.code, said.stderr.lines().count()), (2, 1), "{arguments:?}: {said:?}");
    }
    for version in ["1.2.3", "1.2.3-rc.1", "10.20.30-alpha-2.0x"] {
        let said = run(desk.script().args([version, "--key", "/absent"]));
        assert!(said.code == 1 && said.stderr.contains("/absent"), "{said:?}");
    }
    let help = run(desk.script().arg("--help"));
    assert!(help.code == 0 && help.stdout.contains("--floor V"), "{help:?}");
}
