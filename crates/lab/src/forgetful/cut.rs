//! What a power cut leaves of a disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::disk::{Body, Disk, ROOT};
use crate::dice::Dice;

/// A disk writes so many bytes at once.
const PAGE: usize = 4096;

/// What is lost of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Everything,
    /// Any part of it, the same one for the same seed.
    Part(u64),
}

impl Disk {
    /// The disk as it is found when the power is back.
    #[must_use]
    pub fn after_cut(&self, loss: Loss) -> Self {
        let mut left = self.clone();
        if let Loss::Part(seed) = loss {
            let mut dice = Dice::of(seed);
            left.commit(|_| dice.heads());
            for inode in left.inodes.values_mut() {
                if dice.heads() {
                    inode.attributes.durable = inode.attributes.seen.clone();
                }
                if let Body::File(contents) = &mut inode.body
                    && !Arc::ptr_eq(&contents.seen, &contents.durable)
                {
                    contents.durable = Arc::new(part_of(&contents.seen, &contents.durable, &mut dice));
                }
            }
        }
        left.pending.clear();
        for inode in left.inodes.values_mut() {
            inode.attributes.seen = inode.attributes.durable.clone();
            match &mut inode.body {
                Body::File(contents) => contents.seen = contents.durable.clone(),
                Body::Directory(names) => names.seen = names.durable.clone(),
            }
        }
        left.drop_what_has_no_name();
        left
    }

    fn drop_what_has_no_name(&mut self) {
        let mut named = BTreeSet::new();
        let mut to_look_at = vec![ROOT];
        while let Some(number) = to_look_at.pop() {
            if named.insert(number)
                && let Ok(names) = self.names(number)
            {
                to_look_at.extend(names.values());
            }
        }
        self.inodes.retain(|number, _| named.contains(number));
    }
}

/// Contents of which some were written to the disk: all of them, none, only the length, or any pages.
fn part_of(seen: &[u8], durable: &[u8], dice: &mut Dice) -> Vec<u8> {
    match dice.below(4) {
        0 => seen.to_vec(),
        1 => durable.to_vec(),
        2 => vec![0; seen.len()],
        _ => {
            let mut found = durable.to_vec();
            found.resize(seen.len(), 0);
            for (written, page) in seen.chunks(PAGE).zip(found.chunks_mut(PAGE)) {
                if dice.heads() {
                    page.copy_from_slice(written);
                }
            }
            found
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    const MODE: u32 = 0o644;
    const SEEDS: std::ops::Range<u64> = 0..64;

    /// A disk with one durable file `old` of three bytes.
    fn disk() -> (Disk, u64) {
        let mut disk = Disk::default();
        let file = create(&mut disk, "old", b"old");
        disk.settle();
        (disk, file)
    }

    fn create(disk: &mut Disk, name: &str, bytes: &[u8]) -> u64 {
        let file = disk.create(ROOT, OsStr::new(name), MODE, (0, 0)).expect("a file can be made");
        disk.write(file, 0, bytes).expect("it can be written");
        file
    }

    fn rename(disk: &mut Disk, from: &str, to: &str) {
        disk.rename((ROOT, OsStr::new(from)), (ROOT, OsStr::new(to))).expect("it can be renamed");
    }

    fn read(disk: &Disk, name: &str) -> Option<Vec<u8>> {
        let file = disk.find(ROOT, OsStr::new(name)).ok()?;
        Some(disk.contents(file).expect("a name stands for a file").to_vec())
    }

    /// All that may be found after a cut.
    fn any_part<T>(disk: &Disk, look: impl Fn(&Disk) -> T) -> Vec<T> {
        SEEDS.map(|seed| look(&disk.after_cut(Loss::Part(seed)))).collect()
    }

    #[test]
    fn contents_that_were_not_synced_are_lost_and_those_that_were_stay() {
        let (mut disk, file) = disk();
        disk.write(file, 0, b"new!").expect("it can be written");
        assert_eq!(read(&disk, "old").as_deref(), Some(&b"new!"[..]));
        assert_eq!(read(&disk.after_cut(Loss::Everything), "old").as_deref(), Some(&b"old"[..]));
        disk.sync(file, true).expect("it can be synced");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "old").as_deref(), Some(&b"new!"[..]));
        assert!(any_part(&disk, |disk| read(disk, "old")).iter().all(|it| it.as_deref() == Some(b"new!")));
    }

    #[test]
    fn a_name_is_lost_although_its_file_was_synced_until_its_directory_is() {
        let (mut disk, _) = disk();
        let file = create(&mut disk, "new", b"new");
        disk.sync(file, false).expect("it can be synced");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "new"), None);
        disk.sync_directory(ROOT).expect("it can be synced");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "new").as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn a_file_whose_name_only_was_synced_is_there_and_empty() {
        let (mut disk, _) = disk();
        create(&mut disk, "new", b"new");
        disk.sync_directory(ROOT).expect("it can be synced");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "new").as_deref(), Some(&b""[..]));
        let found = any_part(&disk, |disk| read(disk, "new").expect("its name was synced"));
        for one in [&b"new"[..], b"", b"\0\0\0"] {
            assert!(found.iter().any(|it| it == one), "{one:?} is among what may be found");
        }
    }

    #[test]
    fn a_rename_is_durable_as_a_whole_or_not_at_all() {
        let (mut disk, _) = disk();
        let file = create(&mut disk, "new", b"new");
        disk.sync(file, false).expect("it can be synced");
        disk.sync_directory(ROOT).expect("it can be synced");
        rename(&mut disk, "new", "old");
        let both = |disk: &Disk| (read(disk, "new"), read(disk, "old"));
        let before = (Some(b"new".to_vec()), Some(b"old".to_vec()));
        let after = (None, Some(b"new".to_vec()));
        assert_eq!(both(&disk.after_cut(Loss::Everything)), before);
        let found = any_part(&disk, both);
        assert!(found.contains(&before) && found.contains(&after));
        assert!(found.iter().all(|it| *it == before || *it == after));
        disk.sync_directory(ROOT).expect("it can be synced");
        assert_eq!(both(&disk.after_cut(Loss::Everything)), after);
    }

    #[test]
    fn a_rename_between_two_directories_is_durable_in_both_or_in_none() {
        let (mut disk, _) = disk();
        let folder = disk.make_directory(ROOT, OsStr::new("folder"), 0o755, (0, 0)).expect("it can be made");
        disk.settle();
        disk.rename((ROOT, OsStr::new("old")), (folder, OsStr::new("moved"))).expect("it can be renamed");
        let places = |disk: &Disk| {
            (disk.find(ROOT, OsStr::new("old")).is_ok(), disk.find(folder, OsStr::new("moved")).is_ok())
        };
        assert_eq!(places(&disk.after_cut(Loss::Everything)), (true, false));
        assert!(any_part(&disk, places).iter().all(|(here, there)| here != there));
        disk.sync_directory(folder).expect("it can be synced");
        assert_eq!(places(&disk.after_cut(Loss::Everything)), (false, true));
    }

    #[test]
    fn a_rename_takes_along_what_came_before_it_in_other_directories() {
        let (mut disk, _) = disk();
        let [first, second] = ["first", "second"]
            .map(|name| disk.make_directory(ROOT, OsStr::new(name), 0o755, (0, 0)).expect("it can be made"));
        disk.settle();
        create(&mut disk, "new", b"new");
        let moved = OsStr::new("moved");
        disk.rename((ROOT, OsStr::new("new")), (first, moved)).expect("it can be renamed");
        disk.rename((first, moved), (second, moved)).expect("it can be renamed");
        disk.sync_directory(second).expect("it can be synced");
        disk.sync_directory(ROOT).expect("it can be synced");
        let left = disk.after_cut(Loss::Everything);
        assert!(left.find(second, moved).is_ok() && left.find(first, moved).is_err());
        assert_eq!(read(&left, "new"), None);
    }

    #[test]
    fn a_removed_name_is_back_unless_its_directory_was_synced() {
        let (mut disk, _) = disk();
        disk.unlink(ROOT, OsStr::new("old")).expect("it can be removed");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "old").as_deref(), Some(&b"old"[..]));
        disk.sync_directory(ROOT).expect("it can be synced");
        assert_eq!(read(&disk.after_cut(Loss::Everything), "old"), None);
    }

    #[test]
    fn a_second_name_keeps_the_file_when_the_first_one_goes() {
        let (mut disk, file) = disk();
        disk.link(file, ROOT, OsStr::new("second")).expect("it can be linked");
        assert_eq!(disk.links(file), 2);
        disk.unlink(ROOT, OsStr::new("old")).expect("it can be removed");
        disk.sync_directory(ROOT).expect("it can be synced");
        let left = disk.after_cut(Loss::Everything);
        assert_eq!((read(&left, "old"), read(&left, "second")), (None, Some(b"old".to_vec())));
        assert_eq!(left.links(file), 1);
    }

    #[test]
    fn attributes_are_lost_unless_the_file_was_synced_and_not_its_contents_only() {
        let (mut disk, file) = disk();
        disk.attributes(file).expect("it is there").mode = 0o755;
        disk.attributes(file).expect("it is there").extended.insert("user.note".into(), b"x".to_vec());
        disk.sync(file, true).expect("it can be synced");
        let found = |disk: &Disk| disk.inode(file).expect("it is there").attributes.seen.clone();
        assert_eq!(found(&disk.after_cut(Loss::Everything)).mode, MODE);
        assert!(found(&disk.after_cut(Loss::Everything)).extended.is_empty());
        disk.sync(file, false).expect("it can be synced");
        assert_eq!(found(&disk.after_cut(Loss::Everything)).mode, 0o755);
        assert_eq!(found(&disk.after_cut(Loss::Everything)).extended.len(), 1);
    }

    #[test]
    fn what_is_in_a_directory_is_lost_with_its_name() {
        let (mut disk, _) = disk();
        let folder = disk.make_directory(ROOT, OsStr::new("folder"), 0o755, (0, 0)).expect("it can be made");
        let file = disk.create(folder, OsStr::new("new"), MODE, (0, 0)).expect("a file can be made");
        disk.sync(file, false).expect("it can be synced");
        disk.sync_directory(folder).expect("it can be synced");
        let left = disk.after_cut(Loss::Everything);
        assert!(left.find(ROOT, OsStr::new("folder")).is_err() && left.inode(file).is_err());
    }
}
