//! Generated images to be measured, wherever they come from.

use std::path::Path;

use dermagan_base::image::Image;
use dermagan_data::{Cache, ImageFolder};
use dermagan_model::named::Network;
use dermagan_model::{Generator, ModelFile, Selected};

use crate::checkpoint::{Checkpoint, is_checkpoint};
use crate::error::TrainError;
use crate::rundir;
use crate::sampler::{Sampler, Shot};
use crate::trainer::{sampler_of, shown};
use crate::which_model::resolve_model;

/// Images that are read or made as they are needed.
#[derive(Debug)]
pub enum Fakes {
    /// Files that some program made.
    Folder {
        /// The files.
        folder: ImageFolder,
        /// The side that they are brought to.
        side: usize,
        /// Width and height of the first.
        first: (u32, u32),
    },
    /// A generator and the first of its seeds.
    Model {
        /// Makes the images.
        sampler: Sampler,
        /// Side of its images.
        side: usize,
        /// Classes that it was trained on; one means that every image is of it.
        classes: Vec<String>,
        /// The seed of image 0.
        first: u64,
        /// SHA-256 of the model's file, or what else it is.
        name: String,
    },
    /// Prepared images, real ones for instance.
    Cache(Cache),
}

impl Fakes {
    /// A folder of images, a run, a checkpoint, a model, or a prepared cache. `first`: the seed
    /// of a generator's first image; `most`: the largest side that images of a folder are
    /// looked at with.
    ///
    /// # Errors
    /// Says what was found instead.
    pub fn open(
        path: &Path,
        device: &Selected,
        first: u64,
        most: usize,
    ) -> Result<Self, TrainError> {
        if path.is_dir() && !is_run(path) {
            let folder = ImageFolder::open(path)?;
            let first = folder.first_size()?;
            let side = (first.0.min(first.1) as usize).clamp(SMALLEST, most);
            return Ok(Self::Folder { folder, side, first });
        }
        if path.is_file() && Cache::is_cache(path) {
            return Ok(Self::Cache(Cache::open(path)?));
        }
        let path = resolve_model(path)?;
        if is_checkpoint(&path) {
            return Self::of_checkpoint(Checkpoint::open(&path)?, &path, device, first);
        }
        let model = ModelFile::open(&path)?;
        Self::of_model(&model, &path.display().to_string(), device, first)
    }

    /// A generator of this name, and the seed of its first image.
    ///
    /// # Errors
    /// When its weights and its shape do not belong together.
    pub fn of_model(
        model: &ModelFile,
        name: &str,
        device: &Selected,
        first: u64,
    ) -> Result<Self, TrainError> {
        let classes = model.card.as_ref().map(|card| card.classes.clone()).unwrap_or_default();
        let side = model.config.resolution;
        let name = format!("{name} {}", model.hash);
        let sampler = Sampler::new(model, device.clone())?;
        Ok(Self::Model { sampler, side, classes, first, name })
    }

    fn of_checkpoint(
        mut checkpoint: Checkpoint,
        path: &Path,
        device: &Selected,
        first: u64,
    ) -> Result<Self, TrainError> {
        let config = checkpoint.meta.config.clone();
        config.validate()?;
        let bad = |what: String| TrainError::Checkpoint {
            path: path.to_owned(),
            what,
            next: "Name another checkpoint, or the run's folder.".into(),
        };
        // Before anything of the size that its options claim is made.
        let weights = checkpoint.take("G_ema");
        let held: usize = weights.values().map(|array| array.values.len()).sum();
        let (expected, _) = crate::estimate::parameters(&config.model);
        if held < expected {
            return Err(bad(format!("{held} values, its generator has {expected}")));
        }
        if let Some((name, _)) = weights.iter().find(|(_, array)| !array.is_finite()) {
            return Err(bad(format!("tensor 'G_ema.{name}' holds values that are not finite")));
        }
        let average =
            Generator::new(&config.model, &device.device).with_weights(&weights).map_err(bad)?;
        let generator = shown(average, &config, &device.device);
        Ok(Self::Model {
            sampler: sampler_of(generator, &config, checkpoint.meta.nimg, device.clone()),
            side: config.model.resolution,
            classes: config.source.classes.clone(),
            first,
            name: path.display().to_string(),
        })
    }

    /// From a generator in memory, which makes images of this side.
    pub fn of_sampler(sampler: Sampler, side: usize, classes: Vec<String>) -> Self {
        Self::Model { sampler, side, classes, first: 0, name: "a run's snapshot".to_owned() }
    }

    /// How many there are; `None` for as many as wanted.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Folder { folder, .. } => Some(folder.len()),
            Self::Cache(cache) => Some(cache.len()),
            Self::Model { .. } => None,
        }
    }

    /// Side of the images.
    pub fn side(&self) -> Option<usize> {
        match self {
            Self::Folder { side, .. } => Some(*side),
            Self::Cache(cache) => Some(cache.size()),
            Self::Model { side, .. } => Some(*side),
        }
    }

    /// The code of an image's class, if it is known.
    pub fn class(&self, i: usize) -> Option<&str> {
        match self {
            Self::Folder { folder, .. } => folder.class(i),
            Self::Cache(cache) => {
                let header = cache.header();
                header.classes.get(header.records[i].class).map(String::as_str)
            }
            Self::Model { sampler, classes, first, .. } => {
                sampler.code_of(classes, Shot::from(first + i as u64))
            }
        }
    }

    /// What they are, in a word or two.
    pub fn describe(&self) -> String {
        match self {
            Self::Folder { folder, .. } => folder.path().display().to_string(),
            Self::Model { name, .. } => name.clone(),
            Self::Cache(cache) => format!("{} {}", cache.header().name, cache.header().fingerprint),
        }
    }

    /// What to be careful about.
    pub fn notes(&self) -> Vec<String> {
        let Self::Folder { folder, side, first: (width, height) } = self else { return Vec::new() };
        let mut notes = Vec::new();
        if (*width as usize, *height as usize) != (*side, *side) {
            notes.push(format!(
                "the first generated image has {width}×{height} pixels: all were cut to their \
                 central square and brought to {side}×{side}, as the real ones were"
            ));
        }
        if folder.jpegs() > 0 {
            notes.push(format!(
                "{} of the generated images are JPEGs, whose compression counts as a difference",
                folder.jpegs()
            ));
        }
        notes.extend(folder.note().map(|note| format!("labels were not read: {note}")));
        notes
    }

    /// The images of these places, in order.
    ///
    /// # Errors
    /// When a file is no image.
    pub fn images(&self, wanted: &[usize]) -> Result<Vec<Image>, TrainError> {
        match self {
            Self::Folder { folder, side, .. } => Ok(folder.read(wanted, *side)?),
            Self::Cache(cache) => Ok(wanted.iter().map(|i| cache.image(*i)).collect()),
            Self::Model { sampler, first, .. } => {
                let seeds = wanted.iter().map(|i| first + *i as u64);
                Ok(sampler.images(seeds, 1.0, AT_ONCE)?)
            }
        }
    }
}

/// The smallest side that images of a folder are looked at with.
const SMALLEST: usize = 16;
/// Images that a generator makes at a time.
const AT_ONCE: usize = 64;

fn is_run(path: &Path) -> bool {
    path.join(rundir::GENERATOR).is_file() || path.join(rundir::OPTIONS).is_file()
}
