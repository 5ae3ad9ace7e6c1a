//! A download read back while it comes: what is hashed is what the file gives back, never what the network brought.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Doing as _, Error};

/// What is read at once, in bytes: large enough that the threads of a download seldom wake each other.
pub const CHUNK: usize = 512 * 1024;
/// Followers wait for so much more, in bytes: a wake for every packet would cost more than it brings.
const STEP: u64 = CHUNK as u64;
/// What may be in memory only, in bytes: so that the disk works while the network does, not after it.
const UNSYNCED: u64 = 4 * 1024 * 1024;

/// Who writes does not run further ahead of who reads, in bytes: at the end little is left to be read.
const LEAD: u64 = 16 * 1024 * 1024;

/// How far a download has come, between the one who writes it and those who follow.
#[derive(Clone, Default)]
pub(super) struct Growth(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
    read: Condvar,
}

#[derive(Default)]
struct State {
    now: Now,
    /// How far each reader has come; [`u64::MAX`] once it has ended.
    readers: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Now {
    length: u64,
    /// How often it began again at the first byte.
    beginnings: u32,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    GivenUp,
}

impl Growth {
    /// There are so many bytes; waits for the slowest reader.
    pub(super) fn grown_to(&self, length: u64) {
        let mut state = self.state();
        let is_a_step = state.now.length / STEP != length / STEP;
        state.now.length = length;
        if is_a_step {
            self.0.grown.notify_all();
            let too_far =
                |state: &mut State| state.readers.iter().any(|at| length.saturating_sub(*at) > LEAD);
            drop(self.0.read.wait_while(state, too_far));
        }
    }

    pub(super) fn begin_again(&self) {
        let mut state = self.state();
        state.now = Now { length: 0, beginnings: state.now.beginnings + 1, end: None };
        self.0.grown.notify_all();
    }

    pub(super) fn end(&self, is_complete: bool) {
        self.state().now.end = Some(if is_complete { End::Complete } else { End::GivenUp });
        self.0.grown.notify_all();
    }

    /// Waits until `wanted` bytes are there, or no more will come, or it began again.
    fn wait(&self, wanted: u64, beginnings: u32) -> Now {
        let not_yet = |State { now, .. }: &mut State| {
            now.length < wanted && now.end.is_none() && now.beginnings == beginnings
        };
        self.0.grown.wait_while(self.state(), not_yet).unwrap_or_else(PoisonError::into_inner).now
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a download: given up, unless it is said to be complete.
pub struct Ending {
    growth: Growth,
    is_complete: bool,
}

impl Ending {
    pub(super) fn of(growth: Growth) -> Self {
        Self { growth, is_complete: false }
    }

    /// Every byte is here.
    pub fn complete(mut self) {
        self.is_complete = true;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.growth.end(self.is_complete);
    }
}

/// The place of one reader in the list, until it ends.
struct Reader<'a> {
    growth: &'a Growth,
    number: usize,
}

impl<'a> Reader<'a> {
    fn enlist(growth: &'a Growth) -> Self {
        let mut state = growth.state();
        state.readers.push(0);
        Self { growth, number: state.readers.len() - 1 }
    }

    fn is_at(&self, at: u64) {
        self.growth.state().readers[self.number] = at;
        self.growth.0.read.notify_one();
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.is_at(u64::MAX);
    }
}

/// One who reads a download while it comes.
pub struct Follower {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) growth: Growth,
}

impl Follower {
    /// Lets `take` have every byte of the file, in order: each time a buffer and how much of it is filled, for which it
    /// gives a buffer of [`CHUNK`] back. `begin` makes what takes them, once more whenever the download begins again.
    ///
    /// # Errors
    /// The download was given up; the file cannot be read, or was cut by somebody else.
    pub fn read<T>(
        &self,
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, Vec<u8>, usize) -> Vec<u8>,
    ) -> Result<T, Error> {
        let mut chunk = vec![0; CHUNK];
        let reader = Reader::enlist(&self.growth);
        let (mut taker, mut at, mut beginnings) = (begin(), 0, 0);
        loop {
            let now = self.growth.wait(at + STEP, beginnings);
            if now.beginnings != beginnings {
                (taker, at, beginnings) = (begin(), 0, now.beginnings);
                reader.is_at(at);
                continue;
            }
            match now.end {
                Some(End::GivenUp) => return Err(Error::Abandoned),
                Some(End::Complete) if at == now.length => return Ok(taker),
                _ => {}
            }
            let due = usize::try_from(now.length - at).unwrap_or(CHUNK).min(CHUNK);
            let read = self.file.read_at(&mut chunk[..due], at).doing(|| self.doing("read"))?;
            // What was read while it began again may be of either download.
            if self.growth.state().now.beginnings != beginnings {
                continue;
            }
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).doing(|| self.doing("read"));
            }
            chunk = take(&mut taker, chunk, read);
            at += read as u64;
            reader.is_at(at);
        }
    }

    /// Brings what has come to the disk, a few megabytes behind the network.
    ///
    /// # Errors
    /// The disk is broken.
    pub fn sync_behind(&self) -> Result<(), Error> {
        let (mut synced, mut beginnings) = (0, 0);
        loop {
            let now = self.growth.wait(synced + UNSYNCED, beginnings);
            if now.end.is_some() {
                return Ok(());
            }
            if now.beginnings == beginnings {
                self.file.sync_data().doing(|| self.doing("write"))?;
            }
            (synced, beginnings) = (now.length, now.beginnings);
        }
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn growing() -> (File, Follower) {
        let file = tempfile::tempfile().unwrap();
        (file.try_clone().unwrap(), Follower { file, path: PathBuf::new(), growth: Growth::default() })
    }

    fn bytes(follower: &Follower) -> Result<Vec<u8>, Error> {
        follower.read(Vec::new, |seen, chunk, length| {
            seen.extend_from_slice(&chunk[..length]);
            chunk
        })
    }

    fn append(file: &mut File, growth: &Growth, bytes: &[u8]) {
        file.write_all(bytes).unwrap();
        growth.grown_to(file.metadata().unwrap().len());
    }

    #[test]
    fn who_follows_reads_every_byte_however_it_came() {
        let (mut file, follower) = growing();
        let all: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
        let growth = follower.growth.clone();
        let read = thread::spawn(move || bytes(&follower));
        for (n, part) in all.chunks(70_001).enumerate() {
            append(&mut file, &growth, part);
            if n % 5 == 0 {
                thread::yield_now();
            }
        }
        growth.end(true);
        assert!(read.join().unwrap().unwrap() == all);
    }

    #[test]
    fn a_download_that_begins_again_is_read_from_its_first_byte() {
        let (mut file, follower) = growing();
        let growth = follower.growth.clone();
        append(&mut file, &growth, &[1; 600_000]);
        let read = thread::spawn(move || bytes(&follower));
        // What was read of the first download must be gone, so some of it must have been read.
        let unread = |state: &mut State| state.readers.first().is_none_or(|at| *at < STEP);
        let waited = growth.0.read.wait_timeout_while(growth.state(), Duration::from_secs(20), unread);
        assert!(!waited.unwrap().1.timed_out(), "the first bytes are read");
        growth.begin_again();
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        append(&mut file, &growth, &[2; 300_000]);
        growth.end(true);
        assert!(read.join().unwrap().unwrap() == [2; 300_000]);
    }

    #[test]
    fn of_a_download_that_was_given_up_nothing_counts() {
        let (mut file, follower) = growing();
        append(&mut file, &follower.growth, &[1; 10]);
        follower.growth.end(false);
        assert!(matches!(bytes(&follower), Err(Error::Abandoned)));
    }

    #[test]
    fn a_file_that_somebody_cut_is_not_taken_for_whole() {
        let (mut file, follower) = growing();
        append(&mut file, &follower.growth, &[1; 10]);
        follower.growth.end(true);
        file.set_len(5).unwrap();
        assert!(matches!(bytes(&follower), Err(Error::Host(_))));
    }
}
