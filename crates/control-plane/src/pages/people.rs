//! `/people/`: who is in the account, and as what.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
