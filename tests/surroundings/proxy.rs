//! A proxy as the only way out: the agent runs on a network of its own from which nothing but a real tinyproxy is
//! reached, and which knows no name but those the proxy asks for.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use novacula_lab::scripted::{Scripted, reply_with};
use novacula_lab::{Proxy, wait_for};
use novacula_protocol::Stage;

use crate::bench::{Agent, LIMIT, NEXT, Release, words_then};
use crate::certificates::{Authority, Certificate};
use crate::nginx::Nginx;

/// A network with one machine beside the proxy on it; gone with the process that holds it.
struct Island {
    holder: Child,
    proxy: Option<Proxy>,
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        if std::thread::panicking() {
            eprintln!("──── the log of the proxy\n{}────", self.proxy().log());
        }
    }
}

impl Island {
    fn new() -> Self {
        let mut holder = words_then(&["unshare", "--net"].map(str::to_owned), Path::new("sleep"));
        let holder = holder.arg("infinity").spawn().expect("unshare is there");
        let id = holder.id();
        let mut island = Self { holder, proxy: None };
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        wait_for("the network is there", LIMIT, || {
            fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|theirs| theirs != ours).then_some(())
        });
        // A network of four addresses that no other test has.
        let net = (id % 16_384) * 4;
        let [proxy, agent] = [1, 2].map(|host| format!("10.99.{}.{}", net / 256, net % 256 + host));
        let (name, inside) = (format!("novacula{id}"), format!("nsenter --net=/proc/{id}/ns/net"));
        sh(&format!(
            "ip link add {name} type veth peer name eth0 netns {id} && ip address add {proxy}/30 dev {name} && \
             ip link set {name} up && {inside} ip address add {agent}/30 dev eth0 && \
             {inside} ip link set eth0 up && {inside} ip link set lo up"
        ));
        island.proxy = Some(Proxy::start(&proxy));
        island
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("it is there once the network is")
    }

    /// How a program is started on it that is told these variables.
    fn with(&self, variables: &[String]) -> Vec<String> {
        let network = format!("--net=/proc/{}/ns/net", self.holder.id());
        [&["nsenter".to_owned(), network, "env".to_owned()], variables].concat()
    }
}

fn sh(script: &str) {
    let done = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

fn control_plane() -> Scripted {
    Scripted::start(Box::new(|head, connection| {
        if head.starts_with("POST /api/v1/enroll ") {
            reply_with(connection, "200 OK", "", br#"{"accessToken": "nva_enrolled"}"#);
        } else {
            assert!(head.starts_with("GET /healthz "), "nobody asks the control plane for this: {head}");
            reply_with(connection, "200 OK", "", b"{}");
        }
    }))
}

/// The whole life of an agent, to the first sync of the next one.
fn all_goes_through(variable: &str, scheme: &str, settings: &str, nginx: &Nginx, control_plane: &Scripted) {
    let island = Island::new();
    let (alone, told) = (island.with(&[]), island.with(&[format!("{variable}={}", island.proxy().url())]));
    let url = |host: &str| format!("{scheme}://{host}:{}", nginx.port());
    let home = url("control-plane.test");
    let mut agent = Agent::configured(&format!("url = {home:?}\naccess_token = \"nve_token\"\n{settings}"));

    agent.start_through(&alone);
    agent.wait_until_it_says("not enrolled yet");
    agent.kill();
    assert_eq!(nginx.answered().len(), 0, "there is no way around the proxy");

    agent.start_through(&told);
    control_plane.offer(Release::good().upgrade(&format!("{}/artifact", url("artifacts.test"))));
    control_plane.hears("the next version has proven itself", |sync| {
        let report = sync.upgrade.as_ref()?;
        (report.stage == Stage::Completed && sync.current_version.to_string() == NEXT).then_some(())
    });
    let asked = agent.command_through(&told, &["preflight"]);
    let checks = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(checks.lines().any(|line| line.starts_with("ok    control_plane")), "{checks}");

    let log = island.proxy().log();
    for host in ["control-plane.test", "artifacts.test"] {
        assert!(log.contains(&format!("CONNECT {host}:{}", nginx.port())), "{host} in {log}");
    }
    let shown: Vec<_> = nginx.answered().into_iter().map(|asked| asked.authorization).collect();
    for key in ["Bearer nve_token", "Bearer nva_enrolled", ""] {
        assert!(shown.iter().any(|shown| shown == key), "{key:?} in {shown:?}");
    }
}

fn to(control_plane: &Scripted) -> String {
    format!("location ~ ^/(api|healthz) {{ proxy_pass {}; }}", control_plane.url())
}

#[test]
fn where_a_proxy_is_the_only_way_out_all_goes_through_it() {
    let control_plane = control_plane();
    let nginx = Nginx::serving(&Release::good().bytes, &to(&control_plane));
    all_goes_through("HTTP_PROXY", "http", "allow_plain_http = true\n", &nginx, &control_plane);
}

#[test]
fn where_a_proxy_is_the_only_way_out_tls_goes_through_it_unread() {
    let control_plane = control_plane();
    let authority = Authority::new();
    let nginx = Nginx::in_folder(|folder| {
        authority.certify(Certificate::Good, folder);
        fs::create_dir(folder.join("www")).unwrap();
        fs::write(folder.join("www/artifact"), Release::good().bytes).unwrap();
    });
    let lines =
        format!("ssl_certificate certificate.pem; ssl_certificate_key key.pem; {}", to(&control_plane));
    let nginx = nginx.listening("ssl", &lines);
    let settings = format!("ca_file = {:?}\n", authority.ca_file());
    all_goes_through("HTTPS_PROXY", "https", &settings, &nginx, &control_plane);
}
