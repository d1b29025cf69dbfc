//! A folder of images that somebody's program made: nothing is known but what the names and a
//! `metadata.csv` say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use dermagan_base::image::Image;
use rayon::prelude::*;

use crate::class_folders::class_of;
use crate::decode::decode;
use crate::description::ham_codes;
use crate::error::DataError;
use crate::fit::{Fit, to_square};
use crate::resize::Filter;

/// The most images of one folder.
const MAX_FILES: usize = 10_000_000;
/// The largest file that is read as an image, and the largest table.
const MAX_BYTES: u64 = 256 << 20;
/// Name endings of images.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "gif"];

/// Images in a folder, or in a folder per class, in the order of their names.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    path: PathBuf,
    /// Files, each with its class's code where one is known.
    files: Vec<(PathBuf, Option<String>)>,
    /// Why `metadata.csv` was of no use, if it was there and was not.
    note: Option<String>,
}

impl ImageFolder {
    /// Lists a folder. An image's class is what `metadata.csv` says under `dx`, else the name of
    /// the folder that it lies in, below the one that was named.
    ///
    /// # Errors
    /// When it cannot be read or holds no image. A table that cannot be used is a
    /// [`ImageFolder::note`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut files = Vec::new();
        let (table, note) = match classes_of(&path.join("metadata.csv")) {
            Ok(table) => (table, None),
            Err(error) => (BTreeMap::new(), Some(error.to_string())),
        };
        let labelled = |file: &Path| -> Option<String> {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            known(table.get(&stem).or_else(|| table.get(&name_of(file)))?)
        };
        for entry in entries(path)? {
            if entry.is_dir() {
                let class = known(&name_of(&entry));
                for file in entries(&entry)?.into_iter().filter(|f| is_image(f)) {
                    let class = labelled(&file).or_else(|| class.clone());
                    files.push((file, class));
                }
            } else if is_image(&entry) {
                let class = labelled(&entry);
                files.push((entry, class));
            }
            if files.len() > MAX_FILES {
                let what = format!("more than {MAX_FILES} images");
                return Err(DataError::bad(path.display().to_string(), what));
            }
        }
        if files.is_empty() {
            return Err(DataError::bad(
                path.display().to_string(),
                "no images in it; expected .png files, here or in one folder a class",
            ));
        }
        Ok(Self { path: path.to_owned(), files, note })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none; never after [`ImageFolder::open`].
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The code of an image's class, if it is known.
    pub fn class(&self, i: usize) -> Option<&str> {
        self.files[i].1.as_deref()
    }

    /// How many of the files are JPEGs, whose compression shows in every feature.
    pub fn jpegs(&self) -> usize {
        let is_jpeg = |file: &Path| {
            file.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"))
        };
        self.files.iter().filter(|(file, _)| is_jpeg(file)).count()
    }

    /// Why the folder's `metadata.csv` was not used, if there is one.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Width and height of the first image.
    ///
    /// # Errors
    /// When it is none.
    pub fn first_size(&self) -> Result<(u32, u32), DataError> {
        let large = Mutex::new(());
        Ok(decoded(&self.files[0].0, &large)?.dimensions())
    }

    /// Decodes some images, in the order asked for, and makes them squares as
    /// [`Fit::Crop`](crate::Fit) does real photographs: at once, so that large ones are not held.
    ///
    /// # Errors
    /// Names the first that is no image: a set with a hole is not the set that was named.
    pub fn read(&self, wanted: &[usize], side: usize) -> Result<Vec<Image>, DataError> {
        let large = Mutex::new(());
        let read = |i: &usize| {
            let path = &self.files[*i].0;
            let bad = |e: String| DataError::bad(path.display().to_string(), e);
            let size = u32::try_from(side).map_err(|e| bad(e.to_string()))?;
            let image = decoded(path, &large)?;
            let pixels = to_square(&image, size, Fit::Crop, Filter::Lanczos).map_err(bad)?;
            Ok(Image { width: side, height: side, pixels })
        };
        wanted.par_iter().map(read).collect()
    }
}

fn decoded(path: &Path, large: &Mutex<()>) -> Result<image::RgbImage, DataError> {
    let length = std::fs::metadata(path).map_err(DataError::io(path))?.len();
    let place = path.display().to_string();
    if length > MAX_BYTES {
        let what = format!("{length} bytes, more than the {MAX_BYTES} that an image may have");
        return Err(DataError::bad(place, what));
    }
    let bytes = std::fs::read(path).map_err(DataError::io(path))?;
    let decoded = decode(&place, &bytes, large)
        .map_err(|problem| DataError::bad(problem.place, "not an image that can be read"))?;
    Ok(decoded.image)
}

/// What a folder holds, by name; hidden files are not looked at.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        if !name_of(&path).starts_with('.') {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            let what = format!("more than {MAX_FILES} files");
            return Err(DataError::bad(folder.display().to_string(), what));
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str()) && path.is_file()
}

/// A class's code in HAM10000's spelling where it is one of its classes, `None` for none.
fn known(class: &str) -> Option<String> {
    let class = class.trim();
    if class.is_empty() || class.eq_ignore_ascii_case("unknown") {
        return None;
    }
    let code = class_of(class).and_then(|i| ham_codes().get(i).cloned());
    Some(code.unwrap_or_else(|| class.to_owned()))
}

/// Classes by image id, from a table; empty where there is none.
fn classes_of(table: &Path) -> Result<BTreeMap<String, String>, DataError> {
    if !table.is_file() {
        return Ok(BTreeMap::new());
    }
    let place = table.display().to_string();
    let length = std::fs::metadata(table).map_err(DataError::io(table))?.len();
    if length > MAX_BYTES {
        return Err(DataError::bad(place, format!("a table of {length} bytes")));
    }
    let bad = |e: csv::Error| DataError::bad(place.clone(), format!("not a table ({e})"));
    let mut reader = csv::ReaderBuilder::new().from_path(table).map_err(bad)?;
    let header = reader.byte_headers().map_err(bad)?.clone();
    let column = |names: &[&str]| {
        header.iter().position(|cell| {
            let cell = String::from_utf8_lossy(cell);
            names.iter().any(|n| cell.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(n))
        })
    };
    let (Some(id), Some(class)) = (
        column(&["image_id", "image", "file", "filename", "file_name"]),
        column(&["dx", "class", "label"]),
    ) else {
        return Err(DataError::bad(
            place,
            "expected the columns image_id and dx, as `dermagan sample` writes them",
        ));
    };
    let mut classes = BTreeMap::new();
    for row in reader.byte_records() {
        let row = row.map_err(bad)?;
        let cell = |i: usize| String::from_utf8_lossy(row.get(i).unwrap_or_default()).into_owned();
        let (image, class) = (cell(id).trim().to_owned(), cell(class));
        if let Some(before) = classes.insert(image.clone(), class.clone())
            && before != class
        {
            let what = format!("image {image:?} is of class {before:?} and of class {class:?}");
            return Err(DataError::bad(place, what));
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, side: usize) {
        let image = Image::filled(side, side, [200, 150, 120]);
        std::fs::write(path, image.to_png(&[]).unwrap()).unwrap();
    }

    #[test]
    fn a_folder_gives_its_images_by_name_with_the_classes_of_its_table() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.png", "c.png"] {
            png(&folder.path().join(name), 8);
        }
        std::fs::write(folder.path().join("notes.txt"), "no image").unwrap();
        let table = "lesion_id,image_id,dx\nL1,a,MEL\nL2,b,unknown\n";
        std::fs::write(folder.path().join("metadata.csv"), table).unwrap();
        let found = ImageFolder::open(folder.path()).unwrap();
        assert_eq!(found.len(), 3);
        let classes: Vec<_> = (0..3).map(|i| found.class(i)).collect();
        assert_eq!(classes, [Some("mel"), None, None]);
        assert_eq!(found.read(&[2, 0], 6).unwrap()[1].width, 6);
        assert_eq!(found.first_size().unwrap(), (8, 8));
    }

    #[test]
    fn folders_below_it_are_classes_and_a_broken_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("nv")).unwrap();
        png(&folder.path().join("nv/1.png"), 4);
        std::fs::write(folder.path().join("nv/2.png"), b"\x89PNG\r\n\x1a\n and no more").unwrap();
        let found = ImageFolder::open(folder.path()).unwrap();
        assert_eq!((found.len(), found.class(0)), (2, Some("nv")));
        let error = found.read(&[0, 1], 4).unwrap_err().to_string();
        assert!(error.contains("2.png"), "{error}");
    }

    #[test]
    fn an_empty_folder_is_an_error_and_a_table_without_its_columns_a_note() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ImageFolder::open(folder.path()).is_err());
        png(&folder.path().join("a.png"), 4);
        let twice = "image_id,dx\n1,nv\n1,mel\n";
        std::fs::write(folder.path().join("metadata.csv"), twice).unwrap();
        let found = ImageFolder::open(folder.path()).unwrap();
        assert!(found.note().unwrap().contains("of class"), "{:?}", found.note());
        std::fs::write(folder.path().join("metadata.csv"), "this,that\n1,2\n").unwrap();
        let found = ImageFolder::open(folder.path()).unwrap();
        assert!(found.note().unwrap().contains("image_id"), "{found:?}");
    }
}
