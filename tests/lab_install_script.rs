//! `packaging/install.sh` on a real systemd host: it trusts what it was told to trust, and installs nothing else.

#![expect(clippy::disallowed_methods, reason = "a test has files and programs of its own")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use novacula_lab::scene::{AGENT, BINARY, CONFIG, EXECUTOR};
use novacula_lab::{Output, Scene, Signer, Suite, builds};

const DOWNLOADS: &str = "/root/downloads";

#[test]
fn what_is_not_exactly_the_release_is_not_installed() {
    let scene = scene_with_downloads();
    let release = builds::agent("1.0.0");
    let bytes = read(&release);
    let target = builds::target();
    let signed_as = |comment: &str| Signer::trusted().sign(&release, comment);
    let good = Signer::trusted().sign_agent(&release, "1.0.0");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let stranger = Signer::stranger(folder.path()).sign_agent(&release, "1.0.0");
    let mut tampered = bytes.clone();
    tampered[bytes.len() / 2] ^= 1;
    let other_comment = good.replace("version:1.0.0", "version:1.1.0");

    let must_be = "the signature must be by the given key over these very bytes";
    for (artifact, signature, options, reason) in [
        (&tampered, &good, "", must_be),
        (&bytes, &stranger, "", must_be),
        (&bytes, &other_comment, "", must_be),
        (&bytes, &String::new(), "", must_be),
        (
            &bytes,
            &signed_as(&format!("kind:agent version:1.1.0 target:{target}")),
            "",
            "signed as version 1.0.0",
        ),
        (
            &bytes,
            &signed_as(&format!("kind:operator version:1.0.0 target:{target}")),
            "",
            "signed as kind agent",
        ),
        (
            &bytes,
            &signed_as("kind:agent version:1.0.0 target:riscv64gc-unknown-linux-musl"),
            "",
            "signed as target",
        ),
        (
            &bytes,
            &signed_as(&format!("kind:agent kind:agent version:1.0.0 target:{target}")),
            "",
            "signed as kind",
        ),
        (&bytes, &signed_as("no fields at all"), "", "signed as kind agent"),
        (&bytes, &good, "--sha256 0000", "the SHA-256 of the artifact must be 0000"),
    ] {
        put_release(&scene, artifact, signature);
        let done = install(&scene, options);
        assert_eq!(done.code, 1, "{reason}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "one sentence: {done:?}");
        assert!(done.stderr.contains(reason), "{reason}: {done:?}");
        assert_eq!(
            scene.host.ok("find /opt/novacula -type f; find /etc/systemd -name 'novacula*'"),
            "",
            "{reason}"
        );
    }

    // Signed by the vendor as 1.0.0, and yet it is not.
    let other = builds::agent("1.1.0");
    put_release(&scene, &read(&other), &Signer::trusted().sign_agent(&other, "1.0.0"));
    let done = install(&scene, "");
    assert!(done.stderr.contains("it prints 'novacula-agent 1.1.0'"), "{done:?}");
    assert_eq!(scene.host.read(BINARY), None);
}

#[test]
fn a_good_release_is_installed_once_and_syncs() {
    let scene = scene_with_downloads();
    let config = scene.host.read(CONFIG).expect("the scene has a config");
    scene.host.ok("rm -r /etc/novacula");
    let release = builds::agent("1.0.0");
    put_release(&scene, &read(&release), &Signer::trusted().sign_agent(&release, "1.0.0"));
    scene.host.ok(&format!("cd {DOWNLOADS} && sha256sum agent >SHA256SUMS"));
    scene.host.put("/root/agent.toml", &config, 0o644);
    let done = install(&scene, "--config /root/agent.toml");
    assert_eq!(done.code, 0, "{done:?}");
    scene.owner().wait_for_version(EXECUTOR, "1.0.0");
    assert_eq!(scene.sha256(BINARY), scene.sha256_of(&release));
    assert_eq!(scene.host.ok(&format!("stat -c '%a %U' {BINARY} {CONFIG}")), "755 root\n600 root");
    assert_eq!(scene.host.property(AGENT, "UnitFileState"), "enabled");
    assert_eq!(scene.host.ok("ls -A /opt/novacula/bin"), "novacula-agent", "no leftovers");

    let again = install(&scene, "");
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("upgrades itself; nothing was changed"), "{again:?}");
}

#[test]
fn a_release_is_downloaded_by_https_and_checked_like_any_other() {
    let scene = scene_with_downloads();
    scene.host.put_program("curl");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let vendor = Vendor::start(folder.path());
    scene.host.put("/root/ca.pem", &read(&folder.path().join("ca.pem")), 0o644);
    let download = || {
        scene.host.sh(&format!(
            "export CURL_CA_BUNDLE=/root/ca.pem; sh /root/install.sh --url https://localhost:{}/ --version 1.0.0 \
             --target {} --public-key /root/vendor.pub",
            vendor.port,
            builds::target()
        ))
    };
    let missing = download();
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("must be there to download, it is not"), "{missing:?}");

    let release = builds::agent("1.0.0");
    let bytes = read(&release);
    let name = format!("novacula-agent-1.0.0-{}", builds::target());
    vendor.publish(&format!("{name}.minisig"), Signer::trusted().sign_agent(&release, "1.0.0").as_bytes());
    vendor.publish("SHA256SUMS", b"");
    vendor.publish(&name, &bytes[1..]);
    let cut = download();
    assert!(cut.stderr.contains("over these very bytes, it is not"), "{cut:?}");

    vendor.publish(&name, &bytes);
    let unlisted = download();
    assert!(unlisted.stderr.contains(&format!("must have a line for {name}")), "{unlisted:?}");
    assert_eq!(scene.host.ok("ls -A /opt/novacula/bin"), "");

    let sum = scene.sha256_of(&release).expect("the release can be read");
    vendor.publish("SHA256SUMS", format!("{sum}  {name}\n").as_bytes());
    let done = download();
    assert_eq!(done.code, 0, "{done:?}");
    scene.owner().wait_for_version(EXECUTOR, "1.0.0");
}

#[test]
fn wrong_usage_is_told_in_one_sentence() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/install.sh");
    for (arguments, reason) in [
        ("", "--url or --file is missing"),
        ("--file x --url https://x --version 1.0.0", "exclude each other"),
        ("--url http://x --version 1.0.0 --public-key RWx", "must begin with https://"),
        ("--file x --version one --public-key RWx", "--version must be like 1.2.3"),
        ("--file x --version 1.0.0", "--public-key is missing"),
        ("--file", "must be followed by a value"),
        ("--force", "there is no option --force"),
    ] {
        let done = Command::new("sh").arg(&script).args(arguments.split_whitespace()).output();
        let done = done.expect("sh is there");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{arguments}: {said}");
        assert!(said.contains(reason) && said.lines().count() == 1, "{arguments}: {said}");
    }
}

/// Where releases are downloaded: one folder, by https, with a certificate of its own.
struct Vendor {
    server: Child,
    folder: PathBuf,
    port: String,
}

const SERVE: &str = "
import http.server, os, ssl, sys, threading
os.chdir(sys.argv[1])
# However the test ends, its end of the pipe closes.
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('ca.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

impl Vendor {
    fn start(folder: &Path) -> Self {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-keyout", "key.pem", "-out", "ca.pem"])
            .current_dir(folder)
            .output()
            .expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new("python3")
            .args(["-c", SERVE])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is there");
        let mut port = String::new();
        let stdout = server.stdout.take().expect("its stdout is a pipe");
        BufReader::new(stdout).read_line(&mut port).expect("it says where it listens");
        Self { server, folder: folder.to_owned(), port: port.trim().to_owned() }
    }

    fn publish(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).expect("a file can be written");
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A host with the script, the vendor's key and minisign, and without an agent.
fn scene_with_downloads() -> Scene {
    let scene = Scene::with_agent_not_installed(Suite::Bookworm, "1.0.0");
    scene.host.ok("rm -r /opt/novacula");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    scene.host.put("/root/install.sh", &read(&root.join("packaging/install.sh")), 0o644);
    let key = novacula_lab::signing::trusted_keys().join("lab.pub");
    scene.host.put("/root/vendor.pub", &read(&key), 0o644);
    scene.host.put_program("minisign");
    scene
}

fn put_release(scene: &Scene, artifact: &[u8], signature: &str) {
    scene.host.put(&format!("{DOWNLOADS}/agent"), artifact, 0o644);
    scene.host.put(&format!("{DOWNLOADS}/agent.minisig"), signature.as_bytes(), 0o644);
}

fn install(scene: &Scene, options: &str) -> Output {
    let target = builds::target();
    scene.host.sh(&format!(
        "sh /root/install.sh --file {DOWNLOADS}/agent --version 1.0.0 --target {target} \
         --public-key /root/vendor.pub {options}"
    ))
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{} can be read: {e}", file.display()))
}
