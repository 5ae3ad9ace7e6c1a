//! What the rows of a table come to, the same on both engines.

use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};

use crate::secrets::hex;

/// Takes the rows of one table in the order of its key.
#[derive(Default)]
pub(super) struct Digest {
    rows: u64,
    replaced: u64,
    hash: Sha256,
}

impl Digest {
    /// Begins the next row.
    pub(super) fn row(&mut self) {
        self.rows += 1;
        self.hash.update(b"row");
    }

    /// Takes its next value. PostgreSQL keeps no NUL in a text, and is given U+FFFD instead.
    pub(super) fn value(&mut self, value: ValueRef<'_>) {
        let (mark, bytes) = match value {
            ValueRef::Null => (b'n', &[][..]),
            ValueRef::Integer(number) => return self.sized(b'i', &number.to_be_bytes()),
            ValueRef::Real(number) => return self.sized(b'r', &number.to_be_bytes()),
            ValueRef::Text(text) if text.contains(&0) => {
                self.replaced += 1;
                let text = String::from_utf8_lossy(text).replace('\0', "\u{fffd}");
                return self.sized(b't', text.as_bytes());
            }
            ValueRef::Text(text) => (b't', text),
            ValueRef::Blob(bytes) => (b'b', bytes),
        };
        self.sized(mark, bytes);
    }

    fn sized(&mut self, mark: u8, bytes: &[u8]) {
        self.hash.update([mark]);
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// SHA-256, in lower-case hex.
    pub(super) fn finish(self) -> String {
        hex(&self.hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[ValueRef<'_>]]) -> String {
        let mut digest = Digest::default();
        for row in rows {
            digest.row();
            row.iter().for_each(|value| digest.value(*value));
        }
        digest.finish()
    }

    #[test]
    fn values_that_are_not_the_same_never_come_to_the_same() {
        use ValueRef::{Blob, Integer, Null, Real, Text};
        let all: [&[&[ValueRef<'_>]]; 11] = [
            &[],
            &[&[Null]],
            &[&[Null, Null]],
            &[&[Null], &[Null]],
            &[&[Text(b"")]],
            &[&[Text(b"1")]],
            &[&[Blob(b"1")]],
            &[&[Integer(1)]],
            &[&[Real(1.0)]],
            &[&[Text(b"ab"), Text(b"c")]],
            &[&[Text(b"a"), Text(b"bc")]],
        ];
        let hashes: std::collections::BTreeSet<_> = all.iter().map(|rows| of(rows)).collect();
        assert_eq!(hashes.len(), all.len());
    }
}
