//! Files that are either complete or absent.
//!
//! A file is written beside its final name, flushed to the disk, and renamed. A process that is
//! killed at any moment leaves the old file or the new one, and at worst a `*.partial` file, which
//! nothing reads. The partial file is locked while it is written, so that two processes that write
//! the same file wait for each other instead of mixing their bytes. The system releases the lock
//! of a process that died.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is being written. Write to [`Pending::file`], then call [`Pending::commit`]. If it is
/// dropped without a commit, it removes its partial file.
#[derive(Debug)]
pub struct Pending {
    file: File,
    partial: PathBuf,
    target: PathBuf,
    committed: bool,
}

/// The name under which `target` is written before it is complete: `NAME.partial`.
pub fn partial_name(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(".partial");
    target.with_file_name(name)
}

impl Pending {
    /// Creates the parent folders of `target` and the partial file, and locks it. Waits while another
    /// process writes the same target.
    ///
    /// # Errors
    /// The error of the file system: no permission, no space, or a folder of that name.
    pub fn create(target: &Path) -> io::Result<Self> {
        if let Some(parent) = target.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)?;
        }
        let partial = partial_name(target);
        loop {
            remove_link(&partial)?;
            let file = OpenOptions::new()
                .create(true)
                .read(true)
                .write(true)
                .truncate(false)
                .open(&partial)?;
            match file.lock() {
                // Some network file systems have no locks. There each process writes a file of its own, and the last one to
                // end counts.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    return Self::create_own(target);
                }
                locked => locked?,
            }
            // The process that held the lock may have renamed or removed the file opened here.
            if same_file(&file, &partial) {
                file.set_len(0)?;
                return Ok(Self { file, partial, target: target.to_owned(), committed: false });
            }
        }
    }

    /// As [`Pending::create`], under a name that no other process uses.
    fn create_own(target: &Path) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        name.push(format!(".{}-{now:x}.partial", std::process::id()));
        let partial = target.with_file_name(name);
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&partial)?;
        Ok(Self { file, partial, target: target.to_owned(), committed: false })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Flushes the file to the disk and renames it to its target.
    ///
    /// # Errors
    /// When the disk is full or the target cannot be replaced. The old target then stays unchanged.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.target)?;
        self.committed = true;
        sync_folder(&self.target);
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Writes all of `bytes` to `target`, or nothing.
///
/// # Errors
/// As [`Pending::create`] and [`Pending::commit`].
pub fn write(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut pending = Pending::create(target)?;
    pending.file().write_all(bytes)?;
    pending.commit()
}

/// As [`write()`], without the flush to the disk, which would take an hour for 100,000 images. The
/// file is complete after its process was killed, but not after a power cut. Only one process may
/// write `target` at a time.
///
/// # Errors
/// The error of the file system.
pub fn write_unflushed(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial_name(target);
    remove_link(&partial)?;
    let written = std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, target));
    if written.is_err() {
        // On a full disk the part that fitted would only take space.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Removes a file, if it is there.
///
/// # Errors
/// The error of the file system, except that there is no such file.
pub fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether `path` is a symbolic link, including one whose target does not exist.
pub fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

/// Removes a link at `partial`. In a folder that came from someone else, such a link could redirect
/// the bytes to another file.
fn remove_link(partial: &Path) -> io::Result<()> {
    if is_link(partial) { std::fs::remove_file(partial) } else { Ok(()) }
}

#[cfg(unix)]
fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(a), Ok(b)) => a.dev() == b.dev() && a.ino() == b.ino(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn same_file(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Flushes the folder of `target`, which makes the rename durable. Not every file system allows
/// this, so errors are ignored; the data itself is on the disk already.
fn sync_folder(target: &Path) {
    if let Some(folder) = target.parent().filter(|p| !p.as_os_str().is_empty())
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committed_file_is_complete_and_an_uncommitted_one_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("deep/er/file.bin");
        write(&target, b"first").unwrap();
        let mut pending = Pending::create(&target).unwrap();
        pending.file().write_all(b"half").unwrap();
        drop(pending);
        assert_eq!(std::fs::read(&target).unwrap(), b"first");
        assert!(!partial_name(&target).exists());
    }

    #[test]
    fn a_stale_partial_file_of_a_dead_process_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file.bin");
        std::fs::write(partial_name(&target), b"left over, and longer than the new one").unwrap();
        write(&target, b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn two_writers_of_one_file_wait_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file.bin");
        std::thread::scope(|scope| {
            for byte in 0..8u8 {
                let target = &target;
                scope.spawn(move || write(target, &[byte; 4096]).unwrap());
            }
        });
        let bytes = std::fs::read(&target).unwrap();
        assert_eq!(bytes.len(), 4096);
        assert!(bytes.iter().all(|&b| b == bytes[0]));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_with_the_name_of_the_partial_file_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, victim) = (dir.path().join("a.json"), dir.path().join("victim"));
        std::fs::write(&victim, b"years of work").unwrap();
        std::os::unix::fs::symlink(&victim, partial_name(&target)).unwrap();
        write(&target, b"new").unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"years of work");
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert!(!target.symlink_metadata().unwrap().is_symlink());
    }
}
