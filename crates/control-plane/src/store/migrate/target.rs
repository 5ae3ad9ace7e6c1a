//! The PostgreSQL database that everything is moved into, in one transaction.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio::runtime::Runtime;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::source::{Source, Table};
use super::{Digest, MigrateError, MigrateStep};
use crate::store::sql::{Address, Error, Found, Given, Purpose, Sql};

/// So many rows at once are told of.
const TOLD: u64 = 1_000;

pub(super) struct Target {
    runtime: Runtime,
    client: Client,
    name: String,
}

/// The columns of a table as the target has them.
pub(super) struct Columns {
    types: Vec<Type>,
    /// One that only the source has.
    pub(super) missing: Option<String>,
    /// One that only the target has.
    pub(super) surplus: Option<String>,
}

impl Target {
    pub(super) fn connect(address: &Address) -> Sql<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Unfit(e.into()))?;
        let client = runtime.block_on(address.open(Purpose::Migrate))?;
        Ok(Self { runtime, client, name: address.to_string() })
    }

    /// The first table that is there and has rows.
    pub(super) fn first_with_rows(&self, tables: &[Table]) -> Sql<Option<String>> {
        self.runtime.block_on(async {
            for table in tables {
                let is_there = "SELECT to_regclass(quote_ident($1)) IS NOT NULL";
                let is_there: bool = self.client.query_one(is_there, &[&table.name]).await?.try_get(0)?;
                let has_rows = format!("SELECT EXISTS (SELECT FROM \"{}\")", table.name);
                if is_there && self.client.query_one(&has_rows, &[]).await?.try_get(0)? {
                    return Ok(Some(table.name.clone()));
                }
            }
            Ok(None)
        })
    }

    /// Begins the transaction. Nobody else reads or writes any of the tables until it ends.
    pub(super) fn begin(&self, tables: &[Table]) -> Sql<()> {
        let names: Vec<_> = tables.iter().map(|table| format!("\"{}\"", table.name)).collect();
        let begin = format!(
            "SET lock_timeout = '10s'; BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
            names.join(", ")
        );
        Ok(self.runtime.block_on(self.client.batch_execute(&begin))?)
    }

    pub(super) fn commit(&self) -> Sql<()> {
        self.runtime.block_on(async {
            self.client.batch_execute("SET LOCAL synchronous_commit = on; COMMIT").await?;
            // What plans its statements by what it knows of the tables must not think that they are empty.
            self.client.batch_execute("ANALYZE").await?;
            Ok(())
        })
    }

    pub(super) fn columns(&self, table: &Table) -> Sql<Columns> {
        let question = format!("SELECT * FROM \"{}\" LIMIT 0", table.name);
        let statement = self.runtime.block_on(self.client.prepare(&question))?;
        let known = statement.columns();
        let of = |name: &String| known.iter().find(|column| column.name() == name);
        Ok(Columns {
            types: table.columns.iter().filter_map(of).map(|column| column.type_().clone()).collect(),
            missing: table.columns.iter().find(|name| of(name).is_none()).cloned(),
            surplus: known
                .iter()
                .map(|column| column.name().to_owned())
                .find(|name| !table.columns.contains(name)),
        })
    }

    /// Moves the rows of a table, and answers what they come to here.
    pub(super) fn fill(
        &self,
        source: &Source,
        table: &Table,
        columns: &Columns,
        tell: &mut dyn FnMut(MigrateStep<'_>),
    ) -> Result<Digest, MigrateError> {
        let failed = |e: Error| MigrateError::Target(self.name.clone(), format!("{}: {e}", table.name));
        let copy = format!("COPY \"{}\" ({}) FROM STDIN BINARY", table.name, table.list());
        let sink = self.runtime.block_on(self.client.copy_in(&copy)).map_err(|e| failed(e.into()))?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &columns.types));
        let mut digest = Digest::default();
        let outcome = source.each_row(table, |values| {
            digest.row();
            let given: Vec<_> = values.iter().map(|value| Given::from(*value)).collect();
            values.iter().for_each(|value| digest.value(*value));
            let given: Vec<_> = given.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            told(digest.rows(), tell);
            self.runtime.block_on(writer.as_mut().write(&given))
        })?;
        outcome.map_err(|e| failed(e.into()))?;
        self.runtime.block_on(writer.finish()).map_err(|e| failed(e.into()))?;
        tell(MigrateStep::Rows(digest.rows() % TOLD));
        Ok(digest)
    }

    /// What the rows of a table come to at the target.
    pub(super) fn read_back(&self, table: &Table, tell: &mut dyn FnMut(MigrateStep<'_>)) -> Sql<Digest> {
        let order: Vec<_> = table.key.iter().map(|key| format!("\"{key}\"")).collect();
        let question =
            format!("SELECT {} FROM \"{}\" ORDER BY {}", table.list(), table.name, order.join(", "));
        let mut digest = Digest::default();
        self.runtime.block_on(async {
            let none: [&(dyn ToSql + Sync); 0] = [];
            let mut rows = pin!(self.client.query_raw(&question, none).await?);
            while let Some(row) = rows.try_next().await? {
                digest.row();
                for place in 0..table.columns.len() {
                    let Found(value) = row.try_get(place)?;
                    digest.value(value);
                }
                told(digest.rows(), tell);
            }
            Ok::<_, Error>(())
        })?;
        tell(MigrateStep::Rows(digest.rows() % TOLD));
        Ok(digest)
    }

    /// What the engine counts by itself goes on behind what was moved.
    pub(super) fn continue_counting(&self, tables: &[Table]) -> Sql<()> {
        self.runtime.block_on(async {
            for table in tables {
                for column in &table.columns {
                    let sequence = "SELECT pg_get_serial_sequence(quote_ident($1), $2)";
                    let sequence = self.client.query_one(sequence, &[&table.name, column]).await?;
                    let Some(sequence) = sequence.try_get::<_, Option<String>>(0)? else { continue };
                    let next = format!(
                        "SELECT setval('{sequence}', (SELECT coalesce(max(\"{column}\"), 0) + 1 FROM \"{}\"), false)",
                        table.name
                    );
                    self.client.batch_execute(&next).await?;
                }
            }
            Ok(())
        })
    }
}

fn told(rows: u64, tell: &mut dyn FnMut(MigrateStep<'_>)) {
    if rows.is_multiple_of(TOLD) {
        tell(MigrateStep::Rows(TOLD));
    }
}
