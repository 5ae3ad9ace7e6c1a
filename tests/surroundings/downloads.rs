//! A download goes on where it broke off, at its pace, while syncs go on.

use novacula_lab::wait_for;
use novacula_protocol::{RefusalCode, Stage};

use crate::bench::{Agent, LIMIT, Release, control_plane, end_of, names, passed, refused};
use crate::line::{Fate, Line};
use crate::nginx::{Answered, Nginx};

const HEAD: usize = 4 * 1024;

fn wait_until_carried(line: &Line, bytes: usize) {
    wait_for(&format!("{bytes} bytes are brought"), LIMIT, || (line.carried() >= bytes).then_some(()));
}

/// The first byte that was asked for.
fn first(asked: &Answered) -> usize {
    let range = asked.range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
    range.unwrap_or_else(|| panic!("a range is asked for: {asked:?}")).parse().unwrap()
}

#[test]
fn a_download_goes_on_where_it_broke_off_whatever_cut_the_line() {
    let release = Release::good();
    let size = release.bytes.len();
    let mut nginx = Nginx::serving(&release.bytes, "limit_rate 1m;");
    let line = Line::to(nginx.port(), &[Fate::Cut(700_000), Fate::Reset(900_000)]);
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", line.url())));

    wait_until_carried(&line, 2_200_000);
    nginx.kill();
    assert!(nginx.start(), "nginx starts again");
    wait_until_carried(&line, 3_000_000);
    agent.kill();
    assert_eq!(names(&agent.path("bin")).len(), 2, "what was fetched is kept");
    agent.start();
    passed(&end_of(&control_plane));
    agent.is_untouched();

    let mut answered = nginx.answered();
    let whole = answered.remove(0);
    assert_eq!((whole.status, whole.range.as_str()), (200, ""), "{whole:?}");
    assert!(
        answered.len() >= 3,
        "it was cut four times, the server that was killed tells of no request: {answered:#?}"
    );
    let mut from = 0;
    for part in &answered {
        assert_eq!(part.status, 206, "{part:?}");
        assert!(part.if_range.starts_with('"'), "{part:?}");
        assert!(first(part) > from, "each time further: {answered:#?}");
        from = first(part);
        assert_eq!(part.content_range, format!("bytes {from}-{}/{size}", size - 1));
    }
    assert!(from > 2_500_000, "also across a restart of the agent: {answered:#?}");
    // What a reset takes with it was on its way, in the buffers of the kernel.
    let lost = line.carried().saturating_sub(size);
    assert!(lost < 5 * HEAD + size / 5, "{lost} bytes came more than once");
}

/// A download whose server has another file after a third of it.
fn exchanged(bytes: &[u8]) -> (novacula_protocol::sync::UpgradeReport, Agent, Vec<Answered>) {
    let release = Release::good();
    let mut nginx = Nginx::serving(&release.bytes, "limit_rate 2m;");
    let line = Line::to(nginx.port(), &[]);
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", line.url())));
    wait_until_carried(&line, release.bytes.len() / 3);
    nginx.kill();
    nginx.replace_artifact(bytes);
    assert!(nginx.start(), "nginx starts again");
    let report = end_of(&control_plane);
    let answered = nginx.wait_until_answered(1);
    (report, agent, answered)
}

#[test]
fn an_artifact_with_another_etag_is_fetched_anew_and_verified() {
    let (report, agent, answered) = exchanged(&Release::good().bytes);
    passed(&report);
    agent.is_untouched();
    assert!(first(&answered[0]) > 0 && answered[0].status == 200, "{answered:?}");
}

#[test]
fn an_artifact_exchanged_during_its_download_is_refused() {
    let mut other = Release::good().bytes;
    *other.last_mut().unwrap() ^= 1;
    let (report, agent, answered) = exchanged(&other);
    refused(&report, RefusalCode::Sha256Mismatch);
    agent.is_untouched();
    assert!(first(&answered[0]) > 0 && answered[0].status == 200, "{answered:?}");
}

#[test]
fn syncs_go_on_at_every_interval_while_a_download_is_slow() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "limit_rate 600k;");
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("http://127.0.0.1:{}/artifact", nginx.port())));
    passed(&end_of(&control_plane));

    let told: Vec<_> = control_plane
        .syncs_after(0)
        .into_iter()
        .filter_map(|sync| sync.upgrade.filter(|report| report.stage == Stage::Download))
        .map(|report| report.bytes_done)
        .collect();
    assert!(told.is_sorted(), "{told:?}");
    // Each interval at this pace brings so much: none of them passed without a sync.
    let most = told.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX);
    assert!(told.len() >= 6 && most < 2 * 600 * 1024, "syncs during the download told of {told:?}");
}

#[test]
fn a_connection_that_stalls_is_given_up_and_the_next_one_goes_on() {
    let release = Release::good();
    let nginx = Nginx::serving(&release.bytes, "");
    let line = Line::to(nginx.port(), &[Fate::Stall(1_000_000)]);
    let control_plane = control_plane();
    let mut agent = Agent::new(&control_plane.url());
    agent.start();
    control_plane.offer(release.dry_run(&format!("{}/artifact", line.url())));
    wait_until_carried(&line, 1_000_000);
    let before = control_plane.syncs_after(0).len();
    passed(&end_of(&control_plane));
    assert!(control_plane.syncs_after(before).len() > 20, "syncs go on meanwhile");
    assert_eq!(agent.says("not now: the download broke off after"), 1);
    assert!(nginx.answered().iter().any(|part| part.status == 206), "{:?}", nginx.answered());
    assert!(agent.runs());
}
