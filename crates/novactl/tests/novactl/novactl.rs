//! Running novactl as a person or a script does.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a run of novactl came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// What came on stdout, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The problem on stderr, as JSON on its last line.
    pub fn problem(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(last).unwrap_or_else(|e| panic!("{e}: {self:?}"))["error"].clone()
    }
}

/// novactl as the tests were built, with a token, and nothing else of the environment that could steer it.
pub fn novactl(url: &str, arguments: &[&str]) -> Run {
    run(command(Path::new(env!("CARGO_BIN_EXE_novactl"))).env("NOVACULA_URL", url).args(arguments))
}

/// Any build of novactl.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("NOVACULA_CA_FILE").env("NOVACULA_TOKEN", "nvu_test").env("NO_PROXY", "*");
    command
}

pub fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    Run {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
