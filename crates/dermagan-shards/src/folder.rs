//! The folder of the shards of a job.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_base::atomic::{self, Pending};
use dermagan_base::name::{OF_SYSTEMS, start_of};

use crate::error::ShardError;
use crate::items::{ItemWriter, scan};
use crate::manifest::{Job, Manifest, SCHEMA};
use crate::shard::Shard;

/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;
/// The number of characters of a name that an error repeats.
pub(crate) const SHOWN: usize = 80;

/// The request to compute one shard.
#[derive(Clone, Debug)]
pub struct ShardRequest {
    /// The share.
    pub shard: Shard,
    /// The folder of all shards of the job.
    pub folder: PathBuf,
    /// The words of the command line, for the [`Manifest`].
    pub line: Vec<String>,
}

/// What a call for one shard did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDone {
    /// The number of items of the shard.
    pub items: u64,
    /// Whether an earlier call had made them.
    pub was_there: bool,
}

impl ShardRequest {
    /// Begins a shard. `None` if an earlier call completed it and all its bytes are there. Waits while another process writes
    /// the same shard, so that it is made once.
    ///
    /// # Errors
    /// [`ShardError::Setting`] if the folder holds shards of another job or other files; [`ShardError::Io`] if the system
    /// refuses to write.
    pub fn begin(&self, job: &Job) -> Result<Option<ShardWriter>, ShardError> {
        let Self { shard, folder, line } = self;
        let is_there = |items: &Path, manifest: &Path| {
            check(folder, *shard, job)?;
            is_complete(items, manifest)
        };
        let stem = shard.stem();
        let [items, manifest] =
            ["bin", "json"].map(|ending| folder.join(format!("{stem}.{ending}")));
        // Looked at first, so that a folder that cannot be written may have the shard.
        if is_there(&items, &manifest)? {
            return Ok(None);
        }
        let mut pending = Pending::create(&items).map_err(ShardError::io(&items))?;
        // While this process waited, another one may have completed the shard, of this job or of another.
        if is_there(&items, &manifest)? {
            return Ok(None);
        }
        let file = pending.file().try_clone().map_err(ShardError::io(&items))?;
        let writer = ItemWriter::new(BufWriter::with_capacity(1 << 20, file));
        Ok(Some(ShardWriter {
            writer: writer.map_err(ShardError::io(&items))?,
            pending,
            items,
            manifest,
            shard: *shard,
            job: job.clone(),
            line: line.clone(),
        }))
    }
}

/// Refuses a folder with shards of another job or with other files.
fn check(folder: &Path, shard: Shard, job: &Job) -> Result<(), ShardError> {
    let refuse = |name: &str, what: &str| {
        let problem = format!("it holds {}, {what}; name another folder", start_of(name, SHOWN));
        Err(SettingError::value("shards", folder.display(), problem).into())
    };
    for (name, path) in entries(folder)? {
        let Some((found, ending)) = parts(&name) else {
            return refuse(&name, "which is no file of a shard");
        };
        if found.of != shard.of {
            return refuse(&name, &format!("a shard of {} shards, not of {}", found.of, shard.of));
        }
        if ending == "json"
            && let Some(manifest) = read(&path)?
            && let Some(how) = job.difference(&manifest.job)
        {
            let line = manifest.line.join(" ");
            return refuse(&name, &format!("a shard {how} (by: {})", start_of(&line, SHOWN)));
        }
    }
    Ok(())
}

/// The names of a folder's entries, with their paths, in order. Unfinished files, hidden ones, such as those of NFS, and those of
/// systems are left out. A folder that does not exist has none.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ShardError> {
    let found = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(ShardError::io(folder))?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry.map_err(ShardError::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let other = name.starts_with('.') || name.ends_with(".partial");
        if !other && !OF_SYSTEMS.contains(&name.as_str()) {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// The shard and the ending of a file's name.
pub(crate) fn parts(name: &str) -> Option<(Shard, &str)> {
    let (stem, ending) = name.split_once('.')?;
    let known = matches!(ending, "bin" | "json");
    Some((Shard::of_stem(stem)?, ending)).filter(|_| known)
}

/// A manifest, if there is such a file and it is one.
///
/// # Errors
/// When the system refuses to read: that says nothing about the shard.
pub(crate) fn read(path: &Path) -> Result<Option<Manifest>, ShardError> {
    let text = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => match found.map_err(ShardError::io(path))? {
            found if !found.is_file() || found.len() > MAX_MANIFEST => return Ok(None),
            _ => std::fs::read(path).map_err(ShardError::io(path))?,
        },
    };
    let manifest = serde_json::from_slice::<Manifest>(&text).ok();
    Ok(manifest.filter(|manifest| manifest.schema_version == SCHEMA))
}

/// Whether a shard has all bytes that its manifest names.
///
/// # Errors
/// When the system refuses to read.
fn is_complete(items: &Path, manifest: &Path) -> Result<bool, ShardError> {
    let Some(manifest) = read(manifest)? else { return Ok(false) };
    match scan(items) {
        Ok(scanned) => Ok(manifest.describes(&scanned)),
        Err(ShardError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the items of a shard. If it is dropped before [`ShardWriter::finish`], the shard is absent.
#[derive(Debug)]
pub struct ShardWriter {
    writer: ItemWriter<BufWriter<File>>,
    pending: Pending,
    items: PathBuf,
    manifest: PathBuf,
    shard: Shard,
    job: Job,
    line: Vec<String>,
}

impl std::fmt::Debug for ItemWriter<BufWriter<File>> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ItemWriter").field("items", &self.items).finish_non_exhaustive()
    }
}

impl ShardWriter {
    /// The share whose items are written.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// Writes an item.
    ///
    /// # Errors
    /// When the system refuses to write, or the item has more than 64 MiB.
    pub fn put(&mut self, item: u64, bytes: &[u8]) -> Result<(), ShardError> {
        self.writer.put(item, bytes).map_err(ShardError::io(&self.items))
    }

    /// Completes the shard: the items get their name, and then the manifest.
    ///
    /// # Errors
    /// When the system refuses to write.
    pub fn finish(self) -> Result<Manifest, ShardError> {
        let Self { writer, mut pending, items, manifest: path, shard, job, line } = self;
        let (count, bytes) = (writer.items, writer.bytes);
        let sha256 = writer.finish().map_err(ShardError::io(&items))?;
        // Keeps the lock until the manifest is there. A process that waits for it finds the shard complete.
        let lock = pending.file().try_clone().map_err(ShardError::io(&items))?;
        // A manifest of earlier bytes must not describe these.
        atomic::remove(&path).map_err(ShardError::io(&path))?;
        pending.commit().map_err(ShardError::io(&items))?;
        let manifest = Manifest {
            schema_version: SCHEMA,
            job,
            line,
            shard: shard.to_string(),
            items: count,
            bytes,
            sha256,
        };
        let text = serde_json::to_string_pretty(&manifest).map_err(std::io::Error::other);
        text.and_then(|text| atomic::write(&path, (text + "\n").as_bytes()))
            .map_err(ShardError::io(path))?;
        drop(lock);
        Ok(manifest)
    }
}
