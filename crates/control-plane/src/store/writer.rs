//! The one thread that writes. Whatever waits when it comes round becomes one transaction, so that a thousand small
//! writes cost a handful of fsyncs; each is answered after the commit, and one that fails harms no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot, watch};

use super::line::Line;
use super::sql::{Connection, Error, Savepoint, Sql};
use super::{OpenError, StoreError};

const QUEUE: usize = 4_096;
const GROUP: usize = 512;

/// Where work for the writer goes in.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Box<dyn Job>>);

/// A piece of work: run once, unless the database is away, and answered when it is committed, or is not.
pub(super) trait Job: Send {
    fn run(&mut self, sql: &Connection) -> Outcome;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// What becomes of a piece of work.
#[derive(PartialEq)]
pub(super) enum Outcome {
    Keep,
    Undo,
    /// The database is away, and with it all that the group has written so far.
    Away(String),
}

impl Outcome {
    /// Of work that has no answer of its own; a bug in one piece of it must not end the only thread that writes.
    pub(super) fn of<T>(work: impl FnOnce() -> Sql<T>) -> (Self, Result<T, StoreError>) {
        let result = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(result) => result.map_err(|e| StoreError::of(&e)),
            Err(_) => Err(StoreError::Failed("a piece of work ended in a panic".to_owned())),
        };
        let outcome = match &result {
            Ok(_) => Self::Keep,
            Err(StoreError::Away(why)) => Self::Away(why.clone()),
            Err(_) => Self::Undo,
        };
        (outcome, result)
    }
}

struct Asked<F, T, R> {
    work: Option<F>,
    result: Option<Result<Result<T, R>, StoreError>>,
    reply: oneshot::Sender<Result<Result<T, R>, StoreError>>,
}

impl<F, T, R> Job for Asked<F, T, R>
where
    F: FnOnce(&Connection) -> Sql<Result<T, R>> + Send,
    T: Send,
    R: Send,
{
    fn run(&mut self, sql: &Connection) -> Outcome {
        let Some(work) = self.work.take() else { return Outcome::Undo };
        let (mut outcome, result) = Outcome::of(|| work(sql));
        if matches!(result, Ok(Err(_))) {
            outcome = Outcome::Undo;
        }
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match committed {
            Ok(()) => self.result.unwrap_or(Err(StoreError::Stopped)),
            Err(e) => Err(e),
        };
        // Whoever asked may have gone; what was committed stays.
        let _ = self.reply.send(result);
    }
}

impl Writer {
    pub(super) fn start(name: &str, line: Line, commits: watch::Sender<u64>) -> Result<Self, OpenError> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write_until_closed(line, jobs, &commits))
            .map_err(OpenError::Thread)?;
        Ok(Self(sender))
    }

    pub(super) fn waiting(&self) -> u64 {
        self.0.max_capacity().saturating_sub(self.0.capacity()) as u64
    }

    pub(super) async fn ask<T, R, F>(&self, work: F) -> Result<Result<T, R>, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&Connection) -> Sql<Result<T, R>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Asked { work: Some(work), result: None, reply }));
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// Hands work over at once; where that cannot be, it is answered so.
    pub(super) fn queue(&self, job: Box<dyn Job>) {
        match self.0.try_send(job) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(job)) => job.answer(Err(StoreError::Busy)),
            Err(mpsc::error::TrySendError::Closed(job)) => job.answer(Err(StoreError::Stopped)),
        }
    }
}

fn write_until_closed(mut line: Line, mut jobs: mpsc::Receiver<Box<dyn Job>>, commits: &watch::Sender<u64>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        let committed = line.connection().and_then(|sql| write_group(sql, &mut group));
        let committed = committed.map_err(|e| {
            tracing::error!(waiting = group.len(), "nothing of this group was written: {e}");
            if e.is_away() {
                line.hang_up();
            }
            StoreError::of(&e)
        });
        if committed == Ok(true) {
            commits.send_modify(|count| *count += 1);
        }
        let committed = committed.map(|_| ());
        for job in group {
            job.answer(committed.clone());
        }
    }
}

/// Answers whether anything has changed.
fn write_group(sql: &Connection, group: &mut [Box<dyn Job>]) -> Sql<bool> {
    let before = sql.total_changes();
    let done = run_group(sql, group);
    if done.is_err() {
        sql.roll_back();
    }
    done.map(|()| sql.total_changes() > before)
}

fn run_group(sql: &Connection, group: &mut [Box<dyn Job>]) -> Sql<()> {
    sql.begin(group.len() == 1)?;
    // One that is alone is undone by undoing all there is.
    if let [only] = group {
        return match only.run(sql) {
            Outcome::Keep => sql.commit(),
            Outcome::Away(why) => Err(Error::Lost(why)),
            Outcome::Undo => {
                sql.roll_back();
                Ok(())
            }
        };
    }
    for job in group {
        sql.savepoint(Savepoint::Set)?;
        // A full disk makes the embedded engine drop the whole transaction; the statement after it then fails, and with
        // it the group: nobody is told of a write that is not there.
        match job.run(sql) {
            Outcome::Keep => {}
            Outcome::Undo => sql.savepoint(Savepoint::Undo)?,
            Outcome::Away(why) => return Err(Error::Lost(why)),
        }
        sql.savepoint(Savepoint::Release)?;
    }
    sql.commit()
}

#[cfg(test)]
mod tests {
    use crate::in_process::database::TestDatabase;
    use crate::store::StoreError;

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::new(folder.path());
        let store = database.open();
        let (broken, fine) = tokio::join!(
            store.write::<(), _>(|sql| {
                sql.execute("INSERT INTO accounts (id, name, created_at) VALUES ('1', 'half', 0)", [])?;
                panic!("on purpose")
            }),
            store
                .write(|sql| sql
                    .execute("INSERT INTO accounts (id, name, created_at) VALUES ('2', 'whole', 0)", [])),
        );
        assert!(matches!(broken, Err(StoreError::Failed(_))));
        assert_eq!(fine, Ok(1));
        let names = store
            .read(|sql| sql.prepare("SELECT name FROM accounts")?.query_map([], |row| row.get(0))?.collect());
        assert_eq!(names.await, Ok(vec!["whole".to_owned()]));
    }

    #[tokio::test]
    async fn a_store_that_cannot_write_does_not_answer_that_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::new(folder.path());
        let store = database.open();
        store
            .write(|sql| {
                sql.execute("INSERT INTO accounts (id, name, created_at) VALUES ('1', 'one', 0)", [])
            })
            .await
            .unwrap();
        assert_eq!(store.ping().await, Ok(()));
        // Taken as any other piece of work, but no row can be changed.
        database.refuse("no", "UPDATE ON accounts");
        assert!(matches!(store.ping().await, Err(StoreError::Failed(_))));
        database.stop_refusing("no", "accounts");
        assert_eq!(store.ping().await, Ok(()));
    }

    #[tokio::test]
    async fn many_writes_at_once_share_a_handful_of_commits() {
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::new(folder.path());
        let store = database.open();
        let writes: Vec<_> = (0..1_000)
            .map(|n| {
                let store = store.clone();
                let insert = format!(
                    "INSERT INTO accounts (id, name, created_at) VALUES ('{n}', 'one of many {n}', 0)"
                );
                tokio::spawn(async move { store.write(move |sql| sql.execute(&insert, [])).await })
            })
            .collect();
        for write in writes {
            assert_eq!(write.await.unwrap(), Ok(1));
        }
        assert!(store.commits() < 100, "{} commits", store.commits());
    }
}
