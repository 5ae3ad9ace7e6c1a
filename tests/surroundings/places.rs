//! Where an agent and its binary are: behind a link, or where nothing can be written.

use std::fs;
use std::os::unix::fs::symlink;

use novacula_agent::disk::sha256_of;
use novacula_protocol::{RefusalCode, Stage};

use crate::bench::{Agent, Release, control_plane, end_of, names, refused};
use crate::nginx::Nginx;

#[test]
fn an_agent_that_is_started_by_a_link_upgrades_what_the_link_leads_to() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    let link = agent.path("link");
    symlink(agent.binary(), &link).unwrap();
    agent.start_as(&link);
    control_plane.offer(release.upgrade(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    assert_eq!(end_of(&control_plane).stage, Stage::Completed);
    assert_eq!(fs::read_link(&link).unwrap(), agent.binary(), "the link is what it was");
    assert_eq!(sha256_of(&agent.binary()).unwrap(), release.sha256);
    assert_eq!(names(&agent.path("bin")), ["novacula-agent", "novacula-agent.prev"]);
}

#[test]
fn where_nothing_can_be_written_beside_the_binary_nothing_is_fetched() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    let folder = agent.path("bin").display().to_string();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    agent.start_through(&["unshare", "--mount", "sh", "-c", script, &folder].map(str::to_owned));
    control_plane.offer(release.upgrade(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    refused(&end_of(&control_plane), RefusalCode::HostFailure);
    assert_eq!(nginx.answered(), []);
    assert!(agent.runs());
    agent.is_untouched();
}
