//! Makes the cache of a source: decodes every image, fits it to a square, and writes the file once.

use std::collections::BTreeMap;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;

use crate::error::DataError;
use crate::prepare::cache::{Cache, Header, Options, SIZES, finish, pixel_hash, pixels_at};
use crate::prepare::fit::to_square;
use crate::source::open::Source;
use crate::source::problem::{Problem, ProblemKind, Report};

/// Receives the progress of a preparation: number of images done, and their total number.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// The result of [`prepare`].
#[derive(Debug)]
pub struct PreparedCache {
    /// The open cache.
    pub cache: Cache,
    /// Whether the cache existed already, so that nothing was decoded.
    pub reused: bool,
}

/// The default folder of caches: `$DERMAGAN_CACHE`, else `dermagan` in the user's cache folder
/// (`$XDG_CACHE_HOME`, `$HOME/.cache` or `%LOCALAPPDATA%`), else `dermagan` in the system's temporary folder.
pub fn default_folder() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("DERMAGAN_CACHE") {
        return folder;
    }
    let base = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .or_else(|| set("LOCALAPPDATA"))
        .unwrap_or_else(std::env::temp_dir);
    base.join("dermagan")
}

/// The default path of a source's cache: it changes with the source and with the options.
pub fn default_path(source: &Source, options: Options) -> PathBuf {
    let Options { size, fit, filter } = options;
    let print: String = source.fingerprint.chars().take(12).collect();
    let name = format!("{}-{size}-{fit:?}-{filter:?}-{print}.dermagan", source.name);
    default_folder().join(name.to_lowercase())
}

/// Makes the cache of `source` at `target`, unless a cache of the same source and options is there already.
/// A cache at `target` is replaced only by a complete one.
///
/// # Errors
/// [`DataError::Strict`] if `strict` is set and the source has any problem. [`DataError::Empty`] if no image is
/// usable. [`DataError::Option`] if the size is out of range, or `target` is a file other than a cache.
/// [`DataError::Io`] if the system refuses to read or write.
pub fn prepare(
    source: &Source,
    options: Options,
    target: &Path,
    strict: bool,
    progress: Progress<'_>,
) -> Result<PreparedCache, DataError> {
    if !SIZES.contains(&options.size) {
        let (low, high) = (SIZES.start(), SIZES.end());
        return Err(DataError::Option(format!(
            "`size` = {}: expected {low} to {high}",
            options.size
        )));
    }
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(PreparedCache { cache, reused: true }, strict);
    }
    refuse_to_overwrite(target)?;
    let mut pending = Pending::create(target).map_err(DataError::io(target))?;
    // Another process that held the lock may have made the same cache.
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(PreparedCache { cache, reused: true }, strict);
    }
    let header = write_pixels(source, options, pending.file(), target, progress)?;
    if strict && header.report.left_out() > 0 {
        return Err(DataError::Strict(Box::new(header.report)));
    }
    if header.records.is_empty() {
        let report = Box::new(header.report);
        return Err(DataError::Empty { path: source.path().to_owned(), report });
    }
    let length = header.records.len() as u64 * u64::from(options.size).pow(2) * 3;
    finish(pending.file(), length, &header).map_err(DataError::io(target))?;
    pending.commit().map_err(DataError::io(target))?;
    Ok(PreparedCache { cache: Cache::open(target)?, reused: false })
}

/// Opens the cache at the path `spec`, or the cache of the source `spec` at its default path, which is prepared
/// first if it does not exist yet.
///
/// # Errors
/// As [`prepare`], [`Source::open`] and [`Cache::open`].
pub fn open_or_prepare(
    spec: &str,
    options: Options,
    progress: Progress<'_>,
) -> Result<Cache, DataError> {
    let path = Path::new(spec);
    if path.is_file() && Cache::is_cache(path) {
        return Cache::open(path);
    }
    let source = Source::open(spec)?;
    Ok(prepare(&source, options, &default_path(&source, options), false, progress)?.cache)
}

/// Refuses a cache with problems if `strict` is set.
fn strictly(prepared: PreparedCache, strict: bool) -> Result<PreparedCache, DataError> {
    let report = &prepared.cache.header().report;
    if strict && report.left_out() > 0 {
        return Err(DataError::Strict(Box::new(report.clone())));
    }
    Ok(prepared)
}

/// Refuses to replace a file that is not a cache and not empty: the user may have named it by mistake.
fn refuse_to_overwrite(target: &Path) -> Result<(), DataError> {
    let foreign = target.exists() && !Cache::is_cache(target);
    if foreign && std::fs::metadata(target).is_ok_and(|m| m.len() > 0) {
        return Err(DataError::Option(format!(
            "{} exists and is not a dermagan cache; name another file as `out`",
            target.display()
        )));
    }
    Ok(())
}

/// The cache at `target`, if it was made from this source with these options.
fn unchanged(source: &Source, options: Options, target: &Path) -> Option<Cache> {
    let cache = Cache::open(target).ok()?;
    let header = cache.header();
    let same = header.fingerprint == source.fingerprint && header.options == options;
    same.then_some(cache)
}

/// Decodes and fits every image, writes the pixels to `file`, and gives the header.
fn write_pixels(
    source: &Source,
    options: Options,
    file: &mut std::fs::File,
    target: &Path,
    progress: Progress<'_>,
) -> Result<Header, DataError> {
    let total = source.records.len();
    let mut problems = source.problems.clone();
    let mut records = Vec::with_capacity(total);
    let mut hashes = Vec::with_capacity(total);
    let mut done = 0;
    file.seek(SeekFrom::Start(pixels_at())).map_err(DataError::io(target))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let all: Vec<usize> = (0..total).collect();
    source.decode_each(
        &all,
        |index, decoded| {
            let decoded = decoded?;
            if let Some(odd) = decoded.odd {
                return Err(odd);
            }
            let record = &source.records[index];
            let fitted = to_square(&decoded.image, options.size, options.fit, options.filter);
            let pixels = fitted.map_err(|what| {
                Problem::new(ProblemKind::Undecodable, format!("{} ({what})", record.image_id))
            })?;
            Ok((index, pixel_hash(&pixels), pixels, decoded.notes))
        },
        |result: Result<_, Problem>| {
            match result {
                Ok((index, hash, pixels, notes)) => {
                    out.write_all(&pixels).map_err(DataError::io(target))?;
                    records.push(source.records[index].clone());
                    hashes.push(hash);
                    problems.extend(notes);
                }
                Err(problem) => problems.push(problem),
            }
            done += 1;
            progress(done, total);
            Ok(())
        },
    )?;
    out.flush().map_err(DataError::io(target))?;
    let mut report = Report::new(records.len(), &problems);
    report.identical = identical(&hashes, |i| records[i].image_id.clone());
    Ok(Header {
        name: source.name.clone(),
        kind: source.kind,
        fingerprint: source.fingerprint.clone(),
        options,
        classes: source.classes.clone(),
        records,
        hashes,
        report,
    })
}

/// The ids of each group of two or more images with equal pixels.
fn identical(hashes: &[u64], id: impl Fn(usize) -> String) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (i, &hash) in hashes.iter().enumerate() {
        groups.entry(hash).or_default().push(i);
    }
    let mut found: Vec<Vec<String>> = groups
        .into_values()
        .filter(|g| g.len() > 1)
        .map(|g| g.into_iter().map(&id).collect())
        .collect();
    found.sort();
    found
}
