//! How values of the domain stand in columns: words as on the wire, times as milliseconds, the rest as JSON.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use crate::secrets::SecretHash;

/// A value that is one string on the wire: an enum, a version, an id.
pub(super) struct Word<T>(pub T);

impl<T: Serialize> ToSql for Word<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(self.0).map_err(unfit)? {
            serde_json::Value::String(word) => Ok(word.into()),
            other => Err(rusqlite::Error::ToSqlConversionFailure(
                format!("expected one word, found {other}").into(),
            )),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = serde_json::Value::String(value.as_str()?.to_owned());
        serde_json::from_value(word).map(Self).map_err(|e| FromSqlError::Other(e.into()))
    }
}

/// Anything else that serde can write.
pub(super) struct Json<T>(pub T);

impl<T: Serialize + ?Sized> ToSql for Json<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(self.0).map(Into::into).map_err(unfit)
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|e| FromSqlError::Other(e.into()))
    }
}

/// JSON that is a text inside of other JSON, because it is one in its column.
pub(super) struct JsonText<T>(pub T);

impl<T: Serialize> Serialize for JsonText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(&self.0).map_err(S::Error::custom)?)
    }
}

/// Between two of a column: neither JSON nor anything printable has it. In SQL it is `chr(31)`.
const BETWEEN: char = '\u{1f}';

/// Many rows as their columns, each in one text: what a database takes apart with the least work.
pub(super) struct Columns<const N: usize> {
    texts: [String; N],
    is_begun: bool,
}

impl<const N: usize> Default for Columns<N> {
    fn default() -> Self {
        Self { texts: [const { String::new() }; N], is_begun: false }
    }
}

impl<const N: usize> Columns<N> {
    pub(super) fn add(&mut self, row: [&dyn Display; N]) {
        for (column, value) in self.texts.iter_mut().zip(row) {
            column.extend(self.is_begun.then_some(BETWEEN));
            // Nothing can go wrong when a text grows.
            let _ = write!(column, "{value}");
        }
        self.is_begun = true;
    }

    /// `None` where there is no row: an empty text would be one.
    pub(super) fn texts(self) -> Option<[String; N]> {
        self.is_begun.then_some(self.texts)
    }
}

/// Many things of about the same size, as a list.
pub(super) struct JsonList<'a, T>(pub &'a [T]);

/// Of one; one that is larger costs a copy.
const USUAL_BYTES: usize = 384;

impl<T: Serialize> ToSql for JsonList<'_, T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let mut text = Vec::with_capacity(self.0.len() * USUAL_BYTES);
        serde_json::to_writer(&mut text, self.0).map_err(unfit)?;
        let text = String::from_utf8(text).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(text.into())
    }
}

/// A time, to the millisecond.
pub(super) struct Time(pub Timestamp);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_millisecond(value.as_i64()?).map(Self).map_err(|e| FromSqlError::Other(e.into()))
    }
}

/// A count that may not be negative.
pub(super) struct Count(pub u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        i64::try_from(self.0).map(Into::into).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::try_from(value.as_i64()?).map(Self).map_err(|e| FromSqlError::Other(e.into()))
    }
}

impl ToSql for SecretHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for SecretHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self)
    }
}

fn unfit(e: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(e.into())
}
