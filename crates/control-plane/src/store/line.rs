//! The line to the database that the writer speaks through, and how it is opened again when it was lost.

use std::time::{Duration, Instant};

use super::sql::{Address, Connection, Error, Purpose, Sql};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Line {
    open: Option<Connection>,
    /// Where it leads to, where it can be lost.
    to: Option<(Address, Purpose)>,
    pause: Duration,
    /// Before that nobody tries again; whoever asks meanwhile is told at once.
    not_before: Option<Instant>,
}

impl Line {
    pub(super) fn to_a_file(connection: rusqlite::Connection) -> Self {
        Self { open: Some(connection.into()), to: None, pause: FIRST_PAUSE, not_before: None }
    }

    pub(super) fn to_a_server(address: Address, purpose: Purpose) -> Self {
        Self { open: None, to: Some((address, purpose)), pause: FIRST_PAUSE, not_before: None }
    }

    pub(super) fn connection(&mut self) -> Sql<&Connection> {
        if self.open.as_ref().is_none_or(Connection::is_lost) {
            self.open = None;
            let new = self.connect()?;
            return Ok(self.open.insert(new));
        }
        self.open.as_ref().ok_or_else(away)
    }

    fn connect(&mut self) -> Sql<Connection> {
        let Some((address, purpose)) = &self.to else { return Err(away()) };
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return Err(away());
        }
        match address.connect(*purpose) {
            Ok(new) => {
                (self.pause, self.not_before) = (FIRST_PAUSE, None);
                Ok(new.into())
            }
            Err(e) => {
                self.not_before = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Err(Error::Lost(e.to_string()))
            }
        }
    }

    /// What came of the last transaction is not known; the next one has a line of its own.
    pub(super) fn hang_up(&mut self) {
        if self.to.is_some() {
            self.open = None;
        }
    }
}

fn away() -> Error {
    Error::Lost("the line to the database is broken".to_owned())
}
