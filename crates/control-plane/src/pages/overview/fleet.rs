//! Pure: which versions run, and how far that is behind what is offered.

use novacula_protocol::people::{CensusRow, FleetCensus, Release, ReleaseStatus};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use semver::Version;

use crate::pages::picture::{Bar, Bars, Part, Unit, colour, folded};
use crate::pages::words;

/// More versions are not told from each other; the legend names the rest together.
const MOST: usize = 8;

/// What runs on the executors of one kind that follow one channel.
pub(crate) struct Versions {
    pub picture: Bars,
    /// How far they are behind, in one sentence.
    pub behind: String,
}

/// One picture for each kind and channel that somebody follows.
pub(super) fn versions(census: &FleetCensus, releases: &[Release]) -> Vec<Versions> {
    let groups = census.rows.chunk_by(|a, b| (a.kind, a.channel) == (b.kind, b.channel));
    groups.map(|rows| group(rows, releases)).collect()
}

fn group(rows: &[CensusRow], releases: &[Release]) -> Versions {
    let (kind, channel) = (rows[0].kind, rows[0].channel);
    let newest = newest(kind, channel, releases);
    let parts = rows.iter().enumerate().map(|(place, row)| {
        let version = row.version.to_string();
        let query = words::query([
            ("version", version.as_str()),
            ("kind", kind.as_str()),
            ("channel", channel.as_str()),
        ]);
        let name = match newest == Some(&row.version) {
            true => format!("{version} (newest)"),
            false => version,
        };
        Part::new(name, colour(place), row.executors).leading_to(format!("/executors/?{query}"))
    });
    let title = match kind {
        Kind::Agent => format!("Agents on {channel}"),
        Kind::Operator => format!("Operators on {channel}"),
    };
    let everybody = words::query([("kind", kind.as_str()), ("channel", channel.as_str())]);
    let bar =
        Bar::new(title.clone(), folded(parts.collect(), MOST)).leading_to(format!("/executors/?{everybody}"));
    let id = format!("versions-{}-{}", kind.as_str(), channel.as_str());
    let picture = Bars::new(id, format!("{title}, by version"), Unit("executor", "executors")).bar(bar);
    Versions { picture, behind: behind(rows, newest) }
}

/// The highest version that is offered to who follows this channel.
fn newest(kind: Kind, channel: Channel, releases: &[Release]) -> Option<&Version> {
    let offered = releases.iter().filter(|release| {
        release.kind == kind
            && release.status == ReleaseStatus::Published
            && channel.includes(release.channel)
    });
    offered.map(|release| &release.version).max()
}

fn behind(rows: &[CensusRow], newest: Option<&Version>) -> String {
    let Some(newest) = newest else {
        return "No release is offered to them.".to_owned();
    };
    let count = |is: fn(&Version, &Version) -> bool| -> u64 {
        rows.iter().filter(|row| is(&row.version, newest)).map(|row| row.executors).sum()
    };
    let behind = count(|version, newest| version < newest);
    let ahead = count(|version, newest| version > newest);
    let majors = count(|version, newest| version.major < newest.major);
    let mut said = match behind {
        0 => format!("Nobody is behind {newest}, the newest release."),
        1 => format!("1 executor is behind {newest}, the newest release."),
        _ => format!("{} executors are behind {newest}, the newest release.", words::count(&behind)),
    };
    if majors > 0 {
        let of_them = if majors == behind { "all of them".to_owned() } else { words::count(&majors) };
        said += &format!(" By a major version or more: {of_them}.");
    }
    if ahead > 0 {
        said += &format!(" Ahead of it: {}.", words::count(&ahead));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(channel: Channel, version: &str, executors: u64) -> CensusRow {
        let version = version.parse().unwrap();
        CensusRow { kind: Kind::Agent, channel, version, executors, online: executors, held: 0 }
    }

    #[test]
    fn how_far_they_are_behind_is_one_sentence() {
        let newest = "2.1.0".parse().unwrap();
        let said = |rows: &[(&str, u64)]| {
            let rows: Vec<_> = rows.iter().map(|(version, n)| row(Channel::Stable, version, *n)).collect();
            behind(&rows, Some(&newest))
        };
        assert_eq!(said(&[("2.1.0", 5)]), "Nobody is behind 2.1.0, the newest release.");
        assert_eq!(said(&[("2.1.0", 5), ("2.0.9", 1)]), "1 executor is behind 2.1.0, the newest release.");
        assert_eq!(
            said(&[("2.2.0", 1), ("2.0.0", 3), ("1.9.0", 2)]),
            "5 executors are behind 2.1.0, the newest release. By a major version or more: 2. Ahead of it: 1."
        );
        assert!(said(&[("1.0.0", 2)]).ends_with("By a major version or more: all of them."));
        assert_eq!(behind(&[row(Channel::Stable, "1.0.0", 1)], None), "No release is offered to them.");
    }

    #[test]
    fn the_newest_release_is_the_highest_of_those_that_are_offered_there() {
        let release = |version: &str, channel, status| Release {
            id: String::new(),
            kind: Kind::Agent,
            version: version.parse().unwrap(),
            channel,
            status,
            notes: String::new(),
            r#type: String::new(),
            prerequisites: None,
            postrequisites: None,
            artifacts: Vec::new(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            published_at: None,
        };
        let all = [
            release("1.9.0", Channel::Stable, ReleaseStatus::Published),
            release("1.10.0", Channel::Stable, ReleaseStatus::Published),
            release("1.11.0", Channel::Stable, ReleaseStatus::Draft),
            release("1.12.0", Channel::Stable, ReleaseStatus::Yanked),
            release("2.0.0", Channel::Beta, ReleaseStatus::Published),
        ];
        let newest = |kind, channel| newest(kind, channel, &all).map(ToString::to_string);
        assert_eq!(newest(Kind::Agent, Channel::Stable).as_deref(), Some("1.10.0"));
        assert_eq!(newest(Kind::Agent, Channel::Beta).as_deref(), Some("2.0.0"));
        assert_eq!(newest(Kind::Agent, Channel::Dev).as_deref(), Some("2.0.0"));
        assert_eq!(newest(Kind::Operator, Channel::Dev), None);
    }
}
