//! Who serves connections: one thread for each core, and to each a share of them. What a fleet asks is answered by the
//! thread that read it, so that no two cores wake each other for an answer of a few microseconds; whatever takes longer
//! goes to the pool of the program (see [`crate::entrance`]).

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::certificate::Certificate;
use crate::door::{Arrival, Arrivals, Door, Peer, Stream, TlsDoor};
use crate::entrance::Entrance;
use crate::pace::live::feel;

/// Of one thread; while so many wait, the others wait in the queue of the system.
const ARRIVED_AT_ONCE: usize = 256;
/// A connection may be silent for so much longer than executors are told to be, or its request come so slowly.
const SILENT_FOR: Duration = Duration::from_secs(60);
/// Of a request line with its headers, and of what is read and written at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// So many may have come and not be taken in yet, or as many as the system allows: after an outage a fleet comes all at once.
const QUEUE: u32 = 65_535;

/// Where connections come in.
///
/// # Errors
/// When the address cannot be had.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Also while connections of the program before are still ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// The threads that serve.
pub(crate) struct Hall {
    dealing: JoinHandle<()>,
    end: CancellationToken,
    /// Closed when the last thread has ended.
    served: mpsc::Receiver<()>,
}

impl Hall {
    /// Begins to serve.
    ///
    /// # Errors
    /// When the system gives no thread, or nothing to wait with.
    pub(crate) fn open(
        listener: TcpListener,
        certificate: Option<&Arc<Certificate>>,
        entrance: &Entrance,
    ) -> io::Result<Self> {
        let end = CancellationToken::new();
        let (serving, served) = mpsc::channel(1);
        let mut doors = Vec::new();
        for number in 0..available_parallelism()?.get() {
            let (door, arrivals) = mpsc::channel(ARRIVED_AT_ONCE);
            let arrivals = Arrivals::new(arrivals);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (certificate, entrance) = (certificate.cloned(), entrance.clone());
            let (ended, serving) = (end.child_token(), serving.clone());
            std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
                let _serving = serving;
                runtime.block_on(async {
                    let door = match certificate {
                        Some(certificate) => Door::Tls(TlsDoor::open(arrivals, certificate)),
                        None => Door::Plain(arrivals),
                    };
                    tokio::spawn(feel(entrance.app()));
                    serve(door, Arc::new(entrance), &ended).await;
                });
                // Work that outlives its request goes on in the store; nobody waits for threads here.
                runtime.shutdown_background();
            })?;
            doors.push(door);
        }
        let dealing = tokio::spawn(deal(listener, doors));
        Ok(Self { dealing, end, served })
    }

    /// Takes nobody in any more; those who are served may come to their end within `grace`. `false` where some did not.
    pub(crate) async fn close(mut self, grace: Duration) -> bool {
        self.dealing.abort();
        self.end.cancel();
        tokio::time::timeout(grace, self.served.recv()).await.is_ok()
    }
}

/// Until the end; whoever is being answered then is answered to the last byte.
async fn serve(mut door: Door, entrance: Arc<Entrance>, ended: &CancellationToken) {
    let http = http(SILENT_FOR + Duration::from_millis(entrance.app().rules.sync_interval_max_ms));
    let connections = TaskTracker::new();
    while let Some((stream, from)) = ended.run_until_cancelled(door.next()).await {
        connections.spawn(serve_one(stream, from, http.clone(), Arc::clone(&entrance), ended.clone()));
    }
    connections.close();
    connections.wait().await;
}

/// How a connection is served.
fn http(silent_for: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Answers are short: one piece is written sooner than several.
    http.timer(TokioTimer::new()).header_read_timeout(silent_for).max_buf_size(BUFFER_BYTES).writev(false);
    http
}

async fn serve_one(
    stream: Stream,
    from: SocketAddr,
    http: http1::Builder,
    entrance: Arc<Entrance>,
    ended: CancellationToken,
) {
    let answer = service_fn(|request| Arc::clone(&entrance).answer(request, Some(Peer(from))));
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answer));
    let served = tokio::select! {
        biased;
        served = &mut connection => served,
        () = ended.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = served {
        tracing::debug!("the connection with {from} broke: {e}");
    }
}

/// To each in turn; a connection is kept for long, so that all have about as many.
async fn deal(mut listener: TcpListener, doors: Vec<mpsc::Sender<Arrival>>) {
    for door in doors.iter().cycle() {
        let (stream, from): (_, SocketAddr) = Listener::accept(&mut listener).await;
        // Its thread is the one that waits for it from now on.
        match stream.set_nodelay(true).and_then(|()| stream.into_std()) {
            // Nobody is behind a door that is closed.
            Ok(stream) => drop(door.send((stream, from)).await),
            Err(e) => tracing::debug!("no connection with {from}: {e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use novacula_protocol::sync::SYNC_PATH;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::time::timeout;
    use tokio_util::either::Either;

    use super::*;
    use crate::in_process::{ControlPlane, said};

    /// What is answered to those bytes.
    async fn answer_to(control_plane: &ControlPlane, said: &[u8]) -> Vec<u8> {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let (http, entrance) = (http(Duration::from_millis(200)), Arc::clone(control_plane.entrance()));
        tokio::spawn(serve_one(Either::Left(stream), from, http, entrance, CancellationToken::new()));
        client.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), client.read_to_end(&mut answer)).await.unwrap().unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_that_does_not_come_to_an_end_is_given_up_and_so_is_whoever_asks_no_more() {
        let control_plane = ControlPlane::start().await;
        let whole: &[u8] = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n";
        for (said, expected) in [(whole, &b"HTTP/1.1 404 "[..]), (&whole[..30], b"")] {
            let answer = answer_to(&control_plane, said).await;
            assert_eq!(&answer[..expected.len()], expected);
            assert_eq!(answer.is_empty(), expected.is_empty());
        }
    }

    #[tokio::test]
    async fn a_sync_that_is_longer_than_what_is_read_at_once_is_answered_like_any_other() {
        let control_plane = ControlPlane::start().await;
        let (key, _) = control_plane.executor("host-1", "1.0.0").await;
        let body = format!("{:>1$}", said("host-1", "1.0.0").to_string(), BUFFER_BYTES * 3 / 2);
        let request = format!(
            "POST {SYNC_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\
             content-type: application/json\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = answer_to(&control_plane, request.as_bytes()).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
}
