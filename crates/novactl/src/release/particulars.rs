//! What the publisher of a release says of it until it is published: its type, and the steps that people do themselves.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use novacula_protocol::people::{Release, ReleasePatch, Step};

use crate::control_plane::ControlPlane;
use crate::ending::Failure;

const MAX_BYTES: u64 = 1024 * 1024;

/// What is absent was not said.
#[derive(Default)]
pub struct Particulars {
    pub r#type: Option<String>,
    pub prerequisites: Option<Vec<String>>,
    pub postrequisites: Option<Vec<String>>,
}

impl Particulars {
    /// For the form of an upload: lists as JSON.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let list = |steps: &Vec<String>| serde_json::json!(steps).to_string();
        [
            ("type", self.r#type.clone()),
            ("prerequisites", self.prerequisites.as_ref().map(list)),
            ("postrequisites", self.postrequisites.as_ref().map(list)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// As far as a release says something else.
    pub fn beyond(&self, control_plane: &ControlPlane, known: &Release) -> Result<ReleasePatch, Failure> {
        let mut patch = ReleasePatch {
            r#type: self.r#type.clone().filter(|word| *word != known.r#type),
            ..ReleasePatch::default()
        };
        if self.prerequisites.is_none() && self.postrequisites.is_none() {
            return Ok(patch);
        }
        // A list of releases leaves their steps out.
        let known: Release = control_plane.get(&super::path_of(known), &[])?;
        let unlike = |said: &Option<Vec<String>>, known: &Option<Vec<Step>>| {
            let known = known.iter().flatten().map(|step| &step.text);
            said.clone().filter(|said| !said.iter().eq(known))
        };
        patch.prerequisites = unlike(&self.prerequisites, &known.prerequisites);
        patch.postrequisites = unlike(&self.postrequisites, &known.postrequisites);
        Ok(patch)
    }
}

/// The steps in a file, one a line; a line of spaces is none.
pub fn steps(path: Option<&Path>) -> anyhow::Result<Option<Vec<String>>> {
    let Some(path) = path else { return Ok(None) };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .with_context(|| format!("the steps in {} cannot be read", path.display()))?;
    Ok(Some(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()))
}
