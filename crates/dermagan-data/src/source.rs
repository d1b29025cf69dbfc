//! A source of labelled images, recognised by looking at it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dermagan_base::name::shortened;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::decode::{self, Decoded};
use crate::error::DataError;
use crate::medmnist::MedMnist;
use crate::phantom::Phantom;
use crate::problem::{Problem, ProblemKind};
use crate::record::Record;
use crate::tree::Tree;
use crate::{class_folders, tables};

/// How many images are decoded at a time: enough for every core, few enough for the memory.
const CHUNK: usize = 64;

/// What a source turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// HAM10000's metadata table and its images, in folders or in zips.
    Ham10000,
    /// ISIC 2018 task 3: one-hot truth, with the lesion groups if they are there.
    Isic2018,
    /// One folder per class.
    ClassFolders,
    /// A MedMNIST `dermamnist*.npz`.
    MedMnist,
    /// The built-in procedural images.
    Phantom,
}

impl Kind {
    /// A line for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Ham10000 => "HAM10000 metadata and images",
            Self::Isic2018 => "ISIC 2018 task 3",
            Self::ClassFolders => "one folder per class",
            Self::MedMnist => "MedMNIST dermamnist",
            Self::Phantom => "phantom: procedural images, not medical data",
        }
    }
}

/// Where the pixels come from.
pub(crate) enum Images {
    /// For each record, the index of its entry.
    Tree {
        tree: Tree,
        entries: Vec<usize>,
    },
    MedMnist(MedMnist),
    Phantom(Phantom),
}

/// A recognised source: its records, and the way to their pixels.
pub struct Source {
    /// A short name for run folders and caches.
    pub name: String,
    /// What it turned out to be.
    pub kind: Kind,
    /// Class codes; a record's `class` is an index into them.
    pub classes: Vec<String>,
    /// One record an image, in the order of their ids.
    pub records: Vec<Record>,
    /// What was wrong with rows and files, before any image is decoded.
    pub problems: Vec<Problem>,
    /// Changes when the source does: from names, sizes and checksums (in a zip) or times of
    /// change (in a folder).
    pub fingerprint: String,
    pub(crate) images: Images,
    path: PathBuf,
    /// Held while a large image is decoded.
    large: Mutex<()>,
}

impl Source {
    /// Opens `phantom`, `phantom:N`, a folder, a zip or an npz.
    ///
    /// # Errors
    /// [`DataError::NotFound`], [`DataError::Unrecognised`] with what was looked for and what was
    /// found, or what the system answers.
    pub fn open(spec: &str) -> Result<Self, DataError> {
        if let Some(phantom) = Phantom::from_spec(spec)? {
            return Ok(Self::phantom(phantom));
        }
        let path = Path::new(spec);
        let meta = std::fs::metadata(path).map_err(|_| DataError::NotFound(path.to_owned()))?;
        if meta.is_file() {
            if let Some(npz) = MedMnist::recognise(path)? {
                return Self::medmnist(path, npz);
            }
            if let Some((folder, table)) = tables::folder_of_table(path)? {
                return Self::tree(&folder, Some(&table));
            }
            if crate::cache::Cache::is_cache(path) {
                return Err(DataError::Unrecognised {
                    path: path.to_owned(),
                    what: "a dermagan cache, prepared already".into(),
                    next:
                        "`dermagan train --data` takes it as it is; `dermagan info` describes it."
                            .into(),
                });
            }
            if !starts_like_zip(path)? {
                return Err(DataError::Unrecognised {
                    path: path.to_owned(),
                    what: "a file that is neither a zip, an npz, a metadata table nor a dermagan cache".into(),
                    next: "Give the folder or zip that holds HAM10000_metadata.csv and the images.".into(),
                });
            }
        }
        Self::tree(path, None)
    }

    fn phantom(phantom: Phantom) -> Self {
        let records = phantom.records();
        Self {
            name: "phantom".into(),
            kind: Kind::Phantom,
            classes: crate::description::ham_codes(),
            fingerprint: hex(
                Sha256::digest(format!("phantom 1 {}", records.len()).as_bytes()).as_slice()
            ),
            records,
            problems: Vec::new(),
            images: Images::Phantom(phantom),
            path: PathBuf::from("phantom"),
            large: Mutex::new(()),
        }
    }

    fn medmnist(path: &Path, npz: MedMnist) -> Result<Self, DataError> {
        let (records, problems) = npz.records()?;
        Ok(Self {
            name: name_of(path),
            kind: Kind::MedMnist,
            classes: crate::description::ham_codes(),
            fingerprint: npz.fingerprint(),
            records,
            problems,
            images: Images::MedMnist(npz),
            path: path.to_owned(),
            large: Mutex::new(()),
        })
    }

    /// `table` is the one to use, if the user named one.
    fn tree(path: &Path, table: Option<&str>) -> Result<Self, DataError> {
        let mut tree = Tree::open(path)?;
        let found = match tables::read(&tree, table)? {
            Some(found) => found,
            None => class_folders::read(&tree)?,
        };
        let mut problems = std::mem::take(&mut tree.problems);
        problems.extend(found.problems);
        let mut pairs: Vec<(Record, usize)> = found.records;
        pairs.sort_by(|a, b| a.0.image_id.cmp(&b.0.image_id));
        let (records, entries): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut hash = Sha256::new();
        hash.update(table.unwrap_or_default());
        for entry in tree.entries.iter().filter(|entry| Tree::counts(entry)) {
            hash.update(format!("{}\n{} {}\n", entry.path, entry.size, entry.stamp));
        }
        if records.is_empty() {
            let report = Box::new(crate::problem::Report::new(0, &problems));
            return Err(DataError::Empty { path: path.to_owned(), report });
        }
        Ok(Self {
            name: name_of(path),
            kind: found.kind,
            classes: found.classes,
            records,
            problems,
            fingerprint: hex(hash.finalize().as_slice()),
            images: Images::Tree { tree, entries },
            path: path.to_owned(),
            large: Mutex::new(()),
        })
    }

    /// The path or word it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Decodes the images at `wanted` (ascending indices into the records) on all cores, a chunk
    /// at a time, gives each to `work`, and the results to `sink` in order.
    pub(crate) fn decode_each<T: Send>(
        &self,
        wanted: &[usize],
        work: impl Fn(usize, Result<Decoded, Problem>) -> T + Sync,
        mut sink: impl FnMut(T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        if let Images::MedMnist(npz) = &self.images {
            return npz.for_each(wanted, |chunk: Vec<(usize, Decoded)>| {
                let done: Vec<T> =
                    chunk.into_par_iter().map(|(index, image)| work(index, Ok(image))).collect();
                done.into_iter().try_for_each(&mut sink)
            });
        }
        for chunk in wanted.chunks(CHUNK) {
            let done: Vec<T> =
                chunk.par_iter().map(|&index| work(index, self.decode_one(index))).collect();
            done.into_iter().try_for_each(&mut sink)?;
        }
        Ok(())
    }

    fn decode_one(&self, index: usize) -> Result<Decoded, Problem> {
        match &self.images {
            Images::Phantom(phantom) => Ok(Decoded { image: phantom.render(index), note: None }),
            Images::Tree { tree, entries } => {
                let entry = &tree.entries[entries[index]];
                // A decoder that panics on a hostile file must cost that file only.
                let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    tree.read(entry)
                        .and_then(|bytes| decode::decode(&entry.path, &bytes, &self.large))
                }));
                decoded.unwrap_or_else(|_| {
                    let what = format!("{} (the decoder gave up)", entry.path);
                    Err(Problem::new(ProblemKind::Undecodable, what))
                })
            }
            Images::MedMnist(_) => unreachable_npz(),
        }
    }

    /// Width and height of every image, without decoding it; `None` where the header is broken.
    pub fn sizes(&self) -> Vec<Option<(u32, u32)>> {
        match &self.images {
            Images::Phantom(phantom) => vec![Some(phantom.size()); self.records.len()],
            Images::MedMnist(npz) => vec![Some(npz.size()); self.records.len()],
            Images::Tree { tree, entries } => entries
                .par_iter()
                .map(|&entry| {
                    let entry = &tree.entries[entry];
                    let (head, _) = tree.read_some(entry, HEAD_BYTES).ok()?;
                    decode::dimensions(&entry.path, &head)
                        .or_else(|_| decode::dimensions(&entry.path, &tree.read(entry)?))
                        .ok()
                })
                .collect(),
        }
    }
}

/// A HAM10000 file's size stands behind some 20 KB of XMP and Photoshop data.
const HEAD_BYTES: u64 = 64 << 10;

fn unreachable_npz() -> Result<Decoded, Problem> {
    Err(Problem::new(ProblemKind::Unreadable, "an npz is read in order"))
}

fn starts_like_zip(path: &Path) -> Result<bool, DataError> {
    let mut magic = [0u8; 4];
    let mut file = std::fs::File::open(path).map_err(DataError::io(path))?;
    let read = std::io::Read::read(&mut file, &mut magic).map_err(DataError::io(path))?;
    Ok(read == 4 && magic[..2] == *b"PK")
}

/// The file's or folder's name, reduced to what a folder name may hold on every system.
fn name_of(path: &Path) -> String {
    let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = full.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    shortened(&name, "data")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
