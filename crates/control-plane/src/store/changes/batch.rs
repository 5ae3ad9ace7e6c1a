//! Who shares a commit: whoever waits for one when the writer comes round.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{Change, Remembers, write};
use crate::executor::Asks;
use crate::store::sql::Connection;
use crate::store::writer::{Job, Outcome, Writer};
use crate::store::{Store, StoreError};

/// Who waits for a change; `None` where another change was faster.
type Reply = oneshot::Sender<Result<Option<Asks>, StoreError>>;

/// What waits for the next commit on one thread.
struct Waiting {
    thread: ThreadId,
    on: Handle,
    changes: Vec<Change>,
    replies: Vec<Reply>,
}

/// All that waits for the next commit.
#[derive(Clone, Default)]
pub(in crate::store) struct Changes(Arc<Mutex<Vec<Waiting>>>);

impl Changes {
    /// Answers whether it is the first.
    fn add(&self, change: Change, reply: Reply) -> bool {
        let thread = std::thread::current().id();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = all.is_empty();
        if !all.iter().any(|waiting| waiting.thread == thread) {
            all.push(Waiting { thread, on: Handle::current(), changes: Vec::new(), replies: Vec::new() });
        }
        if let Some(here) = all.iter_mut().find(|waiting| waiting.thread == thread) {
            here.changes.push(change);
            here.replies.push(reply);
        }
        is_first
    }

    fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Asks the writer for all that wait when it is dropped: also where a thread ends before it has come to it, while others
/// wait on other threads.
struct Ask<R: Remembers> {
    changes: Changes,
    by: Arc<R>,
    writer: Writer,
}

impl<R: Remembers> Drop for Ask<R> {
    fn drop(&mut self) {
        self.writer.queue(Box::new(Batch::of(&self.changes, &self.by)));
    }
}

impl Store {
    /// Makes a change durable together with all that wait, has it remembered, and answers what the executor is asked to
    /// do. `None` where another change of the executor was faster: then nothing of this one is kept.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn keep_change<R: Remembers>(
        &self,
        change: Change,
        by: &Arc<R>,
    ) -> Result<Option<Asks>, StoreError> {
        let (reply, answer) = oneshot::channel();
        if self.changes.add(change, reply) {
            let (changes, by, writer) = (self.changes.clone(), Arc::clone(by), self.writer.clone());
            let ask = Ask { changes, by, writer };
            // When this thread has been through all that it has read: who came together shares a commit.
            tokio::spawn(async move { drop(ask) });
        }
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

/// A commit, and those who share it.
struct Batch<R> {
    changes: Changes,
    by: Arc<R>,
    taken: Vec<Waiting>,
    kept: Result<Vec<bool>, StoreError>,
}

impl<R: Remembers> Batch<R> {
    fn of(changes: &Changes, by: &Arc<R>) -> Self {
        let (changes, by) = (changes.clone(), Arc::clone(by));
        Self { changes, by, taken: Vec::new(), kept: Err(StoreError::Stopped) }
    }
}

impl<R: Remembers> Job for Batch<R> {
    fn run(&mut self, sql: &Connection) -> Outcome {
        self.taken = self.changes.take();
        let all: Vec<_> = self.taken.iter().flat_map(|waiting| &waiting.changes).collect();
        let (outcome, kept) = Outcome::of(|| write::keep(sql, &all));
        self.kept = kept;
        outcome
    }

    /// Each on the thread on which it waits: to wake a thread for each of a thousand would cost more than what they wait
    /// for.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { changes, by, taken, kept } = *self;
        match committed.and(kept) {
            Ok(kept) => {
                let mut kept = kept.into_iter();
                for Waiting { on, changes, replies, .. } in taken {
                    let kept: Vec<_> = kept.by_ref().take(changes.len()).collect();
                    let by = Arc::clone(&by);
                    on.spawn(async move {
                        for ((change, reply), is_kept) in changes.into_iter().zip(replies).zip(kept) {
                            let asks = is_kept.then(|| by.remember(change));
                            // Whoever asked may have gone; what was committed stays.
                            let _ = reply.send(Ok(asks));
                        }
                    });
                }
            }
            Err(e) => {
                // Nothing was tried for those who still wait either.
                let taken = if taken.is_empty() { changes.take() } else { taken };
                let replies = taken.into_iter().flat_map(|waiting| waiting.replies);
                replies.for_each(|reply| drop(reply.send(Err(e.clone()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use novacula_protocol::sync::SyncRequest;
    use uuid::Uuid;

    use super::*;
    use crate::in_process::said;
    use crate::store::Changed;

    struct Nobody;

    impl Remembers for Nobody {
        fn remember(&self, change: Change) -> Asks {
            panic!("it was not kept: {change:?}")
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_a_commit_that_is_not_even_tried_is_told_so_and_the_next_waits_for_another() {
        let said: Arc<SyncRequest> = Arc::new(serde_json::from_value(said("host-1", "1.0.0")).unwrap());
        let change = || Change {
            executor_id: Uuid::nil(),
            revision: 2,
            restarts: 0,
            now: Timestamp::UNIX_EPOCH,
            what: Changed::Facts(Arc::clone(&said)),
        };
        let changes = Changes::default();
        let (first, mut told_first) = oneshot::channel();
        let (second, mut told_second) = oneshot::channel();
        assert!(changes.add(change(), first) && !changes.add(change(), second));
        Box::new(Batch::of(&changes, &Arc::new(Nobody))).answer(Err(StoreError::Busy));
        for told in [&mut told_first, &mut told_second] {
            assert!(matches!(told.try_recv(), Ok(Err(StoreError::Busy))));
        }
        assert!(changes.add(change(), oneshot::channel().0));
    }
}
