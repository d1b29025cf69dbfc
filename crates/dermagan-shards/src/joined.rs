//! All shards of a job, checked.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dermagan_base::SettingError;
use dermagan_base::name::start_of;

use crate::error::ShardError;
use crate::folder::{SHOWN, entries, parts, read};
use crate::items::{Place, read_at, scan};
use crate::manifest::{Job, Manifest};
use crate::shard::Shard;

/// Missing shards that an error names.
const NAMED: usize = 8;

/// The items of all shards of a job.
#[derive(Debug)]
pub struct Joined {
    folder: PathBuf,
    manifest: Manifest,
    files: Vec<(PathBuf, Mutex<File>)>,
    /// The file and the place of each item.
    places: HashMap<u64, (usize, Place)>,
}

impl Joined {
    /// Opens a folder of shards. Every byte is read and compared with the checksums.
    ///
    /// # Errors
    /// [`ShardError::Setting`] if shards are missing, or are not of one job; [`ShardError::Damaged`] if a file is not what its
    /// manifest says.
    pub fn open(folder: &Path) -> Result<Self, ShardError> {
        let refuse = |problem: String| SettingError::value("shards", folder.display(), problem);
        let mut found: BTreeMap<usize, (PathBuf, Manifest)> = BTreeMap::new();
        if !folder.is_dir() {
            let what = if folder.exists() { "this is a file" } else { "there is no such folder" };
            return Err(refuse(format!("{what}; name the folder of the shards")).into());
        }
        for (name, path) in entries(folder)? {
            let Some((shard, ending)) = parts(&name) else {
                let name = start_of(&name, SHOWN);
                let problem = format!("it holds {name}, which is no file of a shard; move it away");
                return Err(refuse(problem).into());
            };
            if ending == "json" {
                let manifest = read(&path)?
                    .filter(|manifest| manifest.shard == shard.to_string())
                    .ok_or_else(|| {
                        ShardError::damaged(&path, "this is no manifest of the shard")
                    })?;
                found.insert(shard.index, (path.with_extension("bin"), manifest));
            }
        }
        let Some((first, of)) = found.values().next().map(|(_, first)| (first.clone(), first))
        else {
            let problem = "there is no complete shard in it; compute them with `shard`";
            return Err(refuse(problem.to_owned()).into());
        };
        let of = of.shard.split_once('/').and_then(|(_, of)| of.parse().ok()).unwrap_or(0);
        for (_, manifest) in found.values() {
            let difference = first.job.difference(&manifest.job);
            let count = (!manifest.shard.ends_with(&format!("/{of}"))).then(|| format!("of {of}"));
            if let Some(how) = difference.or(count) {
                let (one, other) = (&first.shard, &manifest.shard);
                let problem =
                    format!("its shards are not of one job: beside {one} there is {other}, {how}");
                return Err(refuse(problem).into());
            }
        }
        let missing: Vec<String> = (0..of)
            .filter(|index| !found.contains_key(index))
            .map(|index| Shard { index, of }.to_string())
            .collect();
        if !missing.is_empty() {
            let named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = missing.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let problem = format!(
                "shards are missing: {named}{more}; compute them first, each by this with its `shard`: {}",
                first.line.join(" ")
            );
            return Err(refuse(problem).into());
        }
        Self::check_all(folder, first, found.into_values())
    }

    /// Compares the items of each shard with its manifest.
    fn check_all(
        folder: &Path,
        manifest: Manifest,
        shards: impl Iterator<Item = (PathBuf, Manifest)>,
    ) -> Result<Self, ShardError> {
        let mut joined =
            Self { folder: folder.to_owned(), manifest, files: Vec::new(), places: HashMap::new() };
        for (path, manifest) in shards {
            let scanned = scan(&path)?;
            if !manifest.describes(&scanned) {
                return Err(ShardError::damaged(path, "it is not what its manifest says"));
            }
            let number = joined.files.len();
            for (item, place) in scanned.places {
                if joined.places.insert(item, (number, place)).is_some() {
                    return Err(ShardError::damaged(
                        path,
                        format!("another shard has item {item} too"),
                    ));
                }
            }
            let file = File::open(&path).map_err(ShardError::io(&path))?;
            joined.files.push((path, Mutex::new(file)));
        }
        Ok(joined)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The words of the command line that made the first shard, without the program and the choice of the shard.
    pub fn line(&self) -> &[String] {
        &self.manifest.line
    }

    /// Where the items were computed.
    pub fn computed_on(&self) -> &str {
        &self.manifest.job.computed_on
    }

    /// The error about an item that has another form than its command writes.
    pub fn damaged(&self, item: u64) -> ShardError {
        ShardError::damaged(&self.folder, format!("item {item} has another form than expected"))
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.files.len()
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Refuses shards that another job made. They may have been computed on another machine.
    ///
    /// # Errors
    /// Says how the job differs.
    pub fn check(&self, job: &Job) -> Result<(), ShardError> {
        let here = Job { computed_on: self.manifest.job.computed_on.clone(), ..job.clone() };
        match here.difference(&self.manifest.job) {
            None => Ok(()),
            Some(how) => {
                let problem = format!(
                    "these shards are {how}; restore what has changed, or compute them anew"
                );
                Err(SettingError::value("shards", self.folder.display(), problem).into())
            }
        }
    }

    /// The bytes of an item; `None` if no shard has it.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn get(&self, item: u64) -> Result<Option<Vec<u8>>, ShardError> {
        let Some((file, place)) = self.places.get(&item) else { return Ok(None) };
        let (path, file) = &self.files[*file];
        let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read_at(&mut file, *place).map(Some).map_err(ShardError::io(path))
    }

    /// The bytes of an item that a shard must have.
    ///
    /// # Errors
    /// If no shard has it.
    pub fn require(&self, item: u64) -> Result<Vec<u8>, ShardError> {
        let missing = || {
            let of = self.shards().max(1);
            let shard = Shard { index: (item % of as u64) as usize, of };
            let path = self.folder.join(format!("{}.bin", shard.stem()));
            ShardError::damaged(path, format!("item {item} is missing"))
        };
        self.get(item)?.ok_or_else(missing)
    }
}
