//! A folder or zip of generated images, whose only metadata are file names, folder names and a `metadata.csv`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use dermagan_base::image::Image;
use image::RgbImage;
use rayon::prelude::*;

use crate::error::DataError;
use crate::prepare::fit::{Fit, to_square};
use crate::prepare::resize::Filter;
use crate::source::class_folders::class_of;
use crate::source::description::ham_codes;
use crate::source::entry::{Entry, is_image_name, is_jpeg_name};
use crate::source::pixels::decode_entry;
use crate::source::tables::table::Table;
use crate::source::tree::Tree;

/// Name of the table with the classes.
const TABLE: &str = "metadata.csv";

/// Largest number of rows of that table.
const MAX_ROWS: usize = 10_000_000;

/// Images in a folder or zip, or in one folder per class inside it, ordered by name.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    tree: Tree,
    /// Each image: the index of its entry in the tree, and its class code if it is known.
    files: Vec<(usize, Option<String>)>,
    /// Why `metadata.csv` was not used, if it exists and was not.
    note: Option<String>,
}

impl ImageFolder {
    /// Lists a folder or a zip: the images at its top and those in its folders, not deeper. If all files of a zip
    /// are in one folder that is not named after a class of HAM10000, that folder is the top.
    ///
    /// An image's class is the value in the column `dx` (or `class`, or `label`) of `metadata.csv`, else the name
    /// of the folder that holds the image, unless that is the folder or zip itself. A training run's folder inside
    /// is left out, and so is a zip inside.
    ///
    /// # Errors
    /// [`DataError::NotFound`] if nothing is at the path. [`DataError::Bad`] if there is no image, a file is not a
    /// readable zip, or a zip has an entry that cannot be read. [`DataError::Io`] if the system refuses to read.
    /// A table that cannot be used is not an error, but an [`ImageFolder::note`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut tree = Tree::list(path, 1)?;
        if !path.is_dir() {
            if let Some(problem) = tree.problems.first() {
                let place = format!("{}/{}", path.display(), problem.place);
                return Err(DataError::bad(place, problem.kind.describe()));
            }
            enter_common_folder(&mut tree);
        }
        // Ordered by folder and then by name, so that the images of a folder are adjacent.
        tree.entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        let (labels, note) = match labels_of(&tree) {
            Ok(labels) => (labels, None),
            Err(what) => (BTreeMap::new(), Some(format!("{}/{TABLE}: {what}", path.display()))),
        };
        let class = |entry: &Entry| {
            let label = labels.get(entry.stem()).or_else(|| labels.get(entry.name()));
            label.and_then(|label| known(label)).or_else(|| known(entry.folder()?))
        };
        let files: Vec<(usize, Option<String>)> = (0..)
            .zip(&tree.entries)
            .filter(|(_, entry)| entry.path.split('/').count() <= 2 && is_image_name(entry.name()))
            .map(|(i, entry)| (i, class(entry)))
            .collect();
        if files.is_empty() {
            return Err(DataError::bad(
                path.display().to_string(),
                "there are no images in it; expected image files such as .png, directly in it or in one folder \
                 per class",
            ));
        }
        Ok(Self { tree, files, note })
    }

    /// The folder or zip.
    pub fn path(&self) -> &Path {
        &self.tree.root
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no image; never true after [`ImageFolder::open`].
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The class code of image `i`, if it is known.
    ///
    /// # Panics
    /// If `i` is not less than [`ImageFolder::len`].
    pub fn class(&self, i: usize) -> Option<&str> {
        self.files[i].1.as_deref()
    }

    /// Number of images that are JPEGs by name. Their compression is visible in every feature.
    pub fn jpegs(&self) -> usize {
        self.files.iter().filter(|(file, _)| is_jpeg_name(self.tree.entries[*file].name())).count()
    }

    /// Why `metadata.csv` was not used, if it exists and was not.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Width and height of the first image, in pixels.
    ///
    /// # Errors
    /// [`DataError::Bad`] if the image cannot be decoded.
    pub fn first_size(&self) -> Result<(u32, u32), DataError> {
        Ok(self.decoded(0, &Mutex::new(()))?.dimensions())
    }

    /// Decodes the images `wanted`, in this order, and resizes each to a square of `side` pixels with
    /// [`Fit::Crop`] and [`Filter::Lanczos`], as real photographs are. Each image is resized at once, so that
    /// large ones do not stay in memory.
    ///
    /// # Errors
    /// [`DataError::Bad`] names the first image that cannot be decoded: a set with a missing image is not the set
    /// that was asked for.
    ///
    /// # Panics
    /// If an index is not less than [`ImageFolder::len`].
    pub fn read(&self, wanted: &[usize], side: usize) -> Result<Vec<Image>, DataError> {
        let large = Mutex::new(());
        let read = |i: &usize| {
            let bad = |e: String| DataError::bad(self.place(&self.entry(*i).path), e);
            let size = u32::try_from(side).map_err(|e| bad(e.to_string()))?;
            let image = self.decoded(*i, &large)?;
            let pixels = to_square(&image, size, Fit::Crop, Filter::Lanczos).map_err(bad)?;
            Ok(Image { width: side, height: side, pixels })
        };
        wanted.par_iter().map(read).collect()
    }

    fn entry(&self, i: usize) -> &Entry {
        &self.tree.entries[self.files[i].0]
    }

    /// A path inside the folder or zip, for an error.
    fn place(&self, path: &str) -> String {
        format!("{}/{path}", self.tree.root.display())
    }

    fn decoded(&self, i: usize, large: &Mutex<()>) -> Result<RgbImage, DataError> {
        let decoded = decode_entry(&self.tree, self.entry(i), large).map_err(|problem| {
            let what = format!("not an image that can be read: {}", problem.kind.describe());
            DataError::bad(self.place(&problem.place), what)
        })?;
        Ok(decoded.image)
    }
}

/// Removes the first folder of every path, as long as all files are in one folder that is not named after a class
/// of HAM10000: archivers often put the folder itself into the zip.
fn enter_common_folder(tree: &mut Tree) {
    while let Some(folder) = common_folder(tree).filter(|folder| class_of(folder).is_none()) {
        for entry in &mut tree.entries {
            entry.path.drain(..=folder.len());
        }
    }
}

/// The folder at the top that holds all files, if there is one.
fn common_folder(tree: &Tree) -> Option<String> {
    let folder = tree.entries.first()?.path.split_once('/')?.0;
    let inside = |entry: &Entry| entry.path.split_once('/').is_some_and(|(top, _)| top == folder);
    tree.entries.iter().all(inside).then(|| folder.to_owned())
}

/// A class code in HAM10000's spelling if it is one of HAM10000's classes; `None` if the class is not known.
fn known(class: &str) -> Option<String> {
    let class = class.trim();
    if class.is_empty() || class.eq_ignore_ascii_case("unknown") {
        return None;
    }
    let code = class_of(class).and_then(|i| ham_codes().get(i).cloned());
    Some(code.unwrap_or_else(|| class.to_owned()))
}

/// Class by image id or file name, from the table at the top; empty if there is no table.
///
/// # Errors
/// If the table cannot be read or lacks a column.
fn labels_of(tree: &Tree) -> Result<BTreeMap<String, String>, String> {
    let Some(table) = tree.entries.iter().find(|entry| entry.path == TABLE) else {
        return Ok(BTreeMap::new());
    };
    let bytes = tree.read(table).map_err(|problem| problem.kind.describe())?;
    Table::read(TABLE, &bytes, MAX_ROWS)?.class_labels()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, side: usize) {
        let image = Image::filled(side, side, [200, 150, 120]);
        std::fs::write(path, image.to_png(&[]).unwrap()).unwrap();
    }

    #[test]
    fn the_images_of_a_folder_are_ordered_by_name_and_labelled_by_its_table() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.png", "c.png"] {
            png(&folder.path().join(name), 8);
        }
        std::fs::write(folder.path().join("notes.txt"), "not an image").unwrap();
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
    fn folders_inside_are_classes_and_a_damaged_image_is_named() {
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
    fn an_empty_folder_is_an_error_and_an_unusable_table_is_a_note() {
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

    /// A zip of files in memory.
    fn zip(path: &Path, files: &[(&str, &[u8])]) {
        let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
        for (name, bytes) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut writer, bytes).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn a_zip_is_read_like_the_folder_that_it_was_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fakes.zip");
        let image = Image::filled(8, 8, [200, 150, 120]).to_png(&[]).unwrap();
        let table = b"image_id,class\nb,Melanoma\n".as_slice();
        let files = [
            ("fakes/metadata.csv", table),
            ("fakes/nv/a.png", &image),
            ("fakes/nv/deeper/c.png", &image),
            ("fakes/b.png", &image),
        ];
        zip(&path, &files);
        let found = ImageFolder::open(&path).unwrap();
        let classes: Vec<_> = (0..found.len()).map(|i| found.class(i)).collect();
        assert_eq!(classes, [Some("mel"), Some("nv")]);
        assert_eq!((found.note(), found.path()), (None, path.as_path()));
        assert_eq!(found.read(&[0], 6).unwrap()[0].width, 6);
        // One folder named after a class is a class.
        zip(&path, &[("nv/a.png", &image), ("nv/b.jfif", b"\xff\xd8")]);
        let found = ImageFolder::open(&path).unwrap();
        assert_eq!((found.len(), found.class(0), found.jpegs()), (2, Some("nv"), 1));
        let error = found.read(&[0, 1], 6).unwrap_err().to_string();
        assert!(error.contains("fakes.zip/nv/b.jfif"), "{error}");
    }

    #[test]
    fn images_are_ordered_folder_by_folder_and_zips_and_deeper_folders_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "a-b", "a/deeper"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["a/1.png", "a-b/2.png", "a/deeper/3.png", "b.png"] {
            png(&folder.path().join(name), 4);
        }
        let image = Image::filled(4, 4, [0; 3]).to_png(&[]).unwrap();
        zip(&folder.path().join("c.zip"), &[("4.png", &image)]);
        let found = ImageFolder::open(folder.path()).unwrap();
        let classes: Vec<_> = (0..found.len()).map(|i| found.class(i)).collect();
        assert_eq!(classes, [Some("a"), Some("a-b"), None]);
    }
}
