//! Two agents on one host: one of them, or one after the other, never both on one binary.

use novacula_agent::disk::sha256_of;
use novacula_lab::scripted::Scripted;
use novacula_lab::{builds, wait_for};
use novacula_protocol::{RefusalCode, Stage};

use crate::bench::{Agent, HERE, LIMIT, NEXT, Release, control_plane, end_of, names, passed};
use crate::nginx::Nginx;

#[test]
fn a_second_agent_on_the_same_records_says_so_in_one_sentence_and_does_nothing() {
    let control_plane = control_plane();
    let mut first = Agent::new(&control_plane.url());
    first.start();
    control_plane.hears("the first agent syncs", |_| Some(()));
    let second = first.command_through(&["timeout", "20"].map(str::to_owned), &["run"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!((second.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("one agent a host: another one holds"), "{said}");
    assert!(first.runs());
    first.is_untouched();
}

/// Two agents with records of their own that were started from one binary, each with its control plane.
struct Pair {
    agents: [Agent; 2],
    control_planes: [Scripted; 2],
}

impl Pair {
    fn start() -> Self {
        let control_planes = [control_plane(), control_plane()];
        let mut agents = [0, 1].map(|n| Agent::new(&control_planes[n].url()));
        let [first, second] = &mut agents;
        second.share_binary(first);
        first.start();
        second.start();
        for control_plane in &control_planes {
            control_plane.hears("the agent syncs", |_| Some(()));
        }
        Self { agents, control_planes }
    }
}

#[test]
fn two_agents_on_one_binary_swap_it_once_and_keep_what_was_good() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "limit_rate 3m;");
    let pair = Pair::start();
    for control_plane in &pair.control_planes {
        control_plane.offer(release.upgrade(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    }
    let ends = [0, 1].map(|n| end_of(&pair.control_planes[n]));
    let stages = ends.each_ref().map(|end| end.stage);
    assert!(
        stages.contains(&Stage::Completed) && stages.contains(&Stage::Failed),
        "exactly one swap: {ends:#?}"
    );
    let error = ends.iter().find_map(|end| end.error.as_ref()).expect("the other one says why");
    assert_eq!(error.code, RefusalCode::UnexpectedState.as_str(), "{}", error.message);

    let folder = pair.agents[0].path("bin");
    assert_eq!(names(&folder), ["novacula-agent", "novacula-agent.prev"]);
    assert_eq!(sha256_of(&folder.join("novacula-agent")).unwrap(), release.sha256);
    let old = sha256_of(&builds::agent(HERE)).unwrap();
    assert_eq!(
        sha256_of(&folder.join("novacula-agent.prev")).unwrap(),
        old,
        "the way back is the old binary"
    );
    wait_for("one agent runs the next version", LIMIT, || {
        let versions =
            pair.control_planes.each_ref().map(|it| it.syncs_after(0).pop().unwrap().current_version);
        versions.iter().any(|version| version.to_string() == NEXT).then_some(())
    });
}

#[test]
fn an_agent_does_not_sweep_away_what_another_on_its_binary_fetches() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "limit_rate 1m;");
    let mut pair = Pair::start();
    pair.control_planes[0].offer(release.dry_run(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    pair.control_planes[0].hears("the download is under way", |sync| {
        sync.upgrade.as_ref().is_some_and(|report| report.bytes_done > 0).then_some(())
    });
    // Whoever starts looks for leftovers.
    pair.agents[1].kill();
    pair.control_planes[1].forget();
    pair.agents[1].start();
    pair.control_planes[1].hears("the other one syncs again", |_| Some(()));
    passed(&end_of(&pair.control_planes[0]));
    assert_eq!(pair.agents[0].says("exchanged"), 0);
}
