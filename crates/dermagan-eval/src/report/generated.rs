//! Generated images to evaluate, from any source.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_base::name::has_ending;
use dermagan_data::{Cache, ImageFolder, open_or_prepare};
use dermagan_generate::{Sampler, Shot, shipped_model};
use dermagan_model::{ComputeDevice, ModelFile};

use crate::EvalError;
use crate::report::prepared::PREPARED;

/// Generated images that are read or made when they are needed. Each has an index, from 0.
#[derive(Debug)]
pub enum GeneratedImages {
    /// Image files of any program.
    Folder {
        /// The folder or zip.
        folder: ImageFolder,
        /// The side in pixels to which they are resized.
        side: usize,
        /// Width and height of the first image in pixels.
        first: (u32, u32),
    },
    /// A generator. Image `i` has the seed `first + i`.
    Model {
        /// Makes the images.
        sampler: Sampler,
        /// Side of the images in pixels.
        side: usize,
        /// Codes of the classes that it was trained on. If there is a single one, all images are of it.
        classes: Vec<String>,
        /// The seed of image 0.
        first: u64,
        /// The name in the report: the file with its SHA-256, for instance.
        name: String,
    },
    /// Prepared images, such as real ones.
    Cache(Cache),
}

impl GeneratedImages {
    /// Opens a folder or zip of images, a prepared cache, a model file, `phantom`, or `shipped` for the generator that
    /// comes with the program. `first` is the seed of a generator's first image; `most` is the largest side to which
    /// images of a folder are resized.
    ///
    /// # Errors
    /// If nothing is at the path, or it is not one of these; the message says what was expected.
    pub fn open(
        path: &Path,
        device: &ComputeDevice,
        first: u64,
        most: usize,
    ) -> Result<Self, EvalError> {
        if !path.exists() {
            return match path.to_str() {
                Some("phantom") => {
                    Ok(Self::Cache(open_or_prepare("phantom", PREPARED, &mut |_, _| ())?))
                }
                Some("shipped") => {
                    Self::of_model(&shipped_model()?, "dermagan's own generator", device, first)
                }
                _ => {
                    let problem = "no such file or folder; expected a folder or zip of images, a \
                                   cache, a model, phantom or shipped";
                    Err(SettingError::value("fake", path.display(), problem).into())
                }
            };
        }
        if path.is_dir() || has_ending(path, "zip") {
            let folder = match ImageFolder::open(path) {
                Ok(folder) => folder,
                // PyTorch's files are zips too, whatever they are called.
                Err(error) => {
                    let model = ModelFile::open(path).map_err(|_| error)?;
                    return Self::of_model(&model, &path.display().to_string(), device, first);
                }
            };
            let first = folder.first_size()?;
            let side = (first.0.min(first.1) as usize).clamp(MIN_SIDE, most);
            return Ok(Self::Folder { folder, side, first });
        }
        if Cache::is_cache(path) {
            return Ok(Self::Cache(Cache::open(path)?));
        }
        let model = ModelFile::open(path)?;
        Self::of_model(&model, &path.display().to_string(), device, first)
    }

    /// The images of a model on a device. `name` and the model's hash identify it in the report; `first` is the seed of
    /// image 0.
    ///
    /// # Errors
    /// If the weights do not fit the configuration.
    pub fn of_model(
        model: &ModelFile,
        name: &str,
        device: &ComputeDevice,
        first: u64,
    ) -> Result<Self, EvalError> {
        let classes = model.card.as_ref().map(|card| card.classes.clone()).unwrap_or_default();
        let side = model.config.resolution;
        let name = format!("{name} {}", model.hash);
        let sampler = Sampler::new(model, device.clone())?;
        Ok(Self::Model { sampler, side, classes, first, name })
    }

    /// A generator in memory that makes images of `side` pixels of the classes `classes`. Image 0 has the seed `first`;
    /// `name` identifies it in the report.
    pub fn of_sampler(
        sampler: Sampler,
        side: usize,
        classes: Vec<String>,
        first: u64,
        name: impl Into<String>,
    ) -> Self {
        Self::Model { sampler, side, classes, first, name: name.into() }
    }

    /// The number of images; `None` for a generator, which makes any number.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Folder { folder, .. } => Some(folder.len()),
            Self::Cache(cache) => Some(cache.len()),
            Self::Model { .. } => None,
        }
    }

    /// Side of the images in pixels.
    pub fn side(&self) -> usize {
        match self {
            Self::Folder { side, .. } => *side,
            Self::Cache(cache) => cache.size(),
            Self::Model { side, .. } => *side,
        }
    }

    /// The code of the class of image `i`; `None` if it is unknown.
    ///
    /// # Panics
    /// If there is no image `i`.
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

    /// Identifies the images in the report.
    pub fn describe(&self) -> String {
        match self {
            Self::Folder { folder, .. } => folder.path().display().to_string(),
            Self::Model { name, .. } => name.clone(),
            Self::Cache(cache) => format!("{} {}", cache.header().name, cache.header().fingerprint),
        }
    }

    /// What limits the meaning of figures of these images.
    pub fn notes(&self) -> Vec<String> {
        let Self::Folder { folder, side, first: (width, height) } = self else { return Vec::new() };
        let mut notes = Vec::new();
        if (*width as usize, *height as usize) != (*side, *side) {
            notes.push(format!(
                "the first generated image has {width}×{height} pixels: all images were cropped to their central \
                 square and resized to {side}×{side}, as the real images were"
            ));
        }
        if folder.jpegs() > 0 {
            notes.push(format!(
                "{} of the generated images are JPEG files, whose compression counts as a difference",
                folder.jpegs()
            ));
        }
        notes.extend(folder.note().map(|note| format!("labels were not read: {note}")));
        notes
    }

    /// The images with these indices, in their order.
    ///
    /// # Errors
    /// If a file cannot be decoded, or the generator fails.
    ///
    /// # Panics
    /// If there is no image of an index.
    pub fn images(&self, wanted: &[usize]) -> Result<Vec<Image>, EvalError> {
        match self {
            Self::Folder { folder, side, .. } => Ok(folder.read(wanted, *side)?),
            Self::Cache(cache) => Ok(wanted.iter().map(|i| cache.image(*i)).collect()),
            Self::Model { sampler, first, .. } => {
                let seeds = wanted.iter().map(|i| first + *i as u64);
                Ok(sampler.images(seeds, 1.0, BATCH)?)
            }
        }
    }
}

/// The smallest side in pixels to which images of a folder are resized.
const MIN_SIDE: usize = 16;
/// Images per batch of a generator.
const BATCH: usize = 64;
