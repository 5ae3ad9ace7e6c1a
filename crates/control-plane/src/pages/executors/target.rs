//! Pure: where an executor could go, and what its visitor can do about it.

use novacula_protocol::people::{AvailableRelease, Executor};
use novacula_protocol::sync::Channel;
use semver::Version;

use super::said;
use crate::pages::action::{Action, Look};
use crate::pages::words;

/// A release as it stands on the page of an executor.
pub(crate) struct Target {
    pub version: Version,
    pub channel: Channel,
    pub notes: String,
    /// Where it is held against what runs.
    pub compare: String,
    pub request: Action,
    /// Where it is too far, and could be reached over the versions in between.
    pub over: Option<Action>,
}

/// All in one direction.
pub(crate) struct Direction {
    pub heading: &'static str,
    /// What is said where there are none.
    pub none: &'static str,
    pub targets: Vec<Target>,
}

/// Up and down, as far as this visitor may send it.
pub(crate) fn directions(executor: &Executor, cannot: Option<&String>) -> [Direction; 2] {
    let targets = |releases: &Option<Vec<AvailableRelease>>| targets(executor, releases.as_deref(), cannot);
    [
        Direction {
            heading: "Upgrades",
            none: "None: it runs the newest it is offered.",
            targets: targets(&executor.available_upgrades),
        },
        Direction {
            heading: "Downgrades",
            none: "None is offered to it.",
            targets: targets(&executor.available_downgrades),
        },
    ]
}

/// Each of these releases, the farthest first.
fn targets(
    executor: &Executor,
    releases: Option<&[AvailableRelease]>,
    cannot: Option<&String>,
) -> Vec<Target> {
    let stands = cannot.cloned().or_else(|| said::in_the_way(executor));
    let target = |release: &AvailableRelease| {
        let version = release.version.to_string();
        let place = |hops: bool| {
            let mut pairs = vec![("targetVersion", version.as_str())];
            pairs.extend(hops.then_some(("hops", "yes")));
            format!("/executors/{}/upgrade?{}", executor.id, words::query(pairs))
        };
        let far = release.reason.as_ref().map(|reason| words::sentence(reason));
        let over = far
            .is_some()
            .then(|| Action::new("Go over them", place(true), Look::Plain).unless(stands.clone()));
        Target {
            version: release.version.clone(),
            channel: release.channel,
            notes: release.notes.clone(),
            compare: place(false),
            request: Action::new("Request", place(false), Look::Plain)
                .unless(cannot.cloned())
                .unless(far)
                .unless(stands.clone()),
            over,
        }
    };
    releases.into_iter().flatten().rev().map(target).collect()
}
