//! Where things are: the checkout, what the laboratory makes inside it, and what it caches outside.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/lab is two levels below the root")
        .to_owned()
}

/// What the laboratory makes for this checkout: keys, builds, bad releases. Ignored by git, gone with `cargo clean`.
pub fn lab() -> PathBuf {
    root().join("target/lab")
}

/// What is worth keeping between checkouts: the root trees of the hosts.
pub fn cache() -> PathBuf {
    if let Some(chosen) = env::var_os("NOVACULA_LAB_CACHE") {
        return chosen.into();
    }
    let home = env::var_os("HOME").expect("HOME or NOVACULA_LAB_CACHE is set");
    Path::new(&home).join(".cache/novacula-lab")
}

/// A name that nothing else on this machine has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", random_hex::<5>())
}

/// Random bytes as twice as many characters.
pub fn random_hex<const BYTES: usize>() -> String {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).expect("the kernel gives random bytes");
    hex(&random)
}

/// Two characters a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `path.ending`, whatever dots the path has already.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
