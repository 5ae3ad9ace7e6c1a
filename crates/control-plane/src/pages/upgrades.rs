//! `/upgrades/`: what was asked for, how far it is, and what can be done about it.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
