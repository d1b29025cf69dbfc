//! What was read from a URL: the versions of its objects, beside the state of the local files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use dermagan_base::atomic;
use serde::{Deserialize, Serialize};

use crate::error::CloudError;
use crate::store::Found;

/// One file that is complete on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    e_tag: Option<String>,
    number: Option<String>,
    size: u64,
    /// The file's time of change in nanoseconds since 1970: a file that someone changed is read again.
    changed: u128,
}

/// The files that were read from a URL, by their names in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Index {
    files: BTreeMap<String, Entry>,
}

impl Index {
    /// Reads an index. One that is missing or damaged is empty: everything is read again.
    pub fn open(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes the index.
    pub fn save(&self, path: &Path) -> Result<(), CloudError> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        atomic::write(path, &bytes).map_err(CloudError::io(path))
    }

    /// Whether the local file is the object as the store has it now. A store without ETags says nothing, so its objects are
    /// read again.
    pub fn has(&self, name: &str, found: &Found, file: &Path) -> bool {
        let Some(entry) = self.files.get(name) else { return false };
        let version = &found.version;
        (version.e_tag.is_some() || version.number.is_some())
            && entry.e_tag == version.e_tag
            && entry.number == version.number
            && entry.size == found.size
            && state_of(file) == Some((entry.size, entry.changed))
    }

    /// Notes that a file is complete.
    pub fn add(&mut self, name: &str, found: &Found, file: &Path) {
        let Some((size, changed)) = state_of(file) else { return };
        let (e_tag, number) = (found.version.e_tag.clone(), found.version.number.clone());
        self.files.insert(name.to_owned(), Entry { e_tag, number, size, changed });
    }

    /// Forgets all files but those of these names.
    pub fn keep(&mut self, names: impl Fn(&str) -> bool) {
        self.files.retain(|name, _| names(name));
    }
}

/// Size and time of change of a file; `None` if it is none.
pub fn state_of(file: &Path) -> Option<(u64, u128)> {
    let meta = file.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
    let changed = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some((meta.len(), changed))
}
