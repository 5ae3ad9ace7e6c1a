//! One of a list, by its name or its id.

use serde::de::DeserializeOwned;

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure};

/// What people call one of a list.
pub struct Kind {
    /// Where the list is.
    pub path: &'static str,
    /// `window`: also the beginning of the code of the failure.
    pub noun: &'static str,
    /// `a window`.
    pub one: &'static str,
    /// The command that lists them.
    pub listed_by: &'static str,
}

impl Kind {
    /// The first that `is_it`; `asked` is how it was called.
    pub fn find<T: DeserializeOwned>(
        &self,
        control_plane: &ControlPlane,
        asked: &str,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<T, Failure> {
        let all: Vec<T> = control_plane.all(self.path, &[])?;
        all.into_iter().find(is_it).ok_or_else(|| self.none(asked))
    }

    /// There is no such one.
    pub fn none(&self, asked: &str) -> Failure {
        let Self { noun, one, listed_by, .. } = self;
        let sentence = format!(
            "expected the name or the id of {one}, none is called `{asked}`: see `novactl {listed_by}`"
        );
        Failure::new(Ending::Failed, format!("{noun}_not_found"), sentence)
    }
}
