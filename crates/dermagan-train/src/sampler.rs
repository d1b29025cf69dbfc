//! Pictures by seed, from a generator that is ready to use.

use burn::tensor::{Tensor, TensorData};
use dermagan_base::picture::Picture;
use dermagan_model::latent::latent;
use dermagan_model::pixels::to_pictures;
use dermagan_model::{Generator, ModelError, ModelFile, Selected};
use rayon::prelude::*;

/// A generator on a device.
#[derive(Debug)]
pub struct Sampler {
    generator: Generator,
    z_dim: usize,
    device: Selected,
}

impl Sampler {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// When its weights and its shape do not belong together.
    pub fn new(model: &ModelFile, device: Selected) -> Result<Self, ModelError> {
        let generator = model.generator(&device.device)?;
        Ok(Self { generator, z_dim: model.config.z_dim, device })
    }

    /// From a generator that is on its device already.
    pub(crate) fn of(generator: Generator, z_dim: usize, device: Selected) -> Self {
        Self { generator, z_dim, device }
    }

    /// The pictures of `seeds` at truncation `psi`, in their order, computed `batch` at a time and
    /// given out one by one, so that any number of them takes the memory of one batch. A picture
    /// depends on its seed alone. On a GPU the last batch is filled up, so that every kernel runs
    /// at one shape.
    ///
    /// # Errors
    /// The first error of `give`, which ends it.
    pub fn each<E>(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        psi: f64,
        batch: usize,
        mut give: impl FnMut(u64, Picture) -> Result<(), E>,
    ) -> Result<(), E> {
        let batch = batch.max(1);
        let mut seeds = seeds.into_iter();
        loop {
            let chunk: Vec<u64> = seeds.by_ref().take(batch).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let rows = if self.device.is_cpu { chunk.len() } else { batch };
            let latents = chunk.par_iter().flat_map_iter(|&seed| latent(seed, self.z_dim, psi));
            let mut z: Vec<f32> = latents.collect();
            z.resize(rows * self.z_dim, 0.0);
            let data = TensorData::new(z, [rows, self.z_dim]);
            let z = Tensor::from_data(data, &self.device.device);
            let pictures = to_pictures(self.generator.forward(z));
            for (seed, picture) in chunk.into_iter().zip(pictures) {
                give(seed, picture)?;
            }
        }
    }

    /// The pictures of `seeds`, together.
    pub fn pictures(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        psi: f64,
        batch: usize,
    ) -> Vec<Picture> {
        let mut all = Vec::new();
        let done: Result<(), std::convert::Infallible> =
            self.each(seeds, psi, batch, |_, picture| {
                all.push(picture);
                Ok(())
            });
        done.map_or_else(|never| match never {}, |()| all)
    }
}
