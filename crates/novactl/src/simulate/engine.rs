//! All executors of a simulation in one process: a queue of who does something when, and some threads that do it over
//! real HTTP.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use novacula_protocol::enroll::{EnrollRequest, EnrollResponse};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::SyncResponse;

use super::executor::Executor;
use super::judge::Judge;
use super::pace::{Pace, between_ms};
use crate::control_plane::ControlPlane;
use crate::ending::Failure;

/// Requests at once: enough that a commit of the control plane takes several along.
const THREADS: usize = 24;
/// Whoever waits looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The running executors.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    pace: Pace,
    kind: Kind,
    executors: Vec<Mutex<Executor>>,
    queue: Mutex<Queue>,
    /// For the one who waits for the next in the queue to be due.
    due: Condvar,
    /// For the others.
    free: Condvar,
    judge: Mutex<Judge>,
    /// With the enrolment token; each executor has a key of its own.
    door: ControlPlane,
    is_over: AtomicBool,
    introduced: AtomicUsize,
    syncs: AtomicU64,
    unheard: AtomicU64,
    refused: Mutex<Option<String>>,
}

/// Who does something when.
struct Queue {
    turns: BinaryHeap<Reverse<(Timestamp, usize)>>,
    is_watched: bool,
}

impl Engine {
    /// Begins with every executor's first sync.
    pub fn start(pace: Pace, kind: Kind, executors: Vec<Executor>, judge: Judge, door: ControlPlane) -> Self {
        let queue = executors.iter().enumerate();
        let turns = queue.filter_map(|(index, it)| it.next().map(|at| Reverse((at, index)))).collect();
        let shared = Arc::new(Shared {
            pace,
            kind,
            executors: executors.into_iter().map(Mutex::new).collect(),
            queue: Mutex::new(Queue { turns, is_watched: false }),
            due: Condvar::new(),
            free: Condvar::new(),
            judge: Mutex::new(judge),
            door,
            is_over: AtomicBool::new(false),
            introduced: AtomicUsize::new(0),
            syncs: AtomicU64::new(0),
            unheard: AtomicU64::new(0),
            refused: Mutex::new(None),
        });
        let work = || {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.work())
        };
        Self { threads: (0..THREADS).map(|_| work()).collect(), shared }
    }

    /// Whoever watches.
    pub fn judge(&self) -> MutexGuard<'_, Judge> {
        locked(&self.shared.judge)
    }

    /// How many executors have been answered at least once.
    pub fn introduced(&self) -> usize {
        self.shared.introduced.load(Ordering::SeqCst)
    }

    /// How many syncs were answered, and how many were not.
    pub fn syncs(&self) -> (u64, u64) {
        (self.shared.syncs.load(Ordering::SeqCst), self.shared.unheard.load(Ordering::SeqCst))
    }

    /// What an executor was refused with that did nothing wrong.
    pub fn refused(&self) -> Option<String> {
        locked(&self.shared.refused).clone()
    }

    /// Ends all of them, and waits for what is under way.
    pub fn stop(&mut self) {
        {
            // Whoever has looked at the flag is waiting by now.
            let _queue = locked(&self.shared.queue);
            self.shared.is_over.store(true, Ordering::SeqCst);
        }
        self.shared.due.notify_all();
        self.shared.free.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn work(&self) {
        while let Some(index) = self.whose_turn() {
            let mut executor = locked(&self.executors[index]);
            let now = self.pace.now();
            let is_early = executor.next().is_some_and(|at| at > now);
            if !is_early && executor.go_on(now, &self.pace) {
                self.sync(index, &mut executor);
            }
            if let Some(at) = executor.next() {
                self.put_back(at, index);
            } else {
                locked(&self.judge).note_death(index);
            }
        }
    }

    fn put_back(&self, at: Timestamp, index: usize) {
        let mut queue = locked(&self.queue);
        queue.turns.push(Reverse((at, index)));
        if queue.turns.peek() == Some(&Reverse((at, index))) {
            if queue.is_watched { self.due.notify_one() } else { self.free.notify_one() }
        }
    }

    /// Waits until somebody is to do something; `None` at the end. One thread watches the queue for all.
    fn whose_turn(&self) -> Option<usize> {
        let mut queue = locked(&self.queue);
        loop {
            if self.is_over.load(Ordering::SeqCst) {
                return None;
            }
            let wait = queue.turns.peek().map(|Reverse((at, _))| between_ms(self.pace.now(), *at));
            if wait == Some(0) {
                let turn = queue.turns.pop();
                if !queue.is_watched {
                    self.free.notify_one();
                }
                return turn.map(|Reverse((_, index))| index);
            }
            if queue.is_watched {
                queue = self.free.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let wait = wait.map_or(LOOK_AGAIN, |ms| self.pace.real(ms));
            let wait = wait.clamp(Duration::from_millis(1), LOOK_AGAIN);
            queue.is_watched = true;
            queue = self.due.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
            queue.is_watched = false;
        }
    }

    fn sync(&self, index: usize, executor: &mut Executor) {
        if executor.key.is_none() {
            match self.enroll(executor) {
                Ok(key) => executor.key = Some(key),
                Err(failure) => return self.was_not_heard(executor, &failure),
            }
        }
        let key = executor.key.clone().unwrap_or_default();
        let said = executor.say(self.pace.now());
        locked(&self.judge).saying(index, &said, self.pace.now());
        let sent = Instant::now();
        let answered: Result<SyncResponse, Failure> =
            self.door.in_the_name_of(&key).post("/syncExecutor", &said);
        match answered {
            Ok(answer) => {
                let now = self.pace.now();
                self.syncs.fetch_add(1, Ordering::SeqCst);
                locked(&self.judge).heard(index, &said, &answer, sent, now);
                let was_introduced = executor.was_introduced();
                executor.hear(&said, &answer, now, &self.pace);
                if !was_introduced {
                    self.introduced.fetch_add(1, Ordering::SeqCst);
                }
            }
            Err(failure) => self.was_not_heard(executor, &failure),
        }
    }

    fn enroll(&self, executor: &Executor) -> Result<String, Failure> {
        let asked = EnrollRequest { name: executor.name.clone(), kind: self.kind };
        let answer: EnrollResponse = self.door.post("/enroll", &asked)?;
        Ok(answer.access_token)
    }

    fn was_not_heard(&self, executor: &mut Executor, failure: &Failure) {
        self.unheard.fetch_add(1, Ordering::SeqCst);
        if !failure.is_passing() {
            let found = format!("{}: {failure}", executor.name);
            locked(&self.refused).get_or_insert(found);
        }
        executor.was_not_heard(self.pace.now(), &self.pace);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
