//! A set of images without those that an audit calls copies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dermagan_base::{SettingError, atomic, producer};
use dermagan_eval::GeneratedImages;
use dermagan_generate::{KNOWN_GAPS, PASSPORT, PASSPORT_VERSION, USES_TO_AVOID};
use serde::Serialize;

use super::job::Audit;
use crate::error::TrustError;
use crate::{json, table};

/// What is known of a set of images that others made.
#[derive(Serialize)]
struct Passport<'a> {
    schema_version: u32,
    synthetic: bool,
    not_for_diagnosis: bool,
    tool: String,
    /// The images that were audited.
    source: &'a str,
    /// The number of images that the audit calls copies, and that are not in the set.
    dropped: usize,
    /// The number of images of each class.
    classes: BTreeMap<String, usize>,
    audit: AuditFacts<'a>,
    known_gaps: [&'static str; 2],
    licence: &'static str,
    uses_to_avoid: [&'static str; 4],
}

/// The audit that chose the images.
#[derive(Serialize)]
struct AuditFacts<'a> {
    /// The photographs.
    data: &'a str,
    /// The verdict on all images, copies among them.
    words: &'a str,
}

/// Writes the images of a folder, a zip or an array without the copies that an audit found into the new folder `out`, with
/// `passport.json` and a `metadata.csv` that names their classes. Files of a folder or zip keep their bytes and their places.
/// Returns the number of images. The table is written last: it marks the set as complete.
///
/// # Errors
/// [`TrustError::Setting`] if `out` exists, or the images come from a generator, whose seeds can be chosen instead;
/// [`TrustError::Io`] if the folder cannot be written.
pub fn write_without(
    fakes: &GeneratedImages,
    found: &Audit,
    out: &Path,
) -> Result<usize, TrustError> {
    let refuse = |problem: &str| SettingError::value("drop", out.display(), problem);
    if out.exists() {
        return Err(refuse("this exists; name a new folder").into());
    }
    let Some(count) = fakes.count() else {
        return Err(refuse("a generator has no set of images; choose its seeds").into());
    };
    let copies: BTreeSet<usize> = found.copies.iter().copied().collect();
    std::fs::create_dir_all(out).map_err(TrustError::io(out))?;
    let (mut rows, mut taken) = (Vec::new(), BTreeSet::new());
    for i in (0..count).filter(|i| !copies.contains(i)) {
        // What cannot be read was reported by the audit.
        let Some((name, bytes)) = file(fakes, i)? else { continue };
        let path = out.join(unused(&name, &mut taken));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(TrustError::io(folder))?;
        }
        atomic::write_unflushed(&path, &bytes).map_err(TrustError::io(&path))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let class = fakes.class(i).unwrap_or("unknown");
        rows.push(table::synthetic(String::new(), stem, class.to_owned()));
    }
    let mut classes = BTreeMap::new();
    for [_, _, class, ..] in &rows {
        *classes.entry(class.clone()).or_default() += 1;
    }
    let report = &found.report;
    let passport = Passport {
        schema_version: PASSPORT_VERSION,
        synthetic: true,
        not_for_diagnosis: true,
        tool: producer(),
        source: &report.fake,
        dropped: copies.len(),
        classes,
        audit: AuditFacts { data: &report.real, words: &report.words },
        known_gaps: KNOWN_GAPS,
        licence: "unknown; that of the images' source and of what their generator learnt from",
        uses_to_avoid: USES_TO_AVOID,
    };
    json::write(&out.join(PASSPORT), &passport)?;
    table::write(out, &rows)?;
    Ok(rows.len())
}

/// A path whose name without ending no earlier image has: a table names an image by it.
fn unused(path: &str, taken: &mut BTreeSet<String>) -> String {
    let (folder, name) =
        path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "png"));
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    let mut stems = std::iter::once(stem.to_owned()).chain(numbered);
    // Some systems take names that differ in case for the same.
    let stem = stems.find(|stem| taken.insert(stem.to_lowercase())).unwrap_or_default();
    match folder {
        Some(folder) => format!("{folder}/{stem}.{ending}"),
        None => format!("{stem}.{ending}"),
    }
}

/// The name and the bytes of an image's file; `None` if it cannot be read.
fn file(fakes: &GeneratedImages, i: usize) -> Result<Option<(String, Vec<u8>)>, TrustError> {
    if let GeneratedImages::Folder { folder, .. } = fakes {
        return Ok(folder.file(i).ok().map(|(path, bytes)| (path.to_owned(), bytes)));
    }
    let Some(Ok(image)) = fakes.images(&[i])?.pop() else { return Ok(None) };
    let words = "SYNTHETIC, not for diagnosis".to_owned();
    let png = image.to_png(&[("Software", producer()), ("Description", words)]);
    let png =
        png.map_err(|error| TrustError::Input(format!("image {i} cannot be encoded: {error}")))?;
    Ok(Some((format!("image{i:06}.png"), png)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_two_folders_get_names_of_their_own() {
        let mut taken = BTreeSet::new();
        let names =
            ["mel/1.png", "nv/1.png", "NV/1.jpg", "2.png"].map(|path| unused(path, &mut taken));
        assert_eq!(names, ["mel/1.png", "nv/1-2.png", "NV/1-3.jpg", "2.png"]);
    }
}
