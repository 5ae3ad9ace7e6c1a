//! A real tinyproxy, for hosts that reach nothing but it.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::guard::Guarded;
use crate::wait::wait_for;

const LIMIT: Duration = Duration::from_secs(20);
const PORT: u16 = 8888;

/// A proxy that alone knows where the names `control-plane.test` and `artifacts.test` lead to: to this machine. Ends
/// when dropped.
pub struct Proxy {
    _running: Guarded,
    folder: TempDir,
    address: String,
}

impl Proxy {
    /// Listens on this address, which nothing else listens on.
    ///
    /// # Panics
    /// When tinyproxy is missing or does not start.
    #[must_use]
    pub fn start(address: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let [config, hosts, log] = ["config", "hosts", "log"].map(|name| folder.path().join(name));
        let text = format!(
            "Listen {address}\nPort {PORT}\nTimeout 60\nMaxClients 20\nLogLevel Connect\nLogFile {log:?}\n"
        );
        write(&config, &text);
        write(&hosts, "127.0.0.1 control-plane.test artifacts.test\n");
        let mut running = Guarded::spawn(
            Command::new("unshare")
                .args([
                    "--mount",
                    "sh",
                    "-c",
                    "mount --bind \"$1\" /etc/hosts && exec tinyproxy -d -c \"$2\"",
                    "sh",
                ])
                .args([&hosts, &config])
                .stdin(Stdio::null())
                .stdout(Stdio::null()),
            folder.path(),
        );
        wait_for("tinyproxy is installed and listens (tests/prepare.sh)", LIMIT, || {
            let ended = running.program().try_wait().expect("a child of ours can be waited for");
            assert!(ended.is_none(), "tinyproxy has ended: {ended:?}");
            TcpStream::connect((address, PORT)).is_ok().then_some(())
        });
        Self { _running: running, folder, address: address.to_owned() }
    }

    /// Where it is, as programs are told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{PORT}", self.address)
    }

    /// What it has been asked for.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|e| panic!("{} can be written: {e}", file.display()));
}
