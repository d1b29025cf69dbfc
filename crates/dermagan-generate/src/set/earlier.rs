//! What an earlier call left: images that need not be made again, and files of others, which must not be touched.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_base::name::{OF_SYSTEMS, start_of};
use dermagan_formats::HAM10000;
use rayon::prelude::*;

use crate::error::GenerateError;
use crate::provenance::MODEL;
use crate::set::passport::{self, PASSPORT};

/// The table of a folder of images.
pub(crate) const TABLE: &str = "metadata.csv";
/// The kind of diagnosis that the table states for every image.
pub(crate) const SYNTHETIC: &str = "synthetic";
/// The ending of a file that is not complete.
const PARTIAL: &str = ".partial";
/// The largest PNG file of a folder that is read, in bytes. One of 128×128 pixels has 50,000.
const MAX_IMAGE: u64 = 1 << 20;
/// The number of bytes at the start of a GIF that hold its comment.
const GIF_START: u64 = 1 << 16;
/// The number of characters of a name that an error repeats.
const SHOWN: usize = 80;

/// The image that a file of a folder should be.
pub(crate) struct Expected {
    /// Its text chunks.
    pub(crate) text: BTreeMap<String, String>,
    /// Its side in pixels.
    pub(crate) side: usize,
}

/// The id of an image in the table, which begins with that of its model.
pub(crate) fn lesion_id(model: &str, image: &str) -> String {
    let prefix: String = model.chars().take(8).collect();
    format!("SYN_{prefix}_{image}")
}

/// Looks at a folder before anything is written. `expected` gives the image of a file's stem, or `None` if the set has no
/// such image; `model` is the hash of the model. Returns the stems of the images that are there already, whole and as they
/// would be made again.
///
/// # Errors
/// When the folder holds a file that is not of this set, or cannot be read.
pub(crate) fn look(
    folder: &Path,
    model: &str,
    expected: &(dyn Fn(&str) -> Option<Expected> + Sync),
) -> Result<HashSet<String>, GenerateError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(GenerateError::io(folder)(error)),
    };
    let entries: Result<Vec<_>, _> = entries.collect();
    let mut files: Vec<PathBuf> =
        entries.map_err(GenerateError::io(folder))?.into_iter().map(|entry| entry.path()).collect();
    // The same file is named in the error each time.
    files.sort();
    let stems: Result<Vec<Option<String>>, GenerateError> =
        files.par_iter().map(|file| look_at(folder, file, model, expected)).collect();
    Ok(stems?.into_iter().flatten().collect())
}

/// Looks at one file of a folder. Returns its stem if it is an image that can stay.
fn look_at(
    folder: &Path,
    file: &Path,
    model: &str,
    expected: &(dyn Fn(&str) -> Option<Expected> + Sync),
) -> Result<Option<String>, GenerateError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let refuse = |what: &str| {
        let problem =
            format!("it holds {}, {what}; name a new or an empty folder", start_of(&name, SHOWN));
        Err(SettingError::value("out", folder.display(), problem).into())
    };
    const FOREIGN: &str = "which dermagan did not write";
    const OTHER: &str = "which is not part of this set";
    if OF_SYSTEMS.contains(&name.as_str()) {
        return Ok(None);
    }
    if let Some(name) = name.strip_suffix(PARTIAL) {
        // A call that was killed leaves a file that it did not finish. Its bytes are of no use. A link of that name is
        // replaced, and not followed.
        let ours = match name.strip_suffix(".png") {
            Some(stem) => expected(stem).is_some(),
            None if name == PASSPORT => true,
            None => name == TABLE && is_start_of_table(file).map_err(GenerateError::io(file))?,
        };
        return if ours { Ok(None) } else { refuse(FOREIGN) };
    }
    if !file.symlink_metadata().map_err(GenerateError::io(file))?.is_file() {
        return refuse(FOREIGN);
    }
    if name == TABLE {
        return match table_of(file) {
            Some(of) if of.is_empty() || of == lesion_id(model, "") => Ok(None),
            Some(_) => refuse("the table of images of another model"),
            None => refuse(FOREIGN),
        };
    }
    if name == PASSPORT {
        return match passport::generator_of(file) {
            Some(of) if of.is_empty() || of == model => Ok(None),
            Some(_) => refuse("the passport of images of another model"),
            None => refuse(FOREIGN),
        };
    }
    let Some(stem) = name.strip_suffix(".png") else { return refuse(FOREIGN) };
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_IMAGE).read_to_end(&mut bytes));
    read.map_err(GenerateError::io(file))?;
    let expected = expected(stem);
    // A power cut empties files that were not yet on the disk.
    if expected.is_some() && bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let text = text_of(Cursor::new(&bytes)).unwrap_or_default();
    let Some(of) = text.get(MODEL) else { return refuse(FOREIGN) };
    let Some(expected) = expected else { return refuse(OTHER) };
    if of != model {
        return refuse("an image of another model");
    }
    for key in ["dermagan:psi", "dermagan:seed", "dermagan:class"] {
        if text.get(key) != expected.text.get(key) {
            let was = text.get(key).map_or("none", String::as_str);
            let key = key.trim_start_matches("dermagan:");
            return refuse(&format!("an image of another {key} ({})", start_of(was, SHOWN)));
        }
    }
    let same = text == expected.text && is_whole(&bytes, expected.side);
    Ok(same.then(|| stem.to_owned()))
}

/// The beginning of the lesion ids in a table that this crate wrote, such as `SYN_0123abcd_`; empty if the table has no
/// rows. `None` for any other file.
fn table_of(file: &Path) -> Option<String> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(file).ok()?;
    let mut rows = rows.records();
    if !rows.next()?.ok()?.iter().eq(HAM10000) {
        return None;
    }
    let mut of = String::new();
    for row in rows {
        let row = row.ok()?;
        let prefix = row.get(0)?.strip_suffix(row.get(1)?)?;
        let hash = prefix.strip_prefix("SYN_")?.strip_suffix('_')?;
        let is_hash = hash.len() == 8 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
        if !is_hash || row.get(3)? != SYNTHETIC || !(of.is_empty() || of == prefix) {
            return None;
        }
        of = prefix.to_owned();
    }
    Some(of)
}

/// Whether a file is the beginning of a table of this crate.
fn is_start_of_table(file: &Path) -> std::io::Result<bool> {
    let header = HAM10000.join(",") + "\n";
    let mut start = Vec::new();
    File::open(file)?.take(header.len() as u64).read_to_end(&mut start)?;
    Ok(header.as_bytes().starts_with(&start))
}

/// The text chunks of a PNG before its pixels; `None` if it is no PNG.
fn text_of(png: impl std::io::BufRead + std::io::Seek) -> Option<BTreeMap<String, String>> {
    let reader = png::Decoder::new(png).read_info().ok()?;
    let info = reader.info();
    let ascii = info.uncompressed_latin1_text.iter().map(|t| (t.keyword.clone(), t.text.clone()));
    let other = info.utf8_text.iter().filter_map(|t| Some((t.keyword.clone(), t.get_text().ok()?)));
    Some(ascii.chain(other).collect())
}

/// Whether a PNG can be decoded to the end and has this side in pixels.
fn is_whole(bytes: &[u8], side: usize) -> bool {
    let Ok(mut reader) = png::Decoder::new(Cursor::new(bytes)).read_info() else { return false };
    let size = reader.info().size();
    let mut pixels = vec![0; side * side * 3];
    size == (side as u32, side as u32)
        && reader.output_buffer_size() == Some(pixels.len())
        && reader.next_frame(&mut pixels).is_ok()
        && reader.finish().is_ok()
}

/// Refuses to replace a file that this crate did not write.
///
/// # Errors
/// When `out` is a folder, or a file without the text of a generated image.
pub(crate) fn check_file(out: &Path) -> Result<(), GenerateError> {
    let refuse = |what: &str| {
        let problem = format!("{what}; name a new file");
        Err(SettingError::value("out", out.display(), problem).into())
    };
    match out.metadata() {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => refuse("this is a folder"),
        Ok(_) if is_generated(out).map_err(GenerateError::io(out))? => Ok(()),
        Ok(_) => refuse("there is a file of this name, which dermagan did not write"),
    }
}

/// Whether a file is a PNG that dermagan wrote, by its text `Software`, or is empty. False if it cannot be read.
pub fn is_own_png(file: &Path) -> bool {
    let own = |text: BTreeMap<String, String>| {
        text.get("Software").is_some_and(|s| s.starts_with("dermagan"))
    };
    let is_empty = file.metadata().is_ok_and(|found| found.is_file() && found.len() == 0);
    is_empty
        || File::open(file).ok().and_then(|file| text_of(BufReader::new(file))).is_some_and(own)
}

/// Whether a file is a PNG or a GIF of generated images, by the text that dermagan writes into it, or is empty.
///
/// # Errors
/// When it cannot be read.
pub fn is_generated(file: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    File::open(file)?.take(GIF_START).read_to_end(&mut start)?;
    let comment = format!("{MODEL}: ");
    let gif = start.starts_with(b"GIF8");
    if gif && start.windows(comment.len()).any(|window| window == comment.as_bytes()) {
        return Ok(true);
    }
    let text = text_of(BufReader::new(File::open(file)?));
    // An empty file holds nothing that could be lost.
    Ok(start.is_empty() || text.is_some_and(|text| text.contains_key(MODEL)))
}
