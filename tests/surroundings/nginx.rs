//! A real nginx, with its config, its files and its log in a directory of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use novacula_lab::{poll, wait_for};

use crate::bench::words_then;

const LIMIT: Duration = Duration::from_secs(20);

/// One request that nginx has answered, or that broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    pub range: String,
    pub if_range: String,
    pub sent: usize,
    pub content_range: String,
    pub authorization: String,
}

pub struct Nginx {
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            for log in ["access.log", "error.log"] {
                eprintln!("──── {log} of nginx\n{}────", self.read(log));
            }
        }
    }
}

impl Nginx {
    /// Serves the file `artifact` of these bytes, with these lines in its server.
    pub fn serving(artifact: &[u8], lines: &str) -> Self {
        let nginx = Self::in_folder(|folder| {
            fs::create_dir(folder.join("www")).unwrap();
            fs::write(folder.join("www/artifact"), artifact).unwrap();
        });
        nginx.listening("", lines)
    }

    /// A folder with what `prepare` puts there; nothing runs yet.
    pub fn in_folder(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        Self { folder, port: 0, running: None }
    }

    /// Listens on a free port, with this word beside it in the config.
    pub fn listening(mut self, word: &str, lines: &str) -> Self {
        let started = (0..5).any(|_| {
            // Somebody else may take the port before nginx does; then it is another one.
            self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            self.write_config(word, lines);
            self.start()
        });
        assert!(started, "nginx is installed and starts (tests/prepare.sh)");
        self
    }

    pub fn write_config(&self, word: &str, lines: &str) {
        let (folder, port) = (self.folder.path().display(), self.port);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {folder}/temporary;\n"))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n{temporary}\
             log_format told escape=none '$status|$http_range|$http_if_range|$body_bytes_sent|$sent_http_content_range|$http_authorization';\n\
             access_log {folder}/access.log told;\n\
             server {{ listen 127.0.0.1:{port} {word}; root {folder}/www;\n{lines} }}\n}}\n"
        );
        fs::write(self.path("nginx.conf"), text).unwrap();
    }

    /// Starts it, at the same port as before; says whether it listens.
    pub fn start(&mut self) -> bool {
        let _ = fs::remove_file(self.path("pid"));
        let mut command = words_then(&[], Path::new("nginx"));
        command.arg("-e").arg(self.path("error.log")).arg("-c").arg(self.path("nginx.conf"));
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It writes the file once it listens.
        let listens = poll(LIMIT, || match running.try_wait().unwrap() {
            None => self.path("pid").exists().then_some(true),
            Some(_) => Some(false),
        });
        self.running = Some(running);
        listens == Some(true)
    }

    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.kill();
            let _ = running.wait();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Other bytes at the same place, or the same ones written later.
    pub fn replace_artifact(&self, bytes: &[u8]) {
        let (place, arriving) = (self.path("www/artifact"), self.path("arriving"));
        fs::write(&arriving, bytes).unwrap();
        let later = SystemTime::now() + Duration::from_secs(7);
        fs::File::options().write(true).open(&arriving).unwrap().set_modified(later).unwrap();
        fs::rename(arriving, place).unwrap();
    }

    /// The requests so far, but for those that are still being answered.
    pub fn answered(&self) -> Vec<Answered> {
        let text = self.read("access.log");
        text.lines()
            .map(|line| {
                let words: Vec<_> = line.split('|').map(str::to_owned).collect();
                let [status, range, if_range, sent, content_range, authorization] = &words[..] else {
                    panic!("a line of the log has six words: {line}");
                };
                Answered {
                    status: status.parse().unwrap(),
                    range: range.clone(),
                    if_range: if_range.clone(),
                    sent: sent.parse().unwrap(),
                    content_range: content_range.clone(),
                    authorization: authorization.clone(),
                }
            })
            .collect()
    }

    /// The first so many requests, once they are answered.
    #[track_caller]
    pub fn wait_until_answered(&self, count: usize) -> Vec<Answered> {
        wait_for(&format!("{count} requests are answered"), LIMIT, || {
            Some(self.answered()).filter(|answered| answered.len() >= count)
        })
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}
