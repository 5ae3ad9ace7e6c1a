//! Which release a plan means, and how each executor gets there.

use novacula_protocol::people::{DocumentRefused, PlanSpec, Release, ReleaseStatus};
use novacula_protocol::spec::Kind;
use semver::Version;

use super::{Known, names};
use crate::executor::Executor;
use crate::hops;

const PATH: &str = "spec.targetVersion";
/// So many published versions on each side of one that is not there are worth naming.
const NEAR: usize = 3;

/// How an executor gets to the target of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is there.
    Already,
    /// Over these versions, the target last.
    Over(Vec<Version>),
    /// It cannot, or shall not; a sentence that follows its name.
    None(String),
}

/// How an executor gets there. A plan takes nobody back: who runs something newer stays.
#[must_use]
pub fn way(executor: &Executor, target: &Version, releases: &[Release]) -> Way {
    match executor.current_version.cmp_precedence(target) {
        std::cmp::Ordering::Equal => Way::Already,
        std::cmp::Ordering::Greater => {
            Way::None(format!("runs {}, which is newer than {target}", executor.current_version))
        }
        std::cmp::Ordering::Less => match hops::route(executor.standpoint(), target, releases) {
            Ok(route) => Way::Over(route),
            Err(no_route) => Way::None(format!("has no way there: {no_route}")),
        },
    }
}

/// The release that `targetVersion` means: itself, or the highest that begins so.
pub(super) fn meant<'a>(spec: &PlanSpec, releases: &'a [Release]) -> Result<&'a Release, DocumentRefused> {
    let text = spec.target_version.as_str();
    let refused = |reason: String| DocumentRefused::at(PATH, reason);
    let of_the_kind: Vec<_> = releases.iter().filter(|release| release.kind == spec.executor_kind).collect();
    let published: Vec<_> =
        of_the_kind.iter().copied().filter(|release| release.status == ReleaseStatus::Published).collect();
    if let Ok(version) = text.parse::<Version>() {
        return match of_the_kind.iter().find(|release| release.version == version) {
            Some(release) if release.status == ReleaseStatus::Published => Ok(release),
            Some(release) => {
                let (status, near) =
                    (release.status.as_str(), near(&version, &published, spec.executor_kind));
                Err(refused(format!("must be a published version, {version} is {status}; {near}")))
            }
            None => {
                let near = near(&version, &published, spec.executor_kind);
                Err(refused(format!("must be a published version, there is no {version}; {near}")))
            }
        };
    }
    let Some(beginning) = Beginning::read(text) else {
        let found = names::short(text);
        return Err(refused(format!(
            "must be a version such as 1.34.2, or its beginning such as 1.34 or 1, it is `{found}`"
        )));
    };
    let fitting = published.iter().copied().filter(|release| beginning.is_of(&release.version));
    // Who wants a pre-release says so in full.
    let highest = fitting
        .clone()
        .filter(|release| release.version.pre.is_empty())
        .max_by(|a, b| a.version.cmp(&b.version));
    highest.ok_or_else(|| match fitting.max_by(|a, b| a.version.cmp(&b.version)) {
        Some(only) => refused(format!(
            "must begin a published version, of {text} there are only pre-releases; write {} in full to mean it",
            only.version
        )),
        None => {
            let near = near(&beginning.lowest(), &published, spec.executor_kind);
            refused(format!("must begin a published version, none begins with {text}; {near}"))
        }
    })
}

/// The first one or two numbers of a version.
struct Beginning {
    major: u64,
    minor: Option<u64>,
}

impl Beginning {
    fn read(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            if is_plain && (digits == "0" || !digits.starts_with('0')) { digits.parse().ok() } else { None }
        };
        match text.split_once('.') {
            Some((major, minor)) => Some(Self { major: number(major)?, minor: Some(number(minor)?) }),
            None => Some(Self { major: number(text)?, minor: None }),
        }
    }

    fn is_of(&self, version: &Version) -> bool {
        self.major == version.major && self.minor.is_none_or(|minor| minor == version.minor)
    }

    fn lowest(&self) -> Version {
        Version::new(self.major, self.minor.unwrap_or_default(), 0)
    }
}

/// What is published near a version that is not.
fn near(version: &Version, published: &[&Release], kind: Kind) -> String {
    let mut versions: Vec<_> = published.iter().map(|release| &release.version).collect();
    versions.sort();
    let place = versions.partition_point(|known| *known < version);
    let near = &versions[place.saturating_sub(NEAR)..versions.len().min(place + NEAR)];
    match near {
        [] => format!("nothing is published for executors of kind {kind}"),
        [one] => format!("near it there is {one}"),
        several => {
            let listed: Vec<_> = several.iter().map(ToString::to_string).collect();
            format!("near it there are {}", listed.join(", "))
        }
    }
}

/// How each member of the plan gets there, by its id.
pub(super) type Ways<'a> = Vec<(&'a Executor, Way)>;

/// How everybody gets there; a plan whose version nobody can get to is refused.
pub(super) fn ways<'a>(
    target: &Version,
    members: &[Vec<&'a Executor>],
    known: &Known<'_>,
) -> Result<Ways<'a>, DocumentRefused> {
    let ways: Ways<'a> =
        members.iter().flatten().map(|executor| (*executor, way(executor, target, known.releases))).collect();
    let lost = ways.iter().filter_map(|(executor, way)| match way {
        Way::None(why) => Some((*executor, why)),
        _ => None,
    });
    match lost.clone().next() {
        Some((executor, why)) if lost.count() == ways.len() => {
            let name = names::short(&executor.name);
            Err(DocumentRefused::at(
                PATH,
                format!("must be reachable for somebody, {target} is for nobody: `{name}` {why}"),
            ))
        }
        _ => Ok(ways),
    }
}

/// The prerequisites of all releases on the way are for people to do first, on every host.
pub(super) fn prerequisites_are_done(
    spec: &PlanSpec,
    target: &Release,
    ways: &Ways<'_>,
    releases: &[Release],
) -> Result<(), DocumentRefused> {
    if spec.prerequisites_acknowledged {
        return Ok(());
    }
    let is_on_a_way = |release: &&Release| {
        release.kind == target.kind
            && ways.iter().any(|(_, way)| matches!(way, Way::Over(route) if route.contains(&release.version)))
    };
    let mut with: Vec<_> = releases
        .iter()
        .filter(is_on_a_way)
        .filter_map(|release| Some((release, release.prerequisites.as_ref()?)))
        .filter(|(_, steps)| !steps.is_empty())
        .collect();
    with.sort_by(|a, b| a.0.version.cmp(&b.0.version));
    let Some((first, steps)) = with.first() else { return Ok(()) };
    let step = steps.first().map(|step| names::short(&step.text)).unwrap_or_default();
    let versions: Vec<_> = with.iter().map(|(release, _)| release.version.to_string()).collect();
    Err(DocumentRefused::at(
        "spec.prerequisitesAcknowledged",
        format!(
            "must be true once the prerequisites of {} are done for all executors of the plan; {} has {}, the first is: {step}",
            versions.join(" and "),
            first.version,
            steps.len(),
        ),
    ))
}
