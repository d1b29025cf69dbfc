//! The files of a source, whether they lie in a folder, in a zip, in zips inside a folder (as
//! Dataverse delivers HAM10000), or in a zip stored inside a zip. Nothing is unpacked to disk, so
//! an entry's path can lead nowhere; entries whose path tries to are counted and left out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::error::DataError;
use crate::problem::{Problem, ProblemKind};
use crate::shared_file::SharedFile;

/// The largest file that is read into memory as a whole, in bytes. A dermatoscopic photograph has
/// some 0.3 MB, an uncompressed 16-bit one of 10 megapixels 60 MB.
pub(crate) const MAX_FILE_BYTES: u64 = 128 << 20;

/// How many files a source may have; HAM10000 has 10,017.
const MAX_ENTRIES: usize = 5_000_000;

type Archive = ZipArchive<SharedFile>;

/// Where the bytes of an entry are.
#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Zip { archive: usize, index: usize },
}

/// One file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Path inside the source, with `/`.
    pub path: String,
    /// Size in bytes, decompressed, as declared.
    pub size: u64,
    /// Changes when the content does: the CRC-32 in a zip, the time of change in a folder.
    pub stamp: u64,
    place: Place,
}

impl Entry {
    /// The file's name without its folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The name without its last extension.
    pub fn stem(&self) -> &str {
        self.name().rsplit_once('.').map_or(self.name(), |(stem, _)| stem)
    }

    /// The folder the file lies in, without the folders above.
    pub fn folder(&self) -> Option<&str> {
        self.path.rsplit('/').nth(1)
    }

    /// The extension in lower case.
    pub fn extension(&self) -> String {
        self.name().rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
    }
}

/// All files of a source, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub root: PathBuf,
    pub entries: Vec<Entry>,
    pub problems: Vec<Problem>,
    archives: Vec<Archive>,
}

impl Tree {
    /// Lists a folder or a zip.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let mut visited = BTreeSet::new();
        let mut tree = Self { root: root.to_owned(), ..Self::default() };
        let meta = std::fs::metadata(root).map_err(|_| DataError::NotFound(root.to_owned()))?;
        if meta.is_dir() {
            tree.add_folder(root, "", &mut visited)?;
            tree.open_inner_archives();
        } else {
            let file = File::open(root).and_then(SharedFile::new).map_err(DataError::io(root))?;
            tree.add_archive(file, "").map_err(|what| {
                DataError::bad(root.display().to_string(), format!("not a readable zip: {what}"))
            })?;
            tree.open_inner_archives();
        }
        tree.entries.sort_by(|a, b| a.path.cmp(&b.path));
        tree.problems.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(tree)
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        visited: &mut BTreeSet<PathBuf>,
    ) -> Result<(), DataError> {
        // Links may lead in circles, or to a folder that is listed already. A run of ours is no
        // data, wherever it lies: its own images must not come back as training images.
        let real = std::fs::canonicalize(folder).map_err(DataError::io(folder))?;
        if folder.join("training_options.json").is_file() || !visited.insert(real) {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(DataError::io(folder))?;
        for entry in entries {
            let entry = entry.map_err(DataError::io(folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // Through `metadata`, so that a link to an image counts as the image.
            let meta = match std::fs::metadata(entry.path()) {
                Ok(meta) => meta,
                Err(error) => {
                    if is_image_name(&name) {
                        let place = format!("{path} ({error})");
                        self.problems.push(Problem::new(ProblemKind::Unreadable, place));
                    }
                    continue;
                }
            };
            if is_hidden(&name) {
                continue;
            }
            if meta.is_dir() {
                self.add_folder(&entry.path(), &format!("{path}/"), visited)?;
            } else if meta.is_file() {
                let stamp = meta
                    .modified()
                    .ok()
                    .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
                    .map_or(0, |d| d.as_nanos() as u64);
                let place = Place::File(entry.path());
                self.push(Entry { path, size: meta.len(), stamp, place })?;
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), DataError> {
        if self.entries.len() >= MAX_ENTRIES {
            let root = self.root.display().to_string();
            return Err(DataError::bad(root, format!("more than {MAX_ENTRIES} files")));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn add_archive(&mut self, file: SharedFile, prefix: &str) -> Result<(), String> {
        let mut archive = ZipArchive::new(file).map_err(|e| e.to_string())?;
        let number = self.archives.len();
        if archive.len() > MAX_ENTRIES {
            return Err(format!("more than {MAX_ENTRIES} entries"));
        }
        for index in 0..archive.len() {
            let entry = match archive.by_index_raw(index) {
                Ok(entry) => entry,
                Err(error) => {
                    let place = format!("{prefix}entry {index} ({error})");
                    self.problems.push(Problem::new(ProblemKind::Unreadable, place));
                    continue;
                }
            };
            if entry.is_dir() {
                continue;
            }
            let name = String::from_utf8_lossy(entry.name_raw()).replace('\\', "/");
            let safe = !name.starts_with('/')
                && !name.contains('\0')
                && !name.split('/').any(|part| part == ".." || part.ends_with(':'));
            if !safe {
                let place = format!("{prefix}{}", name.escape_debug());
                self.problems.push(Problem::new(ProblemKind::OddPath, place));
                continue;
            }
            // Some archivers write `./a//b`.
            let parts: Vec<&str> =
                name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            if parts.iter().any(|part| is_hidden(part)) {
                continue;
            }
            let path = format!("{prefix}{}", parts.join("/"));
            let (size, stamp) = (entry.size(), u64::from(entry.crc32()));
            let place = Place::Zip { archive: number, index };
            self.entries.push(Entry { path, size, stamp, place });
        }
        self.archives.push(archive);
        Ok(())
    }

    /// Lists the zips among the entries: those in a folder, and those stored without compression
    /// in another zip.
    fn open_inner_archives(&mut self) {
        let inner: Vec<Entry> =
            self.entries.iter().filter(|e| e.extension() == "zip").cloned().collect();
        for entry in inner {
            let file = match &entry.place {
                Place::File(path) => {
                    File::open(path).and_then(SharedFile::new).map_err(|e| e.to_string())
                }
                Place::Zip { archive, index } => self.stored_window(*archive, *index),
            };
            let prefix = format!("{}/", entry.path);
            if let Err(what) = file.and_then(|file| self.add_archive(file, &prefix)) {
                let place = format!("{} ({what})", entry.path);
                self.problems.push(Problem::new(ProblemKind::Unreadable, place));
            }
        }
    }

    fn stored_window(&self, archive: usize, index: usize) -> Result<SharedFile, String> {
        let mut outer = self.archives[archive].clone();
        let (stored, start, length) = {
            let entry = outer.by_index(index).map_err(|e| e.to_string())?;
            let stored = entry.compression() == zip::CompressionMethod::Stored;
            (stored, entry.data_start(), entry.size())
        };
        match (stored, start) {
            (true, Some(start)) => Ok(outer.into_inner().window(start, length)),
            _ => Err("a compressed zip inside a zip: unpack the outer one first".to_owned()),
        }
    }

    /// Reads a file as a whole, at most [`MAX_FILE_BYTES`], whatever its declared size.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, Problem> {
        self.read_some(entry, MAX_FILE_BYTES).and_then(|(bytes, more)| {
            if more {
                let place = format!("{} (over {} MiB)", entry.path, MAX_FILE_BYTES >> 20);
                Err(Problem::new(ProblemKind::TooLarge, place))
            } else if bytes.is_empty() {
                Err(Problem::new(ProblemKind::EmptyFile, &entry.path))
            } else {
                Ok(bytes)
            }
        })
    }

    /// Reads the first `limit` bytes, and says whether there are more.
    pub fn read_some(&self, entry: &Entry, limit: u64) -> Result<(Vec<u8>, bool), Problem> {
        let unreadable =
            |e: String| Problem::new(ProblemKind::Unreadable, format!("{} ({e})", entry.path));
        let mut bytes = Vec::new();
        let mut read = |reader: &mut dyn Read| -> std::io::Result<usize> {
            // The declared size is only a hint, never a promise.
            bytes.reserve(entry.size.min(limit).min(4 << 20) as usize);
            reader.take(limit + 1).read_to_end(&mut bytes)
        };
        match &entry.place {
            Place::File(path) => File::open(path).and_then(|mut file| read(&mut file)),
            Place::Zip { archive, index } => {
                let mut archive = self.archives[*archive].clone();
                let mut file = archive.by_index(*index).map_err(|e| unreadable(e.to_string()))?;
                read(&mut file)
            }
        }
        .map_err(|e| unreadable(e.to_string()))?;
        let more = bytes.len() as u64 > limit;
        bytes.truncate(limit as usize);
        Ok((bytes, more))
    }
}

impl Tree {
    /// Whether an entry is an image, by its name, or by its first bytes where the name says
    /// nothing.
    pub fn is_image(&self, entry: &Entry) -> bool {
        const OTHER: [&str; 14] = [
            "csv",
            "tab",
            "tsv",
            "txt",
            "json",
            "md",
            "html",
            "pdf",
            "xml",
            "zip",
            "npz",
            "partial",
            "dermagan",
            "safetensors",
        ];
        is_image_name(entry.name())
            || !OTHER.contains(&entry.extension().as_str())
                && self
                    .read_some(entry, 64)
                    .is_ok_and(|(head, _)| image::guess_format(&head).is_ok())
    }

    /// Whether an entry takes part in what the source is: a change of any other file is no change.
    pub fn counts(entry: &Entry) -> bool {
        !matches!(entry.extension().as_str(), "dermagan" | "partial" | "safetensors" | "md")
    }
}

/// What file systems and archivers leave behind.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX" || name.eq_ignore_ascii_case("thumbs.db")
}

/// Whether a name ends like an image that we decode.
pub(crate) fn is_image_name(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    matches!(
        extension.as_str(),
        "jpg" | "jpeg" | "jpe" | "jfif" | "png" | "bmp" | "webp" | "tif" | "tiff" | "gif"
    )
}
