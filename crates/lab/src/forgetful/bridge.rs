//! What the kernel asks, to what a disk does.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use nix::errno::Errno as No;

use super::disk::{Body, Disk};
use super::mounted::Power;

/// The kernel asks again each time: nothing it believes is out of date.
const TTL: Duration = Duration::ZERO;
/// Numbers are never used twice.
const GENERATION: Generation = Generation(0);
const NO_HANDLE: FileHandle = FileHandle(0);
const BLOCK: u32 = 4096;
/// As many blocks and inodes are free.
const FREE: u64 = 1 << 20;

pub(super) struct Bridge(pub Arc<Power>);

/// The kernel has all contents it has read or written, and nobody else changes them.
const OPENED: FopenFlags = FopenFlags::FOPEN_KEEP_CACHE;

impl Filesystem for Bridge {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.0.look(|disk| attributes(disk, disk.find(parent.0, name)?)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.look(|disk| attributes(disk, ino.0)) {
            Ok(found) => reply.attr(&TTL, &found),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.0.change("setattr", |disk| {
            if let Some(size) = size {
                disk.cut_to(ino.0, length(size)?)?;
            }
            let known = disk.attributes(ino.0)?;
            known.mode = mode.map_or(known.mode, |mode| mode & 0o7777);
            known.owner = (uid.unwrap_or(known.owner.0), gid.unwrap_or(known.owner.1));
            match mtime {
                Some(TimeOrNow::SpecificTime(time)) => known.modified = time,
                Some(TimeOrNow::Now) => known.modified = SystemTime::now(),
                None => {}
            }
            attributes(disk, ino.0)
        });
        match changed {
            Ok(found) => reply.attr(&TTL, &found),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn mkdir(&self, by: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let made = self.0.change("mkdir", |disk| {
            let made = disk.make_directory(parent.0, name, mode & !umask & 0o7777, (by.uid(), by.gid()))?;
            attributes(disk, made)
        });
        entry(reply, made);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.change("unlink", |disk| disk.unlink(parent.0, name)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.change("rmdir", |disk| disk.remove_directory(parent.0, name)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let renamed = self.0.change("rename", |disk| {
            if flags.contains(RenameFlags::RENAME_NOREPLACE) && disk.find(newparent.0, newname).is_ok() {
                return Err(No::EEXIST);
            }
            match flags.difference(RenameFlags::RENAME_NOREPLACE).is_empty() {
                true => disk.rename((parent.0, name), (newparent.0, newname)),
                false => Err(No::EINVAL),
            }
        });
        empty(reply, renamed);
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let linked = self.0.change("link", |disk| {
            disk.link(ino.0, newparent.0, newname)?;
            attributes(disk, ino.0)
        });
        entry(reply, linked);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(NO_HANDLE, OPENED);
    }

    fn create(
        &self,
        by: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let made = self.0.change("create", |disk| {
            let made = disk.create(parent.0, name, mode & !umask & 0o7777, (by.uid(), by.gid()))?;
            attributes(disk, made)
        });
        match made {
            Ok(made) => reply.created(&TTL, &made, GENERATION, NO_HANDLE, OPENED),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.0.look(|disk| {
            let contents = disk.contents(ino.0)?;
            let from = length(offset)?.min(contents.len());
            Ok(contents[from..contents.len().min(from + size as usize)].to_vec())
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.0.change("write", |disk| {
            disk.write(ino.0, length(offset)?, data)?;
            u32::try_from(data.len()).map_err(|_| No::EINVAL)
        });
        match written {
            Ok(count) => reply.written(count),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        empty(reply, self.0.change("fsync", |disk| disk.sync(ino.0, datasync)));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.0.change("fsyncdir", |disk| disk.sync_directory(ino.0)));
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.0.look(|disk| {
            let own = [(ino.0, ".".into()), (ino.0, "..".into())];
            let names = disk.names(ino.0)?.iter().map(|(name, number)| (*number, name.clone()));
            let kind = |number| attributes(disk, number).map(|found| found.kind);
            own.into_iter().chain(names).map(|(number, name)| Ok((number, kind(number)?, name))).collect()
        });
        let listed: Vec<_> = match listed {
            Ok(listed) => listed,
            Err(e) => return reply.error(errno(e)),
        };
        for ((number, kind, name), next) in
            listed.into_iter().zip(1..).skip(usize::try_from(offset).unwrap_or(0))
        {
            if reply.add(INodeNo(number), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.0.look(|_| Ok(())) {
            Ok(()) => reply.statfs(2 * FREE, FREE, FREE, 2 * FREE, FREE, BLOCK, 255, BLOCK),
            Err(e) => reply.error(errno(e)),
        }
    }

    fn setxattr(
        &self,
        _: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let set = self.0.change("setxattr", |disk| {
            disk.attributes(ino.0)?.extended.insert(name.to_owned(), value.to_vec());
            Ok(())
        });
        empty(reply, set);
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let found = self
            .0
            .look(|disk| disk.inode(ino.0)?.attributes.seen.extended.get(name).cloned().ok_or(No::ENODATA));
        extended(reply, found, size);
    }

    fn listxattr(&self, _: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let found = self.0.look(|disk| {
            let names = disk.inode(ino.0)?.attributes.seen.extended.keys();
            Ok(names.flat_map(|name| [name.as_encoded_bytes(), b"\0"].concat()).collect())
        });
        extended(reply, found, size);
    }

    fn removexattr(&self, _: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.0.change("removexattr", |disk| {
            disk.attributes(ino.0)?.extended.remove(name).map(drop).ok_or(No::ENODATA)
        });
        empty(reply, removed);
    }
}

fn attributes(disk: &Disk, number: u64) -> Result<FileAttr, No> {
    let inode = disk.inode(number)?;
    let known = &inode.attributes.seen;
    let (kind, size, links) = match &inode.body {
        Body::File(contents) => (FileType::RegularFile, contents.seen.len(), disk.links(number)),
        Body::Directory(names) => {
            let below = names.seen.values().filter(|below| disk.names(**below).is_ok()).count();
            (FileType::Directory, 0, 2 + below)
        }
    };
    let size = size as u64;
    Ok(FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: known.modified,
        mtime: known.modified,
        ctime: known.modified,
        crtime: known.modified,
        kind,
        perm: u16::try_from(known.mode).map_err(|_| No::EINVAL)?,
        nlink: u32::try_from(links).map_err(|_| No::EMLINK)?,
        uid: known.owner.0,
        gid: known.owner.1,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    })
}

fn length(offset: u64) -> Result<usize, No> {
    usize::try_from(offset).map_err(|_| No::EFBIG)
}

fn errno(e: No) -> Errno {
    Errno::from_i32(e as i32)
}

fn entry(reply: ReplyEntry, found: Result<FileAttr, No>) {
    match found {
        Ok(found) => reply.entry(&TTL, &found, GENERATION),
        Err(e) => reply.error(errno(e)),
    }
}

fn empty(reply: ReplyEmpty, done: Result<(), No>) {
    match done {
        Ok(()) => reply.ok(),
        Err(e) => reply.error(errno(e)),
    }
}

fn extended(reply: ReplyXattr, found: Result<Vec<u8>, No>, size: u32) {
    match found {
        Ok(value) if size == 0 => reply.size(u32::try_from(value.len()).unwrap_or(u32::MAX)),
        Ok(value) if value.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(e) => reply.error(errno(e)),
    }
}
