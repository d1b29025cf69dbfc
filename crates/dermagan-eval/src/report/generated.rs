//! Generated images to evaluate, from any source.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_base::name::has_ending;
use dermagan_data::{
    Cache, FileKind, ImageFolder, LeftOut, Problem, SampleArray, SizeCount, open_or_prepare,
};
use dermagan_generate::{Sampler, Shot, shipped_model};
use dermagan_model::{ComputeDevice, ModelFile};

use crate::EvalError;
use crate::report::scope::PREPARED;

/// Generated images that are read or made when they are needed. Each has an index, from 0.
#[derive(Debug)]
pub enum GeneratedImages {
    /// Image files of any program.
    Folder {
        /// The folder or zip.
        folder: ImageFolder,
        /// The side in pixels to which they are resized.
        side: usize,
    },
    /// An array of images in an npz.
    Array {
        /// The array.
        array: SampleArray,
        /// The side in pixels to which they are resized.
        side: usize,
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
        /// What a user should know about the choice of the weights among those of the file.
        notes: Vec<String>,
    },
    /// Prepared images, such as real ones.
    Cache(Cache),
}

impl GeneratedImages {
    /// Opens a folder or zip of images, an npz of samples, a prepared cache, a model file, `phantom`, or `shipped` for
    /// the generator that comes with the program. The content of a file says what it is, not its name. `first` is the seed
    /// of a generator's first image; `most` is the largest side to which images are resized.
    ///
    /// # Errors
    /// If nothing is at the path, or it is not one of these; the message says what it is and what was expected.
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
                _ => Err(not_images(path, "no such file or folder")),
            };
        }
        let resized = |side: u32| (side as usize).clamp(MIN_SIDE, most);
        if path.is_dir() {
            let folder = ImageFolder::open(path)?;
            let side = resized(folder.shortest_side());
            return Ok(Self::Folder { folder, side });
        }
        match FileKind::of(path)? {
            FileKind::Cache => Ok(Self::Cache(Cache::open(path)?)),
            FileKind::ImageZip => {
                let folder = ImageFolder::open(path)?;
                let side = resized(folder.shortest_side());
                Ok(Self::Folder { folder, side })
            }
            FileKind::Npz => {
                let array = SampleArray::open(path)?;
                let (width, height) = array.size();
                Ok(Self::Array { array, side: resized(width.min(height)) })
            }
            FileKind::Npy => Err(not_images(
                path,
                "it is a single numpy array; write it into an npz with numpy.savez(\"samples.npz\", array)",
            )),
            FileKind::Image => {
                Err(not_images(path, "it is a single image; give the folder that holds it"))
            }
            // A zip without images may be cut, or empty; only a model's name says that it should be a model.
            FileKind::OtherZip if has_ending(path, "zip") || has_ending(path, "npz") => {
                Err(not_images(
                    path,
                    "it is a zip that is cut, or that holds neither images nor arrays",
                ))
            }
            _ => {
                let model = ModelFile::open(path)?;
                Self::of_model(&model, &path.display().to_string(), device, first)
            }
        }
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
        Ok(Self::Model { sampler, side, classes, first, name, notes: model.notes.clone() })
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
        Self::Model { sampler, side, classes, first, name: name.into(), notes: Vec::new() }
    }

    /// The number of images that can be measured; `None` for a generator, which makes any number.
    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Folder { folder, .. } => Some(folder.len()),
            Self::Array { array, .. } => Some(array.len()),
            Self::Cache(cache) => Some(cache.len()),
            Self::Model { .. } => None,
        }
    }

    /// The number of images that were found, measured or not; `None` for a generator.
    pub fn found(&self) -> Option<usize> {
        match self {
            Self::Folder { folder, .. } => Some(folder.found()),
            _ => self.count(),
        }
    }

    /// The files that are not measured, and why.
    pub fn left_out(&self) -> &[LeftOut] {
        match self {
            Self::Folder { folder, .. } => folder.left_out(),
            _ => &[],
        }
    }

    /// The sizes of all images, the most common first; empty for a generator and a cache.
    pub fn sizes(&self) -> Vec<SizeCount> {
        match self {
            Self::Folder { folder, .. } => folder.sizes().to_vec(),
            Self::Array { array, .. } => {
                let (width, height) = array.size();
                vec![SizeCount { width, height, count: array.len() }]
            }
            _ => Vec::new(),
        }
    }

    /// The number of images, of those that can be measured, whose files have no colour channels.
    pub fn stored_grey(&self) -> usize {
        match self {
            Self::Folder { folder, .. } => folder.stored_grey(),
            Self::Array { array, .. } if array.is_grey() => array.len(),
            _ => 0,
        }
    }

    /// The folder or file of the images; `None` for a generator.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder { folder, .. } => Some(folder.path()),
            Self::Array { array, .. } => Some(array.path()),
            Self::Cache(cache) => Some(cache.path()),
            Self::Model { .. } => None,
        }
    }

    /// Side of the images in pixels.
    pub fn side(&self) -> usize {
        match self {
            Self::Folder { side, .. } | Self::Array { side, .. } => *side,
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
            Self::Array { array, .. } => array.class(i),
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
            Self::Array { array, .. } => format!("{} {}", array.path().display(), array.name()),
            Self::Model { name, .. } => name.clone(),
            Self::Cache(cache) => format!("{} {}", cache.header().name, cache.header().fingerprint),
        }
    }

    /// What the images are, as far as it can be known without reading them all: it differs if they do.
    pub fn signature(&self) -> String {
        let content = match self {
            Self::Folder { folder, .. } => folder.signature(),
            Self::Array { array, .. } => array.signature(),
            // Their names say which bytes they have.
            Self::Model { .. } | Self::Cache(_) => String::new(),
        };
        format!("{} {:?} {content}", self.describe(), self.count())
    }

    /// What limits the meaning of figures of these images.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let square = match self {
            Self::Folder { folder, side } => folder.is_square(*side),
            Self::Array { array, side } => array.size() == (*side as u32, *side as u32),
            _ => true,
        };
        if !square {
            notes.push(format!(
                "the generated images have {} pixels: each was cropped to its central square and resized to \
                 {side}×{side}, as the real images were",
                sizes_in_words(&match self {
                    Self::Folder { folder, .. } => folder.used_sizes(),
                    _ => self.sizes(),
                }),
                side = self.side()
            ));
        }
        match self {
            Self::Folder { folder, .. } => notes.extend(folder.notes()),
            Self::Array { array, .. } => notes.extend(array.notes().iter().cloned()),
            Self::Model { notes: of_file, .. } => notes.extend(of_file.iter().cloned()),
            Self::Cache(_) => {}
        }
        notes
    }

    /// The images with these indices, in their order. A file that cannot be decoded is a problem.
    ///
    /// # Errors
    /// If the generator fails.
    ///
    /// # Panics
    /// If there is no image of an index.
    pub fn images(&self, wanted: &[usize]) -> Result<Vec<Result<Image, Problem>>, EvalError> {
        match self {
            Self::Folder { folder, side } => Ok(folder.read(wanted, *side)),
            Self::Array { array, side } => Ok(array.read(wanted, *side)),
            Self::Cache(cache) => Ok(wanted.iter().map(|i| Ok(cache.image(*i))).collect()),
            Self::Model { sampler, first, .. } => {
                let seeds = wanted.iter().map(|i| first + *i as u64);
                Ok(sampler.images(seeds, 1.0, BATCH)?.into_iter().map(Ok).collect())
            }
        }
    }

    /// The number of images to ask for at a time, for an extractor that takes `batch` of them. A compressed array is read
    /// from its beginning each time, so as many are read as fit into 64 MB.
    pub fn at_a_time(&self, batch: usize) -> usize {
        match self {
            Self::Array { side, .. } => batch.max(AT_ONCE / (3 * side * side).max(1)),
            _ => batch.max(1),
        }
    }
}

/// The error that `path` holds no generated images.
fn not_images(path: &Path, what: &str) -> EvalError {
    let problem = format!(
        "{what}; expected a folder or zip of images, an npz of samples, a cache, a model, phantom or shipped"
    );
    SettingError::value("fake", path.display(), problem).into()
}

/// The most common sizes, such as `600×450 (40 images), 450×450 (2 images)`.
fn sizes_in_words(sizes: &[SizeCount]) -> String {
    let one = sizes.len() == 1;
    let word = |s: &SizeCount| match one {
        true => format!("{}×{}", s.width, s.height),
        false => format!("{}×{} ({} images)", s.width, s.height, s.count),
    };
    let shown: Vec<String> = sizes.iter().take(SIZES_SHOWN).map(word).collect();
    match sizes.len().saturating_sub(SIZES_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} other sizes of", shown.join(", ")),
    }
}

/// Largest number of sizes that a note lists.
const SIZES_SHOWN: usize = 3;
/// Bytes of pixels of an array that are in memory at a time.
const AT_ONCE: usize = 64 << 20;
/// The smallest side in pixels to which images of a folder are resized.
const MIN_SIDE: usize = 16;
/// Images per batch of a generator.
const BATCH: usize = 64;
