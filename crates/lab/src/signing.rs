//! Throw-away keys and real signatures, made by the real minisign.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::lock::Lock;
use crate::{builds, checkout};

/// The folder of public keys that everything the laboratory builds trusts; the key is made if it is missing.
#[must_use]
pub fn trusted_keys() -> PathBuf {
    let _made = Signer::trusted();
    trusted_folder()
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
        let secret = MADE.get_or_init(|| {
            let keys = checkout::lab().join("keys");
            let _lock = Lock::wait(&keys.join("lock"));
            let (secret, public) = (keys.join("secret/lab.key"), trusted_folder().join("lab.pub"));
            // The public key comes last: where it is, the pair is whole.
            if !public.exists() {
                make_pair(&secret, &public);
            }
            secret
        });
        Self { secret: secret.clone() }
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

fn trusted_folder() -> PathBuf {
    checkout::lab().join("keys/trusted")
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
