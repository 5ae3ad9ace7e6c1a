//! A disk that forgets: at a power cut everything is gone that no fsync has made durable.
//!
//! A [`Disk`] is a whole file system in memory. Each part of it is there twice: as programs see it, and as it is on the
//! disk for good.
//!
//! - A file has contents and attributes (mode, owner, times, extended attributes). fsync(2) of the file makes both
//!   durable, fdatasync(2) its contents. A file that was never synced has been empty on the disk since it was made.
//! - A directory has names. Only fsync(2) of the directory makes a change of its names durable; that of a file does
//!   nothing for the file's name. A rename is one change: its two names become durable together, also where they are in
//!   two directories. Changes in one directory become durable together and in order.
//! - Nothing else makes anything durable: not the end of a program or of a file in use, not time.
//!
//! No real disk keeps so little. But one may keep any part of what was not synced, in any order, so
//! [`Disk::after_cut`] offers both ends: [`Loss::Everything`], and [`Loss::Part`], which keeps any changes of names, any
//! attributes and any contents as a seed says. That includes the classic: the name is there, and its file is empty or
//! full of zeros.
//!
//! A [`Mounted`] disk is one that programs can use, and be run from: the kernel mounts it through FUSE. It counts the
//! operations that change it, and at a given [`Moment`] the power is cut: nothing comes back from it any more.
//! Locks are the kernel's own and end with the mount, as they do with a host. There are no symbolic links, no devices,
//! and no files without a name (`O_TMPFILE`): a program that asks for one is told so.

mod bridge; // what the kernel asks, to what a disk does
mod cut; // what is left
mod disk; // the two sides of everything
mod mounted; // the mount, and the power

pub use cut::Loss;
pub use disk::Disk;
pub use mounted::{Moment, Mounted};
