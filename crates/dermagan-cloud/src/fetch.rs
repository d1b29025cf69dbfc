//! Reads an object, or a folder of objects, into local files. Files that are there already are kept if their ETag is still
//! that of the object.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::CloudError;
use crate::index::Index;
use crate::location::Location;
use crate::scratch::Scratch;
use crate::store::{Found, Listed, Store};

/// Objects that are read at the same time.
const AT_ONCE: usize = 16;
/// Files after which the index is written, so that an interrupted call is not in vain.
const SAVE_EVERY: usize = 200;
/// Largest number of bytes that one call reads.
const MOST_BYTES: u64 = 256 << 30;
/// The file by which a folder is known as that of a model or a run.
const GENERATOR: &str = "generator.safetensors";
/// The beginnings of the names of a run's files that a generator does not need.
const NOT_OF_MODEL: [&str; 7] =
    ["checkpoint-", "fakes", "timelapse", "events.out", "losses.", "reals.", "latest.json"];

/// What of a folder is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every object.
    All,
    /// Of a run or another folder with a generator what its use needs: no checkpoints, no grids. Of other folders every
    /// object.
    Model,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The local file or folder. Its name is that of the object or folder.
    pub path: PathBuf,
    /// Number of objects that were read now.
    pub read: usize,
    /// Number of files that were there already.
    pub kept: usize,
    /// Bytes that were read now.
    pub bytes: u64,
}

/// Reads what is at a location. `progress` receives the number of bytes of the objects that are complete, and of all.
///
/// # Errors
/// When there is nothing, the store refuses or does not answer, an object changes meanwhile or has a name that cannot be that of
/// a file, there is too much, or a file cannot be written.
pub fn fetch(
    store: &Store,
    location: &Location,
    scratch: &Scratch,
    wanted: Wanted,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Fetched, CloudError> {
    if !location.key().is_empty()
        && let Some(found) = store.head(location)?
    {
        let listed = vec![Listed { name: String::new(), found }];
        return bring(store, location, scratch, true, listed, progress);
    }
    let listed = store.list(location)?;
    if listed.is_empty() {
        return Err(missing(store, location));
    }
    let is_model = listed.iter().any(|object| object.name == GENERATOR);
    match wanted {
        Wanted::Model if is_model => {
            let needed =
                |object: &Listed| !NOT_OF_MODEL.iter().any(|start| object.name.starts_with(start));
            let listed = listed.into_iter().filter(needed).collect();
            bring(store, location, scratch, false, listed, progress)
        }
        _ => bring(store, location, scratch, true, listed, progress),
    }
}

/// The error of a place where nothing is. It names what is beside it.
pub(crate) fn missing(store: &Store, location: &Location) -> CloudError {
    let beside = location.parent().and_then(|parent| store.children(&parent).ok());
    let words = match beside.as_deref() {
        None | Some([]) => String::new(),
        Some(names) => {
            let first: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
            let more = if names.len() > 4 { ", …" } else { "" };
            format!("; beside it there are {}{more}", first.join(", "))
        }
    };
    CloudError::Missing { url: location.to_string(), words }
}

/// Brings the listed objects into the local folder of the location.
fn bring(
    store: &Store,
    location: &Location,
    scratch: &Scratch,
    all: bool,
    listed: Vec<Listed>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Fetched, CloudError> {
    let root = scratch.read(all);
    let path = root.join(location.as_path());
    let index_path = scratch.index(location, all);
    let _lock = scratch.lock_index(&index_path)?;
    let is_file = matches!(&listed[..], [only] if only.name.is_empty());
    make_way(&root, &path, is_file)?;
    let (read, bytes) = download(store, location, scratch, &path, &listed, &index_path, progress)?;
    if !is_file {
        remove_others(&path, &listed)?;
    }
    Ok(Fetched { path, read, kept: listed.len() - read, bytes })
}

/// Downloads those of the listed objects that `folder` does not have yet. Returns their number and bytes.
pub(crate) fn download(
    store: &Store,
    location: &Location,
    scratch: &Scratch,
    folder: &Path,
    listed: &[Listed],
    index_path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(usize, u64), CloudError> {
    scratch.sweep();
    let mut index = Index::open(index_path);
    let names: BTreeSet<&str> = listed.iter().map(|object| object.name.as_str()).collect();
    index.keep(|name| names.contains(name));
    let missing: Vec<&Listed> = listed
        .iter()
        .filter(|object| !index.has(&object.name, &object.found, &file_of(folder, &object.name)))
        .collect();
    let total: u64 = missing.iter().map(|object| object.found.size).sum();
    if total > MOST_BYTES {
        let what = format!(
            "it has {} GB, more than the {} GB that are read at once; name a smaller folder",
            total >> 30,
            MOST_BYTES >> 30
        );
        return Err(CloudError::Content { url: location.to_string(), what });
    }
    let at = |name: &str| if name.is_empty() { location.clone() } else { location.join(name) };
    let wanted: Vec<(Location, Found, PathBuf)> = missing
        .iter()
        .map(|object| (at(&object.name), object.found.clone(), scratch.partial()))
        .collect();
    let (mut bytes, mut unsaved) = (0, 0);
    let mut done = |number: usize| {
        let (object, (_, _, partial)) = (missing[number], &wanted[number]);
        let file = file_of(folder, &object.name);
        make_way(folder, &file, true)?;
        std::fs::rename(partial, &file).map_err(CloudError::io(&file))?;
        index.add(&object.name, &object.found, &file);
        bytes += object.found.size;
        progress(bytes, total);
        unsaved += 1;
        if unsaved == SAVE_EVERY {
            unsaved = 0;
            index.save(index_path)?;
        }
        Ok(())
    };
    let downloaded = store.download_all(&wanted, AT_ONCE, &mut done);
    if downloaded.is_err() {
        for (_, _, partial) in &wanted {
            let _ = std::fs::remove_file(partial);
        }
    }
    index.save(index_path)?;
    downloaded.map(|()| (missing.len(), total))
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.to_owned();
    path.extend(name.split('/').filter(|segment| !segment.is_empty()));
    path
}

/// Makes the folders above `path`, which is below `root`. What an earlier call left in the way is removed.
fn make_way(root: &Path, path: &Path, is_file: bool) -> Result<(), CloudError> {
    for above in path.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
        if above.is_file() {
            std::fs::remove_file(above).map_err(CloudError::io(above))?;
        }
    }
    let folder = if is_file { path.parent().unwrap_or(root) } else { path };
    if !is_file && path.is_file() {
        std::fs::remove_file(path).map_err(CloudError::io(path))?;
    }
    if is_file && path.is_dir() {
        std::fs::remove_dir_all(path).map_err(CloudError::io(path))?;
    }
    std::fs::create_dir_all(folder).map_err(CloudError::io(folder))
}

/// Removes the files of a folder that the store does not have: what is in the folder counts.
pub(crate) fn remove_others(folder: &Path, listed: &[Listed]) -> Result<(), CloudError> {
    let names = listed.iter().map(|object| object.name.as_str()).collect();
    remove_below(folder, folder, &names)
}

fn remove_below(top: &Path, folder: &Path, names: &BTreeSet<&str>) -> Result<(), CloudError> {
    let entries = std::fs::read_dir(folder).map_err(CloudError::io(folder))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            remove_below(top, &path, names)?;
            // Only an empty folder goes.
            let _ = std::fs::remove_dir(&path);
            continue;
        }
        let name: Vec<String> = path
            .strip_prefix(top)
            .into_iter()
            .flat_map(Path::components)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        if !names.contains(name.join("/").as_str()) {
            std::fs::remove_file(&path).map_err(CloudError::io(&path))?;
        }
    }
    Ok(())
}
