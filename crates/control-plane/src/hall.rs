//! Who serves connections: one thread for each core, and to each a share of them. What a fleet asks is answered by the
//! thread that read it, so that no two cores wake each other for an answer of a few microseconds; whatever takes longer
//! goes to the pool of the program (see [`crate::entrance`]).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::ServiceExt as _;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::certificate::Certificate;
use crate::door::{Arrival, Arrivals, Door, Peer, TlsDoor};
use crate::entrance::Entrance;
use crate::pace::live::feel;

/// Of one thread; while so many wait, the others wait in the queue of the system.
const ARRIVED_AT_ONCE: usize = 256;

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
        let (address, end) = (listener.local_addr()?, CancellationToken::new());
        let (serving, served) = mpsc::channel(1);
        let mut doors = Vec::new();
        for number in 0..available_parallelism()?.get() {
            let (door, arrivals) = mpsc::channel(ARRIVED_AT_ONCE);
            let arrivals = Arrivals::new(arrivals, address);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (certificate, entrance) = (certificate.cloned(), entrance.clone());
            let (ended, serving) = (end.clone().cancelled_owned(), serving.clone());
            std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
                let _serving = serving;
                let served = runtime.block_on(async {
                    let door = match certificate {
                        Some(certificate) => Door::Tls(TlsDoor::open(arrivals, certificate)),
                        None => Door::Plain(arrivals),
                    };
                    tokio::spawn(feel(entrance.app()));
                    let entrance = entrance.into_make_service_with_connect_info::<Peer>();
                    axum::serve(door, entrance).with_graceful_shutdown(ended).await
                });
                if let Err(e) = served {
                    tracing::error!("nothing is served any more by {number}: {e}");
                }
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
