//! The program as a person or a unit starts it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program without anything from the environment of whoever runs the tests.
pub fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_novacula-control-plane"));
    command.env_clear();
    command
}

pub fn program() -> Command {
    let mut command = bare();
    command.arg("serve");
    command
}

pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "in 20 s: {what}");
        std::thread::yield_now();
    }
}

pub struct Running {
    pub child: Child,
    stdout: BufReader<ChildStdout>,
    pub lines: Vec<String>,
    pub url: String,
}

impl Running {
    pub fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, &[("RUST_LOG", "trace")])
    }

    /// With more in its environment.
    pub fn start_with(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = program();
        command.env("PORT", "0").env("DATA_DIR", data_dir).envs(environment.iter().copied());
        let log = std::fs::File::create(data_dir.with_extension("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::from(log)).spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new).unwrap();
        let mut running = Self { child, stdout, lines: Vec::new(), url: String::new() };
        while running.url.is_empty() {
            let mut line = String::new();
            assert_ne!(running.stdout.read_line(&mut line).unwrap(), 0, "it ended before it listened");
            running.url = line.trim_end().strip_prefix("listening on ").unwrap_or_default().to_owned();
            running.lines.push(line.trim_end().to_owned());
        }
        running
    }

    /// The owner's token, on the first start.
    pub fn owner(&self) -> String {
        self.lines[0].strip_prefix("owner token (shown once): ").unwrap().to_owned()
    }

    pub fn call(&self, method: &str, path: &str, bearer: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {bearer}"));
        let mut response = match method {
            "GET" => agent.run(request.body(()).unwrap()).unwrap(),
            _ => agent.run(request.body(body.to_string()).unwrap()).unwrap(),
        };
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub fn stop(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(change: impl FnOnce(&mut Command)) -> Output {
    let mut command = program();
    change(&mut command);
    command.output().unwrap()
}
