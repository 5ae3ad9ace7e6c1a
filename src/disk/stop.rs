//! Where a test stops a host: before one of its durable effects. From then on nothing durable happens any more, until
//! the host is started again. Nothing of this is in what ships.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::systemd::simulated::Simulated;

/// Each look at the clock of a simulated host takes this long, in ms: a loop that waits for its next sync has little
/// left to wait.
const TICK_MS: u64 = 950;

/// The lives of hosts that may be stopped, by the directory that holds all that a host has.
static LIVES: Mutex<BTreeMap<PathBuf, Arc<Life>>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Whose thread this is.
    static HERE: RefCell<Option<(Arc<Life>, Part)>> = const { RefCell::new(None) };
}

/// What a thread plays on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It ends with the service.
    Agent,
    /// systemd and all that runs apart from the service.
    Other,
}

/// A host from one start to its stop.
pub(crate) struct Life {
    state: Mutex<State>,
    /// Its systemd.
    pub(crate) systemd: Simulated,
}

struct State {
    effects: usize,
    stops_before: Option<usize>,
    is_over: bool,
    agent_is_over: bool,
    ticks_ms: u64,
}

/// What a thread of a stopped host unwinds with.
struct Stopped;

impl Life {
    /// Starts the host that has all it has in `directory`; it stops before its durable effect of that number.
    pub(crate) fn begin(directory: &Path, stops_before: Option<usize>, systemd: Simulated) -> Arc<Self> {
        let state = State { effects: 0, stops_before, is_over: false, agent_is_over: false, ticks_ms: 0 };
        let life = Arc::new(Self { state: Mutex::new(state), systemd });
        lock(&LIVES).insert(directory.to_owned(), Arc::clone(&life));
        life
    }

    /// Lets this thread play a part on it.
    pub(crate) fn enter(self: &Arc<Self>, part: Part) {
        HERE.set(Some((Arc::clone(self), part)));
    }

    /// Stops it now.
    pub(crate) fn end(&self) {
        lock(&self.state).is_over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        lock(&self.state).is_over
    }

    /// Starts the service, whose threads have all ended.
    pub(crate) fn begin_agent(&self) {
        lock(&self.state).agent_is_over = false;
    }

    /// Ends the service: whatever plays a part in it comes to no durable effect any more.
    pub(crate) fn end_agent(&self) {
        lock(&self.state).agent_is_over = true;
    }

    fn goes_on_for(&self, part: Part, effects: usize) -> bool {
        let mut state = lock(&self.state);
        let is_over = state.is_over || part == Part::Agent && state.agent_is_over;
        if !is_over {
            state.effects += effects;
            state.is_over = state.stops_before.is_some_and(|last| state.effects >= last);
        }
        !is_over && !state.is_over
    }
}

/// Stands before every single durable effect below `path`.
pub(super) fn effect(path: &Path) -> io::Result<()> {
    // A thread that the agent has started is known by what it touches.
    match here().or_else(|| join(path)) {
        Some((life, part)) if !life.goes_on_for(part, 1) => leave(),
        _ => Ok(()),
    }
}

fn join(path: &Path) -> Option<(Arc<Life>, Part)> {
    let lives = lock(&LIVES);
    let (_, life) = lives.iter().find(|(directory, _)| path.starts_with(directory))?;
    HERE.set(Some((Arc::clone(life), Part::Agent)));
    here()
}

/// The ticking clock of the host that this thread plays a part on: for a stopped one no time passes.
pub(crate) fn ticks_ms() -> u64 {
    let Some((life, part)) = here() else { return 0 };
    if !life.goes_on_for(part, 0) {
        // While it unwinds, any time will do.
        let _ = leave();
    }
    let mut state = lock(&life.state);
    state.ticks_ms += TICK_MS;
    state.ticks_ms
}

/// The host that this thread plays a part on.
pub(crate) fn here() -> Option<(Arc<Life>, Part)> {
    HERE.with_borrow(Clone::clone)
}

/// Ends this thread as a kill would: nothing on the way out is told to anybody.
pub(crate) fn leave() -> io::Result<()> {
    match thread::panicking() {
        true => Err(io::Error::other("this host is stopped")),
        false => resume_unwind(Box::new(Stopped)),
    }
}

/// This is how a thread of a stopped host ends.
pub(crate) fn is_stop(unwound: &(dyn Any + Send)) -> bool {
    unwound.is::<Stopped>()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
