//! Programs that end with the test, even if the test is killed.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running program and the shell that ends it when this process does.
pub struct Guarded {
    program: Child,
    guard: Child,
}

/// `$1` is the program's number, `$2` what it would leave behind. A word on the pipe means that all is in good order;
/// its end without a word means that whoever should write there is dead.
const GUARD: &str = r#"
read -r _ && exit
kill -TERM -- "-$1" && sleep 1 && kill -KILL -- "-$1"
rm -rf "$2"
"#;

impl Guarded {
    /// Starts a program; should this process be killed, the program and all it started ends and `leftover` goes.
    pub fn spawn(command: &mut Command, leftover: &Path) -> Self {
        let name = command.get_program().to_owned();
        // Out of reach of an interrupt at the terminal: the guard ends it in order.
        let program = command.process_group(0).spawn();
        let program = program.unwrap_or_else(|e| panic!("{} can be started: {e}", name.display()));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard", &program.id().to_string()])
            .arg(leftover)
            .stdin(Stdio::piped())
            // What it complains about is that the program has ended by itself.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh is there");
        Self { program, guard }
    }

    /// Runs a program to its end: whether it succeeded, and all it printed on stderr.
    pub fn run(command: &mut Command) -> (bool, String) {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Self::spawn(command, Path::new(""));
        let mut said = String::new();
        let mut stderr = running.program.stderr.take().expect("its stderr is a pipe");
        stderr.read_to_string(&mut said).expect("what it prints is text");
        let status = running.program.wait().expect("a child of ours can be waited for");
        (status.success(), said)
    }

    /// The program.
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
