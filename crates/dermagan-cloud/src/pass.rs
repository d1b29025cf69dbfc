//! One pass of mirroring: brings the store's copy of a run to the state of the local folder.
//!
//! The checkpoint goes first, the pointer `latest.json` last, and old objects go after it. A process that is killed in
//! between leaves the old pointer with its checkpoint, and files that a resumed run writes again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::CloudError;
use crate::index::state_of;
use crate::location::{Location, is_safe_name};
use crate::pointer::{Content, POINTER, Pointer, taken_over};
use crate::store::{Store, Version};
use crate::upload::file_sha256;

/// The beginning of the name of a checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint-";
/// The end of the name of a checkpoint that a run can continue from.
const WHOLE: &str = ".safetensors";

/// The copy of a run in a store, and what is known of it.
#[derive(Debug)]
pub struct RunCopy {
    store: Store,
    run: Location,
    folder: PathBuf,
    pointer: Pointer,
    /// The version of the pointer in the store; `None` if there is none yet.
    version: Option<Version>,
    /// What the store has of the local files, with their sizes and times of change when they were read.
    sent: BTreeMap<String, ((u64, u128), Content)>,
    /// Objects to remove.
    stale: BTreeSet<String>,
    /// Whether objects that no pointer names were looked for.
    swept: bool,
}

/// What a pass wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Passed {
    /// Number of objects, with the pointer.
    pub objects: usize,
    /// Their bytes, without the pointer.
    pub bytes: u64,
    /// Time from the beginning to the end of the pass.
    pub time: Duration,
}

impl RunCopy {
    /// The copy of the run in `folder`. `before` is the pointer in the store with its version; a new run has none.
    pub fn new(
        store: Store,
        run: Location,
        folder: PathBuf,
        pointer: Pointer,
        version: Option<Version>,
    ) -> Self {
        let (sent, stale) = (BTreeMap::new(), BTreeSet::new());
        Self { store, run, folder, pointer, version, sent, stale, swept: false }
    }

    /// The run's URL.
    pub fn url(&self) -> &Location {
        &self.run
    }

    /// The run's local folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Does one pass.
    ///
    /// # Errors
    /// [`CloudError::Conflict`] when another process has gone on with the run, and when the store refuses or does not answer.
    pub fn pass(&mut self) -> Result<Passed, CloudError> {
        let start = Instant::now();
        self.check_owner()?;
        let local = self.local_files()?;
        let mut next = self.pointer.clone();
        let mut passed = Passed::default();
        for name in in_order(&local) {
            self.send(&name, &mut next, &mut passed)?;
        }
        // The copy is in the state in which the folder was at the beginning of the pass: by now the run may have removed every
        // checkpoint that it had then.
        next.files.retain(|name, _| local.contains_key(name));
        next.checkpoint = newest(next.files.keys());
        // Also what a pass wrote that failed before its pointer.
        let known = self.pointer.files.keys().chain(self.sent.keys());
        self.stale.extend(known.filter(|name| !next.files.contains_key(*name)).cloned());
        if next != self.pointer || self.version.is_none() {
            next.serial += 1;
            let version = next.write(&self.store, &self.run, self.version.as_ref())?;
            (self.pointer, self.version) = (next, Some(version));
            passed.objects += 1;
        }
        self.remove_stale()?;
        passed.time = start.elapsed();
        Ok(passed)
    }

    /// Checks that the pointer is still the one that this process wrote, before it overwrites objects.
    fn check_owner(&self) -> Result<(), CloudError> {
        let found = self.store.head(&self.run.join(POINTER))?.map(|found| found.version);
        match (found, &self.version) {
            (None, None) => Ok(()),
            (Some(found), Some(known)) if found.e_tag == known.e_tag => Ok(()),
            _ => {
                // An answer may have been lost; then the pointer is this writer's.
                let found = Pointer::read(&self.store, &self.run)?;
                match &found {
                    Some((pointer, _)) if pointer.writer == self.pointer.writer => Ok(()),
                    _ => Err(taken_over(&self.run, found.map(|(pointer, _)| pointer).as_ref())),
                }
            }
        }
    }

    /// The files of the folder, without links and without files that are not complete.
    fn local_files(&self) -> Result<BTreeMap<String, PathBuf>, CloudError> {
        let entries = std::fs::read_dir(&self.folder).map_err(CloudError::io(&self.folder))?;
        let named = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_owned();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let counts =
                is_file && is_safe_name(&name) && !name.ends_with(".partial") && name != POINTER;
            counts.then(|| (name, entry.path()))
        });
        Ok(named.collect())
    }

    /// Writes a file, unless the store has its content.
    fn send(
        &mut self,
        name: &str,
        next: &mut Pointer,
        passed: &mut Passed,
    ) -> Result<(), CloudError> {
        let file = self.folder.join(name);
        // The state is that before the file is read: if it changes meanwhile, it is sent again.
        let Some(state) = state_of(&file) else { return Ok(()) };
        if let Some((known, content)) = self.sent.get(name)
            && *known == state
        {
            next.files.insert(name.to_owned(), content.clone());
            return Ok(());
        }
        // Files of a run that was resumed are there already.
        if !self.sent.contains_key(name)
            && let Some(known) = next.files.get(name)
            && known.size == state.0
            && file_sha256(&file).is_ok_and(|digest| digest == known.sha256)
        {
            self.sent.insert(name.to_owned(), (state, known.clone()));
            return Ok(());
        }
        let sent = self.store.put_whole(&self.run.join(name), &file);
        let (size, sha256) = match sent {
            // It was rotated away.
            Err(CloudError::Io { .. }) if !file.exists() => return Ok(()),
            other => other?,
        };
        let content = Content { size, sha256 };
        next.files.insert(name.to_owned(), content.clone());
        self.sent.insert(name.to_owned(), (state, content));
        passed.objects += 1;
        passed.bytes += size;
        Ok(())
    }

    /// Removes objects that the pointer does not name any more, and once the checkpoints that an interrupted process left.
    fn remove_stale(&mut self) -> Result<(), CloudError> {
        while let Some(name) = self.stale.first().cloned() {
            // It may be there again, as after a run was resumed from an earlier checkpoint.
            if !self.pointer.files.contains_key(&name) {
                self.store.delete(&self.run.join(&name))?;
                self.sent.remove(&name);
            }
            self.stale.remove(&name);
        }
        if self.swept {
            return Ok(());
        }
        for object in self.store.list(&self.run)? {
            if object.name.starts_with(CHECKPOINT) && !self.pointer.files.contains_key(&object.name)
            {
                self.store.delete(&self.run.join(&object.name))?;
            }
        }
        self.swept = true;
        Ok(())
    }
}

/// The names in the order in which they are written: checkpoints first, the newest before the others.
fn in_order(local: &BTreeMap<String, PathBuf>) -> Vec<String> {
    let (mut checkpoints, others): (Vec<&String>, Vec<&String>) =
        local.keys().partition(|name| name.starts_with(CHECKPOINT));
    checkpoints.reverse();
    checkpoints.into_iter().chain(others).cloned().collect()
}

/// The newest checkpoint: the one with the most images in its name.
fn newest<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let kimg = |name: &str| -> Option<f64> {
        name.strip_prefix(CHECKPOINT)?.strip_suffix(WHOLE)?.parse().ok()
    };
    let numbered = names.filter_map(|name| Some((kimg(name)?, name)));
    numbered.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name.clone())
}
