//! `/plans/`: fleet plans, from the wizard to the last wave.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
