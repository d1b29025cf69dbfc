//! A set of images without those that an audit calls copies.

use std::collections::BTreeSet;
use std::path::Path;

use dermagan_base::{SettingError, atomic, producer};
use dermagan_eval::GeneratedImages;

use crate::error::TrustError;
use crate::table;

/// Writes the images of a folder, a zip or an array without those of the indices `copies` into the new folder `out`, with a
/// `metadata.csv` that names their classes. Files of a folder or zip keep their bytes and their places. Returns the number of
/// images. The table is written last: it marks the set as complete.
///
/// # Errors
/// [`TrustError::Setting`] if `out` exists, or the images come from a generator, whose seeds can be chosen instead;
/// [`TrustError::Io`] if the folder cannot be written.
pub fn write_without(
    fakes: &GeneratedImages,
    copies: &[usize],
    out: &Path,
) -> Result<usize, TrustError> {
    let refuse = |problem: &str| SettingError::value("drop", out.display(), problem);
    if out.exists() {
        return Err(refuse("this exists; name a new folder").into());
    }
    let Some(count) = fakes.count() else {
        return Err(refuse("a generator has no set of images; choose its seeds").into());
    };
    let copies: BTreeSet<usize> = copies.iter().copied().collect();
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
