//! A folder or zip of generated images, whose only metadata are file names, folder names and a `metadata.csv`.

use std::path::Path;
use std::sync::Mutex;

use dermagan_base::hex;
use dermagan_base::image::Image;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::prepare::fit::{Fit, to_square};
use crate::prepare::resize::Filter;
use crate::samples::common_size::{SizeCount, UsedSizes, sizes};
use crate::samples::header::{ImageHeader, look};
use crate::samples::labels::{class_of, known, labels_of};
use crate::samples::left_out::LeftOut;
use crate::samples::run_files::{grids_and_plots, is_run, runs_in};
use crate::source::entry::{Entry, is_jpeg_name};
use crate::source::labels::is_structure;
use crate::source::pixels::decode_entry;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::tree::Tree;

/// Why an image in a folder of a folder is left out.
const DEEPER: &str = "image deeper than one folder";

/// Images in a folder or zip, or in one folder per class inside it, ordered by name.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    tree: Tree,
    files: Vec<ImageFile>,
    found: usize,
    left_out: Vec<LeftOut>,
    sizes: Vec<SizeCount>,
    /// Why the labels were not used, if there are any and they were not.
    note: Option<String>,
}

/// One image that is used.
#[derive(Clone, Debug)]
struct ImageFile {
    /// The index of its entry in the tree.
    entry: usize,
    header: ImageHeader,
    /// The class code, if it is known.
    class: Option<String>,
}

impl ImageFolder {
    /// Lists a folder or a zip and reads the headers of its images: those at its top and those in its folders, not
    /// deeper. If all files of a zip are in one folder that is not named after a class of HAM10000, that folder is the
    /// top.
    ///
    /// Images of another size than the most common one are left out, and so are files whose header is not that of an
    /// image, images in deeper folders, and the grids and plots of a training run. If the sizes are as different as those
    /// of photographs, all are used except thumbnails. [`ImageFolder::left_out`] counts them.
    ///
    /// An image's class is the value in the column `dx` (or `class`, or `label`) of `metadata.csv`, else the name
    /// of the folder that holds the image, unless that is the folder or zip itself, or a number. A training run's folder
    /// inside is left out, and so is a zip inside.
    ///
    /// # Errors
    /// [`DataError::NotFound`] if nothing is at the path. [`DataError::Bad`] if no image is left, or a file is not a
    /// readable zip. [`DataError::Io`] if the system refuses to read. A table that cannot be used is not an error, but a
    /// note ([`ImageFolder::notes`]).
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut left_out = Vec::new();
        let mut tree = match Tree::list(path, usize::MAX) {
            Ok(tree) => tree,
            // A deep folder may be closed to this user. Its images would not be used.
            Err(DataError::Io { path: closed, error }) => {
                let tree = Tree::list(path, 1)?;
                let place = format!("{} ({error})", closed.display());
                LeftOut::add(&mut left_out, "folder that cannot be read", place);
                tree
            }
            Err(error) => return Err(error),
        };
        if !path.is_dir() {
            enter_common_folder(&mut tree);
        }
        // Ordered by folder and then by name, so that the images of a folder are adjacent.
        tree.entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        tree.problems.iter().for_each(|problem| LeftOut::add_problem(&mut left_out, problem));
        if path.is_dir() && tree.problems.iter().all(|p| p.kind != ProblemKind::RunFolder) {
            for run in runs_in(path) {
                LeftOut::add(&mut left_out, ProblemKind::RunFolder.describe(), run);
            }
        }
        for entry in tree.entries.iter().filter(|entry| entry.extension() == "zip") {
            LeftOut::add(&mut left_out, "zip inside, not read", &entry.path);
        }
        let images = Self::images(&tree, &mut left_out);
        let (found, candidates) = (images.found, images.candidates);
        let headers: Vec<Result<ImageHeader, Problem>> =
            candidates.par_iter().map(|&i| look(&tree, &tree.entries[i])).collect();
        let readable: Vec<(u32, u32)> = headers.iter().flatten().map(|h| h.size).collect();
        let sizes = sizes(&readable);
        let used = UsedSizes::of(&sizes);
        let labels = labels_of(&tree);
        let class = |entry: &Entry| {
            let label = labels.by_image.get(entry.stem());
            let folder = || entry.folder().filter(|folder| !is_structure(folder));
            label.and_then(|label| known(label)).or_else(|| known(folder()?))
        };
        let mut files = Vec::new();
        for (entry, header) in candidates.into_iter().zip(headers) {
            match header {
                Ok(header) if used.has(header.size) => {
                    files.push(ImageFile { entry, header, class: class(&tree.entries[entry]) });
                }
                Ok(ImageHeader { size: (width, height), .. }) => {
                    let place = format!("{} ({width}×{height})", tree.entries[entry].path);
                    LeftOut::add(&mut left_out, &used.reason(), place);
                }
                Err(problem) => LeftOut::add_problem(&mut left_out, &problem),
            }
        }
        if files.is_empty() {
            return Err(no_image(path, &left_out));
        }
        Ok(Self { tree, files, found, left_out, sizes, note: labels.note })
    }

    /// The entries of `tree` that may be samples; the other images go to `left_out`.
    fn images(tree: &Tree, left_out: &mut Vec<LeftOut>) -> Candidates {
        let of_run = grids_and_plots(&tree.entries);
        let is_image: Vec<bool> = tree.entries.par_iter().map(|e| tree.is_image(e)).collect();
        let mut images = Candidates { found: 0, candidates: Vec::new() };
        for (i, entry) in tree.entries.iter().enumerate().filter(|(i, _)| is_image[*i]) {
            images.found += 1;
            if of_run[i] {
                LeftOut::add(left_out, "grid or plot of a training run, not a sample", &entry.path);
            } else if entry.path.split('/').count() > 2 {
                LeftOut::add(left_out, DEEPER, &entry.path);
            } else {
                images.candidates.push(i);
            }
        }
        images
    }

    /// The folder or zip.
    pub fn path(&self) -> &Path {
        &self.tree.root
    }

    /// Number of images that are used.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no image; never true after [`ImageFolder::open`].
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Number of image files in all, used or not.
    pub fn found(&self) -> usize {
        self.found
    }

    /// What is left out, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The sizes of all images whose header can be read, the most common first.
    pub fn sizes(&self) -> &[SizeCount] {
        &self.sizes
    }

    /// The sizes of the images that are used, the most common first.
    pub fn used_sizes(&self) -> Vec<SizeCount> {
        let used: Vec<(u32, u32)> = self.files.iter().map(|file| file.header.size).collect();
        sizes(&used)
    }

    /// Number of images, of those that are used, whose files have no colour channels.
    pub fn stored_grey(&self) -> usize {
        self.files.iter().filter(|file| file.header.grey).count()
    }

    /// The shortest side of the images that are used, in pixels.
    pub fn shortest_side(&self) -> u32 {
        let sides = self.files.iter().map(|file| file.header.size.0.min(file.header.size.1));
        sides.min().unwrap_or_default()
    }

    /// Whether all images that are used are squares of `side` pixels.
    pub fn is_square(&self, side: usize) -> bool {
        let same = |(width, height): (u32, u32)| (width as usize, height as usize) == (side, side);
        self.files.iter().all(|file| same(file.header.size))
    }

    /// The class code of image `i`, if it is known.
    ///
    /// # Panics
    /// If `i` is not less than [`ImageFolder::len`].
    pub fn class(&self, i: usize) -> Option<&str> {
        self.files[i].class.as_deref()
    }

    /// The names, sizes and classes of the images in use, and their CRC-32 in a zip, as a hash. The times of files are not in it: they
    /// differ between copies.
    pub fn signature(&self) -> String {
        let mut hash = Sha256::new();
        for ImageFile { entry, class, .. } in &self.files {
            let Entry { path, size, .. } = &self.tree.entries[*entry];
            let crc = self.tree.entries[*entry].crc();
            hash.update(format!("{path}\0{size} {crc:?} {class:?}\n"));
        }
        hex(&hash.finalize())
    }

    /// The path of image `i` below the folder or in the zip, with `/` between folders, and the bytes of its file. The path
    /// has no `..` and does not begin with `/`.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If `i` is not less than [`ImageFolder::len`].
    pub fn file(&self, i: usize) -> Result<(&str, Vec<u8>), Problem> {
        let entry = &self.tree.entries[self.files[i].entry];
        Ok((&entry.path, self.tree.read(entry)?))
    }

    /// What limits the meaning of figures of these images: JPEG compression, alpha channels, and labels that were not
    /// used.
    pub fn notes(&self) -> Vec<String> {
        let count = |is: &dyn Fn(&ImageFile) -> bool| self.files.iter().filter(|f| is(f)).count();
        let jpegs = count(&|file| is_jpeg_name(self.tree.entries[file.entry].name()));
        let alpha = count(&|file| file.header.alpha);
        let mut notes = Vec::new();
        if jpegs > 0 {
            notes.push(format!(
                "{jpegs} of the generated images are JPEG files, whose compression counts as a difference"
            ));
        }
        if alpha > 0 {
            notes.push(format!(
                "{alpha} of {} generated images have an alpha channel, for transparency",
                self.len()
            ));
        }
        notes.extend(self.note.as_ref().map(|note| format!("labels were not read: {note}")));
        notes
    }

    /// Decodes the images `wanted`, in this order, and resizes each to a square of `side` pixels with
    /// [`Fit::Crop`] and [`Filter::Lanczos`], as real photographs are. Each image is resized at once, so that
    /// large ones do not stay in memory. An image that cannot be decoded is a problem.
    ///
    /// # Panics
    /// If an index is not less than [`ImageFolder::len`].
    pub fn read(&self, wanted: &[usize], side: usize) -> Vec<Result<Image, Problem>> {
        let large = Mutex::new(());
        let read = |i: &usize| {
            let entry = &self.tree.entries[self.files[*i].entry];
            let bad = |what: String| {
                Problem::new(ProblemKind::Undecodable, format!("{} ({what})", entry.path))
            };
            let size = u32::try_from(side).map_err(|e| bad(e.to_string()))?;
            let image = decode_entry(&self.tree, entry, &large)?.image;
            let pixels = to_square(&image, size, Fit::Crop, Filter::Lanczos).map_err(bad)?;
            Ok(Image { width: side, height: side, pixels })
        };
        wanted.par_iter().map(read).collect()
    }
}

/// The images of a tree.
struct Candidates {
    /// Number of all of them.
    found: usize,
    /// The entries that may be samples.
    candidates: Vec<usize>,
}

/// The error that no image is left.
fn no_image(path: &Path, left_out: &[LeftOut]) -> DataError {
    let what = if is_run(path) {
        "it is the folder of a training run; name the run's generator, generator.safetensors".into()
    } else if left_out.is_empty() {
        "there are no images in it; expected image files such as .png, directly in it or in one folder per class"
            .to_owned()
    } else {
        let deeper = left_out.iter().find(|entry| entry.reason == DEEPER);
        // The folder above the one that holds an image, whose name may be a class.
        let deeper = deeper.and_then(|e| Path::new(e.examples.first()?).parent()?.parent());
        let reasons: Vec<String> =
            left_out.iter().map(|entry| format!("\n  {}", entry.words())).collect();
        let below = deeper.map_or_else(String::new, |folder| {
            format!("; name a folder further down, such as {}", path.join(folder).display())
        });
        format!(
            "there are no images in it that can be measured; expected image files such as .png, directly in it or in one \
             folder per class{below}. Left out:{}",
            reasons.concat()
        )
    };
    DataError::bad(path.display().to_string(), what)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn png(path: &Path, side: usize) {
        let image = Image::filled(side, side, [200, 150, 120]);
        std::fs::write(path, image.to_png(&[]).unwrap()).unwrap();
    }

    fn write(folder: &Path, name: &str, bytes: &[u8]) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn classes(found: &ImageFolder) -> Vec<Option<&str>> {
        (0..found.len()).map(|i| found.class(i)).collect()
    }

    /// What is left out: the number, the reason and the first example.
    fn left_out(found: &ImageFolder) -> Vec<(usize, &str, &str)> {
        found
            .left_out()
            .iter()
            .map(|e| (e.count, e.reason.as_str(), e.examples[0].as_str()))
            .collect()
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
        assert_eq!((found.len(), found.found(), found.left_out()), (3, 3, &[][..]));
        assert_eq!(classes(&found), [Some("mel"), None, None]);
        assert_eq!(found.read(&[2, 0], 6)[1].as_ref().unwrap().width, 6);
        assert_eq!(
            (found.shortest_side(), found.is_square(8), found.is_square(6)),
            (8, true, false)
        );
    }

    #[test]
    fn a_thumbnail_that_comes_first_does_not_decide_the_size() {
        let folder = tempfile::tempdir().unwrap();
        png(&folder.path().join("000_thumb.png"), 5);
        for i in 0..6 {
            png(&folder.path().join(format!("seed{i}.png")), 16);
        }
        let found = ImageFolder::open(folder.path()).unwrap();
        assert_eq!((found.len(), found.found(), found.shortest_side()), (6, 7, 16));
        assert_eq!((found.used_sizes().len(), found.stored_grey()), (1, 0));
        let size = |side, count| SizeCount { width: side, height: side, count };
        assert_eq!(found.sizes(), [size(16, 6), size(5, 1)]);
        let reason = "image of another size than 16×16, the most common one";
        assert_eq!(left_out(&found), [(1, reason, "000_thumb.png (5×5)")]);
    }

    #[test]
    fn what_is_no_sample_is_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["s0.png", "s1.png", "reals.png", "fakes000200.png", "losses.png"] {
            png(&path.join(name), 8);
        }
        write(path, "empty.png", b"");
        write(path, "page.png", b"<!DOCTYPE html><html></html>");
        write(path, "a/b/deep.png", b"");
        write(path, "00000-phantom-tiny/training_options.json", b"{}");
        write(path, "00000-phantom-tiny/grid.png", b"");
        write(path, "more.zip", b"PK");
        let found = ImageFolder::open(path).unwrap();
        assert_eq!((found.len(), found.found()), (2, 8));
        let counts: Vec<(usize, &str)> =
            left_out(&found).into_iter().map(|(count, reason, _)| (count, reason)).collect();
        assert!(counts.contains(&(1, ProblemKind::RunFolder.describe())), "{counts:?}");
        assert!(counts.contains(&(1, "zip inside, not read")), "{counts:?}");
        assert!(counts.contains(&(1, DEEPER)), "{counts:?}");
        assert!(
            counts.contains(&(3, "grid or plot of a training run, not a sample")),
            "{counts:?}"
        );
        assert!(counts.contains(&(1, ProblemKind::EmptyFile.describe())), "{counts:?}");
        assert!(left_out(&found).iter().any(|(_, _, place)| place.contains("page.png")));
    }

    #[test]
    fn folders_inside_are_classes_and_a_damaged_image_is_a_problem_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("nv")).unwrap();
        png(&folder.path().join("nv/1.png"), 4);
        png(&folder.path().join("nv/2.png"), 4);
        // The header is whole, and the pixels are missing.
        let whole = std::fs::read(folder.path().join("nv/2.png")).unwrap();
        std::fs::write(folder.path().join("nv/2.png"), &whole[..60]).unwrap();
        write(folder.path(), "nv/3.png", b"\x89PNG\r\n\x1a\n and no more");
        let found = ImageFolder::open(folder.path()).unwrap();
        assert_eq!((found.len(), found.class(0)), (2, Some("nv")));
        assert!(left_out(&found)[0].2.contains("nv/3.png"), "{:?}", found.left_out());
        let read = found.read(&[1, 0], 4);
        assert!(read[0].as_ref().unwrap_err().place.contains("nv/2.png"), "{read:?}");
        assert!(read[1].is_ok());
    }

    #[test]
    fn an_empty_folder_is_an_error_and_an_unusable_table_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ImageFolder::open(folder.path()).is_err());
        png(&folder.path().join("a.png"), 4);
        let notes = |table: &str| {
            std::fs::write(folder.path().join("metadata.csv"), table).unwrap();
            ImageFolder::open(folder.path()).unwrap().notes().concat()
        };
        let twice = notes("image_id,dx\na,nv\nb,nv\nc,nv\na,mel\n");
        assert!(twice.contains("of class"), "{twice}");
        let unknown = notes("this,that\n1,2\n");
        assert!(unknown.contains("image_id"), "{unknown}");
        let numbers = notes("image_id,dx\na,3\n");
        assert!(numbers.contains("numbers from 3 to 3"), "{numbers}");
    }

    #[test]
    fn a_folder_without_a_sample_says_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = || ImageFolder::open(folder.path()).unwrap_err().to_string();
        write(folder.path(), "000000/mel/1.png", &Image::filled(4, 4, [9; 3]).to_png(&[]).unwrap());
        assert!(
            error().contains(&folder.path().join("000000").display().to_string()),
            "{}",
            error()
        );
        assert!(error().contains("1 × image deeper than one folder"), "{}", error());
        write(folder.path(), "reals.png", b"x");
        assert!(error().contains("grid or plot of a training run"), "{}", error());
        write(folder.path(), "training_options.json", b"{}");
        assert!(error().contains("generator.safetensors"), "{}", error());
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
        assert_eq!(classes(&found), [Some("mel"), Some("nv")]);
        assert_eq!((found.notes().len(), found.path()), (0, path.as_path()));
        assert_eq!(left_out(&found), [(1, DEEPER, "nv/deeper/c.png")]);
        assert_eq!(found.read(&[0], 6)[0].as_ref().unwrap().width, 6);
        // One folder named after a class is a class. The name says that an image is a JPEG.
        zip(&path, &[("nv/a.png", &image), ("nv/b.jfif", &image), ("nv/c.jfif", b"\xff\xd8")]);
        let found = ImageFolder::open(&path).unwrap();
        assert_eq!((found.len(), found.class(0)), (2, Some("nv")));
        assert!(found.notes()[0].starts_with("1 of the generated images are JPEG"));
        assert!(left_out(&found)[0].2.contains("nv/c.jfif"), "{:?}", found.left_out());
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
        assert_eq!(classes(&found), [Some("a"), Some("a-b"), None]);
    }
}
