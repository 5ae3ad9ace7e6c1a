//! The connections that read. One that was lost is opened anew by whoever asks next.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::schema::sqlite;
use super::sql::{Connection, Purpose, Sql};
use super::{Database, StoreError};

/// So many questions at a time a PostgreSQL server is asked by one control plane.
const AT_ONCE: usize = 4;

pub(super) struct Readers {
    database: Database,
    /// As many as may be in use.
    turns: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn of(database: Database) -> Self {
        let many = match &database {
            Database::Sqlite(_) => 1,
            Database::Postgresql(_) => AT_ONCE,
        };
        Self { database, turns: Semaphore::new(many), idle: Mutex::default() }
    }

    pub(super) async fn ask<T, F>(self: &Arc<Self>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Sql<T> + Send + 'static,
    {
        let _turn = self.turns.acquire().await.map_err(|_| StoreError::Stopped)?;
        let readers = Arc::clone(self);
        match tokio::task::spawn_blocking(move || readers.ask_now(work)).await {
            Ok(outcome) => outcome.map_err(|e| StoreError::of(&e)),
            Err(_) => Err(StoreError::Stopped),
        }
    }

    fn ask_now<T>(&self, work: impl FnOnce(&Connection) -> Sql<T>) -> Sql<T> {
        let sql = match self.take().filter(|known| !known.is_lost()) {
            Some(known) => known,
            None => self.open()?,
        };
        let outcome = work(&sql);
        if !outcome.as_ref().is_err_and(super::Error::is_away) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sql);
        }
        outcome
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn open(&self) -> Sql<Connection> {
        Ok(match &self.database {
            Database::Sqlite(path) => sqlite::connect_to_read(path)?.into(),
            Database::Postgresql(address) => address.connect(Purpose::Read)?.into(),
        })
    }
}
