//! Throw-away keys and real signatures, made by the real minisign.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::lock::Lock;
use crate::{builds, checkout};

/// The folder of public keys that everything the laboratory builds trusts; keys are made if they are missing.
#[must_use]
pub fn trusted_keys() -> PathBuf {
    let _made = (Signer::trusted(), Signer::next());
    trusted_folder()
}

/// Whom a build trusts: keys rotate by release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only the key of [`Signer::trusted`], as before a rotation.
    First,
    /// Both keys, as everything else that the laboratory builds.
    Both,
    /// Only the key of [`Signer::next`], as after a rotation.
    Next,
}

impl Trust {
    /// The folder with these public keys and no other.
    pub(crate) fn folder(self) -> PathBuf {
        let (name, key) = match self {
            Self::Both => return trusted_keys(),
            Self::First => ("first", "lab.pub"),
            Self::Next => ("last", "next.pub"),
        };
        let folder = keys().join(name);
        let _lock = Lock::wait(&keys().join("lock"));
        if !folder.join(key).exists() {
            fs::create_dir_all(&folder).expect("a folder for a key can be made");
            fs::copy(trusted_folder().join(key), folder.join(key)).expect("a key can be copied");
        }
        folder
    }
}

/// Somebody who signs releases.
#[derive(Clone, Debug)]
pub struct Signer {
    secret: PathBuf,
}

impl Signer {
    /// The release engineer of this checkout: one throw-away key, trusted by everything the laboratory builds.
    #[must_use]
    pub fn trusted() -> Self {
        static MADE: OnceLock<PathBuf> = OnceLock::new();
        Self { secret: MADE.get_or_init(|| make_trusted("lab")).clone() }
    }

    /// The release engineer of tomorrow: a second such key, which ships long before it signs.
    #[must_use]
    pub fn next() -> Self {
        static MADE: OnceLock<PathBuf> = OnceLock::new();
        Self { secret: MADE.get_or_init(|| make_trusted("next")).clone() }
    }

    /// A stranger with a fresh key that nobody trusts; it is kept in `folder`.
    #[must_use]
    pub fn stranger(folder: &Path) -> Self {
        let secret = folder.join("stranger.key");
        make_pair(&secret, &folder.join("stranger.pub"));
        Self { secret }
    }

    /// The secret key, without a password.
    #[must_use]
    pub fn secret(&self) -> &Path {
        &self.secret
    }

    /// Signs a file; the whole text of its `.minisig`.
    ///
    /// # Panics
    /// When minisign is missing or fails.
    #[must_use]
    pub fn sign(&self, file: &Path, trusted_comment: &str) -> String {
        let signature = checkout::lab().join(format!("{}.minisig", checkout::unique("signing")));
        minisign(
            Command::new("minisign")
                .args(["-S", "-c", "signature of a throw-away key", "-t", trusted_comment])
                .arg("-s")
                .arg(&self.secret)
                .arg("-x")
                .arg(&signature)
                .arg("-m")
                .arg(file),
        );
        let text = fs::read_to_string(&signature).expect("minisign has written the signature");
        fs::remove_file(&signature).expect("a file of ours can be removed");
        text
    }

    /// Signs a release of the agent; `version` may be anything a test wants to have signed.
    #[must_use]
    pub fn sign_agent(&self, file: &Path, version: &str) -> String {
        self.sign(file, &format!("kind:agent version:{version} target:{}", builds::target()))
    }
}

fn keys() -> PathBuf {
    checkout::lab().join("keys")
}

fn trusted_folder() -> PathBuf {
    keys().join("trusted")
}

fn make_trusted(name: &str) -> PathBuf {
    let _lock = Lock::wait(&keys().join("lock"));
    let secret = keys().join("secret").join(format!("{name}.key"));
    let public = trusted_folder().join(format!("{name}.pub"));
    // The public key comes last: where it is, the pair is whole.
    if !public.exists() {
        make_pair(&secret, &public);
    }
    secret
}

fn make_pair(secret: &Path, public: &Path) {
    for key in [secret, public] {
        let folder = key.parent().expect("a key lies in a folder");
        fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{} can be made: {e}", folder.display()));
    }
    minisign(Command::new("minisign").args(["-G", "-W", "-f", "-s"]).arg(secret).arg("-p").arg(public));
}

fn minisign(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().expect("minisign is installed (tests/prepare.sh)");
    assert!(
        done.status.success(),
        "minisign does what it is asked: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}
