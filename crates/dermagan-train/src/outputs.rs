//! Images of a run: the grids, the loss plot, and the time-lapse.

use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;
use dermagan_base::image::Image;

use crate::animation::write_gif;
use crate::error::TrainError;
use crate::plan::Plan;

/// Columns and rows of a run's grids.
pub const GRID: (usize, usize) = (8, 8);
/// How long the time-lapse shows a frame, and its last one, in milliseconds.
const FRAME_MS: u32 = 250;
const LAST_FRAME_MS: u32 = 2000;

/// The fixed-latent grids of a run up to so many thousand images, in the order of training. A run that
/// went back to an earlier checkpoint may have later ones, of another future.
pub fn grids(run: &Path, kimg: f64) -> Vec<PathBuf> {
    let mut found: Vec<(f64, PathBuf)> = std::fs::read_dir(run)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let kimg = match name.strip_prefix("fakes")?.strip_suffix(".png")? {
                "_init" => -1.0,
                number => number.parse().ok()?,
            };
            Some((kimg, path))
        })
        .filter(|(of, _)| *of <= kimg)
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Writes `timelapse.gif` from the run's grids up to `kimg`, one at a time.
///
/// # Errors
/// When the folder cannot be written, or a grid cannot be read.
pub fn write_timelapse(run: &Path, kimg: f64) -> Result<(), TrainError> {
    let target = run.join("timelapse.gif");
    let grids = grids(run, kimg);
    let last = grids.len().saturating_sub(1);
    let frames = grids.iter().enumerate().map(|(i, path)| {
        let grid = image::open(path).map_err(std::io::Error::other)?.into_rgb8();
        let (width, height) = (grid.width() as usize, grid.height() as usize);
        let image = Image { width, height, pixels: grid.into_raw() };
        Ok((image, if i == last { LAST_FRAME_MS } else { FRAME_MS }))
    });
    let text = [("Description", "SYNTHETIC, not for diagnosis: what a run learnt".to_owned())];
    let bad = || TrainError::io(&target);
    let mut pending = Pending::create(&target).map_err(bad())?;
    write_gif(pending.file(), &text, frames).map_err(bad())?;
    pending.commit().map_err(bad())
}

/// Real images of a run, one row a class, as many columns as the grids of fakes have.
pub fn reals(plan: &Plan) -> Image {
    let cache = &plan.cache;
    let side = cache.size();
    let mut cells = Vec::new();
    for class in 0..cache.header().classes.len() {
        let of_class = |i: &&u32| cache.header().records[**i as usize].class == class;
        let mut row: Vec<Image> = plan
            .images
            .iter()
            .filter(of_class)
            .take(GRID.0)
            .map(|&i| cache.image(i as usize))
            .collect();
        if !row.is_empty() {
            row.resize_with(GRID.0, || Image::filled(side, side, [0; 3]));
            cells.extend(row);
        }
    }
    Image::grid(&cells, GRID.0)
}

/// A grid as a PNG that says what it shows.
///
/// # Errors
/// When the encoder refuses.
pub fn png(image: &Image, description: &str) -> Result<Vec<u8>, TrainError> {
    let text =
        [("Software", crate::checkpoint::producer()), ("Description", description.to_owned())];
    image.to_png(&text).map_err(|e| TrainError::Option(format!("a PNG: {e}")))
}
