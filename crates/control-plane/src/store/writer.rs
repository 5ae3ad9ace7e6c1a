//! The one thread that writes. Whatever waits when it comes round becomes one transaction, so that a thousand small
//! writes cost a handful of fsyncs; each is answered after the commit, and one that fails harms no other.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot, watch};

use super::sql::Connection;
use super::{OpenError, Sql, StoreError};

const QUEUE: usize = 4_096;
const GROUP: usize = 512;

/// Where work for the writer goes in.
#[derive(Clone)]
pub struct Writer(mpsc::Sender<Box<dyn Job>>);

trait Job: Send {
    fn run(&mut self, sql: &Connection) -> Outcome;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

#[derive(PartialEq)]
enum Outcome {
    Keep,
    Undo,
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
        // A bug in one piece of work must not end the only thread that writes.
        let result = match catch_unwind(AssertUnwindSafe(|| work(sql))) {
            Ok(result) => result.map_err(|e| StoreError::of(&e)),
            Err(_) => Err(StoreError::Failed("a piece of work ended in a panic".to_owned())),
        };
        let outcome = if matches!(result, Ok(Ok(_))) { Outcome::Keep } else { Outcome::Undo };
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
    pub(super) fn start(sql: Connection, commits: watch::Sender<u64>) -> Result<Self, OpenError> {
        let (sender, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_until_closed(&sql, jobs, &commits))
            .map_err(OpenError::Thread)?;
        Ok(Self(sender))
    }

    pub(super) async fn ask<T, R, F>(&self, work: F) -> Result<Result<T, R>, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&Connection) -> Sql<Result<T, R>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Box::new(Asked { work: Some(work), result: None, reply })).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopped,
        })?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

fn write_until_closed(
    sql: &Connection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    commits: &watch::Sender<u64>,
) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        let before = sql.total_changes();
        let committed = run_group(sql, &mut group).map_err(|e| StoreError::of(&e));
        match &committed {
            Ok(()) if sql.total_changes() > before => {
                commits.send_modify(|count| *count += 1);
            }
            Ok(()) => {}
            Err(e) => {
                tracing::error!(waiting = group.len(), "nothing of this group was written: {e}");
                sql.roll_back();
            }
        }
        for job in group {
            job.answer(committed.clone());
        }
    }
}

fn run_group(sql: &Connection, group: &mut [Box<dyn Job>]) -> Sql<()> {
    sql.begin()?;
    for job in group {
        sql.execute_batch("SAVEPOINT job")?;
        // A full disk makes the engine drop the whole transaction; the statement after it then fails, and with it
        // the group: nobody is told of a write that is not there.
        if job.run(sql) == Outcome::Undo {
            sql.execute_batch("ROLLBACK TO job")?;
        }
        sql.execute_batch("RELEASE job")?;
    }
    sql.commit()
}

#[cfg(test)]
mod tests {
    use crate::store::{Store, StoreError};

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("novacula.sqlite")).unwrap();
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
        let names =
            store.read(|sql| sql.query_row("SELECT group_concat(name) FROM accounts", [], |row| row.get(0)));
        assert_eq!(names.await, Ok("whole".to_owned()));
    }

    #[tokio::test]
    async fn a_store_that_cannot_write_does_not_answer_that_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("novacula.sqlite")).unwrap();
        store
            .write(|sql| {
                sql.execute("INSERT INTO accounts (id, name, created_at) VALUES ('1', 'one', 0)", [])
            })
            .await
            .unwrap();
        assert_eq!(store.ping().await, Ok(()));
        // Taken as any other piece of work, but no row can be changed.
        let refuse = "CREATE TRIGGER full BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'full'); END";
        store.write(move |sql| sql.execute_batch(refuse)).await.unwrap();
        assert!(matches!(store.ping().await, Err(StoreError::Failed(_))));
        store.write(|sql| sql.execute_batch("DROP TRIGGER full")).await.unwrap();
        assert_eq!(store.ping().await, Ok(()));
    }

    #[tokio::test]
    async fn many_writes_at_once_share_a_handful_of_commits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("novacula.sqlite")).unwrap();
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
