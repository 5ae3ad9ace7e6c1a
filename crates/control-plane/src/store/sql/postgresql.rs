//! A connection to PostgreSQL that is spoken to as to the embedded engine: one statement after the other, each prepared
//! once. What only steers the transaction waits for the next statement and goes along with it, so that it costs no trip
//! of its own.

pub(super) mod address;
pub(super) mod listen;
mod text;
pub(super) mod value;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::{Error, Sql, Values};
use address::Purpose;
use text::Translated;
use value::Given;

/// As many statements as are kept ready a connection.
const KEPT: usize = 1_000;
/// Groups of all control planes on one database run one after the other, as on the embedded engine: this waits for the
/// turn, and has it to the end of the transaction.
macro_rules! turn {
    () => {
        "pg_advisory_xact_lock(7305444413721)"
    };
}
pub(in crate::store) use turn;

const BEGIN: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT ", turn!(), ";");
/// So do the notes of whom they have heard, but beside the groups: two that note the same executors in another order
/// would wait for each other.
const BEGIN_ASIDE: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7305444413723);";

const COMMIT: &str = "SELECT 1; COMMIT";

/// A connection; it is spoken to by one thread at a time.
pub(in crate::store) struct Postgres {
    /// Taken out only at the end.
    runtime: Option<Runtime>,
    client: Client,
    known: RefCell<HashMap<String, Arc<Known>>>,
    /// Goes along with the next statement.
    ahead: RefCell<String>,
    is_in_transaction: Cell<bool>,
    /// The transaction has one piece of work.
    is_alone: Cell<bool>,
    /// The next statement is its last.
    is_last: Cell<bool>,
    /// The next statement is all of it, and takes the turn by itself.
    is_whole: Cell<bool>,
    changes: Cell<u64>,
    changes_before: Cell<u64>,
    begin: &'static str,
    /// Says whose doing it was that something has changed, in the transaction in which it changes.
    tell: Option<String>,
}

/// A statement as it was translated, and as the server knows it.
struct Known {
    translated: Translated,
    is_change: bool,
    plain: OnceLock<tokio_postgres::Statement>,
    /// Only whether it finds anything.
    exists: OnceLock<tokio_postgres::Statement>,
}

/// A statement, ready to run.
pub(in crate::store) struct Prepared<'c> {
    sql: &'c Postgres,
    known: Arc<Known>,
}

impl Postgres {
    fn of(runtime: Runtime, client: Client, purpose: Purpose) -> Self {
        let (begin, by) = match purpose {
            Purpose::Write(by) => (BEGIN, Some(by)),
            Purpose::Aside => (BEGIN_ASIDE, None),
            Purpose::Read | Purpose::Migrate => (BEGIN, None),
        };
        Self {
            runtime: Some(runtime),
            client,
            known: RefCell::default(),
            ahead: RefCell::default(),
            is_in_transaction: Cell::new(false),
            is_alone: Cell::new(false),
            is_last: Cell::new(false),
            is_whole: Cell::new(false),
            changes: Cell::new(0),
            changes_before: Cell::new(0),
            begin,
            tell: by.map(|by| format!("SELECT pg_notify('novacula', 'commit {by}'); COMMIT")),
        }
    }

    fn on(&self) -> Sql<&Runtime> {
        self.runtime.as_ref().ok_or_else(|| Error::Unfit("the connection has ended".into()))
    }

    pub(super) fn prepare(&self, text: &str) -> Prepared<'_> {
        let mut known = self.known.borrow_mut();
        if let Some(known) = known.get(text) {
            return Prepared { sql: self, known: Arc::clone(known) };
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let is_change = !text.trim_start().starts_with("SELECT");
        let translated = text::translate(text);
        let new = Known { translated, is_change, plain: OnceLock::new(), exists: OnceLock::new() };
        let new = Arc::new(new);
        known.insert(text.to_owned(), Arc::clone(&new));
        Prepared { sql: self, known: new }
    }

    pub(super) fn execute_batch(&self, text: &str) -> Sql<()> {
        self.run_ahead_and(text)?;
        self.changes.set(self.changes.get() + 1);
        Ok(())
    }

    fn run_ahead_and(&self, text: &str) -> Sql<()> {
        let mut all = self.ahead.take();
        all.push_str(text);
        self.told(self.on()?.block_on(self.client.batch_execute(&all)))
    }

    pub(super) fn total_changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn begin(&self, is_alone: bool) {
        self.ahead.replace(self.begin.to_owned());
        self.is_in_transaction.set(true);
        self.is_alone.set(is_alone);
        self.is_last.set(false);
        self.is_whole.set(false);
        self.changes_before.set(self.changes.get());
    }

    pub(super) fn steer(&self, word: &str) {
        self.ahead.borrow_mut().push_str(word);
    }

    pub(super) fn commit_with_next(&self) {
        self.is_last.set(self.is_alone.get());
    }

    pub(super) fn whole_with_next(&self) {
        self.commit_with_next();
        self.is_whole.set(self.is_alone.get());
    }

    /// A transaction that has failed is undone by a COMMIT without a word; the statement before it says so.
    pub(super) fn commit(&self) -> Sql<()> {
        if !self.is_in_transaction.get() {
            return Ok(());
        }
        let has_changed = self.changes.get() > self.changes_before.get();
        self.run_ahead_and(self.tell.as_deref().filter(|_| has_changed).unwrap_or(COMMIT))?;
        self.is_in_transaction.set(false);
        Ok(())
    }

    pub(super) fn roll_back(&self) {
        self.ahead.take();
        if self.is_in_transaction.replace(false) {
            let _ = self.run_ahead_and("ROLLBACK");
        }
    }

    /// Nobody is at the other end any more.
    pub(in crate::store) fn is_lost(&self) -> bool {
        let Ok(runtime) = self.on() else { return true };
        // Whoever speaks to the server has to look up first to notice that it has hung up.
        runtime.block_on(async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
        });
        self.client.is_closed()
    }

    fn told<T>(&self, outcome: Result<T, tokio_postgres::Error>) -> Sql<T> {
        outcome.map_err(|error| {
            // Another program has changed the shape of a table under a statement that was ready.
            if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) {
                self.known.borrow_mut().clear();
            }
            error.into()
        })
    }

    /// Runs `statement` behind whatever is ahead of it, in one trip.
    fn run<T>(&self, statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Sql<T> {
        self.run_before(None, statement)
    }

    /// The same, and the commit behind it where it is the last. Where it fails, the commit fails too, and commits nothing.
    fn run_to_the_end<T>(&self, statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Sql<T> {
        if !self.is_last.take() {
            return self.run(statement);
        }
        // Nothing of the transaction has been sent yet: the statement is one by itself, begun and committed with it.
        let is_whole = self.is_whole.take() && *self.ahead.borrow() == self.begin;
        let behind = if is_whole {
            self.ahead.take();
            None
        } else {
            Some(self.tell.as_deref().unwrap_or(COMMIT))
        };
        let done = self.run_before(behind, statement)?;
        self.is_in_transaction.set(false);
        Ok(done)
    }

    fn run_before<T>(
        &self,
        behind: Option<&str>,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Sql<T> {
        let ahead = self.ahead.take();
        let batch = async |text: &str| match text {
            "" => Ok(()),
            text => self.client.batch_execute(text).await,
        };
        self.told(self.on()?.block_on(async {
            // Each is sent before the next, and none waits for the answer to another.
            let (first, second, third) =
                tokio::join!(biased; batch(&ahead), statement, batch(behind.unwrap_or_default()));
            let done = first.and(second)?;
            third.map(|()| done)
        }))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Prepared<'_> {
    fn ready<'k>(
        &self,
        text: &str,
        place: &'k OnceLock<tokio_postgres::Statement>,
    ) -> Sql<&'k tokio_postgres::Statement> {
        if let Some(known) = place.get() {
            return Ok(known);
        }
        let new = self.sql.run(self.sql.client.prepare(text))?;
        Ok(place.get_or_init(|| new))
    }

    fn plain(&self) -> Sql<&tokio_postgres::Statement> {
        self.ready(&self.known.translated.text, &self.known.plain)
    }

    pub(super) fn execute(&self, values: Values<'_>) -> Sql<usize> {
        let given = self.given(values)?;
        let changed = self.sql.run_to_the_end(self.sql.client.execute(self.plain()?, &refs(&given)))?;
        self.sql.changes.set(self.sql.changes.get() + changed);
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(super) fn query(&self, values: Values<'_>) -> Sql<Vec<Row>> {
        let given = self.given(values)?;
        let rows = match self.sql.run_to_the_end(self.sql.client.query(self.plain()?, &refs(&given))) {
            Err(Error::Postgres(_, Some(SqlState::FEATURE_NOT_SUPPORTED)))
                if !self.sql.is_in_transaction.get() =>
            {
                // Prepared anew, for the table as it is now.
                let text = &self.known.translated.text;
                self.sql.told(self.sql.on()?.block_on(self.sql.client.query(text, &refs(&given))))?
            }
            outcome => outcome?,
        };
        if self.known.is_change {
            self.sql.changes.set(self.sql.changes.get() + rows.len() as u64);
        }
        Ok(rows)
    }

    pub(super) fn exists(&self, values: Values<'_>) -> Sql<bool> {
        let given = self.given(values)?;
        let text = format!("SELECT EXISTS ({})", self.known.translated.text);
        let statement = self.ready(&text, &self.known.exists)?;
        let row = self.sql.run(self.sql.client.query_one(statement, &refs(&given)))?;
        value::read(&row, 0)
    }

    fn given<'p>(&self, values: Values<'p>) -> Sql<Vec<Given<'p>>> {
        self.known.translated.given(values)?.into_iter().map(Given::of).collect()
    }
}

fn refs<'g>(given: &'g [Given<'_>]) -> Vec<&'g (dyn ToSql + Sync)> {
    given.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

#[cfg(test)]
mod tests;
