//! Pure: what the signature of an artifact says, as people read it.

use novacula_protocol::people::{Artifact, Release, ReleaseKeys};
use novacula_protocol::signature::key_id;

/// The key that made a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signer {
    pub id: String,
    /// As this control plane calls it; one that it trusts no longer has no name.
    pub name: Option<String>,
    /// Executors that say they do not trust it.
    pub lacked_by: u64,
}

/// Who signed an artifact.
pub(crate) fn signer(artifact: &Artifact, keys: &ReleaseKeys) -> Option<Signer> {
    let id = key_id(&artifact.signature)?;
    let known = keys.keys.iter().find(|key| key.id == id);
    let name = known.and_then(|key| key.name.clone());
    Some(Signer { name, lacked_by: known.map_or(0, |key| key.lacked_by), id })
}

/// Everybody who signed an artifact of the release.
pub(crate) fn signers(release: &Release, keys: &ReleaseKeys) -> Vec<Signer> {
    let mut signers: Vec<_> = release.artifacts.iter().filter_map(|it| signer(it, keys)).collect();
    signers.sort_by(|a, b| a.id.cmp(&b.id));
    signers.dedup();
    signers
}

/// What the publisher says under the signature.
pub(crate) fn trusted_comment(artifact: &Artifact) -> &str {
    let line = artifact.signature.lines().nth(2).unwrap_or_default();
    line.strip_prefix("trusted comment: ").unwrap_or(line)
}
