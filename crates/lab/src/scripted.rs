//! A control plane that says whatever a test wants, which no honest one would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use novacula_protocol::sync::SyncRequest;
use serde_json::{Value, json};

/// Serves one path that is not the control plane's: gets the head of the request and the connection.
pub type Serve = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// The longest time a sentence may take to come true.
const LIMIT: Duration = Duration::from_secs(40);

/// A listening control plane; stops listening when dropped.
pub struct Scripted {
    port: u16,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    closed: AtomicBool,
}

#[derive(Default)]
struct State {
    pending: Value,
    syncs: Vec<SyncRequest>,
    /// Syncs of this version are heard but not answered.
    held: Option<String>,
    now: Option<Timestamp>,
}

impl Scripted {
    /// Listens; everything but a sync goes to `serve`.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[must_use]
    pub fn start(serve: Box<Serve>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            closed: AtomicBool::new(false),
        });
        let (answering, serve) = (Arc::clone(&shared), Arc::new(serve));
        let listening = thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if answering.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, serve) = (Arc::clone(&answering), Arc::clone(&serve));
                thread::spawn(move || answer(connection, &shared, &**serve));
            }
        });
        Self { port, shared, listening: Some(listening) }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the next syncs are offered.
    pub fn offer(&self, pending: Value) {
        self.shared.lock().pending = pending;
    }

    /// What its clock shows from now on; before that it stands at the beginning of 2026.
    pub fn set_clock(&self, now: Timestamp) {
        self.shared.lock().now = Some(now);
    }

    /// From now on a sync of this version waits for its answer.
    pub fn hold(&self, version: &str) {
        self.shared.lock().held = Some(version.to_owned());
    }

    /// Answers all that waits.
    pub fn release(&self) {
        self.shared.lock().held = None;
        self.shared.changed.notify_all();
    }

    /// The first sync, of those not forgotten yet, in which `look` finds something.
    ///
    /// # Panics
    /// When none comes in time; with the sentence that did not come true.
    #[track_caller]
    pub fn hears<T>(&self, sentence: &str, mut look: impl FnMut(&SyncRequest) -> Option<T>) -> T {
        let (mut state, begun) = (self.shared.lock(), Instant::now());
        let mut seen = 0;
        loop {
            while let Some(sync) = state.syncs.get(seen) {
                if let Some(found) = look(sync) {
                    return found;
                }
                seen += 1;
            }
            // Others may come again and again: that is no reason to wait for ever.
            let left = LIMIT.saturating_sub(begun.elapsed());
            assert!(!left.is_zero(), "never heard: {sentence}; the last sync was {:#?}", state.syncs.last());
            (state, _) =
                self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The syncs since the last [`Self::forget`], but for the first `seen`, without waiting for one.
    #[must_use]
    pub fn syncs_after(&self, seen: usize) -> Vec<SyncRequest> {
        self.shared.lock().syncs.iter().skip(seen).cloned().collect()
    }

    /// Forgets the syncs so far.
    pub fn forget(&self) {
        self.shared.lock().syncs.clear();
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.release();
        // A connection of our own wakes the listener up; without one it would listen on.
        if TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && let Some(listening) = self.listening.take()
        {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(mut connection: TcpStream, shared: &Shared, serve: &Serve) {
    let Ok(reading) = connection.try_clone() else { return };
    let mut reader = BufReader::new(reading);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if !head.starts_with("POST /api/v1/syncExecutor ") {
            return serve(&head, &mut connection);
        }
        let sync: SyncRequest = serde_json::from_slice(&body).expect("a sync can be read");
        let version = sync.current_version.to_string();
        let mut state = shared.lock();
        state.syncs.push(sync);
        shared.changed.notify_all();
        while state.held.as_ref() == Some(&version) {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let now = state.now.map_or("2026-01-01T00:00:00Z".to_owned(), |now| now.to_string());
        let reply = json!({
            "controlPlaneVersion": "1.0.0", "now": now, "support": "in-window",
            "syncIntervalMs": 1000, "pendingUpgrade": state.pending, "preflight": [],
        });
        drop(state);
        reply_with(&mut connection, "200 OK", "", reply.to_string().as_bytes());
    }
}

/// One whole answer.
pub fn reply_with(connection: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    // A client that has heard enough may be gone.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
}
