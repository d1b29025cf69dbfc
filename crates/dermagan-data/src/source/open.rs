//! Opens a source of labelled images and recognises its kind by its content.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dermagan_base::hex;
use dermagan_base::name::shortened;
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::signature;
use crate::source::decode::Decoded;
use crate::source::description::ham_codes;
use crate::source::kind::Kind;
use crate::source::labels::{folder_of_table, label};
use crate::source::medmnist::MedMnist;
use crate::source::phantom::Phantom;
use crate::source::pixels::Pixels;
use crate::source::problem::{Problem, Report, TableUse};
use crate::source::reading::Reading;
use crate::source::record::Record;
use crate::source::tree::Tree;

/// A recognised source: its records, and access to their pixels.
pub struct Source {
    /// A short name for the folders of runs and for caches.
    pub name: String,
    /// What the source was recognised as.
    pub kind: Kind,
    /// Class codes; a record's `class` is an index into them.
    pub classes: Vec<String>,
    /// One record per image. The records of folders, zips and tables are in the order of their ids.
    pub records: Vec<Record>,
    /// The findings about rows and files, found before all images are decoded.
    pub problems: Vec<Problem>,
    /// What became of each table.
    pub tables: Vec<TableUse>,
    /// How the source was read.
    pub reading: Reading,
    /// SHA-256 in hexadecimal digits that changes when the source does: of names, sizes, and checksums (in a
    /// zip) or modification times (in a folder).
    pub fingerprint: String,
    pixels: Pixels,
    path: PathBuf,
}

impl Source {
    /// Opens `phantom`, `phantom:N`, a folder, a zip, an npz, or the folder of a metadata table by the table's
    /// path, with the default [`Reading`].
    ///
    /// # Errors
    /// As [`Source::open_with`].
    pub fn open(spec: &str) -> Result<Self, DataError> {
        Self::open_with(spec, Reading::default())
    }

    /// Opens a source as [`Source::open`] does, and reads it as the user asks.
    ///
    /// # Errors
    /// [`DataError::NotFound`] if nothing is at the path. [`DataError::Unrecognised`], with what was expected
    /// and what was found, if the content is of no known kind. [`DataError::Empty`] if no row or image is usable.
    /// [`DataError::Bad`] if a table, a zip or an npz is damaged. [`DataError::Option`] if N is out of range.
    /// [`DataError::Io`] if the system refuses to read.
    pub fn open_with(spec: &str, reading: Reading) -> Result<Self, DataError> {
        if let Some(phantom) = Phantom::from_spec(spec)? {
            return Ok(Self { reading, ..Self::phantom(phantom) });
        }
        let path = Path::new(spec);
        let meta = std::fs::metadata(path).map_err(|_| DataError::NotFound(path.to_owned()))?;
        if meta.is_file() {
            if let Some(npz) = MedMnist::recognise(path)? {
                return Ok(Self { reading, ..Self::medmnist(path, npz)? });
            }
            if let Some((folder, table)) = folder_of_table(path)? {
                return Self::tree(&folder, Some(&table), reading);
            }
            refuse_other_files(path)?;
        }
        Self::tree(path, None, reading)
    }

    fn phantom(phantom: Phantom) -> Self {
        let records = phantom.records();
        Self {
            name: "phantom".into(),
            kind: Kind::Phantom,
            classes: ham_codes(),
            fingerprint: hex(
                Sha256::digest(format!("phantom 1 {}", records.len()).as_bytes()).as_slice()
            ),
            records,
            problems: Vec::new(),
            tables: Vec::new(),
            reading: Reading::default(),
            pixels: Pixels::Phantom(phantom),
            path: PathBuf::from("phantom"),
        }
    }

    fn medmnist(path: &Path, npz: MedMnist) -> Result<Self, DataError> {
        let (records, problems) = npz.records()?;
        Ok(Self {
            name: name_of(path),
            kind: Kind::MedMnist,
            classes: ham_codes(),
            fingerprint: npz.fingerprint(),
            records,
            problems,
            tables: Vec::new(),
            reading: Reading::default(),
            pixels: Pixels::MedMnist(npz),
            path: path.to_owned(),
        })
    }

    /// `table` is the table to use, if the user named one.
    fn tree(path: &Path, table: Option<&str>, reading: Reading) -> Result<Self, DataError> {
        let mut tree = Tree::open(path)?;
        let labelled = label(&tree, table, reading)?;
        let mut problems = std::mem::take(&mut tree.problems);
        problems.extend(labelled.problems);
        let mut pairs: Vec<(Record, usize)> = labelled.records;
        pairs.sort_by(|a, b| a.0.image_id.cmp(&b.0.image_id));
        let (records, entries): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut hash = Sha256::new();
        hash.update(table.unwrap_or_default());
        for entry in tree.entries.iter().filter(|entry| entry.is_content()) {
            hash.update(format!("{}\n{} {}\n", entry.path, entry.size, entry.stamp));
        }
        if records.is_empty() {
            let report = Box::new(Report { tables: labelled.tables, ..Report::new(0, &problems) });
            return Err(DataError::Empty { path: path.to_owned(), report });
        }
        Ok(Self {
            name: name_of(path),
            kind: labelled.kind,
            classes: labelled.classes,
            records,
            problems,
            tables: labelled.tables,
            reading,
            fingerprint: hex(hash.finalize().as_slice()),
            pixels: Pixels::Tree { tree, entries, large: Mutex::new(()) },
            path: path.to_owned(),
        })
    }

    /// The path that was opened, or `phantom`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Decodes the images at `wanted` (ascending indices into the records) on all cores, up to 64 at a time,
    /// passes each with its index to `work`, and passes the results to `sink` in order.
    ///
    /// # Errors
    /// Those of `sink`, and [`DataError::Bad`] for a damaged npz. An image that cannot be decoded is a problem
    /// that `work` receives.
    pub(crate) fn decode_each<T: Send>(
        &self,
        wanted: &[usize],
        work: impl Fn(usize, Result<Decoded, Problem>) -> T + Sync,
        sink: impl FnMut(T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        self.pixels.decode_each(wanted, work, sink)
    }

    /// Width and height in pixels of every image, in the order of the records, from the images' headers alone;
    /// `None` where the header is damaged.
    pub fn sizes(&self) -> Vec<Option<(u32, u32)>> {
        self.pixels.sizes(self.records.len())
    }
}

/// Refuses a file that is not a zip.
fn refuse_other_files(path: &Path) -> Result<(), DataError> {
    let unrecognised = |what: &str, next: &str| DataError::Unrecognised {
        path: path.to_owned(),
        what: what.into(),
        next: next.into(),
    };
    if signature::is_cache(path) {
        return Err(unrecognised(
            "this file is a dermagan cache: its images are prepared already",
            "Use it as `data` to train, or open it as a cache.",
        ));
    }
    if !signature::is_zip(path)? {
        return Err(unrecognised(
            "expected a zip, an npz, a metadata table or a dermagan cache; this file is none of them",
            "Give the folder or zip that holds the images and their table.",
        ));
    }
    Ok(())
}

/// The name of the file or folder, reduced to characters that every system allows in a folder's name.
fn name_of(path: &Path) -> String {
    let full = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = full.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    shortened(&name, "data")
}
