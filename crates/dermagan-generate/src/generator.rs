//! A trained generator that is ready to make images: the front door of this crate.

use std::path::Path;

use dermagan_base::image::Image;
use dermagan_base::name::UNLABELLED;
use dermagan_model::{ComputeDevice, ModelError, ModelFile};

use crate::classes;
use crate::error::GenerateError;
use crate::sampler::{Sampler, Shot};
use crate::selection::Selection;

/// A trained generator on a device.
#[derive(Debug)]
pub struct ImageGenerator {
    model: ModelFile,
    sampler: Sampler,
    device: ComputeDevice,
}

/// The generator that comes with the program. Its card is in `models/lesion-generator/`.
///
/// # Errors
/// When this build of the program is damaged.
pub fn shipped_model() -> Result<ModelFile, ModelError> {
    ModelFile::from_bytes("dermagan's own generator", dermagan_models::LESION_GENERATOR)
}

impl ImageGenerator {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// When its weights do not fit its configuration.
    pub fn new(model: ModelFile, device: ComputeDevice) -> Result<Self, GenerateError> {
        let sampler = Sampler::new(&model, device.clone())?;
        Ok(Self { model, sampler, device })
    }

    /// Opens a generator's file: dermagan's safetensors or PyTorch's `.pth`.
    ///
    /// # Errors
    /// When the file is missing, damaged or not a generator.
    pub fn open(path: &Path, device: ComputeDevice) -> Result<Self, GenerateError> {
        Self::new(ModelFile::open(path)?, device)
    }

    /// The generator that comes with the program.
    ///
    /// # Errors
    /// When this build of the program is damaged.
    pub fn shipped(device: ComputeDevice) -> Result<Self, GenerateError> {
        Self::new(shipped_model()?, device)
    }

    /// The model's file: its configuration, card and hash.
    pub fn model(&self) -> &ModelFile {
        &self.model
    }

    /// The device.
    pub(crate) fn device(&self) -> &ComputeDevice {
        &self.device
    }

    /// The sampler, which makes single images by seed and class.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The code of an image's class; `None` if it is unknown.
    pub fn class_of(&self, shot: Shot) -> Option<&str> {
        let code = self.sampler.code_of(&self.model.card.as_ref()?.classes, shot);
        code.filter(|code| *code != UNLABELLED)
    }

    /// Makes images in memory, in the order of the selection: all seeds of the first class, then of the next.
    ///
    /// # Errors
    /// When a setting is out of range or an image is not finite.
    pub fn images(&self, selection: &Selection) -> Result<Vec<Image>, GenerateError> {
        let (_, indices) = classes::resolve(&self.model, &selection.classes)?;
        selection.check(indices.len())?;
        let shots = selection.shots(&indices);
        Ok(self.sampler.images(shots, selection.truncation, selection.batch)?)
    }
}
