//! The folder that a target works in, and the folders around it, in which nothing may appear.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Folders inside each other: a name with `..` inside an input leads into the outer ones, where it is found.
const DEPTH: &str = "outside/outside/outside/inside";

/// A folder for the files of one target. It is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    inside: PathBuf,
    /// The files that the target has written or may write.
    expected: RefCell<BTreeSet<PathBuf>>,
}

impl Scratch {
    /// Makes the folder in memory if the system has `/dev/shm`, else among the temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(name: &str) -> io::Result<Self> {
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let root = base.join(format!("dermagan-fuzz-{}-{name}", std::process::id()));
        let inside = root.join(DEPTH);
        std::fs::create_dir_all(&inside)?;
        Ok(Self { root, inside, expected: RefCell::default() })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.inside.join(name)
    }

    /// A path in the folder that the reader under test may write.
    pub fn output(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.expected.borrow_mut().insert(path.clone());
        path
    }

    /// Writes a file, and returns its path. Folders in `name` are made.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.output(name);
        let written = std::fs::write(&path, bytes).or_else(|_| {
            std::fs::create_dir_all(path.parent().unwrap_or(&self.inside))?;
            std::fs::write(&path, bytes)
        });
        written.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        path
    }

    /// As [`Scratch::put`], unless the file exists: for files beside the input that are always the same.
    pub fn keep(&self, name: &str, bytes: impl FnOnce() -> Vec<u8>) {
        if !self.expected.borrow().contains(&self.path(name)) {
            self.put(name, &bytes());
        }
    }

    /// The first file in or around the folder that no target wrote.
    pub fn stray(&self) -> Option<PathBuf> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if !self.expected.borrow().contains(&path) {
                    return Some(path);
                }
            }
        }
        None
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
