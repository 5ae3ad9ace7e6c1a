//! Programs that end with the test, even if the test is killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running program and the shell that ends it when this process does.
pub(crate) struct Guarded {
    program: Child,
    guard: Child,
}

/// `$1` is the program's number, `$2` its folder. A word on the pipe means that all is in good order; its end without
/// a word means that whoever should write there is dead.
const GUARD: &str = r#"read -r _ || { kill -KILL "$1"; rm -rf "$2"; }"#;

impl Guarded {
    /// Starts a program; should this process be killed, the program ends and its folder goes.
    pub fn spawn(command: &mut Command, folder: &Path) -> Self {
        let name = command.get_program().to_owned();
        // Out of reach of an interrupt at the terminal: the guard ends it in order.
        let program = command.process_group(0).spawn();
        let program = program.unwrap_or_else(|e| panic!("{} can be started: {e}", name.display()));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &program.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh is there");
        Self { program, guard }
    }

    pub fn program(&mut self) -> &mut Child {
        &mut self.program
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Errors mean that it has ended by itself.
        let _ = self.program.kill();
        let _ = self.program.wait();
        if let Some(mut word) = self.guard.stdin.take() {
            let _ = word.write_all(b"ended\n");
        }
        let _ = self.guard.wait();
    }
}
