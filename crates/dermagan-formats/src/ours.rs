//! What is there already: files that this crate wrote may be replaced, files of others may not.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::name::{OF_SYSTEMS, has_ending, start_of};
use zip::ZipArchive;

use crate::card::{CARD, MARK};
use crate::error::FormatError;
use crate::table::{HAM10000, TABLE};

/// The ending of a file that is not complete.
const PARTIAL: &str = ".partial";
/// How much of a file is read to know it, in bytes.
const READ: u64 = 1 << 12;
/// The number of characters of a name that an error repeats.
const SHOWN: usize = 80;

/// The file that describes a set whose card is not there yet. Programs that read folders pass over hidden files.
pub(crate) const UNFINISHED: &str = ".dermagan-unfinished";

/// The comment of a zip of this crate, which begins so.
pub(crate) const ZIP_COMMENT: &str = "Written by dermagan";
/// The program that a Parquet file of this crate names as its writer, which begins so.
pub(crate) const CREATED_BY: &str = "dermagan version ";
/// The owner that a tar of this crate names in every entry.
pub(crate) const TAR_OWNER: &str = "dermagan";
/// The beginning of the text of a PNG that this program made of a photograph. PNGs of generated images name the program
/// in the text `Software`.
pub(crate) const PREPARED: &str = "Prepared by dermagan";
/// The last column of every set, by which a table with all columns is known.
pub(crate) const PRODUCER: &str = "producer";

/// Refuses to replace a file that this crate did not write.
///
/// # Errors
/// When `out` is a folder or a file of others, or cannot be read.
pub(crate) fn check_file(out: &Path) -> Result<(), FormatError> {
    let refuse = |what: &str| {
        let problem = format!("{what}; name a new file");
        Err(SettingError::value("out", out.display(), problem).into())
    };
    match out.metadata() {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => refuse("this is a folder"),
        Ok(found) if !found.is_file() => refuse("this is not a regular file"),
        Ok(_) if is_own(out).map_err(FormatError::io(out))? => Ok(()),
        Ok(_) => refuse("there is a file of this name, which dermagan did not write as a set"),
    }
}

/// Refuses a folder with anything but files of an earlier call for the same set. `card` is the text of the set's card,
/// and `planned` says whether the set has a file or folder of this path in the folder.
///
/// # Errors
/// When the folder holds a file of others or of another set, or cannot be read.
pub(crate) fn check_folder(
    out: &Path,
    card: &str,
    planned: &dyn Fn(&str) -> bool,
) -> Result<(), FormatError> {
    match out.metadata() {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            let problem = "this is a file; the set is a folder: name a new one";
            return Err(SettingError::value("out", out.display(), problem).into());
        }
    }
    // Files belong to this set if a description of it lies beside them, of the set as complete or as unfinished.
    let mut same = false;
    for name in [CARD, UNFINISHED] {
        let Ok(text) = std::fs::read(out.join(name)) else { continue };
        if text != card.as_bytes() && has(&text, MARK.as_bytes()) {
            return Err(refuse(out, name, "the description of another set"));
        }
        same |= text == card.as_bytes();
    }
    let is_empty = |path: &str| out.join(path).metadata().is_ok_and(|found| found.len() == 0);
    look(out, "", &|path| match path.strip_suffix(PARTIAL) {
        // A call that was killed before it described the set leaves an empty one.
        Some(CARD) => same || is_empty(path),
        Some(UNFINISHED) => true,
        Some(whole) => same && planned(whole),
        None => path == CARD || path == UNFINISHED || same && planned(path),
    })
}

fn refuse(out: &Path, path: &str, what: &str) -> FormatError {
    let path = start_of(path, SHOWN);
    let problem = format!("it holds {path}, {what}; name a new or an empty folder");
    SettingError::value("out", out.display(), problem).into()
}

/// Looks at the files of one folder of the set. `expected` says whether the set has a file of this path.
fn look(out: &Path, below: &str, expected: &dyn Fn(&str) -> bool) -> Result<(), FormatError> {
    let folder = out.join(below);
    let entries = std::fs::read_dir(&folder).map_err(FormatError::io(&folder))?;
    let entries: Result<Vec<_>, _> = entries.collect();
    let mut files: Vec<_> =
        entries.map_err(FormatError::io(&folder))?.into_iter().map(|e| e.path()).collect();
    // The same file is named in the error each time.
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = file.symlink_metadata().map_err(FormatError::io(&file))?.file_type();
        if OF_SYSTEMS.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() && below.is_empty() && expected(&path) {
            look(out, &path, expected)?;
            continue;
        }
        // A call that was killed leaves a file that it did not finish. Its bytes are of no use.
        if !kind.is_dir() && path.ends_with(PARTIAL) && expected(&path) {
            continue;
        }
        if !kind.is_file() || !is_own(&file).map_err(FormatError::io(&file))? {
            return Err(refuse(out, &path, "which dermagan did not write"));
        }
        if !expected(&path) {
            return Err(refuse(out, &path, "which is not part of this set"));
        }
    }
    Ok(())
}

/// Whether this program wrote a file, by its content; true for an empty one, which holds nothing that could be lost.
fn is_own(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    file.by_ref().take(READ).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let mut end = Vec::new();
    file.by_ref().take(READ).read_to_end(&mut end)?;
    Ok(match &start[..] {
        [] => true,
        [b'P', b'K', ..] => {
            ZipArchive::new(file).is_ok_and(|zip| zip.comment().starts_with(ZIP_COMMENT.as_bytes()))
        }
        [b'P', b'A', b'R', b'1', ..] => has(&end, CREATED_BY.as_bytes()),
        [0x89, b'P', b'N', b'G', ..] => {
            has(&start, b"Software\0dermagan") || has(&start, PREPARED.as_bytes())
        }
        _ if path.ends_with(CARD) || path.ends_with(UNFINISHED) => has(&start, MARK.as_bytes()),
        _ if has_ending(path, "tar") => is_own_tar(&start),
        _ => path.ends_with(TABLE) && is_own_table(path, &start),
    })
}

/// Whether a tar begins with an entry of this program. Offsets of the header of
/// [USTAR](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html).
fn is_own_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar")
        && start.get(265..265 + TAR_OWNER.len() + 1) == Some(format!("{TAR_OWNER}\0").as_bytes())
}

/// Whether this crate wrote a table. One in HAM10000's columns has no mark of its own: the first image that it names lies
/// beside it, and has one.
fn is_own_table(path: &Path, start: &[u8]) -> bool {
    let mut rows = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(start);
    let mut rows = rows.records().flatten();
    let Some(header) = rows.next() else { return false };
    if header.get(0) == Some("file_name") && header.iter().next_back() == Some(PRODUCER) {
        return true;
    }
    let image = rows.next().and_then(|row| row.get(1).map(|id| format!("{id}.png")));
    let is_own_image = |image: String| is_own(&path.with_file_name(image)).unwrap_or(false);
    header.iter().eq(HAM10000) && image.is_some_and(is_own_image)
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
