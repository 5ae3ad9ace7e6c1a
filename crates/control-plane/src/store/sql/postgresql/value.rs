//! Values on their way to PostgreSQL and back: written as the type that the server expects at their place, read as what
//! the embedded engine would have given.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{self, IsNull, Type};

use super::super::{Error, Sql};

type Refused = Box<dyn std::error::Error + Sync + Send>;

/// A value on its way there.
#[derive(Debug)]
pub(in crate::store) struct Given<'v>(ToSqlOutput<'v>);

impl<'v> From<ValueRef<'v>> for Given<'v> {
    fn from(value: ValueRef<'v>) -> Self {
        Self(ToSqlOutput::Borrowed(value))
    }
}

impl<'v> Given<'v> {
    pub(super) fn of(value: &'v dyn rusqlite::types::ToSql) -> Sql<Self> {
        Ok(Self(value.to_sql()?))
    }

    fn value(&self) -> Result<ValueRef<'_>, Refused> {
        match &self.0 {
            ToSqlOutput::Borrowed(value) => Ok(*value),
            ToSqlOutput::Owned(value) => Ok(value.into()),
            other => Err(format!("{other:?} is nothing that a column can hold").into()),
        }
    }
}

impl types::ToSql for Given<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        match (self.value()?, kind) {
            (ValueRef::Null, _) => return Ok(IsNull::Yes),
            (ValueRef::Integer(value), &Type::INT8) => out.extend_from_slice(&value.to_be_bytes()),
            (ValueRef::Integer(value), &Type::INT4) => {
                out.extend_from_slice(&i32::try_from(value)?.to_be_bytes());
            }
            (ValueRef::Integer(value), &Type::INT2) => {
                out.extend_from_slice(&i16::try_from(value)?.to_be_bytes());
            }
            (ValueRef::Integer(value), &Type::BOOL) => out.extend_from_slice(&[u8::from(value != 0)]),
            (ValueRef::Real(value), &Type::FLOAT8) => out.extend_from_slice(&value.to_be_bytes()),
            (
                ValueRef::Text(value),
                &(Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN),
            ) => {
                put_text(value, out);
            }
            (ValueRef::Blob(value), &Type::BYTEA) => out.extend_from_slice(value),
            (value, kind) => return Err(format!("{value:?} cannot be written as {kind}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    types::to_sql_checked!();
}

/// PostgreSQL keeps no NUL in a text. What an executor says must be kept all the same, else it says it for ever.
fn put_text(text: &[u8], out: &mut BytesMut) {
    let mut parts = text.split(|byte| *byte == 0);
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice("\u{fffd}".as_bytes());
        out.extend_from_slice(part);
    }
}

/// A value that was found.
pub(in crate::store) struct Found<'r>(pub(in crate::store) ValueRef<'r>);

impl<'r> types::FromSql<'r> for Found<'r> {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Refused> {
        Ok(Self(match *kind {
            Type::INT8 => ValueRef::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => ValueRef::Integer(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT2 => ValueRef::Integer(i16::from_be_bytes(raw.try_into()?).into()),
            Type::BOOL => ValueRef::Integer(i64::from(raw != [0])),
            Type::FLOAT8 => ValueRef::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => ValueRef::Text(raw),
            Type::BYTEA => ValueRef::Blob(raw),
            Type::VOID => ValueRef::Null,
            ref other => {
                return Err(format!("a column of type {other} has to be cast to another type").into());
            }
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Refused> {
        Ok(Self(ValueRef::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The value in a column of a row.
pub(in crate::store::sql) fn read<T: FromSql>(row: &tokio_postgres::Row, place: usize) -> Sql<T> {
    let Found(value) = row.try_get(place)?;
    T::column_result(value).map_err(|e| {
        let name = row.columns().get(place).map(tokio_postgres::Column::name).unwrap_or_default().to_owned();
        Error::Unfit(format!("the column `{name}` holds something else than was expected: {e}").into())
    })
}
