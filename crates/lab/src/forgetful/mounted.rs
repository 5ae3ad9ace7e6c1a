//! The mount, and the power.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use fuser::{Config, Session, SessionACL};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::bridge::Bridge;
use super::disk::Disk;

/// A disk that programs can use. It is seen by the thread that mounted it and by what that starts, and by nobody else:
/// however this process ends, the mount ends with it.
pub struct Mounted {
    place: PathBuf,
    power: Arc<Power>,
    serving: Option<JoinHandle<io::Result<()>>>,
    _of_this_thread: PhantomData<*const ()>,
}

/// How far what happens to a disk has come. How many writes a program makes of the same bytes is chance; what else it
/// does is not, so the writes are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Operations that changed something and were no writes.
    pub changes: usize,
    /// Writes since the last of them.
    pub writes: usize,
}

/// The disk and how long it has power.
#[derive(Default)]
pub(super) struct Power {
    state: Mutex<State>,
    turned_off: Condvar,
}

#[derive(Default)]
struct State {
    disk: Disk,
    /// What changed it since it is counted.
    operations: Vec<&'static str>,
    now: Moment,
    /// Until when the power lasts.
    cut_at: Option<Moment>,
    is_cut: bool,
    is_off: bool,
}

impl Mounted {
    /// Mounts a disk at a directory.
    ///
    /// # Panics
    /// When the kernel does not let us: it needs root and `/dev/fuse`.
    #[must_use]
    pub fn mount(disk: Disk, place: &Path) -> Self {
        see_mounts_of_our_own();
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").expect("/dev/fuse is there");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("forgetful"), place, Some("fuse"), flags, Some(options.as_str()))
            .unwrap_or_else(|e| panic!("a disk can be mounted at {}: {e}", place.display()));
        let power = Arc::new(Power::default());
        power.state().disk = disk;
        let bridge = Bridge(Arc::clone(&power));
        let session = Session::from_fd(bridge, device.into(), SessionACL::Owner, Config::default())
            .expect("the kernel and we understand each other");
        let serving = thread::spawn(move || session.run());
        Self { place: place.to_owned(), power, serving: Some(serving), _of_this_thread: PhantomData }
    }

    /// Mounts another disk in its place.
    pub fn remount(&mut self, disk: Disk) {
        self.unmount();
        *self = Self::mount(disk, &self.place);
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Counts from now, and cuts the power when something more is asked for than was done at this moment. From then on
    /// nothing comes back from the disk, so that nobody does anything that a host without power would not.
    pub fn cut_at(&self, moment: Option<Moment>) {
        let mut state = self.power.state();
        state.operations.clear();
        state.now = Moment::default();
        state.cut_at = moment;
    }

    /// When the power was cut.
    #[must_use]
    pub fn was_cut_at(&self) -> Option<Moment> {
        let state = self.power.state();
        state.is_cut.then_some(state.now)
    }

    /// What changed the disk since it is counted.
    #[must_use]
    pub fn operations(&self) -> Vec<&'static str> {
        self.power.state().operations.clone()
    }

    /// Whoever waits for the disk gets an error, now and from now on: called once they are dead, so that they can go.
    pub fn turn_off(&self) {
        self.power.state().is_off = true;
        self.power.turned_off.notify_all();
    }

    /// The disk as it is now, with both of its sides.
    #[must_use]
    pub fn disk(&self) -> Disk {
        self.power.state().disk.clone()
    }

    /// Everything that is there has been there for long.
    pub fn settle(&self) {
        self.power.state().disk.settle();
    }

    fn unmount(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        self.turn_off();
        // By force, so that the kernel lets go of us also where somebody else still holds a file.
        match umount2(&self.place, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH) {
            Ok(()) => drop(serving.join()),
            Err(e) => eprintln!("lab: {} stays mounted: {e}", self.place.display()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
    }
}

impl Moment {
    /// One operation later.
    #[must_use]
    pub fn after(self, operation: &str) -> Self {
        match operation {
            "write" => Self { writes: self.writes + 1, ..self },
            _ => Self { changes: self.changes + 1, writes: 0 },
        }
    }
}

impl Power {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the disk.
    pub fn look<T>(&self, look: impl FnOnce(&Disk) -> Result<T, Errno>) -> Result<T, Errno> {
        let state = self.state();
        if state.is_cut || state.is_off {
            return self.never(state);
        }
        look(&state.disk)
    }

    /// Changes the disk.
    pub fn change<T>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut Disk) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.state();
        state.is_cut |= state.cut_at.is_some_and(|moment| state.now >= moment);
        if state.is_cut || state.is_off {
            return self.never(state);
        }
        state.operations.push(operation);
        state.now = state.now.after(operation);
        change(&mut state.disk)
    }

    fn never<T>(&self, mut state: MutexGuard<'_, State>) -> Result<T, Errno> {
        while !state.is_off {
            state = self.turned_off.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Err(Errno::EIO)
    }
}

fn see_mounts_of_our_own() {
    thread_local!(static DONE: Cell<bool> = const { Cell::new(false) });
    if DONE.replace(true) {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNS).expect("root may have mounts of its own");
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .expect("root may keep its mounts to itself");
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};

    use super::super::Loss;
    use super::*;

    #[test]
    fn programs_run_from_it_and_find_after_a_cut_what_they_synced() {
        let place = tempfile::tempdir().expect("a temporary folder can be made");
        let disk = Mounted::mount(Disk::default(), place.path());
        let program = place.path().join("true");
        // Written by another process: whoever holds a program open for writing while it forks keeps it from being run.
        let copied = Command::new("cp").arg("/bin/true").arg(&program).status().expect("cp is there");
        assert!(copied.success());
        assert!(Command::new(&program).status().expect("it can be run").success());
        disk.settle();

        let write = |name: &str| -> io::Result<File> {
            let mut file = File::create(place.path().join(name))?;
            file.write_all(name.as_bytes())?;
            Ok(file)
        };
        write("synced").and_then(|file| file.sync_all()).expect("it can be written");
        File::open(place.path()).and_then(|folder| folder.sync_all()).expect("it can be synced");
        write("not synced").expect("it can be written");
        fs::hard_link(&program, place.path().join("second")).expect("it can be linked");
        let left = disk.disk().after_cut(Loss::Everything);
        drop(disk);

        let _disk = Mounted::mount(left, place.path());
        assert_eq!(fs::read_to_string(place.path().join("synced")).expect("it is there"), "synced");
        let names = fs::read_dir(place.path()).expect("it can be read").count();
        assert_eq!(names, 2, "the program and what was synced");
        assert_eq!(fs::metadata(&program).expect("it is there").permissions().mode() & 0o777, 0o755);
        assert!(Command::new(&program).status().expect("it can be run").success());
    }

    #[test]
    fn nothing_comes_back_after_the_cut_and_whoever_waits_can_be_ended() {
        let place = tempfile::tempdir().expect("a temporary folder can be made");
        let disk = Mounted::mount(Disk::default(), place.path());
        let moment = Moment { changes: 3, writes: 0 };
        disk.cut_at(Some(moment));
        let script = "for n in 1 2 3 4 5; do mkdir $n; done; echo survived";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .current_dir(place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh is there");
        crate::wait_for("the power is cut", std::time::Duration::from_secs(10), || disk.was_cut_at());
        assert_eq!(disk.operations(), ["mkdir"; 3]);
        shell.kill().expect("it can be killed");
        disk.turn_off();
        let said = shell.wait_with_output().expect("it ends").stdout;
        assert!(said.is_empty());
    }
}
