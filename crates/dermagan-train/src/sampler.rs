//! Pictures by seed, from a generator that is ready to use.

use burn::tensor::{Tensor, TensorData};
use dermagan_base::picture::Picture;
use dermagan_model::latent::latent;
use dermagan_model::pixels::{pictures, to_pictures};
use dermagan_model::{Generator, ModelError, ModelFile, Prepared, Selected};
use rayon::prelude::*;

/// A generator on a device.
#[derive(Debug)]
pub struct Sampler {
    engine: Engine,
    z_dim: usize,
}

/// What makes the pictures.
#[derive(Debug)]
enum Engine {
    Cpu(Prepared),
    Device(Generator, Selected),
}

impl Sampler {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// When its weights and its shape do not belong together.
    pub fn new(model: &ModelFile, device: Selected) -> Result<Self, ModelError> {
        let generator = model.generator(&device.device)?;
        Ok(Self::of(generator, model.config.z_dim, device))
    }

    /// From a generator that is on its device already.
    pub(crate) fn of(generator: Generator, z_dim: usize, device: Selected) -> Self {
        let engine = match device.is_cpu {
            true => Engine::Cpu(Prepared::new(&generator)),
            false => Engine::Device(generator, device),
        };
        Self { engine, z_dim }
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
            let latents = chunk.par_iter().flat_map_iter(|&seed| latent(seed, self.z_dim, psi));
            let mut z: Vec<f32> = latents.collect();
            let pictures = match &self.engine {
                Engine::Cpu(prepared) => {
                    pictures(&prepared.forward(&z), prepared.side(), prepared.side())
                }
                Engine::Device(generator, selected) => {
                    z.resize(batch * self.z_dim, 0.0);
                    let data = TensorData::new(z, [batch, self.z_dim]);
                    to_pictures(generator.forward(Tensor::from_data(data, &selected.device)))
                }
            };
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
