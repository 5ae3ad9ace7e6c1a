//! What is durable. The only room with SQL: callers speak in executors, upgrades, releases and keys, so that another
//! engine can stand behind the same methods.

mod accounts;
mod activity;
mod artifacts;
mod attention;
mod backup;
mod batch_rows;
mod batches;
mod changes;
mod column;
mod database;
mod deliveries;
mod events;
mod executor_labels;
mod executor_plans;
mod executors;
mod four_eyes;
mod freezes;
mod groups;
mod keys;
mod line;
mod memberships;
mod migrate;
mod named;
mod newest;
mod personal_tokens;
mod plan_back;
mod plan_dry_run;
mod plan_events;
mod plan_gates;
mod plan_members;
mod plan_of_executor;
mod plan_overlap;
mod plan_rows;
mod plan_sights;
mod plan_steering;
mod plan_tick;
mod plans;
mod preflight;
mod presence;
mod readers;
mod recounts;
mod release_rows;
mod releases;
mod replicas;
mod requests;
mod revisions;
mod schema;
mod sessions;
mod sign_in;
mod sql;
mod steering;
mod steering_tried;
mod steps;
mod tokens;
mod turns;
mod upgrade_rows;
mod upgrades;
mod upgrades_by_day;
mod users;
mod webhooks;
mod windows;
mod writer;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod plan_bench;

use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::Clock;

pub use accounts::OwnerToken;
pub use activity::Wanted;
pub use backup::{BackupError, back_up};
pub use batches::Turn;
pub use changes::{Change, Changed, Remembers, Step};
pub use database::Database;
pub use deliveries::{DeliveryRefused, Due};
pub use executor_labels::{Labelling, LabelsRefused};
pub use freezes::FreezeRefused;
pub use groups::GroupRefused;
pub use migrate::{MigrateError, MigrateStep, Moved, migrate};
pub use personal_tokens::NewToken;
pub use plan_gates::{GateOf, GateToAsk};
pub use plan_of_executor::PlanOfExecutor;
pub use plan_overlap::LivingPlan;
pub use plan_rows::Plan;
pub use plan_sights::{Sight, Sights};
pub use plan_steering::{PlanAsk, PlanRefused, PlanSteer};
pub use plans::{MembersListed, PlanShown};
pub use presence::LastSeen;
pub use releases::{ReleaseRefused, ReleasesListed, Upload, may_join};
pub use replicas::AtWork;
pub use requests::{RequestRefused, UpgradeOrder};
pub use schema::OpenError;
pub use sessions::{NewSession, OpeningToken};
pub use sign_in::{Credential, Opened, Person, SignedIn};
pub use sql::Address;
pub use steering::{Steer, SteerRefused};
pub use steps::{AcknowledgeRefused, Part};

pub use sql::News;
pub use turns::Work;
pub use upgrades::Listed;
pub use users::{NewUser, PeopleRefused};
pub use webhooks::NewWebhook;
pub use windows::WindowRefused;
pub use writer::Writer;

use line::Line;

use readers::Readers;
use sql::{Connection, Error, Purpose, Sql};

/// Why the store did not answer. The caller's request is not at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More writes are waiting than can be answered in time.
    #[error("the store has too much to write at the moment")]
    Busy,
    /// No space is left for the database.
    #[error("the disk of the database is full")]
    Full,
    /// The database server is not there, or too slow to wait for.
    #[error("the database cannot be reached at the moment: {0}")]
    Away(String),
    /// The store is shutting down.
    #[error("the store has stopped")]
    Stopped,
    /// Anything else; for the log, not for the caller.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    fn of(error: &Error) -> Self {
        match error {
            error if error.is_disk_full() => Self::Full,
            error if error.is_away() => Self::Away(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// The store: one writer that groups what waits into one durable transaction, and connections for reading.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    /// Writes what nobody waits for, beside the writer where the database can.
    aside: Writer,
    changes: changes::Changes,
    readers: Arc<Readers>,
    database: Database,
    /// Who this is among those that share the database.
    id: Uuid,
    count: watch::Sender<u64>,
    commits: watch::Receiver<u64>,
}

impl Store {
    /// Opens the database, creating or migrating its tables as needed.
    ///
    /// # Errors
    /// When it cannot be used, or was brought along by a newer program.
    pub fn open(database: &Database) -> Result<Self, OpenError> {
        let (count, commits) = watch::channel(0);
        let id = Clock::of_the_system().new_id();
        let start = |name, line| Writer::start(name, line, count.clone());
        let (writer, aside) = match database {
            Database::Sqlite(path) => {
                let writer = start("store-writer", Line::to_a_file(schema::sqlite::open(path)?))?;
                (writer.clone(), writer)
            }
            Database::Postgresql(address) => {
                let server = address.as_ref().clone();
                let ready = std::thread::spawn(move || schema::postgresql::bring_along(&server));
                ready.join().unwrap_or(Err(OpenError::Panicked))?;
                let line = |purpose| Line::to_a_server(address.as_ref().clone(), purpose);
                let writer = start("store-writer", line(Purpose::Write(id)))?;
                (writer, start("store-aside", line(Purpose::Aside))?)
            }
        };
        let readers = Arc::new(Readers::of(database.clone()));
        let changes = changes::Changes::default();
        Ok(Self { writer, aside, changes, readers, database: database.clone(), id, count, commits })
    }

    /// How many transactions have changed something since the start.
    #[must_use]
    pub fn commits(&self) -> u64 {
        *self.commits.borrow()
    }

    /// How much waits to be written.
    #[must_use]
    pub fn writes_waiting(&self) -> u64 {
        self.writer.waiting()
    }

    /// Tells of every transaction that changes something.
    #[must_use]
    pub fn watch_commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// Answers when both connections work, and something can be written. It writes what is there already: an empty
    /// transaction would succeed on a disk that takes nothing.
    ///
    /// # Errors
    /// When one of them does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|sql| sql.query_row("SELECT 1", [], |_| Ok(()))).await?;
        let again = "UPDATE accounts SET name = name WHERE id = (SELECT min(id) FROM accounts)";
        self.write(move |sql| sql.prepare_cached(again)?.execute([]).map(|_| ())).await
    }

    /// Returns when everything that was asked before is on disk.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Sql<T> + Send + 'static,
    {
        whatever_it_says(&self.writer, work).await
    }

    /// What nobody waits for, of which a little may be gone when the server falls.
    async fn write_aside<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Sql<T> + Send + 'static,
    {
        whatever_it_says(&self.aside, work).await
    }

    /// A refusal undoes what the work has written so far, and nothing else.
    async fn write_or_refuse<T, R, F>(&self, work: F) -> Result<Result<T, R>, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&Connection) -> Sql<Result<T, R>> + Send + 'static,
    {
        self.writer.ask(work).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Sql<T> + Send + 'static,
    {
        self.readers.ask(work).await
    }
}

/// Nothing in it is refused.
async fn whatever_it_says<T, F>(writer: &Writer, work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Sql<T> + Send + 'static,
{
    let done: Result<T, std::convert::Infallible> = writer.ask(|sql| work(sql).map(Ok)).await?;
    Ok(done.unwrap_or_else(|never| match never {}))
}
