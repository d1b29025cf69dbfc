//! From a source to a cache: decode, fit to a square, write once.

use std::collections::BTreeMap;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;

use crate::cache::{Cache, Header, Options, finish, pixel_hash, pixels_at};
use crate::error::DataError;
use crate::fit::to_square;
use crate::problem::{Problem, ProblemKind, Report};
use crate::source::Source;

/// How far a preparation is: images done, and images in all.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// What [`prepare`] did.
#[derive(Debug)]
pub struct Prepared {
    /// The opened cache.
    pub cache: Cache,
    /// Whether it was there already, so that nothing was decoded.
    pub reused: bool,
}

/// The sides that make sense for an image; the model has its own, narrower, choice.
pub const SIZES: std::ops::RangeInclusive<u32> = 4..=2048;

/// Where caches go unless told otherwise: `$DERMAGAN_CACHE`, else `dermagan` in the user's cache
/// folder.
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

/// The name of a source's cache: it changes with the source and with the options.
pub fn default_path(source: &Source, options: Options) -> PathBuf {
    let Options { size, fit, filter } = options;
    let print: String = source.fingerprint.chars().take(12).collect();
    let name = format!("{}-{size}-{fit:?}-{filter:?}-{print}.dermagan", source.name);
    default_folder().join(name.to_lowercase())
}

/// Makes the cache of `source` at `target`, unless one of the same source and options is there.
///
/// # Errors
/// [`DataError::Strict`] when `strict` and anything was wrong; [`DataError::Empty`] when no image
/// is left; whatever the file system answers. A cache at `target` is replaced only by a whole one.
pub fn prepare(
    source: &Source,
    options: Options,
    target: &Path,
    strict: bool,
    progress: Progress<'_>,
) -> Result<Prepared, DataError> {
    if !SIZES.contains(&options.size) {
        let (low, high) = (SIZES.start(), SIZES.end());
        return Err(DataError::Option(format!(
            "--size {}: expected {low} to {high}",
            options.size
        )));
    }
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(Prepared { cache, reused: true }, strict);
    }
    refuse_to_overwrite(target)?;
    let mut pending = Pending::create(target).map_err(DataError::io(target))?;
    // Whoever held the lock may have made the very same cache.
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(Prepared { cache, reused: true }, strict);
    }
    let header = write_pixels(source, options, pending.file(), target, progress)?;
    if strict && header.report.total() > 0 {
        return Err(DataError::Strict(Box::new(header.report)));
    }
    if header.records.is_empty() {
        let report = Box::new(header.report);
        return Err(DataError::Empty { path: source.path().to_owned(), report });
    }
    let length = header.records.len() as u64 * u64::from(options.size).pow(2) * 3;
    finish(pending.file(), length, &header).map_err(DataError::io(target))?;
    pending.commit().map_err(DataError::io(target))?;
    Ok(Prepared { cache: Cache::open(target)?, reused: false })
}

/// The cache that `spec` names, or that of the source that it names, prepared first if it is not
/// there yet.
///
/// # Errors
/// As [`prepare`](fn@prepare) and [`Source::open`].
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

fn strictly(prepared: Prepared, strict: bool) -> Result<Prepared, DataError> {
    let report = &prepared.cache.header().report;
    if strict && report.total() > 0 {
        return Err(DataError::Strict(Box::new(report.clone())));
    }
    Ok(prepared)
}

/// A cache may replace a cache, never a file of another kind that the user named by mistake.
fn refuse_to_overwrite(target: &Path) -> Result<(), DataError> {
    let foreign = target.exists() && !Cache::is_cache(target);
    if foreign && std::fs::metadata(target).is_ok_and(|m| m.len() > 0) {
        return Err(DataError::Option(format!(
            "{} exists and is not a dermagan cache; name another file with --out",
            target.display()
        )));
    }
    Ok(())
}

fn unchanged(source: &Source, options: Options, target: &Path) -> Option<Cache> {
    let cache = Cache::open(target).ok()?;
    let header = cache.header();
    let same = header.fingerprint == source.fingerprint && header.options == options;
    same.then_some(cache)
}

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
            let record = &source.records[index];
            let fitted = to_square(&decoded.image, options.size, options.fit, options.filter);
            let pixels = fitted.map_err(|what| {
                Problem::new(ProblemKind::Undecodable, format!("{} ({what})", record.image_id))
            })?;
            Ok((index, pixel_hash(&pixels), pixels, decoded.note))
        },
        |result: Result<_, Problem>| {
            match result {
                Ok((index, hash, pixels, note)) => {
                    out.write_all(&pixels).map_err(DataError::io(target))?;
                    records.push(source.records[index].clone());
                    hashes.push(hash);
                    problems.extend(note);
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

/// Groups of two or more images with equal pixels.
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
