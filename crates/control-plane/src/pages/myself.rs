//! `/myself/`: the visitor: password, tokens, session.

use super::Row;

pub(crate) fn routes() -> Vec<Row> {
    Vec::new()
}
