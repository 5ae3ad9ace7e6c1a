//! `/keys/`: the keys of executors, and the tokens they enrol with.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
