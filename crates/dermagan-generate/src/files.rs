//! Images as files: a folder of PNGs with a table.

use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_base::atomic::{self, Pending};
use dermagan_base::name::has_ending;
use dermagan_base::orientation::Orientation;

use crate::classes;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::provenance;
use crate::sampler::Shot;
use crate::selection::Selection;

/// The columns of a folder's table, which are those of HAM10000.
const COLUMNS: [&str; 7] = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"];

/// Endings of image files that a user may give for `out`, which is a folder.
const NOT_FOLDERS: [&str; 8] = ["jpg", "jpeg", "gif", "apng", "webp", "bmp", "tif", "tiff"];

/// A folder of images to write.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesRequest {
    /// The images.
    pub images: Selection,
    /// The folder.
    pub out: PathBuf,
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

    /// Writes a folder of PNG files, each whole or absent, and a table `metadata.csv` with the columns of HAM10000. The
    /// table is written last: it marks the set as complete. `progress` receives the number of images done. Returns the
    /// number of images.
    ///
    /// # Errors
    /// When a setting is out of range, the folder holds images of another set, or it cannot be written.
    pub fn write_files(
        &self,
        request: &FilesRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, GenerateError> {
        let model = self.model();
        let (codes, indices) = classes::resolve(model, &request.images.classes)?;
        let selection = Selection { classes: codes, ..request.images.clone() };
        selection.check(selection.classes.len())?;
        let folder = &request.out;
        check_folder(folder)?;
        std::fs::create_dir_all(folder).map_err(GenerateError::io(folder))?;
        refuse_others(folder, &selection)?;
        let table = folder.join("metadata.csv");
        remove_table(&table)?;
        let mut pending = Pending::create(&table).map_err(GenerateError::io(&table))?;
        let mut rows = csv::Writer::from_writer(pending.file());
        let bad = |e: csv::Error| GenerateError::io(&table)(e.into());
        rows.write_record(COLUMNS).map_err(bad)?;
        let prefix: String = model.hash.chars().take(8).collect();
        let mut done = 0;
        let shots = selection.shots(&indices);
        self.sampler().each(shots, selection.truncation, selection.batch, |shot, image| {
            let seed = shot.seed;
            let dx = self.class_of(shot).unwrap_or("unknown");
            // A seed may occur in several classes.
            let name = match selection.classes.is_empty() {
                true => format!("seed{seed:04}"),
                false => format!("{dx}-seed{seed:04}"),
            };
            let path = folder.join(format!("{name}.png"));
            let png = image
                .to_png(&self.text_of(shot, selection.truncation))
                .map_err(|error| GenerateError::io(&path)(std::io::Error::other(error)))?;
            // Images are not flushed one by one: the table, which is written last, marks the set as complete.
            atomic::write_unflushed(&path, &png).map_err(GenerateError::io(&path))?;
            let lesion = format!("SYN_{prefix}_{name}");
            rows.write_record([&lesion, &name, dx, "synthetic", "", "unknown", "unknown"])
                .map_err(bad)?;
            done += 1;
            progress(done);
            Ok::<(), GenerateError>(())
        })?;
        rows.flush().map_err(GenerateError::io(&table))?;
        drop(rows);
        pending.commit().map_err(GenerateError::io(&table))?;
        Ok(done)
    }

    /// The text chunks of an image file.
    fn text_of(&self, shot: Shot, truncation: f64) -> Vec<(&'static str, String)> {
        let class = self.class_of(shot).map(str::to_owned);
        let mut text = provenance::text(self.model(), shot.seed.to_string(), class, truncation);
        let orientation = self.sampler().orientation_of(shot.seed);
        if orientation != Orientation::default() {
            text.push(("dermagan:orientation", orientation.to_string()));
        }
        text
    }
}

/// Removes the table of an earlier call. The table marks a set as complete, so if the present call is killed, the table of
/// an earlier model must not describe the images of this one.
fn remove_table(table: &Path) -> Result<(), GenerateError> {
    match std::fs::remove_file(table) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(GenerateError::io(table)(e)),
        _ => Ok(()),
    }
}

/// Refuses the name of an image file as the folder.
fn check_folder(folder: &Path) -> Result<(), SettingError> {
    if has_ending(folder, "png") {
        let problem = "a single PNG is a grid: give `grid`, such as 8x8";
        return Err(SettingError::value("out", folder.display(), problem));
    }
    let ending = NOT_FOLDERS.iter().find(|ending| has_ending(folder, ending));
    match ending.filter(|_| !folder.is_dir()) {
        Some(ending) => {
            let problem = format!(
                "images are PNG files in a folder, or one PNG with `grid`; a .{ending} is neither"
            );
            Err(SettingError::value("out", folder.display(), problem))
        }
        None => Ok(()),
    }
}

/// Refuses a folder that holds generated images of another set, which the table would not describe.
fn refuse_others(folder: &Path, selection: &Selection) -> Result<(), GenerateError> {
    for entry in std::fs::read_dir(folder).map_err(GenerateError::io(folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".png") else { continue };
        let (class, seed) = match stem.rsplit_once("-seed") {
            Some((class, seed)) => (Some(class), Some(seed)),
            None => (None, stem.strip_prefix("seed")),
        };
        let seed: Option<u64> = seed.and_then(|seed| seed.parse().ok());
        let requested = |seed: u64| selection.seeds.iter().any(|range| range.contains(&seed));
        let class_requested = match class {
            Some(class) => selection.classes.iter().any(|c| c.eq_ignore_ascii_case(class)),
            None => selection.classes.is_empty(),
        };
        if seed.is_some_and(|seed| !(requested(seed) && class_requested)) {
            let problem =
                format!("it holds {name}, which is not part of this set; name another folder");
            return Err(SettingError::value("out", folder.display(), problem).into());
        }
    }
    Ok(())
}
