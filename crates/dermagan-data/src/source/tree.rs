//! The files of a source: in a folder, in a zip, in zips inside a folder (as Dataverse delivers HAM10000), or in
//! a zip stored inside a zip.
//!
//! Nothing is unpacked to disk, so no entry's path can write outside the source. An entry whose path points
//! outside the archive is counted and left out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::is_link;
use zip::ZipArchive;

use crate::error::DataError;
use crate::shared_file::SharedFile;
use crate::source::entry::{Entry, Place, is_hidden, is_image_name};
use crate::source::problem::{Problem, ProblemKind};

/// The largest file that is read into memory as a whole, in bytes. A dermatoscopic photograph has
/// about 0.3 MB, an uncompressed 16-bit one of 10 megapixels 60 MB.
pub(crate) const MAX_FILE_BYTES: u64 = 128 << 20;

/// Maximum number of files in a source; HAM10000 has 10,017.
const MAX_ENTRIES: usize = 5_000_000;

/// The file by which the folder of a training run is known.
const RUN_FILE: &str = "training_options.json";

/// Number of levels of a system's folder that are searched for an image.
const HIDDEN_DEPTH: usize = 3;

type Archive = ZipArchive<SharedFile>;

/// All files of a source, ordered by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// The folder or zip that was opened.
    pub root: PathBuf,
    /// The files.
    pub entries: Vec<Entry>,
    /// Files and archive entries that cannot be listed.
    pub problems: Vec<Problem>,
    archives: Vec<Archive>,
}

impl Tree {
    /// Lists a folder or a zip with all its folders, and the zips inside it.
    ///
    /// # Errors
    /// [`DataError::NotFound`] if `root` does not exist, [`DataError::Bad`] if it is neither a folder nor a
    /// readable zip or has too many files, [`DataError::Io`] if a folder cannot be read.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let mut tree = Self::list(root, usize::MAX)?;
        tree.open_inner_archives();
        tree.leave_out_runs();
        tree.sort();
        Ok(tree)
    }

    /// Lists a folder down to `depth` folders below it, or all of a zip. A zip inside is one file.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn list(root: &Path, depth: usize) -> Result<Self, DataError> {
        let mut tree = Self { root: root.to_owned(), ..Self::default() };
        let meta = std::fs::metadata(root).map_err(|_| DataError::NotFound(root.to_owned()))?;
        if meta.is_dir() {
            tree.add_folder(root, "", depth, &mut BTreeSet::new())?;
        } else {
            let file = File::open(root).and_then(SharedFile::new).map_err(DataError::io(root))?;
            tree.add_archive(file, "").map_err(|what| {
                DataError::bad(root.display().to_string(), format!("not a readable zip: {what}"))
            })?;
        }
        tree.sort();
        Ok(tree)
    }

    /// Leaves out the folders of training runs inside a zip: their generated images must not come back as training
    /// images.
    fn leave_out_runs(&mut self) {
        let is_run = |entry: &&Entry| entry.name() == RUN_FILE;
        let folder = |entry: &Entry| entry.path[..entry.path.len() - RUN_FILE.len()].to_owned();
        let runs: Vec<String> = self.entries.iter().filter(is_run).map(folder).collect();
        for run in runs {
            self.entries.retain(|entry| !entry.path.starts_with(&run));
            self.problems.push(Problem::new(ProblemKind::RunFolder, run));
        }
    }

    fn sort(&mut self) {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
    }

    fn add_folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        visited: &mut BTreeSet<PathBuf>,
    ) -> Result<(), DataError> {
        // A link may lead in a circle, or to a folder that is listed already. A training run's own folder is
        // left out wherever it lies: its generated images must not come back as training images.
        let real = std::fs::canonicalize(folder).map_err(DataError::io(folder))?;
        if !visited.insert(real) {
            self.problems.push(Problem::new(ProblemKind::UnfollowedLink, prefix));
            return Ok(());
        }
        if folder.join(RUN_FILE).is_file() {
            self.problems.push(Problem::new(ProblemKind::RunFolder, prefix));
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(DataError::io(folder))?;
        let mut entries: Vec<_> =
            entries.collect::<Result<_, _>>().map_err(DataError::io(folder))?;
        // A folder has its own name, not that of a link to it; and equal folders are listed equally.
        entries.sort_by_key(|entry| (is_link(&entry.path()), entry.file_name()));
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // `metadata` follows links, so that a link to an image counts as the image.
            let meta = match std::fs::metadata(entry.path()) {
                Ok(meta) => meta,
                Err(error) => {
                    let kind = match is_image_name(&name) {
                        true => ProblemKind::Unreadable,
                        false => ProblemKind::UnfollowedLink,
                    };
                    self.problems.push(Problem::new(kind, format!("{path} ({error})")));
                    continue;
                }
            };
            if is_hidden(&name) {
                if is_image_name(&name) || meta.is_dir() && has_image(&entry.path(), HIDDEN_DEPTH) {
                    self.problems.push(Problem::new(ProblemKind::SystemFile, path));
                }
                continue;
            }
            if meta.is_dir() {
                if let Some(depth) = depth.checked_sub(1) {
                    self.add_folder(&entry.path(), &format!("{path}/"), depth, visited)?;
                }
            } else if meta.is_file() {
                let stamp = modified(&meta);
                let place = Place::File(entry.path());
                self.push(Entry { path, size: meta.len(), stamp, place })?;
            } else {
                self.problems.push(Problem::new(ProblemKind::SpecialFile, path));
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

    /// Lists the entries of a zip, each path with `prefix` in front.
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
                if parts.last().is_some_and(|name| is_image_name(name)) {
                    let place = format!("{prefix}{}", parts.join("/"));
                    self.problems.push(Problem::new(ProblemKind::SystemFile, place));
                }
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

    /// The bytes of an uncompressed archive entry, as a file.
    fn stored_window(&self, archive: usize, index: usize) -> Result<SharedFile, String> {
        let mut outer = self.archives[archive].clone();
        let (stored, start, length) = {
            let entry = outer.by_index(index).map_err(|e| e.to_string())?;
            let stored = entry.compression() == zip::CompressionMethod::Stored;
            (stored, entry.data_start(), entry.size())
        };
        match (stored, start) {
            (true, Some(start)) => Ok(outer.into_inner().window(start, length)),
            _ => Err("a compressed zip inside a zip: unpack the outer zip first".to_owned()),
        }
    }

    /// Reads a whole file of at most [`MAX_FILE_BYTES`]; the declared size is not trusted.
    ///
    /// # Errors
    /// A problem of kind `TooLarge`, `EmptyFile` or `Unreadable`, with the entry's path.
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

    /// Reads up to `limit` bytes from the start of a file, and says whether the file has more.
    ///
    /// # Errors
    /// A problem of kind `Unreadable`, with the entry's path.
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

    /// Whether an entry is an image: by its name, or by its first 64 bytes if the name does not tell.
    pub fn is_image(&self, entry: &Entry) -> bool {
        is_image_name(entry.name())
            || !entry.is_other_format()
                && self
                    .read_some(entry, 64)
                    .is_ok_and(|(head, _)| image::guess_format(&head).is_ok())
    }
}

/// Whether a folder has a file with the name of an image, down to `depth` levels.
fn has_image(folder: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().take(10_000).any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => depth > 0 && has_image(&path, depth - 1),
            false => is_image_name(&entry.file_name().to_string_lossy()),
        }
    })
}

/// The modification time in nanoseconds since 1970, or 0 if it is unknown.
fn modified(meta: &std::fs::Metadata) -> u64 {
    meta.modified()
        .ok()
        .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_nanos() as u64)
}
