//! `/releases/`: the catalogue, and how a release gets into it and out of it.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
