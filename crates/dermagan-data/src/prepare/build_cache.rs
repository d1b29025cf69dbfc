//! Makes the cache of a source: decodes every image, fits it to a square, and writes the file once.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;

use crate::error::DataError;
use crate::prepare::cache::{Cache, Header, Options, SIZES, finish};
use crate::prepare::examine::{Examination, Looked, Progress, examine_each, look_at_all};
use crate::source::open::Source;
use crate::source::problem::Report;
use crate::source::reading::{Reading, SplitBy};
use crate::split;

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
    let reading = suffix(source.reading);
    let name = format!("{}-{size}-{fit:?}-{filter:?}-{print}{reading}.dermagan", source.name);
    default_folder().join(name.to_lowercase())
}

/// The part of a cache's name that says how its source was read: nothing for the default.
fn suffix(reading: Reading) -> String {
    let Reading { classes_from_folders, keep_synthetic, keep_odd, split } = reading;
    let chosen = [
        (classes_from_folders, "folders"),
        (keep_synthetic, "synthetic"),
        (keep_odd, "odd"),
        (split == SplitBy::Official, "official"),
        (split == SplitBy::Lesion, "lesion"),
    ];
    chosen.iter().filter(|(is, _)| *is).map(|(_, word)| format!("-{word}")).collect()
}

/// Makes the cache of `source` at `target`, unless a cache of the same source and options is there already.
/// A cache at `target` is replaced only by a complete one.
///
/// # Errors
/// [`DataError::Strict`] if `strict` is set and the source has any problem. [`DataError::Empty`] if no image is
/// usable. [`DataError::Option`] if the size is out of range, `target` is a file other than a cache, or the official
/// split was asked for and the source has none.
/// [`DataError::Io`] if the system refuses to read or write.
pub fn prepare(
    source: &Source,
    options: Options,
    target: &Path,
    strict: bool,
    progress: Progress<'_>,
) -> Result<PreparedCache, DataError> {
    let look = |give: Give<'_>| look_at_all(source, options, give);
    prepare_by(source, options, target, strict, look, progress)
}

/// Receives what was found about each image.
type Give<'a> = &'a mut dyn FnMut(Looked) -> Result<(), DataError>;

/// Refuses options that no cache of this source can have.
pub(super) fn check(source: &Source, options: Options) -> Result<(), DataError> {
    if !SIZES.contains(&options.size) {
        let (low, high) = (SIZES.start(), SIZES.end());
        return Err(DataError::Option(format!(
            "`size` = {}: expected {low} to {high}",
            options.size
        )));
    }
    if source.reading.split == SplitBy::Official && !split::has_official(&source.records) {
        return Err(DataError::Option(format!(
            "`split` = official: {} names no training part beside a validation or test part; expected folders, tables \
             or a column `split` that name them",
            source.path().display()
        )));
    }
    Ok(())
}

/// As [`prepare`]; `look` looks at every image in the order of the records.
pub(super) fn prepare_by(
    source: &Source,
    options: Options,
    target: &Path,
    strict: bool,
    look: impl FnOnce(Give<'_>) -> Result<(), DataError>,
    progress: Progress<'_>,
) -> Result<PreparedCache, DataError> {
    check(source, options)?;
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(PreparedCache { cache, reused: true }, strict);
    }
    refuse_to_overwrite(target)?;
    let mut pending = Pending::create(target).map_err(DataError::io(target))?;
    // Another process that held the lock may have made the same cache.
    if let Some(cache) = unchanged(source, options, target) {
        return strictly(PreparedCache { cache, reused: true }, strict);
    }
    let header = write_pixels(source, options, (pending.file(), target), look, progress)?;
    refuse_problems(&header.report, strict)?;
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
/// As [`prepare`], [`Source::open_with`] and [`Cache::open`].
pub fn open_or_prepare(
    spec: &str,
    options: Options,
    progress: Progress<'_>,
) -> Result<Cache, DataError> {
    open_or_prepare_with(spec, Reading::default(), options, progress)
}

/// As [`open_or_prepare`], and reads the source as the user asks. A cache must have been read so, too.
///
/// # Errors
/// As [`open_or_prepare`], and [`DataError::Option`] if a cache was read otherwise.
pub fn open_or_prepare_with(
    spec: &str,
    reading: Reading,
    options: Options,
    progress: Progress<'_>,
) -> Result<Cache, DataError> {
    let path = Path::new(spec);
    if path.is_file() && Cache::is_cache(path) {
        let cache = Cache::open(path)?;
        cache.check_reading(reading)?;
        return Ok(cache);
    }
    let source = Source::open_with(spec, reading)?;
    Ok(prepare(&source, options, &default_path(&source, options), false, progress)?.cache)
}

/// Refuses a source with this account if `strict` is set.
pub(super) fn refuse_problems(report: &Report, strict: bool) -> Result<(), DataError> {
    match strict && (report.left_out() > 0 || report.warnings() > 0) {
        true => Err(DataError::Strict(Box::new(report.clone()))),
        false => Ok(()),
    }
}

/// Refuses a cache with problems if `strict` is set.
fn strictly(prepared: PreparedCache, strict: bool) -> Result<PreparedCache, DataError> {
    refuse_problems(&prepared.cache.header().report, strict)?;
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
    let same = header.fingerprint == source.fingerprint
        && header.options == options
        && header.reading == source.reading;
    same.then_some(cache)
}

/// Decodes and fits every image, writes the pixels to `file`, and gives the header.
fn write_pixels(
    source: &Source,
    options: Options,
    (file, target): (&mut std::fs::File, &Path),
    look: impl FnOnce(Give<'_>) -> Result<(), DataError>,
    progress: Progress<'_>,
) -> Result<Header, DataError> {
    file.seek(SeekFrom::Start(Cache::pixels_offset())).map_err(DataError::io(target))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let Examination { kept, hashes, report } =
        examine_each(source, look, progress, &mut |pixels| {
            out.write_all(pixels).map_err(DataError::io(target))
        })?;
    out.flush().map_err(DataError::io(target))?;
    Ok(Header {
        name: source.name.clone(),
        kind: source.kind,
        fingerprint: source.fingerprint.clone(),
        options,
        reading: source.reading,
        classes: source.classes.clone(),
        records: kept.into_iter().map(|i| source.records[i].clone()).collect(),
        hashes,
        report,
    })
}
