//! Which versions an executor may go to, and which only after another one.

use semver::Version;

use crate::spec::{Direction, Kind};
use crate::sync::{Channel, Support};

/// What reachability needs to know of an executor.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// Its kind.
    pub kind: Kind,
    /// What runs there.
    pub version: &'a Version,
    /// What it follows.
    pub channel: Channel,
    /// Its target triple.
    pub target: &'a str,
}

/// What reachability needs to know of a release.
pub trait Candidate {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// Its version.
    fn version(&self) -> &Version;
    /// The channel it is published on.
    fn channel(&self) -> Channel;
    /// It is offered at all: published, not a draft, not yanked.
    fn is_published(&self) -> bool;
    /// It has an artifact for this target triple.
    fn has_target(&self, target: &str) -> bool;
}

/// A release as seen from one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available<'r, R> {
    /// The release.
    pub release: &'r R,
    /// `None` when it can be requested now, else what comes first.
    pub blocked_by: Option<Hop>,
}

/// A major version that must be passed through on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    direction: Direction,
    major: u64,
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.direction {
            Direction::Upgrade => "upgrade",
            Direction::Downgrade => "downgrade",
        };
        write!(f, "requires {verb} to {}.x first", self.major)
    }
}

/// The way from one version to another; `None` when they are the same.
#[must_use]
pub fn direction(from: &Version, to: &Version) -> Option<Direction> {
    match to.cmp_precedence(from) {
        std::cmp::Ordering::Greater => Some(Direction::Upgrade),
        std::cmp::Ordering::Less => Some(Direction::Downgrade),
        std::cmp::Ordering::Equal => None,
    }
}

/// The hop that stands between two versions more than one major apart.
#[must_use]
pub fn hop_between(from: &Version, to: &Version) -> Option<Hop> {
    if from.major.abs_diff(to.major) <= 1 {
        return None;
    }
    let (direction, major) = match to.major > from.major {
        true => (Direction::Upgrade, from.major + 1),
        false => (Direction::Downgrade, from.major - 1),
    };
    Some(Hop { direction, major })
}

/// The releases an executor is offered in one direction, nearest first.
pub fn available<'r, R: Candidate>(
    from: Standpoint<'_>,
    wanted: Direction,
    releases: impl IntoIterator<Item = &'r R>,
) -> Vec<Available<'r, R>> {
    let mut offered: Vec<_> = releases
        .into_iter()
        .filter(|release| {
            is_offered(from, *release) && direction(from.version, release.version()) == Some(wanted)
        })
        .map(|release| Available { release, blocked_by: hop_between(from.version, release.version()) })
        .collect();
    offered.sort_by(|a, b| a.release.version().cmp(b.release.version()));
    if wanted == Direction::Downgrade {
        offered.reverse();
    }
    offered
}

/// A release is offered: same kind, inside the channel, published, built for this target.
pub fn is_offered<R: Candidate>(to: Standpoint<'_>, release: &R) -> bool {
    release.kind() == to.kind
        && to.channel.includes(release.channel())
        && release.is_published()
        && release.has_target(to.target)
}

/// How the executor's version relates to the control plane's.
#[must_use]
pub fn support(executor: &Version, control_plane: &Version) -> Support {
    match control_plane.major.saturating_sub(executor.major) {
        0 => Support::InWindow,
        1 => Support::Deprecated,
        _ => Support::OutOfSupport,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Release(Kind, Version, Channel, bool, &'static str);

    impl Candidate for Release {
        fn kind(&self) -> Kind {
            self.0
        }
        fn version(&self) -> &Version {
            &self.1
        }
        fn channel(&self) -> Channel {
            self.2
        }
        fn is_published(&self) -> bool {
            self.3
        }
        fn has_target(&self, target: &str) -> bool {
            self.4 == target
        }
    }

    fn release(version: &str) -> Release {
        Release(Kind::Agent, version.parse().unwrap(), Channel::Stable, true, "musl")
    }

    fn seen(version: &str, channel: Channel, wanted: Direction, releases: &[Release]) -> Vec<String> {
        let version: Version = version.parse().unwrap();
        let from = Standpoint { kind: Kind::Agent, version: &version, channel, target: "musl" };
        available(from, wanted, releases)
            .into_iter()
            .map(|seen| match seen.blocked_by {
                None => seen.release.1.to_string(),
                Some(hop) => format!("{} ({hop})", seen.release.1),
            })
            .collect()
    }

    #[test]
    fn only_published_releases_of_the_same_kind_channel_and_target_are_offered() {
        let releases = [
            release("1.1.0"),
            Release(Kind::Operator, Version::new(1, 1, 1), Channel::Stable, true, "musl"),
            Release(Kind::Agent, Version::new(1, 1, 2), Channel::Beta, true, "musl"),
            Release(Kind::Agent, Version::new(1, 1, 3), Channel::Stable, false, "musl"),
            Release(Kind::Agent, Version::new(1, 1, 4), Channel::Stable, true, "gnu"),
        ];
        assert_eq!(seen("1.0.0", Channel::Stable, Direction::Upgrade, &releases), ["1.1.0"]);
        assert_eq!(seen("1.0.0", Channel::Beta, Direction::Upgrade, &releases), ["1.1.0", "1.1.2"]);
    }

    #[test]
    fn a_release_more_than_one_major_away_names_the_hop() {
        let releases = ["1.2.0", "2.0.0", "3.4.0", "4.0.0", "0.9.0", "1.0.0"].map(release);
        assert_eq!(
            seen("1.1.0", Channel::Stable, Direction::Upgrade, &releases),
            [
                "1.2.0",
                "2.0.0",
                "3.4.0 (requires upgrade to 2.x first)",
                "4.0.0 (requires upgrade to 2.x first)"
            ]
        );
        assert_eq!(
            seen("3.0.0", Channel::Stable, Direction::Downgrade, &releases),
            [
                "2.0.0",
                "1.2.0 (requires downgrade to 2.x first)",
                "1.0.0 (requires downgrade to 2.x first)",
                "0.9.0 (requires downgrade to 2.x first)"
            ]
        );
        assert_eq!(seen("1.0.0", Channel::Stable, Direction::Downgrade, &releases), ["0.9.0"]);
    }

    #[test]
    fn a_pre_release_is_lower_than_its_release_and_the_same_version_is_nowhere() {
        let releases = ["1.1.0-rc.1", "1.1.0"].map(release);
        assert_eq!(seen("1.1.0-rc.1", Channel::Stable, Direction::Upgrade, &releases), ["1.1.0"]);
        assert_eq!(seen("1.1.0", Channel::Stable, Direction::Downgrade, &releases), ["1.1.0-rc.1"]);
    }

    #[test]
    fn support_counts_majors_behind_and_forgives_being_ahead() {
        let of = |executor: u64, control_plane: u64| {
            support(&Version::new(executor, 9, 9), &Version::new(control_plane, 0, 0))
        };
        assert_eq!(of(2, 2), Support::InWindow);
        assert_eq!(of(3, 2), Support::InWindow);
        assert_eq!(of(1, 2), Support::Deprecated);
        assert_eq!(of(0, 2), Support::OutOfSupport);
        assert_eq!(of(u64::MAX, 2), Support::InWindow);
    }
}
