//! Images as files: a folder of PNGs with a table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_base::atomic::{self, Pending};
use dermagan_base::image::Image;
use dermagan_base::name::has_ending;
use dermagan_base::orientation::Orientation;
use dermagan_formats::Format;
use dermagan_formats::HAM10000;
use dermagan_shards::Joined;

use crate::classes;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::provenance;
use crate::sampler::Shot;
use crate::selection::Selection;
use crate::set::earlier::{self, Expected, SYNTHETIC, TABLE};
use crate::set::passport::{PASSPORT, SetPassport};

/// Endings of files that a user may give for `out`, which is a folder.
const NOT_FOLDERS: [&str; 50] = [
    "png",
    "jpg",
    "jpeg",
    "gif",
    "apng",
    "webp",
    "bmp",
    "tif",
    "tiff",
    "avif",
    "heic",
    "ppm",
    "svg",
    "pdf",
    "mp4",
    "avi",
    "mov",
    "mkv",
    "webm",
    "npz",
    "npy",
    "zip",
    "tar",
    "gz",
    "tgz",
    "bz2",
    "xz",
    "zst",
    "7z",
    "rar",
    "h5",
    "hdf5",
    "lmdb",
    "mat",
    "pkl",
    "pickle",
    "pt",
    "pth",
    "ckpt",
    "safetensors",
    "onnx",
    "csv",
    "tsv",
    "xlsx",
    "json",
    "jsonl",
    "txt",
    "parquet",
    "arrow",
    "tfrecord",
];

/// A folder of images to write.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesRequest {
    /// The images.
    pub images: Selection,
    /// The folder.
    pub out: PathBuf,
}

/// What a folder of images holds after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The number of images in the set.
    pub images: u64,
    /// The number of those that an earlier call had made.
    pub kept: u64,
}

impl ImageGenerator {
    /// The number of images of a selection.
    ///
    /// # Errors
    /// When it names unknown classes.
    pub fn count(&self, selection: &Selection) -> Result<u64, GenerateError> {
        let (codes, _) = classes::resolve(self.model(), &selection.classes)?;
        Ok(selection.count(codes.len()))
    }

    /// Writes a folder of PNG files, each whole or absent, the provenance in [`PASSPORT`], and a table `metadata.csv` with the
    /// columns of HAM10000. The table is written last: it marks the set as complete. Images of the same set that an earlier call left in
    /// the folder stay, so a call that was stopped goes on where it was. `progress` receives the number of images done.
    ///
    /// # Errors
    /// When a setting is out of range, the folder holds files of others or of another set, or it cannot be written.
    /// Nothing is written before the folder was looked at.
    pub fn write_files(
        &self,
        request: &FilesRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, GenerateError> {
        self.write_files_of(request, None, progress)
    }

    /// As [`ImageGenerator::write_files`]; with `joined` the images are taken from shards.
    pub(crate) fn write_files_of(
        &self,
        request: &FilesRequest,
        joined: Option<&Joined>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, GenerateError> {
        let model = self.model();
        let (selection, indices) = self.resolved(&request.images)?;
        let folder = &request.out;
        check_folder(folder)?;
        let expected = |stem: &str| self.expected(stem, &selection, &indices);
        let look = || earlier::look(folder, &model.hash, &expected);
        let mut kept = look()?;
        std::fs::create_dir_all(folder).map_err(GenerateError::io(folder))?;
        let table = folder.join(TABLE);
        // This waits for another process that writes the same set, and then its images are there.
        let mut pending = Pending::create(&table).map_err(GenerateError::io(&table))?;
        if table.exists() || !kept.is_empty() {
            kept = look()?;
        }
        let passport = folder.join(PASSPORT);
        remove(&table)?;
        remove(&passport)?;
        let count = selection.count(selection.classes.len());
        let mut done = kept.len() as u64;
        progress(done);
        let missing = selection
            .shots(&indices)
            .zip(0..)
            .filter(|(shot, _)| !kept.contains(&self.name_of(*shot, &selection)));
        let made = self.each_png(missing, &selection, joined, |shot, png| {
            let path = folder.join(self.name_of(shot, &selection) + ".png");
            // Images are not flushed one by one: the table, which is written last, marks the set as complete.
            atomic::write_unflushed(&path, &png).map_err(GenerateError::io(&path))?;
            done += 1;
            progress(done);
            Ok(())
        });
        made.and_then(|()| self.passport(&selection, &indices).write(&passport))
            .and_then(|()| self.write_table(pending.file(), &selection, &indices, &table))
            .and_then(|()| pending.commit().map_err(GenerateError::io(&table)))
            .map_err(|error| error.unfinished(done, count))?;
        Ok(Written { images: count, kept: kept.len() as u64 })
    }

    /// The passport of a selection whose classes have these indices.
    pub(crate) fn passport(&self, selection: &Selection, indices: &[usize]) -> SetPassport {
        let mut classes = BTreeMap::new();
        for shot in selection.shots(indices) {
            *classes.entry(self.class_of(shot).unwrap_or("unknown").to_owned()).or_default() += 1;
        }
        SetPassport::new(self.model(), selection.ranges(), selection.truncation, classes)
    }

    /// Writes the rows of the table. They do not depend on which images were there before.
    fn write_table(
        &self,
        file: &mut std::fs::File,
        selection: &Selection,
        indices: &[usize],
        table: &Path,
    ) -> Result<(), GenerateError> {
        let mut rows = csv::Writer::from_writer(file);
        let bad = |e: csv::Error| GenerateError::io(table)(e.into());
        rows.write_record(HAM10000).map_err(bad)?;
        for shot in selection.shots(indices) {
            let name = self.name_of(shot, selection);
            let lesion = self.lesion_id(&name);
            let dx = self.class_of(shot).unwrap_or("unknown");
            rows.write_record([&lesion, &name, dx, SYNTHETIC, "", "unknown", "unknown"])
                .map_err(bad)?;
        }
        rows.flush().map_err(GenerateError::io(table))
    }

    /// The name of an image's file without its ending. A seed may occur in several classes.
    pub(crate) fn name_of(&self, shot: Shot, selection: &Selection) -> String {
        let seed = shot.seed;
        match selection.classes.is_empty() {
            true => format!("seed{seed:04}"),
            false => format!("{}-seed{seed:04}", self.class_of(shot).unwrap_or("unknown")),
        }
    }

    /// The image whose file has this name without its ending; `None` if the selection has no such image.
    fn expected(&self, stem: &str, selection: &Selection, indices: &[usize]) -> Option<Expected> {
        // The last "-seed" separates class and seed: a class name may contain "-seed" too.
        let (class, seed) = match stem.rsplit_once("-seed") {
            Some((class, seed)) => (Some(class), seed),
            None => (None, stem.strip_prefix("seed")?),
        };
        let seed: u64 = seed.parse().ok()?;
        let requested = selection.seeds.iter().any(|range| range.contains(&seed));
        let place =
            |class: &str| selection.classes.iter().position(|c| c.eq_ignore_ascii_case(class));
        // A model of one class has no indices.
        let class = match class {
            Some(class) => indices.get(place(class)?).copied(),
            None => None,
        };
        let shot = Shot { seed, class };
        let same = requested && self.name_of(shot, selection) == stem;
        let text = self.text_of(shot, selection.truncation).into_iter();
        same.then(|| Expected {
            text: text.map(|(key, value)| (key.to_owned(), value)).collect(),
            side: self.model().config.resolution,
        })
    }

    /// The bytes of the PNG file `path` of an image, whose text says that it is synthetic and where it comes from. `image` is
    /// that of `shot` at `truncation`.
    ///
    /// # Errors
    /// When the image cannot be encoded.
    pub fn png(
        &self,
        shot: Shot,
        truncation: f64,
        image: &Image,
        path: &Path,
    ) -> Result<Vec<u8>, GenerateError> {
        let png = image.to_png(&self.text_of(shot, truncation));
        png.map_err(|error| GenerateError::io(path)(std::io::Error::other(error)))
    }

    /// The id of a generated image's lesion in a table, which no photograph has.
    pub fn lesion_id(&self, image: &str) -> String {
        earlier::lesion_id(&self.model().hash, image)
    }

    /// The (keyword, value) pairs of the text in an image file, in their order.
    pub fn text_of(&self, shot: Shot, truncation: f64) -> Vec<(&'static str, String)> {
        let class = self.class_of(shot).map(str::to_owned);
        let mut text = provenance::text(self.model(), shot.seed.to_string(), class, truncation);
        let orientation = self.sampler().orientation_of(shot.seed);
        if orientation != Orientation::default() {
            text.push(("dermagan:orientation", orientation.to_string()));
        }
        text
    }
}

/// Removes the table or the passport of an earlier call. The table marks a set as complete, so if the present call is killed,
/// those of an earlier model must not describe the images of this one.
fn remove(file: &Path) -> Result<(), GenerateError> {
    atomic::remove(file).map_err(GenerateError::io(file))
}

/// Refuses the name of a file as the folder.
fn check_folder(folder: &Path) -> Result<(), SettingError> {
    let refuse = |problem: String| Err(SettingError::value("out", folder.display(), problem));
    if folder.is_dir() {
        return Ok(());
    }
    if folder.exists() {
        return refuse("this is a file; images are written to a folder: name a new one".to_owned());
    }
    let Some(ending) = NOT_FOLDERS.iter().find(|ending| has_ending(folder, ending)) else {
        return Ok(());
    };
    let mut without = folder.with_extension("");
    // A name such as images.tar.gz has two.
    while NOT_FOLDERS.iter().any(|ending| has_ending(&without, ending)) {
        without = without.with_extension("");
    }
    let folder = format!("images are PNG files in a folder: type `out` = {}", without.display());
    if let Some(format) = Format::of_ending(&Path::new("x").with_extension(ending)) {
        let format = format.name();
        return refuse(format!("{folder}, or choose `format` = {format}"));
    }
    refuse(match *ending {
        "png" => format!("{folder}; a single PNG is a grid: give `grid`, such as 8x8, too"),
        "gif" | "apng" | "mp4" | "avi" | "mov" | "mkv" | "webm" => format!(
            "{folder}; an animation is a .gif or an .apng: give `interpolate`, such as 0,5,9, too"
        ),
        "gz" | "tgz" | "bz2" | "xz" | "zst" | "7z" | "rar" => {
            format!("{folder}, and pack the folder afterwards")
        }
        "npz" | "npy" | "h5" | "hdf5" | "lmdb" | "mat" | "pkl" | "pickle" => {
            format!("{folder}; dermagan writes no arrays")
        }
        ending => format!("{folder}; dermagan writes no .{ending} files here"),
    })
}
