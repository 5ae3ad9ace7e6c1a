//! A control plane that says whatever a test wants, which no honest one would.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use novacula_protocol::sync::SyncRequest;
use serde_json::{Value, json};

/// Serves one path that is not the control plane's: gets the head of the request and the connection.
pub type Serve = dyn Fn(&str, &mut TcpStream) + Send + Sync;

/// A listening control plane; its threads end with the test.
pub struct Scripted {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    heard: Condvar,
}

#[derive(Default)]
struct State {
    pending: Value,
    syncs: Vec<SyncRequest>,
}

impl Scripted {
    /// Listens; everything but a sync goes to `serve`.
    pub fn start(serve: Box<Serve>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { state: Mutex::default(), heard: Condvar::new() });
        let (answering, serve) = (Arc::clone(&shared), Arc::new(serve));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (shared, serve) = (Arc::clone(&answering), Arc::clone(&serve));
                thread::spawn(move || answer(connection, &shared, &**serve));
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the next syncs are offered.
    pub fn offer(&self, pending: Value) {
        self.shared.lock().pending = pending;
    }

    /// The first sync, of those not looked at yet, in which `look` finds something.
    pub fn hears<T>(&self, sentence: &str, mut look: impl FnMut(&SyncRequest) -> Option<T>) -> T {
        let mut state = self.shared.lock();
        let mut seen = 0;
        loop {
            while let Some(sync) = state.syncs.get(seen) {
                if let Some(found) = look(sync) {
                    return found;
                }
                seen += 1;
            }
            let (woken, limit) = self
                .shared
                .heard
                .wait_timeout(state, Duration::from_secs(40))
                .unwrap_or_else(PoisonError::into_inner);
            assert!(
                !limit.timed_out(),
                "never heard: {sentence}; the last sync was {:#?}",
                woken.syncs.last()
            );
            state = woken;
        }
    }

    /// Forgets the syncs so far.
    pub fn forget(&self) {
        self.shared.lock().syncs.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(mut connection: TcpStream, shared: &Shared, serve: &Serve) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
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
        let mut state = shared.lock();
        let reply = json!({
            "controlPlaneVersion": "1.0.0", "now": "2026-01-01T00:00:00Z", "support": "in-window",
            "syncIntervalMs": 1000, "pendingUpgrade": state.pending, "preflight": [],
        });
        state.syncs.push(serde_json::from_slice(&body).unwrap());
        drop(state);
        shared.heard.notify_all();
        reply_with(&mut connection, "200 OK", "", reply.to_string().as_bytes());
    }
}

/// One whole answer.
pub fn reply_with(connection: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    // A client that has heard enough may be gone.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
}
