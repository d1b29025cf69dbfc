//! Brings a run from a store to a local folder, so that it can be resumed on a machine that never saw it.

use std::path::{Path, PathBuf};

use dermagan_base::atomic;

use crate::error::CloudError;
use crate::fetch::{download, missing, remove_others};
use crate::location::Location;
use crate::pass::{CHECKPOINT, RunCopy};
use crate::pointer::{POINTER, Pointer};
use crate::retry::Patience;
use crate::scratch::{Scratch, unique};
use crate::store::{Listed, Store, Version};
use crate::upload::file_sha256;

/// How often a run that changes while it is read is read again.
const TRIES: usize = 5;

/// A run that is complete in a local folder.
#[derive(Debug)]
pub struct Restored {
    /// The local folder, with the name of the run.
    pub folder: PathBuf,
    /// Bytes that were read from the store.
    pub bytes: u64,
    /// Whether the folder was there already, because this machine was the last to train the run.
    pub was_here: bool,
    run: Location,
    pointer: Pointer,
    version: Option<Version>,
}

impl Restored {
    /// The URL of the training images, if they came from a store.
    pub fn data(&self) -> Option<&str> {
        self.pointer.data.as_deref()
    }

    /// Replaces the URL of the training images.
    pub fn set_data(&mut self, data: Option<String>) {
        self.pointer.data = data;
    }

    /// Makes this process the writer of the run in the store. An earlier one finds that out before it writes again.
    ///
    /// # Errors
    /// When another process was faster, or the store refuses or does not answer.
    pub fn take_over(mut self, store: &Store, scratch: &Scratch) -> Result<RunCopy, CloudError> {
        let earlier = std::mem::replace(&mut self.pointer.writer, unique());
        self.pointer.serial += 1;
        // Both, because this process may be killed before or after the next line.
        note_writers(scratch, &self.run, &[&earlier, &self.pointer.writer])?;
        let written = self.pointer.write(store, &self.run, self.version.as_ref());
        let version = written.map_err(|error| match error {
            CloudError::Conflict { url, .. } => CloudError::Conflict {
                url,
                what: "another process wrote this run since it was read: it is still trained; stop that process first, or run \
                       this command again"
                    .to_owned(),
            },
            error => error,
        })?;
        let store = store.another(Patience::none())?;
        Ok(RunCopy::new(store, self.run, self.folder, self.pointer, Some(version)))
    }
}

/// The copy of a new run in `folder`, of which the store has nothing yet. `data` is the URL of the training images, if they come
/// from a store.
///
/// # Errors
/// When a file on this machine cannot be written.
pub fn begin(
    store: &Store,
    run: Location,
    folder: PathBuf,
    data: Option<String>,
    scratch: &Scratch,
) -> Result<RunCopy, CloudError> {
    let pointer = Pointer::new(&unique(), data);
    note_writers(scratch, &run, &[&pointer.writer])?;
    let store = store.another(Patience::none())?;
    Ok(RunCopy::new(store, run, folder, pointer, None))
}

/// Notes which writers a local folder belongs to.
fn note_writers(scratch: &Scratch, run: &Location, writers: &[&str]) -> Result<(), CloudError> {
    let file = scratch.writer(run);
    atomic::write(&file, writers.join("\n").as_bytes()).map_err(CloudError::io(file))
}

/// Whether the local folder continues what the store has: its writer wrote the pointer, or there is no pointer yet.
fn continues(scratch: &Scratch, run: &Location, pointer: Option<&Pointer>) -> bool {
    let Ok(noted) = std::fs::read_to_string(scratch.writer(run)) else { return false };
    pointer.is_none_or(|pointer| noted.lines().any(|writer| writer == pointer.writer))
}

/// Brings a run to this machine. If this machine was the last to train it, its folder is used as it is: it may be newer than the
/// store. Otherwise everything is read, and the checkpoints are compared with the digests in the pointer.
///
/// The caller holds the lock of the run ([`Scratch::try_lock`]).
///
/// # Errors
/// When there is no run or no checkpoint, a checkpoint is not what the pointer says, or the store refuses or does not answer.
pub fn restore(
    store: &Store,
    run: &Location,
    scratch: &Scratch,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, CloudError> {
    let folder = scratch.runs().join(run.as_path());
    for _ in 0..TRIES {
        let found = Pointer::read(store, run)?;
        let (pointer, version) = match found {
            Some((pointer, version)) => (pointer, Some(version)),
            // A run that was copied to the store by other means.
            None => (Pointer::new("", None), None),
        };
        let known = version.as_ref().map(|_| &pointer);
        if folder.is_dir() && continues(scratch, run, known) {
            let (run, was_here) = (run.clone(), true);
            return Ok(Restored { folder, bytes: 0, was_here, run, pointer, version });
        }
        let listed = wanted(store, run, known)?;
        let coming = folder.with_file_name(format!("{}.coming", run.name()));
        std::fs::create_dir_all(&coming).map_err(CloudError::io(&coming))?;
        let index = scratch.index(run, true).with_extension("run");
        let read = download(store, run, scratch, &coming, &listed, &index, progress);
        let after = store.head(&run.join(POINTER))?.map(|found| found.version);
        let same =
            after.and_then(|after| after.e_tag) == version.as_ref().and_then(|v| v.e_tag.clone());
        match read {
            // The process that trains it wrote meanwhile.
            Err(CloudError::Missing { .. } | CloudError::Conflict { .. }) if !same => continue,
            Ok(_) if !same => continue,
            _ => {}
        }
        let (_, bytes) = read?;
        check(&pointer, run, &coming)?;
        // An earlier, interrupted call may have left files that the run does not have.
        remove_others(&coming, &listed)?;
        set_aside(&folder)?;
        std::fs::rename(&coming, &folder).map_err(CloudError::io(&folder))?;
        let (run, was_here) = (run.clone(), false);
        return Ok(Restored { folder, bytes, was_here, run, pointer, version });
    }
    let what =
        "it changes while it is read: another process trains it; stop that one first".to_owned();
    Err(CloudError::Conflict { url: run.to_string(), what })
}

/// The objects of a run that belong to its state: checkpoints only if the pointer names them.
fn wanted(
    store: &Store,
    run: &Location,
    pointer: Option<&Pointer>,
) -> Result<Vec<Listed>, CloudError> {
    let mut listed = store.list(run)?;
    if listed.is_empty() {
        return Err(missing(store, run));
    }
    listed.retain(|object| {
        let complete = !object.name.starts_with(CHECKPOINT)
            || pointer.is_none_or(|pointer| pointer.files.contains_key(&object.name));
        complete && object.name != POINTER && !object.name.contains('/')
    });
    if !listed.iter().any(|object| object.name.starts_with(CHECKPOINT)) {
        let what =
            "there is no complete checkpoint, so nothing can be resumed; expected a run's folder"
                .to_owned();
        return Err(CloudError::Content { url: run.to_string(), what });
    }
    Ok(listed)
}

/// Compares the checkpoints with the digests in the pointer.
fn check(pointer: &Pointer, run: &Location, folder: &Path) -> Result<(), CloudError> {
    for (name, content) in pointer.files.iter().filter(|(name, _)| name.starts_with(CHECKPOINT)) {
        let file = folder.join(name);
        if file.is_file() && file_sha256(&file)? == content.sha256 {
            continue;
        }
        let what = if file.is_file() {
            "its content is not what latest.json says: two processes may have written this run; remove it, correct \
             latest.json, or resume from another checkpoint by its own URL"
        } else {
            "latest.json names it, but it is not there"
        };
        return Err(CloudError::Content { url: run.join(name).to_string(), what: what.to_owned() });
    }
    Ok(())
}

/// Renames a folder that another process went on from, if there is one: it may hold steps that no store has.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(folder: &Path) -> Result<(), CloudError> {
    if !folder.exists() {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names = (1u32..).map(|number| folder.with_file_name(format!("aside-{number}-{name}")));
    match names.into_iter().find(|aside| !aside.exists()) {
        Some(aside) => std::fs::rename(folder, aside).map_err(CloudError::io(folder)),
        None => Ok(()),
    }
}
