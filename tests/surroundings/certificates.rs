//! Certificates as a test needs them, made by the real openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is wrong with a certificate, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    Good,
    Expired,
    NotYetValid,
    ForAnotherHost,
    SelfSigned,
    OfAStranger,
}

/// Whoever an agent trusts to say who is who.
pub struct Authority {
    folder: tempfile::TempDir,
}

const CONFIG: &str = "[ca]\ndefault_ca = here\n[here]\nnew_certs_dir = .\ndatabase = index\nserial = serial\n\
    default_md = sha256\npolicy = any\ncopy_extensions = copy\nunique_subject = no\n[any]\ncommonName = supplied\n";
const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

impl Authority {
    pub fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        authority.found("ca");
        authority.found("stranger");
        for (name, text) in [("config", CONFIG), ("index", ""), ("serial", "01\n")] {
            fs::write(authority.path(name), text).unwrap();
        }
        authority
    }

    /// What agents are given as `ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Puts `certificate.pem` and `key.pem` for this machine into `folder`.
    pub fn certify(&self, certificate: Certificate, folder: &Path) {
        let hosts = match certificate {
            Certificate::ForAnotherHost => "DNS:elsewhere.example",
            _ => "DNS:localhost,DNS:control-plane.test,DNS:artifacts.test",
        };
        let name = format!("subjectAltName={hosts}");
        let (key, made) = (folder.join("key.pem"), folder.join("certificate.pem"));
        if certificate == Certificate::SelfSigned {
            let to = [made.to_str().unwrap(), "-keyout", key.to_str().unwrap()];
            let asked = [
                "req",
                "-x509",
                "-subj",
                "/CN=test",
                "-addext",
                &name,
                "-addext",
                "basicConstraints=CA:FALSE",
            ];
            return self.openssl(&[&asked, &["-out"], &to, &KEY[..]]);
        }
        let (from, until) = match certificate {
            Certificate::Expired => ("20200101000000Z", "20200201000000Z"),
            Certificate::NotYetValid => ("20480101000000Z", "20490101000000Z"),
            _ => ("20200101000000Z", "20490101000000Z"),
        };
        let by = if certificate == Certificate::OfAStranger { "stranger" } else { "ca" };
        let asked = ["req", "-new", "-subj", "/CN=test", "-addext", &name, "-out", "asked", "-keyout"];
        self.openssl(&[&asked, &[key.to_str().unwrap()], &KEY[..]]);
        let (signer, secret) = (format!("{by}.pem"), format!("{by}.key"));
        let dates = ["ca", "-batch", "-notext", "-config", "config", "-startdate", from, "-enddate", until];
        let files = ["-cert", &signer, "-keyfile", &secret, "-in", "asked", "-out", made.to_str().unwrap()];
        self.openssl(&[&dates, &files]);
    }

    fn found(&self, name: &str) {
        let (public, secret) = (format!("{name}.pem"), format!("{name}.key"));
        let asked = ["req", "-x509", "-days", "3650", "-subj", "/CN=test authority", "-out", &public];
        self.openssl(&[&asked, &["-keyout", &secret], &KEY[..]]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &[&[&str]]) {
        let done = Command::new("openssl")
            .args(arguments.concat())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed (tests/prepare.sh)");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}
