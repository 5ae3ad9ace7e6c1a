//! A host that reaches its control plane by a proxy only: also the judge of a trial asks there.

use novacula_lab::scene::{AGENT, BINARY, CONFIG, EXECUTOR, ROLLBACK};
use novacula_lab::{Fault, Proxy, Scene, Suite, builds, faulty_release};
use novacula_protocol::{RefusalCode, Stage};

const ENVIRONMENT: &str = "/etc/novacula/environment";

#[test]
fn behind_a_proxy_good_releases_are_committed_and_useless_ones_rolled_back() {
    for suite in Suite::chosen() {
        let scene = Scene::with_agent_not_installed(suite, "1.0.0");
        // An address of loopback that no other test has.
        let id = std::process::id();
        let proxy = Proxy::start(&format!("127.99.{}.{}", id / 256 % 256, id % 256));
        let port = scene.control_plane.url().rsplit(':').next().map(str::to_owned).unwrap_or_default();
        // A name that only the proxy knows: there is no other way.
        let there = format!("url = \"http://control-plane.test:{port}\"\\nallow_plain_http = true");
        scene.host.ok(&format!("sed -i 's#^url = .*#{there}#' {CONFIG}"));
        scene.host.put(ENVIRONMENT, format!("HTTP_PROXY={}\n", proxy.url()).as_bytes(), 0o600);
        scene.agent("install");
        scene.host.ok(&format!("systemctl start {AGENT}"));
        scene.owner().wait_for_version(EXECUTOR, "1.0.0");

        scene.publish("1.1.0", &builds::agent("1.1.0"));
        assert_eq!(scene.upgrade_to("1.1.0").stage, Stage::Completed);
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");

        let good = scene.sha256(BINARY);
        scene.publish("1.2.0", &faulty_release("1.2.0", Fault::NeverSync));
        let ended = scene.upgrade_to("1.2.0");
        let journal = scene.host.journal(ROLLBACK);
        assert_eq!(ended.stage, Stage::RolledBack, "{ended:#?}\n{journal}");
        assert_eq!(ended.error.map(|error| error.code).as_deref(), Some(RefusalCode::NeverSynced.as_str()));
        assert_eq!(scene.sha256(BINARY), good);
        scene.owner().wait_for_version(EXECUTOR, "1.1.0");
        assert!(proxy.log().contains(&format!("CONNECT control-plane.test:{port}")), "{}", proxy.log());
    }
}
