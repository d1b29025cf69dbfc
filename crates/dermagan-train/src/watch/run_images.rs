//! Images of a run: grids of images, and the time-lapse.

use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;
use dermagan_base::image::Image;
use dermagan_generate::write_gif;

use crate::error::TrainError;
use crate::plan::run_plan::Plan;

/// Number of columns and of rows of a run's grids.
pub const GRID: (usize, usize) = (8, 8);
/// Duration of a frame of the time-lapse in milliseconds.
const FRAME_MS: u32 = 250;
/// Duration of the last frame in milliseconds.
const LAST_FRAME_MS: u32 = 2000;

/// The files of the fixed-latent grids of a run up to `kimg` thousand images, in the order of training, each with the
/// thousands of images in its name; `fakes_init.png` has -1. A run that was resumed from an earlier checkpoint may have
/// later grids, which are left out.
pub fn grids(run: &Path, kimg: f64) -> Vec<(f64, PathBuf)> {
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
    found
}

/// Writes `timelapse.gif` from the run's grids up to `kimg`. Only one grid is in memory at a time.
///
/// # Errors
/// When the folder cannot be written, or a grid cannot be read.
pub fn write_timelapse(run: &Path, kimg: f64) -> Result<(), TrainError> {
    let target = run.join("timelapse.gif");
    let grids = grids(run, kimg);
    let last = grids.len().saturating_sub(1);
    let frames = grids.iter().enumerate().map(|(i, (_, path))| {
        let grid = image::open(path).map_err(std::io::Error::other)?.into_rgb8();
        let (width, height) = (grid.width() as usize, grid.height() as usize);
        let image = Image { width, height, pixels: grid.into_raw() };
        Ok((image, if i == last { LAST_FRAME_MS } else { FRAME_MS }))
    });
    let text = [("Description", "SYNTHETIC, not for diagnosis: progress of a run".to_owned())];
    let bad = || TrainError::io(&target);
    let mut pending = Pending::create(&target).map_err(bad())?;
    write_gif(pending.file(), &text, frames).map_err(bad())?;
    pending.commit().map_err(bad())
}

/// A grid of real images of a run, one row per class, with the number of columns of the other grids.
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

/// An image as a PNG with a description.
///
/// # Errors
/// When it cannot be encoded.
pub fn png(image: &Image, description: &str) -> Result<Vec<u8>, TrainError> {
    let text = [("Software", dermagan_base::producer()), ("Description", description.to_owned())];
    image
        .to_png(&text)
        .map_err(|e| TrainError::Invalid(format!("an image cannot be encoded as PNG: {e}")))
}
