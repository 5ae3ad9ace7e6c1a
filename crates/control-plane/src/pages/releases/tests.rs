//! The pages of the releases: from samples with hostile words, and against a whole control plane.

mod forms;
mod shown;

use jiff::Timestamp;
use novacula_protocol::people::{
    Activity, AimingPlan, Artifact, Consequences, Instead, OpenUpgrade, PlanState, Release, ReleaseKey,
    ReleaseStatus, SignedRelease, Step,
};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use novacula_protocol::{Progress, Stage};

use super::catalogue::{Asked, CataloguePage, Line, OfKind};
use super::change::{ChangePage, Typed};
use super::keys::{KeysPage, Standing, Verdict};
use super::offer::OfferPage;
use super::one::{OnePage, Signed};
use super::signed::Signer;
use super::upload::UploadPage;
use super::yank::YankPage;
use super::{audience, status};
use crate::pages::action::{Action, Look};
use crate::pages::layout::{Layout, Room};
use crate::pages::sample::{self, HOSTILE, check};

const ID: &str = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c";

fn at() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn layout() -> Layout {
    sample::layout(Room::Releases)
}

fn text() -> String {
    HOSTILE.to_owned()
}

fn release(status: ReleaseStatus) -> Release {
    let artifact = |target: &str, size| Artifact {
        target: target.to_owned(),
        size,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        signature: text(),
    };
    let steps = || Some(vec![Step { number: 1, text: text() }]);
    Release {
        id: ID.to_owned(),
        kind: Kind::Agent,
        version: "1.5.0-rc.1".parse().unwrap(),
        channel: Channel::Beta,
        status,
        notes: text(),
        r#type: text(),
        prerequisites: steps(),
        postrequisites: steps(),
        artifacts: vec![artifact(HOSTILE, 2_899_968), artifact("aarch64-unknown-linux-musl", 3_100_000)],
        created_at: at(),
        published_at: (status != ReleaseStatus::Draft).then(at),
    }
}

fn signer(name: Option<String>) -> Signer {
    Signer { id: "D0907DB088E50BE9".to_owned(), name, lacked_by: 2 }
}

fn found() -> Consequences {
    let open = |target: &str| OpenUpgrade {
        id: ID.to_owned(),
        executor_id: ID.to_owned(),
        executor_name: text(),
        target_version: target.parse().unwrap(),
        stage: Stage::Download,
        state: Progress::Running,
    };
    Consequences {
        offered_to: 1_400,
        upgrades_for: 9,
        running: 3,
        pending: 1,
        under_way: 1,
        on_the_way: 1,
        upgrades: vec![open("1.5.0-rc.1"), open("1.4.0")],
        plans: vec![AimingPlan { id: ID.to_owned(), name: text(), state: PlanState::Running, waiting: 8 }],
        instead: vec![
            Instead { version: Some("1.4.2".parse().unwrap()), executors: 12 },
            Instead { version: None, executors: 2 },
        ],
    }
}

fn nothing() -> Consequences {
    Consequences {
        offered_to: 0,
        upgrades_for: 0,
        running: 0,
        pending: 0,
        under_way: 0,
        on_the_way: 0,
        upgrades: Vec::new(),
        plans: Vec::new(),
        instead: Vec::new(),
    }
}

const STATUSES: [ReleaseStatus; 3] = [ReleaseStatus::Draft, ReleaseStatus::Published, ReleaseStatus::Yanked];

#[test]
fn the_catalogue_renders_with_and_without_releases() {
    let lines = STATUSES.into_iter().map(|word| Line {
        badge: status(&release(word)),
        signers: vec![signer(Some(text())), signer(None)],
        runs: 3,
        release: release(word),
    });
    let upload = || Action::new("Publish a release", "/releases/publish", Look::First).unless(Some(text()));
    let asked = Asked { kind: text(), status: text(), cursor: text() };
    let kinds = vec![OfKind { kind: Kind::Agent, executors: 14, rows: lines.collect() }];
    let next = Some("/releases/?cursor=x".to_owned());
    check("catalogue", &CataloguePage { layout: layout(), asked, kinds, upload: upload(), next });
    for kind in ["", "operator"] {
        let asked = Asked { kind: kind.to_owned(), ..Asked::default() };
        let page = CataloguePage { layout: layout(), asked, kinds: Vec::new(), upload: upload(), next: None };
        check("empty catalogue", &page);
    }
}

#[test]
fn a_release_renders_wherever_it_stands() {
    for word in STATUSES {
        let release = release(word);
        let signed = release
            .artifacts
            .iter()
            .zip([Some(signer(None)), None])
            .map(|(artifact, signer)| Signed { artifact: artifact.clone(), signer, comment: text() });
        let page = OnePage {
            layout: layout(),
            kind_of_upgrade: text(),
            badge: status(&release),
            artifacts: signed.collect(),
            found: if word == ReleaseStatus::Draft { nothing() } else { found() },
            executors: 14,
            yanked: (word == ReleaseStatus::Yanked).then(yanked),
            actions: vec![Action::new("Yank", format!("/releases/{ID}/yank"), Look::Grave)],
            release: release.clone(),
        };
        check(word.as_str(), &page);
        for refused in [None, Some(text())] {
            let (layout, release) = (layout(), release.clone());
            let typed = Typed {
                channel: "beta".to_owned(),
                notes: text(),
                kind_of_upgrade: text(),
                prerequisites: text(),
                postrequisites: text(),
                reason: text(),
            };
            check("change", &ChangePage { layout, release, typed, refused });
        }
    }
}

fn yanked() -> Activity {
    Activity {
        id: 7,
        at: at(),
        actor: text(),
        action: novacula_protocol::people::Action::ReleaseYanked,
        target: ID.to_owned(),
        name: text(),
        reason: text(),
        before: None,
        after: None,
        hash: String::new(),
    }
}

#[test]
fn what_asks_back_renders_with_and_without_consequences() {
    for found in [found(), nothing()] {
        let page = OfferPage {
            layout: layout(),
            release: release(ReleaseStatus::Draft),
            found: found.clone(),
            doubted: vec![signer(Some(text())), signer(None)],
            silent: 1,
            refused: Some(text()),
        };
        check("offer", &page);
        let release = release(ReleaseStatus::Published);
        check("yank", &YankPage { layout: layout(), release, found, reason: text(), refused: Some(text()) });
    }
    for keys in [Vec::new(), vec![(text(), text()), (text(), text())]] {
        let page = UploadPage { layout: layout(), keys, cannot: Some(text()), refused: Some(text()) };
        check("upload", &page);
        let page = UploadPage { cannot: None, refused: None, ..page };
        let html = check("upload", &page);
        let zone = scraper::Selector::parse("[data-drop] input[type=file]").unwrap();
        let names: Vec<_> = html.select(&zone).filter_map(|field| field.value().attr("name")).collect();
        assert_eq!(names, ["artifact", "signature"]);
    }
}

#[test]
fn the_keys_render() {
    let signed = SignedRelease {
        id: ID.to_owned(),
        kind: Kind::Agent,
        version: "1.5.0".parse().unwrap(),
        status: ReleaseStatus::Yanked,
    };
    let standing = |id: &str, name| Standing {
        key: ReleaseKey {
            id: id.to_owned(),
            name,
            trusted_by: 12,
            lacked_by: 11,
            signed_count: 30,
            signed: vec![signed.clone(), signed.clone()],
        },
        verdict: Verdict { class: "bad", word: "Do not sign yet", sentence: text() },
        lacking: vec![(ID.to_owned(), text()), (ID.to_owned(), text())],
    };
    let keys = vec![standing("D0907DB088E50BE9", Some(text())), standing("E5BE0EC76B6AA375", None)];
    check("keys", &KeysPage { layout: layout(), executors: 24, silent: 1, keys });
    check("no keys", &KeysPage { layout: layout(), executors: 0, silent: 0, keys: Vec::new() });
}

#[test]
fn every_channel_says_who_follows_it() {
    let said: std::collections::BTreeSet<_> = Channel::ALL.iter().map(audience).collect();
    assert_eq!(said.len(), 3);
}
