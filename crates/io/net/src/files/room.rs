//! Room on the disk, asked for before it is used up. A store whose database meets a full disk stops for good, so the
//! last bit of a disk is never filled with files.

use std::{io, path::Path};

use crate::limits;

/// Checks that `bytes` more fit below `folder`.
///
/// # Errors
/// [`io::ErrorKind::StorageFull`] when they do not, or whatever the system says.
pub(super) fn ensure(folder: &Path, bytes: u64) -> io::Result<()> {
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    // The hash tree beside each file takes up less than one in a hundred.
    let wanted = bytes
        .saturating_add(bytes / 100)
        .saturating_add(limits::ROOM_RESERVE);
    if free < wanted {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        ensure(dir.path(), 1).unwrap();
        assert_eq!(
            ensure(dir.path(), u64::MAX).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(
            ensure(&dir.path().join("gone"), 1).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
