//! A real Prometheus, with rules that fire and clear as a test says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use crate::guard::Guarded;

const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A Prometheus on a port of its own, that looks every second, and what it looks at. It ends when this does.
pub struct Prometheus {
    // Ended before its folder goes.
    _program: Guarded,
    _folder: TempDir,
    address: String,
    numbers: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Prometheus {
    /// Starts one with these alerts: a name, its labels as YAML such as `{severity: critical}`, and for how long its
    /// number has to stand before it fires.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(alerts: &[(&str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let numbers = Arc::new(Mutex::new(BTreeMap::new()));
        let target = serve(Arc::clone(&numbers));
        let rules: String = alerts
            .iter()
            .map(|(name, labels, after)| {
                format!(
                    "  - {{alert: {name}, expr: {} > 0, for: {after}, labels: {labels}}}\n",
                    number_of(name)
                )
            })
            .collect();
        write(folder.path(), "rules.yml", &format!("groups:\n- name: test\n  rules:\n{rules}"));
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n\
             scrape_configs:\n- {{job_name: test, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        write(folder.path(), "prometheus.yml", &config);
        let mut command = Command::new("prometheus");
        command
            .current_dir(folder.path())
            .args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--web.listen-address=127.0.0.1:0",
            ])
            .stderr(Stdio::piped());
        let mut program = Guarded::spawn(&mut command, folder.path());
        let stderr = program.program().stderr.take().expect("its stderr is a pipe");
        let (sender, lines) = mpsc::channel();
        // Read to its end: a pipe that is full would hold it up.
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let mut said = Vec::new();
        let address = loop {
            let Ok(line) = lines.recv_timeout(STARTS_WITHIN) else { panic!("it did not listen: {said:?}") };
            if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                break address.to_owned();
            }
            said.push(line);
        };
        Self { _program: program, _folder: folder, address, numbers }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets an alert fire once its time has come, or clear.
    pub fn set(&self, alert: &str, fires: bool) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.insert(number_of(alert), u32::from(fires));
    }

    /// The states of the alerts by name, as it tells them itself.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn states(&self) -> BTreeMap<String, String> {
        let mut answer = ureq::get(format!("{}/api/v1/alerts", self.url())).call().expect("it answers");
        let whole: serde_json::Value =
            serde_json::from_str(&answer.body_mut().read_to_string().expect("in text")).expect("in JSON");
        let alerts = whole["data"]["alerts"].as_array().expect("it lists its alerts");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        alerts.iter().map(|alert| (text(&alert["labels"]["alertname"]), text(&alert["state"]))).collect()
    }
}

fn number_of(alert: &str) -> String {
    format!("test_{}", alert.to_ascii_lowercase())
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file can be written");
}

/// Serves the numbers to whoever asks for anything.
fn serve(numbers: Arc<Mutex<BTreeMap<String, u32>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a listener has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let numbers = numbers.lock().unwrap_or_else(PoisonError::into_inner);
            let text: String = numbers.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
            answer(stream, &text);
        }
    });
    address
}

fn answer(mut stream: TcpStream, text: &str) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    // Whoever asked may have gone.
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
}
