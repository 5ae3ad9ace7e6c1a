//! Servers that cannot prove who they are, or speak a TLS of the past: they get no key, no sync and no artifact is
//! taken from them; once they are in order, the agent goes on by itself.

use std::process::{Command, Stdio};

use novacula_lab::scripted::Scripted;
use novacula_lab::wait_for;

use crate::bench::{Agent, KEY, LIMIT, Release, control_plane, end_of, passed};
use crate::certificates::{Authority, Certificate};
use crate::nginx::Nginx;

const MODERN: &str = "TLSv1.2 TLSv1.3";
// Debian's openssl speaks it only when asked for the lowest security there is.
const OF_THE_PAST: &str = "TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0";

/// An nginx that shows this certificate and speaks these protocols.
struct Server<'a> {
    authority: &'a Authority,
    nginx: Nginx,
    lines: String,
}

impl<'a> Server<'a> {
    fn new(
        authority: &'a Authority,
        certificate: Certificate,
        protocols: &str,
        lines: &str,
        artifact: &[u8],
    ) -> Self {
        let nginx = Nginx::in_folder(|folder| {
            authority.certify(certificate, folder);
            std::fs::create_dir(folder.join("www")).unwrap();
            std::fs::write(folder.join("www/artifact"), artifact).unwrap();
        });
        let nginx = nginx.listening("ssl", &Self::lines(protocols, lines));
        Self { authority, nginx, lines: lines.to_owned() }
    }

    fn lines(protocols: &str, lines: &str) -> String {
        format!(
            "ssl_certificate certificate.pem; ssl_certificate_key key.pem; ssl_protocols {protocols};\n{lines}"
        )
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.nginx.port())
    }

    /// Whoever does not care who answers, in whatever TLS, is answered: nothing else keeps the agent away.
    fn is_reached_by_the_careless(&self) {
        let done = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--noproxy",
                "*",
                "--insecure",
                "--ciphers",
                "ALL:@SECLEVEL=0",
            ])
            .args(["--tlsv1.1", "--output", "/dev/null", &format!("{}/careless", self.url())])
            .stdin(Stdio::null())
            .output()
            .expect("curl is installed (tests/prepare.sh)");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(self.nginx.wait_until_answered(1).len(), 1, "the agent asked for nothing");
    }

    fn comes_in_order(&mut self) {
        self.authority.certify(Certificate::Good, &self.nginx.path(""));
        self.nginx.write_config("ssl", &Self::lines(MODERN, &self.lines));
        self.nginx.kill();
        assert!(self.nginx.start(), "nginx starts again");
    }
}

fn control_plane_is_distrusted(certificate: Certificate, protocols: &str, because: &str) {
    let authority = Authority::new();
    let behind: Scripted = control_plane();
    let mut server = Server::new(
        &authority,
        certificate,
        protocols,
        &format!("location /api {{ proxy_pass {}; }}", behind.url()),
        b"",
    );
    let mut agent = trusting(&authority, &server.url());
    agent.start();
    agent.wait_until_it_says("no sync is accepted");
    assert_eq!(agent.says(because), 1, "{}", agent.log());
    assert!(agent.runs());
    server.is_reached_by_the_careless();
    assert_eq!(behind.syncs_after(0).len(), 0);

    server.comes_in_order();
    agent.wait_until_it_says("the control plane accepts syncs again");
    assert_eq!(agent.says("no sync is accepted"), 1, "it is said once: {}", agent.log());
    let shown = server.nginx.wait_until_answered(2);
    assert_eq!(shown[1].authorization, format!("Bearer {KEY}"));
}

fn artifact_host_is_distrusted(certificate: Certificate, protocols: &str, because: &str) {
    let authority = Authority::new();
    let release = Release::good();
    let control_plane = control_plane();
    let mut server = Server::new(&authority, certificate, protocols, "", &release.bytes);
    let mut agent = trusting(&authority, &control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", server.url())));
    agent.wait_until_it_says("not now: the artifact cannot be fetched");
    let before = control_plane.syncs_after(0).len();
    wait_for("syncs go on", LIMIT, || (control_plane.syncs_after(before).len() > 2).then_some(()));
    assert!(agent.says(because) > 0, "{}", agent.log());
    server.is_reached_by_the_careless();

    server.comes_in_order();
    passed(&end_of(&control_plane));
    agent.is_untouched();
    let shown = server.nginx.answered();
    assert!(shown.iter().all(|asked| asked.authorization.is_empty()), "the key stays at home: {shown:?}");
}

fn trusting(authority: &Authority, url: &str) -> Agent {
    let ca_file = authority.ca_file();
    Agent::configured(&format!("url = {url:?}\naccess_token = {KEY:?}\nca_file = {ca_file:?}\n"))
}

#[test]
fn a_control_plane_with_an_expired_certificate_gets_no_key() {
    control_plane_is_distrusted(Certificate::Expired, MODERN, "certificate expired");
}

#[test]
fn a_control_plane_with_a_certificate_of_the_future_gets_no_key() {
    control_plane_is_distrusted(Certificate::NotYetValid, MODERN, "certificate not valid yet");
}

#[test]
fn a_control_plane_with_a_certificate_for_another_host_gets_no_key() {
    control_plane_is_distrusted(Certificate::ForAnotherHost, MODERN, "certificate not valid for name");
}

#[test]
fn a_control_plane_that_vouches_for_itself_gets_no_key() {
    control_plane_is_distrusted(Certificate::SelfSigned, MODERN, "UnknownIssuer");
}

#[test]
fn a_control_plane_that_a_stranger_vouches_for_gets_no_key() {
    control_plane_is_distrusted(Certificate::OfAStranger, MODERN, "BadSignature");
}

#[test]
fn a_control_plane_with_a_tls_of_the_past_gets_no_key() {
    control_plane_is_distrusted(Certificate::Good, OF_THE_PAST, "ProtocolVersion");
}

#[test]
fn an_artifact_host_with_an_expired_certificate_is_not_fetched_from() {
    artifact_host_is_distrusted(Certificate::Expired, MODERN, "certificate expired");
}

#[test]
fn an_artifact_host_with_a_certificate_for_another_host_is_not_fetched_from() {
    artifact_host_is_distrusted(Certificate::ForAnotherHost, MODERN, "certificate not valid for name");
}

#[test]
fn an_artifact_host_that_vouches_for_itself_is_not_fetched_from() {
    artifact_host_is_distrusted(Certificate::SelfSigned, MODERN, "UnknownIssuer");
}

#[test]
fn an_artifact_host_with_a_tls_of_the_past_is_not_fetched_from() {
    artifact_host_is_distrusted(Certificate::Good, OF_THE_PAST, "ProtocolVersion");
}
