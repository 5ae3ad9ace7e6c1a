//! Where connections come in, plain or with TLS. Handshakes happen beside the accepting, so that none holds up another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
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

/// A listener for axum.
pub(crate) enum Door {
    /// Without TLS.
    Plain(TcpListener),
    /// With it.
    Tls(TlsDoor),
}

type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Listener for Door {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self {
            Self::Plain(listener) => {
                let (stream, from) = Listener::accept(listener).await;
                (Either::Left(stream), from)
            }
            Self::Tls(door) => match door.ready.recv().await {
                Some((stream, from)) => (Either::Right(stream), from),
                // The task that accepts has ended, and that only happens with this door.
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        match self {
            Self::Plain(listener) => listener.local_addr(),
            Self::Tls(door) => Ok(door.address),
        }
    }
}

/// Those who have shaken hands.
pub(crate) struct TlsDoor {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsDoor {
    /// Begins to accept; everybody is shown the certificate that is current then.
    pub(crate) fn open(listener: TcpListener, certificate: Arc<Certificate>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(READY_AT_ONCE);
        let accepting = tokio::spawn(accept(listener, certificate, sender));
        Ok(Self { ready, address, accepting })
    }
}

impl Drop for TlsDoor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    mut listener: TcpListener,
    certificate: Arc<Certificate>,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = Listener::accept(&mut listener).await;
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
