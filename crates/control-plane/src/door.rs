//! Where connections come in, plain or with TLS. Handshakes happen beside the accepting, so that none holds up another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::certificate::Certificate;

/// Longer than any honest handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// A fleet that comes back after an outage has them all at once.
const HANDSHAKES_AT_ONCE: usize = 1_024;
const READY_AT_ONCE: usize = 64;

/// Where connections come from.
pub(crate) enum Door {
    /// Without TLS.
    Plain(Arrivals),
    /// With it.
    Tls(TlsDoor),
}

/// A connection, with TLS or without.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// A connection that no thread waits for yet.
pub(crate) type Arrival = (std::net::TcpStream, SocketAddr);

/// The connections that one thread was given.
pub(crate) struct Arrivals(mpsc::Receiver<Arrival>);

impl Arrivals {
    /// Those that are dealt to one thread.
    pub(crate) fn new(given: mpsc::Receiver<Arrival>) -> Self {
        Self(given)
    }

    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            // Nobody gives any more, and that only happens when all is over.
            let Some((stream, from)) = self.0.recv().await else { return std::future::pending().await };
            match TcpStream::from_std(stream) {
                Ok(stream) => return (stream, from),
                Err(e) => tracing::debug!("no connection with {from}: {e}"),
            }
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub SocketAddr);

impl Door {
    /// The next one that is ready, and where it comes from.
    pub(crate) async fn next(&mut self) -> (Stream, SocketAddr) {
        match self {
            Self::Plain(arrivals) => {
                let (stream, from) = arrivals.next().await;
                (Either::Left(stream), from)
            }
            Self::Tls(door) => match door.ready.recv().await {
                Some((stream, from)) => (Either::Right(stream), from),
                // The task that accepts has ended, and that only happens with this door.
                None => std::future::pending().await,
            },
        }
    }
}

/// Those who have shaken hands.
pub(crate) struct TlsDoor {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: JoinHandle<()>,
}

impl TlsDoor {
    /// Begins to accept; everybody is shown the certificate that is current then.
    pub(crate) fn open(arrivals: Arrivals, certificate: Arc<Certificate>) -> Self {
        let (sender, ready) = mpsc::channel(READY_AT_ONCE);
        let accepting = tokio::spawn(accept(arrivals, certificate, sender));
        Self { ready, accepting }
    }
}

impl Drop for TlsDoor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    mut arrivals: Arrivals,
    certificate: Arc<Certificate>,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = arrivals.next().await;
        let (acceptor, ready) = (TlsAcceptor::from(certificate.current()), ready.clone());
        tokio::spawn(async move {
            let shaken = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await;
            drop(place);
            match shaken {
                // Nobody takes it any more when the door is closed.
                Ok(Ok(stream)) => drop(ready.send((stream, from)).await),
                Ok(Err(e)) => tracing::debug!("no handshake with {from}: {e}"),
                Err(_) => tracing::debug!("no handshake with {from} in {HANDSHAKE_LIMIT:?}"),
            }
        });
    }
}
