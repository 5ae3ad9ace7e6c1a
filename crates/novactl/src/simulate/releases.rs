//! The releases of a simulation: tiny, and signed by a key pair that is forgotten when it ends.

use std::io::{Cursor, Write as _};

use anyhow::Context;
use indicatif::ProgressBar;
use minisign::KeyPair;
use novacula_protocol::people::{Release, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::Channel;
use semver::Version;
use sha2::{Digest as _, Sha256};

use super::executor::TARGET;
use crate::control_plane::ControlPlane;
use crate::form::Form;

/// Whoever signs the releases of a simulation.
pub struct Signer(KeyPair);

impl Signer {
    /// With a new key pair.
    pub fn new() -> anyhow::Result<Self> {
        KeyPair::generate_unencrypted_keypair()
            .map(Self)
            .context("no key pair can be made for the simulation")
    }

    /// The text of the `.pub` file.
    pub fn public_key(&self) -> anyhow::Result<String> {
        let text = self.0.pk.to_box().context("the public key of the simulation cannot be written")?;
        Ok(text.into_string())
    }

    /// Publishes a release of that version.
    pub fn publish(&self, control_plane: &ControlPlane, kind: Kind, version: &Version) -> anyhow::Result<()> {
        let bytes = format!("{kind} {version}, simulated\n");
        let comment = format!("kind:{kind} version:{version} target:{TARGET}");
        let signature = minisign::sign(
            Some(&self.0.pk),
            &self.0.sk,
            Cursor::new(bytes.as_bytes()),
            Some(&comment),
            Some("signature of a simulation"),
        );
        let signature = signature.context("a release of the simulation cannot be signed")?.into_string();
        let mut file = tempfile::tempfile().context("a temporary file cannot be made")?;
        file.write_all(bytes.as_bytes()).context("a temporary file cannot be written")?;
        let sha256 =
            Sha256::digest(bytes.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let form = Form::new(&file, bytes.len() as u64, &sha256)
            .text("kind", kind.as_str())
            .text("version", &version.to_string())
            .text("channel", Channel::Stable.as_str())
            .text("signature", &signature);
        let draft: Release = control_plane.upload("/releases", form, &ProgressBar::hidden())?;
        let patch = ReleasePatch { status: Some(ReleaseStatus::Published), ..ReleasePatch::default() };
        let _: Release = control_plane.patch(&format!("/releases/{}", draft.id), &patch)?;
        Ok(())
    }
}

/// What the plan's target comes to where it is the only release of its beginning: `1.34` is 1.34.0.
pub fn target(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(str::parse::<u64>);
    let version = text.parse().ok().or_else(|| {
        let (major, minor) = (numbers.next()?.ok()?, numbers.next().unwrap_or(Ok(0)).ok()?);
        numbers.next().is_none().then(|| Version::new(major, minor, 0))
    });
    version.filter(|version: &Version| version.build.is_empty())
}

/// What runs before, where nobody says: one minor version less.
pub fn usual_start(target: &Version) -> Option<Version> {
    let Version { major, minor, patch, .. } = *target;
    match (major, minor, patch) {
        (_, 1.., _) => Some(Version::new(major, minor - 1, 0)),
        (_, 0, 1..) => Some(Version::new(major, 0, patch - 1)),
        (1.., 0, 0) => Some(Version::new(major - 1, 0, 0)),
        _ => None,
    }
}

/// Every version that has to be published: the start, one of each major in between, the target.
pub fn way(start: &Version, target: &Version) -> Vec<Version> {
    let between = (start.major + 1..target.major).map(|major| Version::new(major, 0, 0));
    std::iter::once(start.clone()).chain(between).chain([target.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use novacula_protocol::signature::{ReleaseSignature, TrustedKeys};

    #[test]
    fn a_target_and_what_runs_before_it_are_found() {
        for (text, version, start) in [
            ("1.34", "1.34.0", Some("1.33.0")),
            ("1.34.2", "1.34.2", Some("1.33.0")),
            ("2", "2.0.0", Some("1.0.0")),
            ("2.0.3", "2.0.3", Some("2.0.2")),
            ("0.0.0", "0.0.0", None),
        ] {
            let found = target(text).unwrap();
            assert_eq!(found.to_string(), version);
            assert_eq!(usual_start(&found).map(|it| it.to_string()).as_deref(), start, "{text}");
        }
        assert_eq!((target("x"), target("1.2.3.4"), target("1.x"), target("")), (None, None, None, None));
        let shown: Vec<_> =
            way(&Version::new(1, 2, 0), &Version::new(4, 1, 0)).iter().map(Version::to_string).collect();
        assert_eq!(shown, ["1.2.0", "2.0.0", "3.0.0", "4.1.0"]);
    }

    #[test]
    fn what_is_signed_here_is_what_the_control_plane_takes() {
        let signer = Signer::new().unwrap();
        let key = signer.public_key().unwrap();
        let keys = TrustedKeys::from_texts([("simulation", key.as_str())]).unwrap();
        let comment = "kind:agent version:1.0.0 target:x";
        let (pk, sk) = (&signer.0.pk, &signer.0.sk);
        let text = minisign::sign(Some(pk), sk, Cursor::new(b"bytes"), Some(comment), None).unwrap();
        let signature = ReleaseSignature::parse(&text.into_string()).unwrap();
        let mut verifier = signature.verifier(&keys).unwrap();
        verifier.update(b"bytes");
        assert_eq!(verifier.finish().unwrap().version, Version::new(1, 0, 0));
    }
}
