//! `/executors/`: who is out there, what runs there, and where each could go.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
