//! `/webhooks/`: who is told.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
