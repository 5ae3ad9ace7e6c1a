//! `/accounts/`: the accounts of the house.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
