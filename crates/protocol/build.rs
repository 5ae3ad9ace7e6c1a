//! Bakes the public release keys into everything that verifies: `NOVACULA_KEYS_DIR`, default `keys/`.

#![expect(clippy::disallowed_methods, reason = "a build script reads its environment and writes its output")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

fn main() {
    println!("cargo::rerun-if-env-changed=NOVACULA_KEYS_DIR");
    let chosen = env::var_os("NOVACULA_KEYS_DIR").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../keys");
    let dir = chosen.clone().unwrap_or(default);
    println!("cargo::rerun-if-changed={}", dir.display());

    let keys = public_keys(&dir).unwrap_or_else(|found| {
        fail(&format!(
            "NOVACULA_KEYS_DIR must name a folder with *.pub files of minisign; {} {found}; \
             create a key with `minisign -G` or leave the variable unset",
            dir.display()
        ))
    });
    if keys.is_empty() && chosen.is_some() {
        fail(&format!("NOVACULA_KEYS_DIR must hold at least one *.pub file; {} holds none", dir.display()));
    }
    if keys.is_empty() {
        println!(
            "cargo::warning=keys/ holds no *.pub file: what is built here trusts nobody and refuses every release"
        );
    }

    let mut code = String::from("&[\n");
    for (name, text) in keys {
        let _ = writeln!(code, "    ({name:?}, {text:?}),");
    }
    code.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("baked_keys.rs");
    fs::write(&out, code).expect("OUT_DIR is writable");
}

fn public_keys(dir: &Path) -> Result<Vec<(String, String)>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("cannot be read: {e}"))?;
    let mut keys = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| format!("cannot be read: {e}"))?.path();
        if path.extension().is_some_and(|ending| ending == "pub") {
            println!("cargo::rerun-if-changed={}", path.display());
            let text = fs::read_to_string(&path).map_err(|e| format!("has an unreadable key: {e}"))?;
            keys.push((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text));
        }
    }
    keys.sort();
    Ok(keys)
}

fn fail(sentence: &str) -> ! {
    println!("cargo::error={sentence}");
    process::exit(1)
}
