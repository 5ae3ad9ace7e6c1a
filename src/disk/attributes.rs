//! Extended attributes: the labels of security modules, access lists, and what people attach to a file.

use std::ffi::CStr;
use std::fs::File;
use std::io;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

/// No list and no value is longer, in bytes.
const LONGEST: usize = 64 * 1024;

/// They seal the bytes of one file and would be wrong on another.
const OF_CONTENT: [&CStr; 2] = [c"security.ima", c"security.evm"];

/// Gives `to` the extended attributes of `from`.
///
/// # Errors
/// One cannot be read or set. A file system without any has none to give.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0; LONGEST];
    let length = match flistxattr(from, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(()),
        length => length?,
    };
    let (mut value, mut present) = (vec![0; LONGEST], vec![0; LONGEST]);
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        if OF_CONTENT.contains(&name) {
            continue;
        }
        let length = fgetxattr(from, name, &mut value[..])?;
        let value = &value[..length];
        // A label that is right already may be one that we could not set.
        if fgetxattr(to, name, &mut present[..]).is_ok_and(|length| present[..length] == *value) {
            continue;
        }
        fsetxattr(to, name, value, XattrFlags::empty()).map_err(|e| {
            let e = io::Error::from(e);
            io::Error::new(e.kind(), format!("the attribute {} cannot be set: {e}", name.to_string_lossy()))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_gets_every_attribute_of_the_old_one() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        for (name, value) in [(c"user.label", &b"blue"[..]), (c"user.empty", b""), (c"user.same", b"1")] {
            fsetxattr(&from, name, value, XattrFlags::empty()).unwrap();
        }
        fsetxattr(&to, c"user.same", b"1", XattrFlags::empty()).unwrap();
        copy(&from, &to).unwrap();
        let mut value = [0; 16];
        assert_eq!(fgetxattr(&to, c"user.label", &mut value[..]).unwrap(), 4);
        assert_eq!(&value[..4], b"blue");
        assert_eq!(fgetxattr(&to, c"user.empty", &mut value[..]).unwrap(), 0);
    }
}
