//! The folders on this machine in which work on stores happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::CloudError;
use crate::location::Location;
use crate::variables::Variables;

/// A download takes less.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The folders on this machine for one server of a store.
#[derive(Clone, Debug)]
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Folders below `root`. Each server has its own, because two servers may have buckets of one name.
    pub fn new(root: PathBuf, variables: &Variables) -> Self {
        Self { root: root.join(variables.server()) }
    }

    /// The folder of files that were read. `all` says whether it has everything that the store has there.
    pub fn read(&self, all: bool) -> PathBuf {
        self.root.join(if all { "read" } else { "models" })
    }

    /// The folder of runs that are mirrored.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// A folder for the results of one call.
    pub fn results(&self, call: &str) -> PathBuf {
        self.root.join("results").join(call)
    }

    /// The file that says what was read for a URL.
    pub(crate) fn index(&self, location: &Location, all: bool) -> PathBuf {
        self.root.join("index").join(format!("{}-{all}.json", digest(location)))
    }

    /// The file that says which writer a run's local folder belongs to.
    pub(crate) fn writer(&self, run: &Location) -> PathBuf {
        self.root.join("index").join(format!("{}-writer", digest(run)))
    }

    /// A name for a file that is not complete yet.
    pub(crate) fn partial(&self) -> PathBuf {
        self.root.join("partial").join(unique())
    }

    /// Removes what killed processes left of files that were not complete, after a day.
    pub(crate) fn sweep(&self) {
        let entries = std::fs::read_dir(self.root.join("partial")).into_iter().flatten().flatten();
        for entry in entries {
            let changed = entry.metadata().and_then(|meta| meta.modified()).ok();
            let age = changed.and_then(|changed| changed.elapsed().ok());
            if age.is_some_and(|age| age > DAY) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Locks a URL on this machine until the file is dropped; `None` if another process has it.
    ///
    /// # Errors
    /// When the lock's file cannot be written.
    pub fn try_lock(&self, location: &Location) -> Result<Option<File>, CloudError> {
        let path = self.root.join("index").join(format!("{}-lock", digest(location)));
        let file = open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(CloudError::Io { path, error }),
        }
    }

    /// Waits for the lock of what is read from a URL.
    pub(crate) fn lock_index(&self, index: &Path) -> Result<File, CloudError> {
        let path = index.with_extension("lock");
        let file = open_lock(&path)?;
        file.lock().map_err(CloudError::io(path))?;
        Ok(file)
    }
}

fn open_lock(path: &Path) -> Result<File, CloudError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(CloudError::io(folder))?;
    }
    File::options().create(true).append(true).open(path).map_err(CloudError::io(path))
}

fn digest(location: &Location) -> String {
    dermagan_base::hex(&Sha256::digest(location.to_string()))[..32].to_owned()
}

/// A name that no other process has: of a writer, of a partial file.
pub(crate) fn unique() -> String {
    format!("{:032x}", rand::random::<u128>())
}
