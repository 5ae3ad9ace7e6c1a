//! `/windows/`: when upgrades may begin, and when not.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
