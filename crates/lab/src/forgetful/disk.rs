//! The two sides of everything: as programs see it, and as it is on the disk for good.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

/// The number of the root directory.
pub(super) const ROOT: u64 = 1;

/// Something as programs see it, and as it is for good.
#[derive(Clone)]
pub(super) struct Twice<T> {
    pub seen: T,
    pub durable: T,
}

impl<T: Clone> Twice<T> {
    pub fn both(it: T) -> Self {
        Self { seen: it.clone(), durable: it }
    }

    fn sync(&mut self) {
        self.durable = self.seen.clone();
    }
}

/// What an inode is, but for its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// The permission bits.
    pub mode: u32,
    /// Whose it is.
    pub owner: (u32, u32),
    /// When its contents changed.
    pub modified: SystemTime,
    /// The extended ones.
    pub extended: BTreeMap<OsString, Vec<u8>>,
}

pub(super) type Names = BTreeMap<OsString, u64>;

#[derive(Clone)]
pub(super) enum Body {
    File(Twice<Arc<Vec<u8>>>),
    Directory(Twice<Names>),
}

#[derive(Clone)]
pub(super) struct Inode {
    pub attributes: Twice<Attributes>,
    pub body: Body,
}

/// What a name in a directory stands for from now on.
#[derive(Clone)]
pub(super) struct Edit {
    directory: u64,
    name: OsString,
    inode: Option<u64>,
}

/// A whole file system.
#[derive(Clone)]
pub struct Disk {
    pub(super) inodes: BTreeMap<u64, Inode>,
    /// The changes of names that are not durable, oldest first. The edits of one change become so together.
    pub(super) pending: Vec<Vec<Edit>>,
    next: u64,
}

impl Default for Disk {
    fn default() -> Self {
        let mut disk = Self { inodes: BTreeMap::new(), pending: Vec::new(), next: ROOT };
        disk.make(Body::Directory(Twice::both(Names::new())), 0o755, (0, 0));
        disk
    }
}

impl Disk {
    /// Everything has been on the disk for long.
    pub fn settle(&mut self) {
        self.commit(|_| true);
        for inode in self.inodes.values_mut() {
            inode.attributes.sync();
            if let Body::File(contents) = &mut inode.body {
                contents.sync();
            }
        }
    }

    pub(super) fn inode(&self, number: u64) -> Result<&Inode, Errno> {
        self.inodes.get(&number).ok_or(Errno::ENOENT)
    }

    fn inode_mut(&mut self, number: u64) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&number).ok_or(Errno::ENOENT)
    }

    pub(super) fn names(&self, directory: u64) -> Result<&Names, Errno> {
        match &self.inode(directory)?.body {
            Body::Directory(names) => Ok(&names.seen),
            Body::File(_) => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn contents(&self, file: u64) -> Result<&[u8], Errno> {
        match &self.inode(file)?.body {
            Body::File(contents) => Ok(&contents.seen),
            Body::Directory(_) => Err(Errno::EISDIR),
        }
    }

    /// What a name stands for.
    pub(super) fn find(&self, directory: u64, name: &OsStr) -> Result<u64, Errno> {
        self.names(directory)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// How many names an inode has.
    pub(super) fn links(&self, number: u64) -> usize {
        let directories = self.inodes.values().filter_map(|inode| match &inode.body {
            Body::Directory(names) => Some(&names.seen),
            Body::File(_) => None,
        });
        directories.flat_map(BTreeMap::values).filter(|named| **named == number).count()
    }

    pub(super) fn create(
        &mut self,
        directory: u64,
        name: &OsStr,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<u64, Errno> {
        self.make_named(directory, name, Body::File(Twice::both(Arc::default())), mode, owner)
    }

    pub(super) fn make_directory(
        &mut self,
        directory: u64,
        name: &OsStr,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<u64, Errno> {
        self.make_named(directory, name, Body::Directory(Twice::both(Names::new())), mode, owner)
    }

    fn make_named(
        &mut self,
        directory: u64,
        name: &OsStr,
        body: Body,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<u64, Errno> {
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let number = self.make(body, mode, owner);
        self.edit(vec![Edit::new(directory, name, Some(number))])?;
        Ok(number)
    }

    fn make(&mut self, body: Body, mode: u32, owner: (u32, u32)) -> u64 {
        let number = self.next;
        self.next += 1;
        let attributes = Attributes { mode, owner, modified: SystemTime::now(), extended: BTreeMap::new() };
        self.inodes.insert(number, Inode { attributes: Twice::both(attributes), body });
        number
    }

    pub(super) fn link(&mut self, file: u64, directory: u64, name: &OsStr) -> Result<(), Errno> {
        self.contents(file).map_err(|_| Errno::EPERM)?;
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.edit(vec![Edit::new(directory, name, Some(file))])
    }

    /// Renames, replacing what stands at the new name.
    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let number = self.find(from.0, from.1)?;
        if let Ok(replaced) = self.find(to.0, to.1) {
            match (self.names(number).is_ok(), self.names(replaced)) {
                (false, Err(_)) => {}
                (true, Ok(names)) if names.is_empty() => {}
                (true, Ok(_)) => return Err(Errno::ENOTEMPTY),
                (true, Err(_)) => return Err(Errno::ENOTDIR),
                (false, Ok(_)) => return Err(Errno::EISDIR),
            }
        }
        self.edit(vec![Edit::new(from.0, from.1, None), Edit::new(to.0, to.1, Some(number))])
    }

    pub(super) fn unlink(&mut self, directory: u64, name: &OsStr) -> Result<(), Errno> {
        self.contents(self.find(directory, name)?)?;
        self.edit(vec![Edit::new(directory, name, None)])
    }

    pub(super) fn remove_directory(&mut self, directory: u64, name: &OsStr) -> Result<(), Errno> {
        match self.names(self.find(directory, name)?)?.is_empty() {
            true => self.edit(vec![Edit::new(directory, name, None)]),
            false => Err(Errno::ENOTEMPTY),
        }
    }

    pub(super) fn write(&mut self, file: u64, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        self.change_contents(file, |contents| {
            let end = offset + bytes.len();
            if contents.len() < end {
                contents.resize(end, 0);
            }
            contents[offset..end].copy_from_slice(bytes);
        })
    }

    pub(super) fn cut_to(&mut self, file: u64, length: usize) -> Result<(), Errno> {
        self.change_contents(file, |contents| contents.resize(length, 0))
    }

    fn change_contents(&mut self, file: u64, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Errno> {
        let inode = self.inode_mut(file)?;
        let Body::File(contents) = &mut inode.body else { return Err(Errno::EISDIR) };
        change(Arc::make_mut(&mut contents.seen));
        inode.attributes.seen.modified = SystemTime::now();
        Ok(())
    }

    pub(super) fn attributes(&mut self, number: u64) -> Result<&mut Attributes, Errno> {
        Ok(&mut self.inode_mut(number)?.attributes.seen)
    }

    /// fsync(2), or fdatasync(2) where only the contents count.
    pub(super) fn sync(&mut self, file: u64, only_contents: bool) -> Result<(), Errno> {
        let inode = self.inode_mut(file)?;
        if let Body::File(contents) = &mut inode.body {
            contents.sync();
        }
        if !only_contents {
            inode.attributes.sync();
        }
        Ok(())
    }

    /// fsync(2) of a directory.
    pub(super) fn sync_directory(&mut self, directory: u64) -> Result<(), Errno> {
        self.names(directory)?;
        self.inode_mut(directory)?.attributes.sync();
        // A rename out of one directory takes along what came before it in the other.
        let mut concerned = BTreeSet::from([directory]);
        loop {
            let known = concerned.len();
            for change in &self.pending {
                if change.iter().any(|edit| concerned.contains(&edit.directory)) {
                    concerned.extend(change.iter().map(|edit| edit.directory));
                }
            }
            if concerned.len() == known {
                break;
            }
        }
        self.commit(|change| change.iter().any(|edit| concerned.contains(&edit.directory)));
        Ok(())
    }

    /// Makes the chosen changes of names durable, the oldest first.
    pub(super) fn commit(&mut self, mut is_chosen: impl FnMut(&[Edit]) -> bool) {
        for change in std::mem::take(&mut self.pending) {
            if !is_chosen(&change) {
                self.pending.push(change);
                continue;
            }
            for edit in change {
                if let Some(Inode { body: Body::Directory(names), .. }) = self.inodes.get_mut(&edit.directory)
                {
                    edit.apply(&mut names.durable);
                }
            }
        }
    }

    fn edit(&mut self, change: Vec<Edit>) -> Result<(), Errno> {
        for edit in &change {
            let inode = self.inode_mut(edit.directory)?;
            let Body::Directory(names) = &mut inode.body else { return Err(Errno::ENOTDIR) };
            edit.clone().apply(&mut names.seen);
            inode.attributes.seen.modified = SystemTime::now();
        }
        self.pending.push(change);
        Ok(())
    }
}

impl Edit {
    fn new(directory: u64, name: &OsStr, inode: Option<u64>) -> Self {
        Self { directory, name: name.to_owned(), inode }
    }

    fn apply(self, names: &mut Names) {
        match self.inode {
            Some(number) => names.insert(self.name, number),
            None => names.remove(&self.name),
        };
    }
}
