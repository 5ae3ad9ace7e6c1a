//! `novactl release publish`

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use indicatif::HumanBytes;
use novacula_protocol::people::{Release, ReleasePatch, ReleaseStatus};
use novacula_protocol::signature::TrustedKeys;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use semver::Version;

use super::artifact::{self, Artifact};
use super::particulars::{self, Particulars};
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, nothing_to_do, wrong_usage};
use crate::form::Form;
use crate::terminal::{Terminal, with_bytes};

const MAX_NOTES_BYTES: u64 = 256 * 1024;

/// Upload signed artifacts and offer them as a release
///
/// Give every artifact of the release, one for each target. Each needs a minisign signature whose trusted comment names
/// kind, version and target, as packaging/release.sh makes it. All are checked here before the first byte is sent. Run
/// again after a failure, it goes on where it was; run again with another --channel, it moves the release there.
#[derive(Debug, clap::Args)]
pub struct Publish {
    /// The version, as signed
    #[arg(long, value_parser = super::version)]
    version: Version,

    /// What it is for: agent or operator
    #[arg(long, default_value = "agent", value_parser = super::kind)]
    kind: Kind,

    /// Where it is offered: stable (unless its draft says otherwise), beta or dev
    #[arg(long, value_parser = super::channel)]
    channel: Option<Channel>,

    /// Release notes
    #[arg(long, value_name = "TEXT", conflicts_with = "notes_file")]
    notes: Option<String>,

    /// File with the release notes
    #[arg(long, value_name = "PATH")]
    notes_file: Option<PathBuf>,

    /// The type of upgrades to it, for example db-migration: those of different types keep their order; its kind unless
    /// told
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,

    /// File with the steps that a person acknowledges before an upgrade to it begins, one a line
    #[arg(long, value_name = "PATH")]
    prerequisites: Option<PathBuf>,

    /// File with the steps that a person does after an upgrade to it, one a line
    #[arg(long, value_name = "PATH")]
    postrequisites: Option<PathBuf>,

    /// Leave it a draft, which is offered to nobody; run again without this option to publish it
    #[arg(long)]
    draft: bool,

    /// An artifact, and its signature if that is not ARTIFACT.minisig
    #[arg(required = true, value_name = "ARTIFACT[=SIGFILE]", value_parser = artifact::place)]
    artifacts: Vec<artifact::Place>,
}

impl Publish {
    /// Checks, uploads what is not there yet, publishes.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let notes = self.notes()?;
        let said = Particulars {
            r#type: self.r#type.clone(),
            prerequisites: particulars::steps(self.prerequisites.as_deref())?,
            postrequisites: particulars::steps(self.postrequisites.as_deref())?,
        };
        let artifacts = self.check(terminal)?;
        let mut release = match super::find(control_plane, self.kind, &self.version)? {
            Some(known) => Some(self.go_on(control_plane, known, &artifacts, (notes.as_deref(), &said))?),
            None => None,
        };
        if let Some(release) = release.as_ref().filter(|release| release.status == ReleaseStatus::Published) {
            self.show(terminal, release)?;
            return Ok(Ending::Done);
        }
        let channel = release.as_ref().map_or(self.channel.unwrap_or_default(), |draft| draft.channel);
        let notes = release.as_ref().map_or(notes.unwrap_or_default(), |draft| draft.notes.clone());
        for artifact in &artifacts {
            if release.as_ref().is_some_and(|release| holds(release, artifact)) {
                terminal.note(format!("{} is there already", artifact.target));
                continue;
            }
            release = Some(self.upload(control_plane, terminal, (channel, &notes, &said), artifact)?);
        }
        let mut release = release.context("a release has at least one artifact")?;
        for earlier in &release.artifacts {
            if artifacts.iter().all(|artifact| artifact.target != earlier.target) {
                terminal.note(format!("{} was uploaded before and is part of it too", earlier.target));
            }
        }
        if !self.draft {
            let patch = ReleasePatch { status: Some(ReleaseStatus::Published), ..ReleasePatch::default() };
            release = control_plane.patch(&super::path_of(&release), &patch)?;
        }
        self.show(terminal, &release)?;
        Ok(Ending::Done)
    }

    fn notes(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.notes_file else { return Ok(self.notes.clone()) };
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_NOTES_BYTES).read_to_string(&mut text))
            .with_context(|| format!("the notes in {} cannot be read", path.display()))?;
        Ok(Some(text.trim_end().to_owned()))
    }

    fn check(&self, terminal: &Terminal) -> anyhow::Result<Vec<Artifact>> {
        let keys = TrustedKeys::baked_in().map_err(anyhow::Error::msg)?;
        if keys.names().next().is_none() {
            terminal.note(
                "this novactl was built without release keys: it checks labels, the control plane verifies signatures",
            );
        }
        let mut checked: Vec<Artifact> = Vec::new();
        for place in &self.artifacts {
            let artifact = Artifact::check(place, self.kind, &self.version, &keys)?;
            if let Some(twin) = checked.iter().find(|other| other.target == artifact.target) {
                return Err(wrong_usage(format!(
                    "a release has one artifact for each target, {} and {} are both signed for {}",
                    twin.path.display(),
                    artifact.path.display(),
                    artifact.target
                ))
                .into());
            }
            checked.push(artifact);
        }
        Ok(checked)
    }

    /// Whoever runs this last says on which channel a release is and what its notes are, and says it first, because
    /// artifacts join a draft only if they agree with it. What was published keeps its artifacts: a version is used once.
    fn go_on(
        &self,
        control_plane: &ControlPlane,
        known: Release,
        artifacts: &[Artifact],
        (notes, said): (Option<&str>, &Particulars),
    ) -> Result<Release, Failure> {
        let stands = format!("{} {} is {} already", self.kind, self.version, known.status.as_str());
        let used_up = |with: &str| {
            let message = format!("{stands}{with}: a version is used once, publish a higher one");
            Failure::new(Ending::Refused, "release_exists", message)
        };
        let is_same = artifacts.iter().all(|artifact| {
            known.artifacts.iter().any(|a| a.target == artifact.target && a.sha256 == artifact.sha256)
        });
        if known.status == ReleaseStatus::Yanked {
            return Err(used_up(""));
        }
        if known.status == ReleaseStatus::Published && !is_same {
            return Err(used_up(" with other artifacts"));
        }
        let patch = ReleasePatch {
            channel: self.channel.filter(|channel| *channel != known.channel),
            notes: notes.filter(|notes| *notes != known.notes).map(str::to_owned),
            ..said.beyond(control_plane, &known)?
        };
        if patch != ReleasePatch::default() {
            return control_plane.patch(&super::path_of(&known), &patch);
        }
        match known.status {
            ReleaseStatus::Published => Err(nothing_to_do(format!("{stands} with these artifacts"))),
            _ => Ok(known),
        }
    }

    fn upload(
        &self,
        control_plane: &ControlPlane,
        terminal: &Terminal,
        (channel, notes, said): (Channel, &str, &Particulars),
        artifact: &Artifact,
    ) -> Result<Release, Failure> {
        let bar = terminal.bar(artifact.size);
        with_bytes(&bar);
        bar.set_message(crate::terminal::clean(&artifact.target));
        let form = Form::new(&artifact.file, artifact.size, &artifact.sha256)
            .text("kind", self.kind.as_str())
            .text("version", &self.version.to_string())
            .text("channel", channel.as_str())
            .text("notes", notes)
            .text("signature", &artifact.signature);
        let form = said.fields().into_iter().fold(form, |form, (name, value)| form.text(name, &value));
        let uploaded = control_plane.upload(super::RELEASES, form, &bar);
        bar.finish_and_clear();
        uploaded
    }

    fn show(&self, terminal: &Terminal, release: &Release) -> anyhow::Result<()> {
        if terminal.json {
            return terminal.json(release);
        }
        let status = release.status.as_str();
        terminal.line(format!("{} {} is {status} on {}", release.kind, release.version, release.channel))?;
        terminal.fact("id", &release.id)?;
        for artifact in &release.artifacts {
            terminal.fact("target", format!("{} ({})", artifact.target, HumanBytes(artifact.size)))?;
        }
        Ok(())
    }
}

/// This very upload has arrived before.
fn holds(release: &Release, artifact: &Artifact) -> bool {
    release.artifacts.iter().any(|known| {
        known.target == artifact.target
            && known.sha256 == artifact.sha256
            && known.signature.trim_end() == artifact.signature.trim_end()
    })
}
