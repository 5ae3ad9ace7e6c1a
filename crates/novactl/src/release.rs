//! `novactl release …`

mod artifact;
mod consequences;
mod keys;
mod list;
mod particulars;
mod publish;
mod yank;

use novacula_protocol::people::{Release, ReleaseStatus};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use novacula_protocol::trusted_comment::plain_version;
use semver::Version;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};
use crate::terminal::Terminal;

const RELEASES: &str = "/releases";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Publish(publish::Publish),
    List(list::List),
    Yank(yank::Yank),
    Consequences(consequences::Consequences),
    Keys(keys::Keys),
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        match self {
            Self::Publish(publish) => publish.run(control_plane, terminal),
            Self::List(list) => list.run(control_plane, terminal),
            Self::Yank(yank) => yank.run(control_plane, terminal),
            Self::Consequences(asked) => asked.run(control_plane, terminal),
            Self::Keys(keys) => keys.run(control_plane, terminal),
        }
    }
}

/// All releases of a kind, or of all.
fn all(control_plane: &ControlPlane, kind: Option<Kind>) -> Result<Vec<Release>, Failure> {
    let query: Vec<_> = kind.map(|kind| ("kind", kind.as_str())).into_iter().collect();
    let mut releases: Vec<Release> = control_plane.all(RELEASES, &query)?;
    releases.retain(|release| kind.is_none_or(|kind| release.kind == kind));
    Ok(releases)
}

/// The one release of this kind and version, if there is one.
fn find(control_plane: &ControlPlane, kind: Kind, version: &Version) -> Result<Option<Release>, Failure> {
    Ok(all(control_plane, Some(kind))?.into_iter().find(|release| release.version == *version))
}

/// The one release of this id, or of this version and kind.
fn named(control_plane: &ControlPlane, named: &str, kind: Kind) -> Result<Release, Failure> {
    let asked = plain_version(named);
    all(control_plane, None)?
        .into_iter()
        .find(|release| match &asked {
            Some(version) => release.version == *version && release.kind == kind,
            None => release.id == named,
        })
        .ok_or_else(|| {
            Failure::new(
                Ending::Failed,
                "release_not_found",
                format!(
                    "expected the id or the version of a release of kind {kind}, no release is `{named}`: \
                     see `novactl release list`"
                ),
            )
        })
}

fn path_of(release: &Release) -> String {
    format!("{RELEASES}/{}", release.id)
}

pub fn kind(word: &str) -> Result<Kind, String> {
    Kind::from_wire(word).ok_or_else(|| "expected agent or operator".to_owned())
}

pub fn channel(word: &str) -> Result<Channel, String> {
    Channel::from_wire(word).ok_or_else(|| "expected stable, beta or dev".to_owned())
}

fn status(word: &str) -> Result<ReleaseStatus, String> {
    ReleaseStatus::from_wire(word).ok_or_else(|| "expected draft, published or yanked".to_owned())
}

pub fn version(text: &str) -> Result<Version, String> {
    plain_version(text).ok_or_else(|| "expected a version like 1.2.3 or 1.2.3-rc.1".to_owned())
}
