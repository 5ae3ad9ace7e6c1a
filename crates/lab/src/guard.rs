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
kill -s TERM -- "-$1" && sleep 1 && kill -s KILL -- "-$1"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_this_process_dies_the_program_ends_with_all_it_started_and_its_leftover_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let leftover = folder.path().join("leftover");
        std::fs::create_dir(&leftover).expect("a folder can be made");
        // Deaf to SIGTERM, and so is what it started.
        let script = "trap '' TERM; sleep 600 & echo started; wait";
        let mut command = Command::new("sh");
        let mut running = Guarded::spawn(command.args(["-c", script]).stdout(Stdio::piped()), &leftover);
        let mut stdout = running.program.stdout.take().expect("its stdout is a pipe");
        stdout.read_exact(&mut [0; b"started\n".len()]).expect("it says that it has started");

        // What the kernel does to the pipe when this process dies.
        drop(running.guard.stdin.take());
        running.guard.wait().expect("a child of ours can be waited for");
        assert!(!leftover.exists());
        let ended = running.program.wait().expect("a child of ours can be waited for");
        assert!(!ended.success());
        // Its end comes once nobody holds the pipe any more: neither the program nor what it started.
        assert_eq!(stdout.read(&mut [0]).expect("its stdout can be read"), 0);
    }
}
