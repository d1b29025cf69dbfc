//! A grid of images in one image.

use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_base::atomic;
use dermagan_base::image::Image;
use dermagan_base::name::has_ending;

use crate::classes;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::provenance;
use crate::seeds::first_seeds;
use crate::selection::Selection;
use crate::set::earlier::check_file;

/// Largest number of cells of a grid. All of them are held in memory.
const MAX_CELLS: usize = 10_000;

/// A grid of images.
#[derive(Clone, Debug, PartialEq)]
pub struct GridRequest {
    /// Images per row.
    pub columns: usize,
    /// Number of rows. With classes, each class has the same number of rows, and the images of a column share a latent.
    pub rows: usize,
    /// Seeds, as ranges in order; `None` for the first seeds that fill the grid with all of [`GridRequest::classes`].
    pub seeds: Option<Vec<std::ops::Range<u64>>>,
    /// Codes of classes, as in [`Selection::classes`].
    pub classes: Vec<String>,
    /// Truncation ψ, as in [`Selection::truncation`].
    pub truncation: f64,
    /// Images per batch, as in [`Selection::batch`].
    pub batch: usize,
}

impl GridRequest {
    /// A grid of the first seeds at full variety.
    pub fn new(columns: usize, rows: usize) -> Self {
        let Selection { classes, truncation, batch, .. } = Selection::default();
        Self { columns, rows, seeds: None, classes, truncation, batch }
    }

    /// The number of images in the grid.
    pub fn count(&self) -> u64 {
        (self.columns as u64).saturating_mul(self.rows as u64)
    }
}

/// Parses `8x4`: columns and rows.
///
/// # Errors
/// If the text has another form or more than 10,000 cells; the message shows a valid grid.
pub fn parse_grid(text: &str) -> Result<(usize, usize), SettingError> {
    let parsed = text.split_once(['x', 'X']).and_then(|(columns, rows)| {
        let (columns, rows): (usize, usize) = (columns.parse().ok()?, rows.parse().ok()?);
        let cells = columns.checked_mul(rows)?;
        (1..=MAX_CELLS).contains(&cells).then_some((columns, rows))
    });
    parsed.ok_or_else(|| {
        let problem = format!("expected COLUMNSxROWS, such as 8x8, of at most {MAX_CELLS} images");
        SettingError::value("grid", text, problem)
    })
}

impl ImageGenerator {
    /// Makes a grid. `progress` receives the number of images done.
    ///
    /// # Errors
    /// When a setting is out of range, the seeds do not fill the grid, or an image is not finite.
    pub fn grid(
        &self,
        request: &GridRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Image, GenerateError> {
        let (selection, indices) = self.cells_of(request)?;
        self.arranged(&selection, &indices, request.columns, progress)
    }

    /// The images of a checked selection, with this number per row.
    fn arranged(
        &self,
        selection: &Selection,
        indices: &[usize],
        columns: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Image, GenerateError> {
        let mut cells = Vec::new();
        self.sampler().each(
            selection.shots(indices),
            selection.truncation,
            selection.batch,
            |_, image| -> Result<(), GenerateError> {
                cells.push(image);
                progress(cells.len() as u64);
                Ok(())
            },
        )?;
        Ok(Image::grid(&cells, columns))
    }

    /// Makes a grid and writes it as a PNG whose text names the model, the seeds and the classes. Returns the number of images.
    ///
    /// # Errors
    /// As [`ImageGenerator::grid`], and when `out` is not a PNG, is a file that dermagan did not write, or cannot be
    /// written.
    pub fn write_grid(
        &self,
        request: &GridRequest,
        out: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, GenerateError> {
        check_out(out)?;
        save_grid(&self.grid_png(request, progress)?, out)?;
        Ok(request.count())
    }

    /// Makes a grid as the bytes of a PNG whose text names the model, the seeds and the classes.
    ///
    /// # Errors
    /// As [`ImageGenerator::grid`].
    pub fn grid_png(
        &self,
        request: &GridRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<u8>, GenerateError> {
        let (selection, indices) = self.cells_of(request)?;
        let grid = self.arranged(&selection, &indices, request.columns, progress)?;
        let shown: Vec<String> =
            selection.seeds.iter().map(|r| format!("{}-{}", r.start, r.end - 1)).collect();
        let class = (!selection.classes.is_empty()).then(|| selection.classes.join(","));
        let text = provenance::text(self.model(), shown.join(","), class, selection.truncation);
        grid.to_png(&text).map_err(|error| GenerateError::Io {
            path: PathBuf::from("grid.png"),
            error: std::io::Error::other(error),
        })
    }

    /// The images of the cells, and the indices of their classes.
    fn cells_of(&self, request: &GridRequest) -> Result<(Selection, Vec<usize>), SettingError> {
        let GridRequest { columns, rows, truncation, batch, .. } = *request;
        let cells = columns.saturating_mul(rows);
        if !(1..=MAX_CELLS).contains(&cells) {
            let problem = format!("expected 1 to {MAX_CELLS} images");
            return Err(SettingError::value("grid", format!("{columns}x{rows}"), problem));
        }
        let (codes, indices) = classes::resolve(self.model(), &request.classes)?;
        let per_seed = codes.len().max(1);
        if !rows.is_multiple_of(indices.len().max(1)) {
            let problem = format!(
                "{rows} rows for {per_seed} classes: each class needs the same number of rows, such as \
                 {columns}x{per_seed}"
            );
            return Err(SettingError::value("grid", format!("{columns}x{rows}"), problem));
        }
        let seeds = request.seeds.clone().unwrap_or_else(|| first_seeds((cells / per_seed) as u64));
        let selection = Selection { seeds, classes: codes, truncation, batch };
        selection.check(per_seed)?;
        let count = selection.count(per_seed);
        if count != cells as u64 {
            let problem = format!("it holds {cells} images, but {count} were requested");
            return Err(SettingError::value("grid", format!("{columns}x{rows}"), problem));
        }
        Ok((selection, indices))
    }
}

/// Writes a grid that [`ImageGenerator::grid_png`] made.
///
/// # Errors
/// When `out` is not a PNG, is a file that dermagan did not write, or cannot be written.
pub fn save_grid(png: &[u8], out: &Path) -> Result<(), GenerateError> {
    check_out(out)?;
    atomic::write(out, png).map_err(GenerateError::io(out))
}

fn check_out(out: &Path) -> Result<(), GenerateError> {
    if !has_ending(out, "png") {
        let problem = "a grid is a PNG file; name one such as grid.png";
        return Err(SettingError::value("out", out.display(), problem).into());
    }
    check_file(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_columns_times_rows() {
        assert_eq!(parse_grid("8x4").unwrap(), (8, 4));
        for wrong in ["8", "0x4", "x", "99999999999x99999999999", "200x200"] {
            assert!(parse_grid(wrong).is_err(), "{wrong}");
        }
    }
}
