//! `/activity/`: who did what, when and why.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
