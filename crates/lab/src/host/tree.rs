//! The root trees of hosts: one per suite, made once, never written to again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::checkout;
use crate::guard::Guarded;
use crate::lock::Lock;

/// A Debian suite, chosen for the generation of systemd it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// systemd 247
    Bullseye,
    /// systemd 252
    Bookworm,
    /// systemd 257, where `OnFailure=` means something else than before 254
    Trixie,
}

/// Changing what goes into a tree changes this name, so that no stale tree is ever used.
const RECIPE: &str = "2";

/// What a host under test does not need: it would only cost time and noise.
const MASKED: [&str; 18] = [
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "ldconfig.service",
    "systemd-firstboot.service",
    "systemd-hostnamed.socket",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "systemd-user-sessions.service",
];

impl Suite {
    const ALL: [Self; 3] = [Self::Bullseye, Self::Bookworm, Self::Trixie];

    /// The name Debian gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// The suites to test on: `NOVACULA_LAB_SUITES`, separated by spaces; bookworm alone when unset.
    ///
    /// # Panics
    /// When the variable names a suite the laboratory does not know.
    #[must_use]
    pub fn chosen() -> Vec<Self> {
        let Ok(chosen) = env::var("NOVACULA_LAB_SUITES") else {
            return vec![Self::Bookworm];
        };
        let named = |word: &str| {
            Self::ALL.into_iter().find(|suite| suite.name() == word).unwrap_or_else(|| {
                panic!(
                    "NOVACULA_LAB_SUITES must name suites out of bullseye, bookworm, trixie; found `{word}`"
                )
            })
        };
        chosen.split_whitespace().map(named).collect()
    }

    /// The tree of this suite; made first if this is the first time.
    pub(super) fn tree(self) -> PathBuf {
        let name = format!("{}-{RECIPE}", self.name());
        let trees = checkout::cache().join("trees");
        let tree = trees.join(&name);
        if tree.exists() {
            return tree;
        }
        let _lock = Lock::wait(&trees.join(format!("{name}.lock")));
        if !tree.exists() {
            eprintln!("lab: making a root tree of {} (once, about 20 s)", self.name());
            let unfinished = trees.join(format!("{name}.unfinished"));
            remove_tree(&unfinished);
            self.make(&unfinished);
            fs::rename(&unfinished, &tree).expect("a finished tree can be renamed into place");
        }
        tree
    }

    fn make(self, tree: &Path) {
        let (made, said) = Guarded::run(
            Command::new("mmdebstrap")
                .args(["--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", self.name()])
                .arg(tree),
        );
        assert!(made, "mmdebstrap makes a tree of {}: {said}", self.name());
        for unit in MASKED {
            let mask = tree.join("etc/systemd/system").join(unit);
            std::os::unix::fs::symlink("/dev/null", &mask)
                .unwrap_or_else(|e| panic!("{unit} can be masked: {e}"));
        }
        // The name of the machine it was made on; each host has its own.
        fs::remove_file(tree.join("etc/hostname")).expect("the tree has a host name");
        // Without it the journal would not outlive a reboot, and a failed test could not show what went before.
        fs::create_dir_all(tree.join("var/log/journal")).expect("the journal's folder can be made");
    }
}

fn remove_tree(tree: &Path) {
    match fs::remove_dir_all(tree) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            panic!("{} can be removed: {e}", tree.display())
        }
        _ => {}
    }
}
