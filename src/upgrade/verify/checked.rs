//! Both hashes of a download, made while it comes.
//!
//! ```text
//! fetch ─▶ file ─▶ sha256 ─▶ prehash ─▶ back to sha256, to be filled again
//!            └───▶ sync
//! ```
//!
//! Each is a thread, and lives during a download only. The file is read back once for both hashes: what counts is what
//! the file gives back, so that a disk or a memory that spoils bytes is found out like a network that does.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope, ScopedJoinHandle};

use novacula_protocol::signature::{ReleaseSignature, TrustedKeys, Verifier};
use sha2::{Digest as _, Sha256};

use crate::disk::{CHUNK, Incoming};
use crate::error::{Doing as _, Error};

/// Both hashes of a complete download, made of what its file gave back.
pub struct Checked<'a> {
    pub(super) sha256: Sha256,
    pub(super) verifier: Verifier<'a>,
}

/// How much a download gives way to whatever else the host does.
const NICENESS: i32 = 10;
/// So many buffers of [`CHUNK`] go round between the two hashes.
const BUFFERS: usize = 4;

/// What the first hash hands on to the second.
enum Piece {
    /// The download begins, or begins again.
    Begin,
    /// A buffer, and how much of it is filled.
    Bytes(Vec<u8>, usize),
}

/// Runs `fetch` and hashes what it puts into `incoming`.
///
/// # Errors
/// `untrusted_key` and `signature_legacy` before the first byte: none is worth fetching under a signature that can never
/// count. Those of `fetch`; the host failed.
pub fn check_while<'a>(
    incoming: &mut Incoming,
    signature: &'a ReleaseSignature,
    keys: &'a TrustedKeys,
    fetch: impl FnOnce(&mut Incoming) -> Result<(), Error> + Send,
) -> Result<Checked<'a>, Error> {
    let verifier = signature.verifier(keys)?;
    let (to_hash, to_sync) = (incoming.follower()?, incoming.follower()?);
    let (hand_on, handed_on) = mpsc::sync_channel(BUFFERS);
    let (give_back, given_back) = mpsc::sync_channel(BUFFERS);
    thread::scope(|scope| {
        let started = || {
            let fetch = helper("fetch", scope, move || {
                // Whatever happens, nobody waits for more.
                let ending = incoming.ending();
                fetch(incoming)?;
                ending.complete();
                Ok(())
            })?;
            let sha256 = helper("sha256", scope, move || {
                let begin = || {
                    // One that nobody takes any more has failed, and says so at its end.
                    let _ = hand_on.send(Piece::Begin);
                    Sha256::new()
                };
                to_hash.read(begin, |sha256, chunk, length| {
                    sha256.update(&chunk[..length]);
                    let _ = hand_on.send(Piece::Bytes(chunk, length));
                    given_back.recv().unwrap_or_else(|_| vec![0; CHUNK])
                })
            })?;
            let prehash = helper("prehash", scope, move || Ok(prehash(&verifier, &handed_on, &give_back)))?;
            let sync = helper("sync", scope, move || to_sync.sync_behind())?;
            Ok::<_, io::Error>((fetch, sha256, prehash, sync))
        };
        let (fetch, sha256, prehash, sync) =
            started().doing(|| "start a thread for the download".to_owned())?;
        joined(fetch)?;
        // The kernel tells of a broken write once, to whoever asks first.
        joined(sync)?;
        Ok(Checked { sha256: joined(sha256)?, verifier: joined(prehash)? })
    })
}

/// Takes every piece, and gives each buffer back.
fn prehash<'a>(
    untouched: &Verifier<'a>,
    pieces: &Receiver<Piece>,
    give_back: &SyncSender<Vec<u8>>,
) -> Verifier<'a> {
    // One buffer is being filled where they come from, the others wait there.
    for _ in 1..BUFFERS {
        let _ = give_back.try_send(vec![0; CHUNK]);
    }
    let mut verifier = untouched.clone();
    for piece in pieces {
        match piece {
            Piece::Begin => verifier = untouched.clone(),
            Piece::Bytes(chunk, length) => {
                verifier.update(&chunk[..length]);
                let _ = give_back.try_send(chunk);
            }
        }
    }
    verifier
}

fn joined<T>(helper: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    helper.join().unwrap_or_else(|_| Err(Error::host("a helper of the download panicked")))
}

/// A thread of a download.
fn helper<'scope, T: Send + 'scope>(
    name: &str,
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || {
        // A refused wish to give way is no reason not to upgrade.
        let _ = rustix::process::nice(NICENESS);
        work()
    })
}
