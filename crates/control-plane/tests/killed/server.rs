//! The real program, ended while calls are under way, and started again on what it has kept.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use novacula_lab::guard::Guarded;
use novacula_lab::signing::Signer;
use serde_json::{Value, json};

pub const TARGET: &str = "x86_64-unknown-linux-musl";

/// What became of a call.
#[derive(Clone, Debug)]
pub enum Answer {
    Accepted(Value),
    Refused(Value),
    /// The server ended before it had answered: it may have been done, or not.
    Lost,
}

/// When it ends, and how: so many calls after so many upgrades were accepted, and then a little later.
pub struct Fuse {
    pub accepted: usize,
    pub calls: usize,
    pub delay: Duration,
    pub how: Signal,
}

pub struct Server {
    program: Mutex<Guarded>,
    agent: ureq::Agent,
    /// Where it listens.
    pub url: String,
    /// The owner's token, on the first start.
    pub owner: Option<String>,
    fuse: Option<Fuse>,
    calls: AtomicUsize,
    is_killed: AtomicBool,
}

impl Server {
    pub fn start(folder: &Path, fuse: Option<Fuse>) -> Self {
        Self::start_with(folder, fuse, &[])
    }

    /// With more in its environment.
    pub fn start_with(folder: &Path, fuse: Option<Fuse>, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_novacula-control-plane"));
        command.arg("serve").env_clear().env("PORT", "0").env("DATA_DIR", folder.join("data"));
        // Nobody is offline: presence is not what this is about. And nothing lapses, however slow the machine is.
        command.env("HEARTBEAT_TIMEOUT_MS", "86400000").env("PENDING_UPGRADE_TTL_MS", "86400000");
        command.env("RUST_LOG", "error").stdout(Stdio::piped());
        command.envs(environment.iter().copied());
        let mut program = Guarded::spawn(&mut command, folder);
        let stdout = program.program().stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut owner = None;
        let url = loop {
            let line = lines.recv_timeout(Duration::from_secs(60)).expect("it listens within a minute");
            if let Some(token) = line.strip_prefix("owner token (shown once): ") {
                owner = Some(token.to_owned());
            }
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().into();
        let (calls, is_killed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { program: Mutex::new(program), agent, url, owner, fuse, calls, is_killed }
    }

    /// Publishes tiny releases.
    pub fn publish(&self, folder: &Path, owner: &str, versions: &[&str]) {
        for version in versions {
            let file = folder.join("artifact");
            std::fs::write(&file, version.as_bytes()).unwrap();
            let comment = format!("kind:agent version:{version} target:{TARGET}");
            let signature = Signer::trusted().sign(&file, &comment);
            let mut form = String::new();
            for (name, value) in
                [("kind", "agent"), ("version", version), ("signature", &signature), ("artifact", version)]
            {
                let file = if name == "artifact" { "; filename=\"agent\"" } else { "" };
                form += &format!(
                    "--XYZ\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
                );
            }
            form += "--XYZ--\r\n";
            let kind = "multipart/form-data; boundary=XYZ";
            let draft = self.send("POST", "/releases", owner, kind, form.into_bytes());
            let Answer::Accepted(draft) = draft else { panic!("{draft:?}") };
            let path = format!("/releases/{}", draft["id"].as_str().unwrap());
            let published = self.call("PATCH", &path, owner, &json!({"status": "published"}));
            assert!(matches!(published, Answer::Accepted(_)), "{published:?}");
        }
    }

    pub fn call(&self, method: &str, path: &str, bearer: &str, body: &Value) -> Answer {
        self.send(method, path, bearer, "application/json", body.to_string().into_bytes())
    }

    pub fn send(&self, method: &str, path: &str, bearer: &str, form: &str, body: Vec<u8>) -> Answer {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.url))
            .header("authorization", format!("Bearer {bearer}"))
            .header("content-type", form);
        let heard = match method {
            "GET" => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(body).unwrap()),
        };
        let heard = heard.and_then(|mut response| {
            let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
            Ok((response.status().as_u16(), text))
        });
        match heard {
            Ok((status, text)) => {
                assert!(status < 500 && status != 429, "{method} {path}: {status} {text}");
                let json = serde_json::from_str(&text).unwrap_or(Value::Null);
                if status < 300 { Answer::Accepted(json) } else { Answer::Refused(json) }
            }
            Err(e) => {
                assert!(self.is_killed(), "{method} {path}: {e}");
                Answer::Lost
            }
        }
    }

    pub fn get(&self, path: &str, bearer: &str) -> Value {
        match self.call("GET", path, bearer, &Value::Null) {
            Answer::Accepted(json) => json,
            other => panic!("{path}: {other:?}"),
        }
    }

    /// All pages of a list, newest first, down to the first item that `is_known`.
    pub fn list(&self, path: &str, bearer: &str, is_known: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}?limit=500{cursor}"), bearer);
            for item in page["items"].as_array().unwrap() {
                if is_known(item) {
                    return all;
                }
                all.push(item.clone());
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Ends it if it is time for that. Called after the answer was written down, so the last word before the end was
    /// heard; the delay lets the end come anywhere between two words.
    pub fn after_an_answer(&self, accepted: usize) {
        let Some(fuse) = self.fuse.as_ref().filter(|fuse| accepted >= fuse.accepted) else { return };
        if self.calls.fetch_add(1, Ordering::SeqCst) == fuse.calls {
            std::thread::sleep(fuse.delay);
            self.end(fuse.how);
        }
    }

    pub fn kill(&self) {
        self.end(Signal::SIGKILL);
    }

    fn end(&self, how: Signal) {
        let mut program = self.program.lock().unwrap();
        self.is_killed.store(true, Ordering::SeqCst);
        let program = program.program();
        signal::kill(Pid::from_raw(program.id().cast_signed()), how).unwrap();
        let status = program.wait().unwrap();
        assert!(how == Signal::SIGKILL || status.success(), "{how}: {status}");
    }

    pub fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::SeqCst)
    }
}
