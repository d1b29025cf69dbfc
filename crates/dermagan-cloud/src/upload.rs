//! Writes results: a file, or a folder whose last object says that it is complete. Nothing that someone else wrote is
//! replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::CloudError;
use crate::location::{Location, is_safe_name};
use crate::scratch::{Scratch, unique};
use crate::store::{Condition, Found, LARGEST_PUT, Store, Version, sha256};

/// Files that say that a set is complete, in the order in which they are written after all others.
const LAST: [&str; 3] = ["README.md", "metadata.csv", "passport.json"];
/// The object that says who writes a folder. It is removed at the end.
const WRITING: &str = "writing.json";
/// Files that are written at the same time.
const AT_ONCE: usize = 8;
/// Largest size of that object in bytes.
const LARGEST_CLAIM: u64 = 4096;

/// What was at the place of a result before the command made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// No object of this name.
    Nothing,
    /// An object in this version.
    Object(Version),
}

/// Looks at the place of a result. An object that is there is read to `file`, so that a command decides as it does for a local
/// file whether it may replace it.
///
/// # Errors
/// When the store refuses or does not answer.
pub fn earlier(
    store: &Store,
    at: &Location,
    scratch: &Scratch,
    file: &Path,
) -> Result<Earlier, CloudError> {
    if at.key().is_empty() {
        let problem = "expected a name in this bucket, such as s3://bucket/folder".to_owned();
        return Err(CloudError::Url { url: at.to_string(), problem });
    }
    let Some(found) = store.head(at)? else {
        // This also finds a missing bucket, of which the answer before says nothing.
        store.has_any(at)?;
        return Ok(Earlier::Nothing);
    };
    let version = found.version.clone();
    let partial = scratch.partial();
    let wanted: [(Location, Found, PathBuf); 1] = [(at.clone(), found, partial.clone())];
    store.download_all(&wanted, 1, &mut |_| Ok(()))?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(CloudError::io(folder))?;
    }
    std::fs::rename(&partial, file).map_err(CloudError::io(file))?;
    Ok(Earlier::Object(version))
}

/// Writes a file as an object, if the place is still as it was.
///
/// # Errors
/// When another writer was faster, the store refuses or does not answer, or the file cannot be read.
pub fn put_file(
    store: &Store,
    at: &Location,
    file: &Path,
    earlier: &Earlier,
) -> Result<u64, CloudError> {
    let condition = match earlier {
        Earlier::Nothing => Condition::New,
        Earlier::Object(version) => Condition::Same(version.clone()),
    };
    let size = file.metadata().map_err(CloudError::io(file))?.len();
    if size <= LARGEST_PUT {
        let bytes = std::fs::read(file).map_err(CloudError::io(file))?;
        return put_or_same(store, at, bytes, &condition);
    }
    // There is no condition on an object in parts, so it is checked just before.
    let now = store.head(at)?.map(|found| found.version);
    let before = match earlier {
        Earlier::Nothing => None,
        Earlier::Object(version) => Some(version.clone()),
    };
    if now != before {
        return Err(taken(at));
    }
    store.put_whole(at, file).map(|(size, _)| size)
}

/// Puts bytes. If the condition does not hold, but the object has these very bytes, that is as good: an earlier call, or an
/// earlier try of this one, wrote it.
fn put_or_same(
    store: &Store,
    at: &Location,
    bytes: Vec<u8>,
    condition: &Condition,
) -> Result<u64, CloudError> {
    let (size, digest) = (bytes.len() as u64, sha256(&bytes));
    match store.put(at, bytes, condition) {
        Ok(_) => Ok(size),
        Err(CloudError::Conflict { .. }) => match store.read(at, size) {
            Ok(Some((found, _))) if sha256(&found) == digest => Ok(size),
            Ok(_) | Err(CloudError::Content { .. }) => Err(taken(at)),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn taken(at: &Location) -> CloudError {
    CloudError::Conflict {
        url: at.to_string(),
        what: "there is another object of this name by now, which stays; name a new one".to_owned(),
    }
}

/// Who writes a folder, and what.
#[derive(Debug, Serialize, Deserialize)]
struct Writing {
    /// Digest of the names and contents of all files.
    set: String,
    /// The writer.
    writer: String,
}

/// A file of a folder.
struct Item {
    name: String,
    file: PathBuf,
    size: u64,
    sha256: String,
}

/// Writes a folder. The place must be empty, or hold the same files, as after an interrupted call. Two different sets never mix.
/// `progress` receives the number of files that are written, and of all. Returns the bytes.
///
/// # Errors
/// When another set is there or is being written there, the store refuses or does not answer, or a file cannot be read.
pub fn put_folder(
    store: &Store,
    at: &Location,
    folder: &Path,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<u64, CloudError> {
    let mut items = Vec::new();
    collect(folder, "", &mut items)?;
    let rank = |item: &Item| LAST.iter().position(|last| *last == item.name).map_or(0, |at| at + 1);
    items.sort_by(|a, b| (rank(a), &a.name).cmp(&(rank(b), &b.name)));
    let set = digest_of(&items);
    let claim = begin(store, at, &set)?;
    let there = match refuse_others(store, at, &items) {
        Ok(there) => there,
        Err(error) => {
            // Nothing of this set was written.
            let _ = store.delete(&claim);
            return Err(error);
        }
    };
    let (last, first): (Vec<&Item>, Vec<&Item>) = items
        .iter()
        .filter(|item| !there.contains(&item.name))
        .partition(|item| LAST.contains(&item.name.as_str()) || item.size > LARGEST_PUT);
    let mut written = there.len();
    progress(written, items.len());
    let new: Vec<(Location, PathBuf)> =
        first.iter().map(|item| (at.join(&item.name), item.file.clone())).collect();
    let mut unsure = Vec::new();
    store.put_all_new(&new, AT_ONCE, &mut |index, is_new| {
        written += 1;
        progress(written, items.len());
        if !is_new {
            unsure.push(index);
        }
    })?;
    let unsure = unsure.into_iter().map(|index| first[index]);
    for item in unsure.chain(last) {
        let place = at.join(&item.name);
        if item.size > LARGEST_PUT {
            store.put_whole(&place, &item.file)?;
        } else {
            let content = std::fs::read(&item.file).map_err(CloudError::io(&item.file))?;
            put_or_same(store, &place, content, &Condition::New)?;
        }
    }
    progress(items.len(), items.len());
    store.delete(&claim)?;
    Ok(items.iter().map(|item| item.size).sum())
}

/// Claims a folder for a set. The claim of an interrupted writer of the same set counts.
fn begin(store: &Store, at: &Location, set: &str) -> Result<Location, CloudError> {
    let claim = at.join(WRITING);
    let own = Writing { set: set.to_owned(), writer: unique() };
    let bytes = serde_json::to_vec(&own).unwrap_or_default();
    match store.put(&claim, bytes, &Condition::New) {
        Ok(_) => return Ok(claim),
        Err(CloudError::Conflict { .. }) => {}
        Err(error) => return Err(error),
    }
    let found = store.read(&claim, LARGEST_CLAIM)?.map(|(bytes, _)| bytes).unwrap_or_default();
    match serde_json::from_slice::<Writing>(&found) {
        Ok(other) if other.set == set => Ok(claim),
        _ => Err(CloudError::Conflict {
            url: at.to_string(),
            what: format!(
                "another call writes a different set here, or was interrupted: it left {claim}; wait for it, or remove the \
                 folder, or name a new one"
            ),
        }),
    }
}

/// Refuses a folder with objects that are not those of this set. Returns the names of those that are there.
fn refuse_others(
    store: &Store,
    at: &Location,
    items: &[Item],
) -> Result<BTreeSet<String>, CloudError> {
    let known: BTreeMap<&str, &Item> =
        items.iter().map(|item| (item.name.as_str(), item)).collect();
    let mut there = BTreeSet::new();
    for object in store.list(at)? {
        if object.name == WRITING {
            continue;
        }
        let is_same = |item: &&Item| {
            let place = at.join(&object.name);
            Ok(item.size == object.found.size && same(store, &place, item)?)
        };
        let ours = known.get(object.name.as_str());
        if !ours.map(is_same).transpose()?.unwrap_or(false) {
            return Err(CloudError::Conflict {
                url: at.to_string(),
                what: format!(
                    "there are other objects, such as {}; expected a new or empty folder, or the same set",
                    dermagan_base::name::start_of(&object.name, 100)
                ),
            });
        }
        there.insert(object.name);
    }
    Ok(there)
}

/// Whether an object of the right size has the content of a file. A large one is not read: what wrote it has its size.
fn same(store: &Store, at: &Location, item: &Item) -> Result<bool, CloudError> {
    if item.size > LARGEST_PUT {
        return Ok(true);
    }
    let found = store.read(at, item.size)?;
    Ok(found.is_some_and(|(bytes, _)| sha256(&bytes) == item.sha256))
}

fn digest_of(items: &[Item]) -> String {
    let mut hasher = Sha256::new();
    for item in items {
        hasher.update(format!("{} {}\n", item.sha256, item.name));
    }
    dermagan_base::hex(&hasher.finalize())
}

/// The files of a folder and of the folders in it, without links.
fn collect(folder: &Path, before: &str, items: &mut Vec<Item>) -> Result<(), CloudError> {
    let entries = std::fs::read_dir(folder).map_err(CloudError::io(folder))?;
    for entry in entries {
        let entry = entry.map_err(CloudError::io(folder))?;
        let kind = entry.file_type().map_err(CloudError::io(entry.path()))?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !is_safe_name(&name) {
            continue;
        }
        let name = format!("{before}{name}");
        if kind.is_dir() {
            collect(&entry.path(), &format!("{name}/"), items)?;
        } else if kind.is_file() {
            let file = entry.path();
            let size = file.metadata().map_err(CloudError::io(&file))?.len();
            let sha256 = file_sha256(&file)?;
            items.push(Item { name, file, size, sha256 });
        }
    }
    Ok(())
}

/// The SHA-256 of a file.
pub(crate) fn file_sha256(file: &Path) -> Result<String, CloudError> {
    let mut input = std::fs::File::open(file).map_err(CloudError::io(file))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match input.read(&mut buffer).map_err(CloudError::io(file))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(dermagan_base::hex(&hasher.finalize()))
}
