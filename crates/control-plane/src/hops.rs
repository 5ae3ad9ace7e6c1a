//! Pure: the way to a version that is too far for one step, over one release of each major version in between.

use novacula_protocol::people::Release;
use novacula_protocol::reach::{self, Standpoint};
use semver::Version;

/// There is nothing to step on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// The target itself.
    #[error(
        "{0} is not among the releases that are offered to this executor: it must be published, of its kind, in its channel and built for its target"
    )]
    Target(Version),
    /// A stop on the way.
    #[error(
        "the way to {target} goes over {major}.x, and no release of that is offered to this executor; publish one"
    )]
    Stop {
        /// Where it shall go.
        target: Version,
        /// What is missing.
        major: u64,
    },
}

/// The versions to go to one after the other, the target last: of each major version in between the highest.
///
/// # Errors
/// When a step has nothing to stand on.
pub fn route(from: Standpoint<'_>, target: &Version, releases: &[Release]) -> Result<Vec<Version>, NoRoute> {
    let offered: Vec<_> = releases.iter().filter(|release| reach::is_offered(from, *release)).collect();
    if !offered.iter().any(|release| release.version == *target) {
        return Err(NoRoute::Target(target.clone()));
    }
    let mut route: Vec<Version> = Vec::new();
    loop {
        let here = route.last().unwrap_or(from.version);
        if reach::hop_between(here, target).is_none() {
            route.push(target.clone());
            return Ok(route);
        }
        let major = if target > here { here.major + 1 } else { here.major - 1 };
        let stop = offered
            .iter()
            .map(|release| &release.version)
            .filter(|version| version.major == major)
            .max_by(|a, b| a.cmp_precedence(b));
        match stop {
            Some(stop) => route.push(stop.clone()),
            None => return Err(NoRoute::Stop { target: target.clone(), major }),
        }
    }
}

#[cfg(test)]
mod tests {
    use novacula_protocol::people::{Artifact, ReleaseStatus};
    use novacula_protocol::spec::Kind;
    use novacula_protocol::sync::Channel;

    use super::*;

    fn release(version: &str) -> Release {
        let artifact =
            Artifact { target: "t".into(), size: 1, sha256: String::new(), signature: String::new() };
        Release {
            id: version.into(),
            kind: Kind::Agent,
            version: version.parse().unwrap(),
            channel: Channel::Stable,
            status: ReleaseStatus::Published,
            r#type: "agent".into(),
            prerequisites: None,
            postrequisites: None,
            notes: String::new(),
            artifacts: vec![artifact],
            created_at: jiff::Timestamp::UNIX_EPOCH,
            published_at: None,
        }
    }

    #[test]
    fn the_way_goes_over_the_highest_release_of_each_major_version() {
        for (sentence, from, target, releases, expected) in [
            ("one step is no hop", "1.0.0", "2.0.0", &["2.0.0"][..], Ok("2.0.0")),
            ("two majors are two steps", "1.0.0", "3.1.0", &["2.0.0", "2.9.0", "3.1.0"], Ok("2.9.0 3.1.0")),
            ("three are three", "1.0.0", "4.0.0", &["2.0.0", "3.0.0", "4.0.0"], Ok("2.0.0 3.0.0 4.0.0")),
            ("down goes the same way", "4.0.0", "2.0.0", &["2.0.0", "3.0.0", "3.7.0"], Ok("3.7.0 2.0.0")),
            ("a stop must be there", "1.0.0", "3.0.0", &["3.0.0"], Err("goes over 2.x")),
            ("and so must the target", "1.0.0", "3.0.0", &["2.0.0"], Err("3.0.0 is not among")),
        ] {
            let version = from.parse().unwrap();
            let at =
                Standpoint { kind: Kind::Agent, version: &version, channel: Channel::Stable, target: "t" };
            let releases: Vec<_> = releases.iter().map(|version| release(version)).collect();
            let found = route(at, &target.parse().unwrap(), &releases);
            match expected {
                Ok(way) => {
                    let found: Vec<_> = found.unwrap().iter().map(ToString::to_string).collect();
                    assert_eq!(found.join(" "), way, "{sentence}");
                }
                Err(part) => assert!(found.unwrap_err().to_string().contains(part), "{sentence}"),
            }
        }
    }
}
