//! Reading a plan as people write it, YAML or JSON, so that whatever is wrong with it is told with the path of the field.

mod gate;
mod reason;
mod tree;

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::FleetUpgradePlan;
use reason::{reason, shown};

/// Nobody writes plans so long; what is longer is not read.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// The path of what is no field: the document as a whole.
const DOCUMENT: &str = "document";

/// Why a plan is refused. It reads as one sentence: the path, then the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRefused {
    /// Of the field, such as `spec.waves[1].validation.healthCheckDuration`; `document` for the whole.
    pub path: String,
    /// What was expected and what was found.
    pub reason: String,
}

impl DocumentRefused {
    /// Refused for what stands at that path.
    #[must_use]
    pub fn at(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }

    /// Refused for what no field alone can mend.
    #[must_use]
    pub fn whole(reason: impl Into<String>) -> Self {
        Self::at(DOCUMENT, reason)
    }
}

impl fmt::Display for DocumentRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.reason)
    }
}

impl std::error::Error for DocumentRefused {}

impl FleetUpgradePlan {
    /// What the text says, which is YAML or JSON. Whether it can be carried out is for whoever knows the fleet to say.
    ///
    /// # Errors
    /// The path of the first field that is not as it must be, and why.
    pub fn read(text: &str) -> Result<Self, DocumentRefused> {
        let mut tree = tree::read(text)?;
        let plan = typed(&tree).or_else(|refused| {
            // JSON has one kind of number: `3.0` is the whole number that some languages write so.
            if !tree::make_whole(&mut tree) {
                return Err(refused);
            }
            typed(&tree).map_err(|_| refused)
        })?;
        tree::has_its_shape(&tree)?;
        Ok(plan)
    }
}

fn typed<T: DeserializeOwned>(tree: &Value) -> Result<T, DocumentRefused> {
    serde_path_to_error::deserialize(tree.clone()).map_err(|e| {
        let path = e.path().to_string();
        gate::closer(tree, &path).unwrap_or_else(|| refused(&path, &e.inner().to_string()))
    })
}

/// From where serde stopped and what it said.
fn refused(path: &str, said: &str) -> DocumentRefused {
    let path = if path == "." { String::new() } else { shown(path) };
    if let Some(missing) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let dot = if path.is_empty() { "" } else { "." };
        return DocumentRefused::at(format!("{path}{dot}{missing}"), "must be given, it is missing");
    }
    // Of names twice the tree knows; what is left is the one field that has two.
    if said.starts_with("duplicate field `clusterSelector`") {
        let reason = "must stand alone, `executorSelector` means the same and stands beside it";
        return DocumentRefused::at(format!("{path}.clusterSelector"), reason);
    }
    let path = if path.is_empty() { DOCUMENT.to_owned() } else { path };
    DocumentRefused { path, reason: reason(said) }
}

#[cfg(test)]
mod tests;
