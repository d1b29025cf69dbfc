//! A generator on a device that makes images by seed and class.

use std::sync::OnceLock;

use burn::tensor::TensorData;
use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;
use dermagan_base::stop_requested;
use dermagan_model::Network;
use dermagan_model::latent;
use dermagan_model::pixels::{images, to_images};
use dermagan_model::tensor::upload;
use dermagan_model::{ComputeDevice, CpuGenerator, Generator, ModelConfig, ModelError, ModelFile};
use rayon::prelude::*;

/// A generator on a device.
#[derive(Debug)]
pub struct Sampler {
    engine: Engine,
    model: ModelConfig,
    /// The number of classes that the generator is conditioned on, and their properties; `None` if it is not
    /// conditioned on classes.
    classes: Option<(usize, Classes)>,
    /// Whether the seed also decides the orientation of its image.
    turns: bool,
}

/// The classes of a generator that is conditioned on classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Number of training images per class. If no class is requested, classes are drawn in these proportions.
    pub images: Vec<u64>,
    /// Strength of the conditioning when the generator was saved: 0 for none, 1 for full.
    pub strength: f64,
}

/// The seed and the class of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Decides the latent and the orientation.
    pub seed: u64,
    /// Index among the generator's classes. `None`: the seed draws a class, with the frequencies of training.
    pub class: Option<usize>,
}

impl From<u64> for Shot {
    fn from(seed: u64) -> Self {
        Self { seed, class: None }
    }
}

/// The implementation that computes the images.
#[derive(Debug)]
enum Engine {
    /// The prepared form of a DCGAN on the CPU.
    Cpu(CpuGenerator),
    /// A generator on a GPU, or on the CPU for networks without a prepared form. The lock is set once the first images
    /// of a GPU were compared with the CPU's.
    Device(Box<Generator>, ComputeDevice, OnceLock<()>),
}

/// Number of images of a GPU's first batch that are compared with the CPU's.
const COMPARED: usize = 2;
/// Largest mean difference of their pixels that rounding explains, in levels of 0 to 255. Images of wrong kernels differ
/// by tens of levels.
const TOLERANCE: f64 = 0.5;

impl Sampler {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// [`ModelError`] if the weights do not fit the configuration.
    pub fn new(model: &ModelFile, device: ComputeDevice) -> Result<Self, ModelError> {
        let generator = model.generator(&device.handle)?;
        let classes = model
            .card
            .as_ref()
            .map(|card| Classes { images: card.class_images.clone(), strength: card.condition });
        let turns = model.card.as_ref().is_some_and(|card| card.turns);
        Ok(Self::of(generator, &model.config, classes, turns, device))
    }

    /// A sampler of a generator that is already on `device`. `classes` is ignored if `config` has no classes; if it is
    /// `None` or of another length, all classes are equally frequent. `turns` says whether a seed also decides the
    /// orientation of its image.
    pub fn of(
        generator: Generator,
        config: &ModelConfig,
        classes: Option<Classes>,
        turns: bool,
        device: ComputeDevice,
    ) -> Self {
        let engine = match (device.is_cpu, &generator) {
            (true, Generator::Dcgan(network)) => Engine::Cpu(CpuGenerator::new(network)),
            _ => Engine::Device(Box::new(generator), device, OnceLock::new()),
        };
        let count = config.classes;
        let classes = (count > 0).then(|| {
            let mut known = classes.unwrap_or(Classes { images: Vec::new(), strength: 1.0 });
            if known.images.len() != count {
                known.images = vec![1; count];
            }
            (count, known)
        });
        Self { engine, model: *config, classes, turns }
    }

    /// The index of an image's class: the requested class, or the one that the seed draws. `None` if the generator is
    /// not conditioned on classes.
    pub fn class_of(&self, shot: Shot) -> Option<usize> {
        let (_, classes) = self.classes.as_ref()?;
        shot.class.or_else(|| {
            let total: u64 = classes.images.iter().sum();
            let mut left = Keyed::new(shot.seed, "class", 0).below(total.max(1));
            classes.images.iter().position(|&images| {
                let here = left < images;
                left = left.saturating_sub(images);
                here
            })
        })
    }

    /// The code of an image's class. `codes` are the codes of the classes that the generator was trained on. `None` if
    /// the class is unknown: the generator saw several classes and is not conditioned on them, or not yet.
    pub fn code_of<'a>(&self, codes: &'a [String], shot: Shot) -> Option<&'a str> {
        let conditioned = self.classes.as_ref().is_some_and(|(_, known)| known.strength > 0.0);
        let code = match codes {
            [only] => Some(only),
            all => self.class_of(shot).filter(|_| conditioned).and_then(|class| all.get(class)),
        };
        code.map(String::as_str)
    }

    /// The orientation of a seed's image. A discriminator that sees every image in a random orientation cannot teach the
    /// generator that hairs point in all directions, as they do in real images. So the images are oriented at random, as
    /// they were in training (`models/README.md` reports the gain).
    pub fn orientation_of(&self, seed: u64) -> Orientation {
        match self.turns {
            true => Orientation::draw(&mut Keyed::new(seed, "orientation", 0)),
            false => Orientation::default(),
        }
    }

    /// Passes the images of `shots` at truncation `psi` to `give`, in their order. `batch` images are computed at once,
    /// so any number of images takes the memory of one batch. An image depends only on its shot and on `psi`. On a GPU
    /// the last batch is padded, so that every kernel runs at one shape.
    ///
    /// # Errors
    /// The first error of `give`, which ends the loop; [`ModelError::ImageNotFinite`] if the network computed NaN;
    /// [`ModelError::SickDevice`] if the first images of a GPU differ from the CPU's.
    pub fn each<E: From<ModelError>>(
        &self,
        shots: impl IntoIterator<Item = impl Into<Shot>>,
        psi: f64,
        batch: usize,
        mut give: impl FnMut(Shot, Image) -> Result<(), E>,
    ) -> Result<(), E> {
        let shots = shots.into_iter().map(Into::into);
        let latent = |shot: &Shot| latent(shot.seed, &self.model, psi);
        let class = |shot: &Shot| self.class_vectors(&[self.class_of(*shot)]);
        for made in self.in_batches(shots, batch, latent, class) {
            let (shot, image) = made?;
            give(shot, image.oriented(self.orientation_of(shot.seed)))?;
        }
        Ok(())
    }

    /// The images of `items`, each from its own latent and class vector, in their order. `batch` images are computed at
    /// once. The images have no random orientation. An error ends them.
    pub(crate) fn in_batches<T: Send + Sync>(
        &self,
        mut items: impl Iterator<Item = T>,
        batch: usize,
        latent: impl Fn(&T) -> Vec<f32> + Sync,
        class: impl Fn(&T) -> Vec<f32>,
    ) -> impl Iterator<Item = Result<(T, Image), ModelError>> {
        let batch = batch.max(1);
        let mut failed = false;
        std::iter::from_fn(move || {
            let chunk: Vec<T> = items.by_ref().take(batch).collect();
            if chunk.is_empty() || failed {
                return None;
            }
            let latents = chunk.par_iter().flat_map_iter(&latent).collect();
            let classes: Vec<f32> = chunk.iter().flat_map(&class).collect();
            let made = match stop_requested() {
                true => Err(ModelError::Stopped),
                false => self.make(latents, &classes, batch),
            };
            let (made, error) = match made {
                Ok(images) => (images, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            failed = error.is_some();
            Some(chunk.into_iter().zip(made).map(Ok).chain(error.map(Err)))
        })
        .flatten()
    }

    /// The images of seeds 0 to `count` - 1 of one class, without a random orientation and all with the noise of seed 0,
    /// so that they differ only by z.
    ///
    /// # Errors
    /// As [`Sampler::images`].
    pub fn images_with_fixed_noise(
        &self,
        count: usize,
        class: Option<usize>,
    ) -> Result<Vec<Image>, ModelError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let first = latent(0, &self.model, 1.0);
        let noise = &first[self.model.z_dim..];
        let all = (0..count as u64).flat_map(|seed| {
            let own = latent(seed, &self.model, 1.0);
            [&own[..self.model.z_dim], noise].concat()
        });
        self.make(all.collect(), &self.class_vectors(&vec![class; count]), count)
    }

    /// The scaled one-hot vectors of the classes of some images, `[images, classes]`. Empty for a generator that is not
    /// conditioned on classes.
    pub(crate) fn class_vectors(&self, classes: &[Option<usize>]) -> Vec<f32> {
        let Some((count, known)) = &self.classes else { return Vec::new() };
        let mut vectors = vec![0.0; count * classes.len()];
        for (vector, class) in vectors.chunks_exact_mut(*count).zip(classes) {
            if let Some(value) = class.and_then(|class| vector.get_mut(class)) {
                *value = known.strength as f32;
            }
        }
        vectors
    }

    /// The images of at most `batch` latents `z`, `[images, latents]` (see [`ModelConfig::latents`]), with the class
    /// vectors `[images, classes]`. The images have no random orientation.
    pub(crate) fn make(
        &self,
        mut z: Vec<f32>,
        classes: &[f32],
        batch: usize,
    ) -> Result<Vec<Image>, ModelError> {
        let latents = self.model.latents();
        let wanted = z.len() / latents.max(1);
        match &self.engine {
            Engine::Cpu(prepared) => {
                images(&prepared.forward(&z), prepared.side(), prepared.side())
            }
            Engine::Device(generator, device, checked) => {
                let first = z[..latents * wanted.min(COMPARED)].to_vec();
                let padded = if device.is_cpu { wanted } else { batch.max(wanted) };
                z.resize(padded * latents, 0.0);
                let z = TensorData::new(z, [padded, latents]);
                let class = self.classes.as_ref().map(|(count, _)| {
                    let mut vectors = classes.to_vec();
                    vectors.resize(padded * count, 0.0);
                    upload(TensorData::new(vectors, [padded, *count]), &device.handle)
                });
                let z = upload(z, &device.handle);
                let made = to_images(generator.forward(z, class).narrow(0, 0, wanted))?;
                if !device.is_cpu && checked.get().is_none() {
                    self.check(generator, device, first, classes, &made)?;
                    let _ = checked.set(());
                }
                Ok(made)
            }
        }
    }

    /// Compares the first images of a GPU with those of the CPU, for the same latents `z` and class vectors.
    fn check(
        &self,
        generator: &Generator,
        device: &ComputeDevice,
        z: Vec<f32>,
        classes: &[f32],
        made: &[Image],
    ) -> Result<(), ModelError> {
        let cpu = ComputeDevice::cpu();
        let reference = Generator::new(&self.model, &cpu.handle)
            .with_weights(&generator.to_weights())
            .map_err(ModelError::Config)?;
        let known = self.classes.as_ref().map(|(_, known)| known.clone());
        let count = z.len() / self.model.latents().max(1);
        let values = self.classes.as_ref().map_or(0, |(classes, _)| classes * count);
        let expected = Self::of(reference, &self.model, known, false, cpu).make(
            z,
            &classes[..values],
            count,
        )?;
        for (found, expected) in made.iter().zip(&expected) {
            let pairs = found.pixels.iter().zip(&expected.pixels);
            let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let off = sum as f64 / expected.pixels.len().max(1) as f64;
            if off > TOLERANCE {
                return Err(ModelError::SickDevice(format!(
                    "{} computes wrong images: their mean difference from the CPU's is {off:.1} of 255 levels. Update the \
                     driver of the device, or use `device` = cpu",
                    device.name
                )));
            }
        }
        Ok(())
    }

    /// Passes the images of given latents to `give`, in their order. Each item is a latent of
    /// [`ModelConfig::latents`] numbers, such as [`latent()`] returns, and the index of a class; `None` is no class at all
    /// and not a class that a seed draws. The images have no random orientation. `batch` images are computed at once.
    ///
    /// # Errors
    /// The first error of `give`, which ends the loop; [`ModelError::Config`] for a latent of another length; else as
    /// [`Sampler::each`].
    pub fn each_of_latents<'a, E: From<ModelError>>(
        &self,
        items: impl IntoIterator<Item = (&'a [f32], Option<usize>)>,
        batch: usize,
        mut give: impl FnMut(Image) -> Result<(), E>,
    ) -> Result<(), E> {
        let length = self.model.latents();
        let items: Vec<_> = items.into_iter().collect();
        if let Some((latent, _)) = items.iter().find(|(latent, _)| latent.len() != length) {
            return Err(E::from(ModelError::Config(format!(
                "a latent has {} numbers, expected {length}",
                latent.len()
            ))));
        }
        let class = |(_, class): &(&[f32], Option<usize>)| self.class_vectors(&[*class]);
        for made in self.in_batches(items.into_iter(), batch, |(latent, _)| latent.to_vec(), class)
        {
            give(made?.1)?;
        }
        Ok(())
    }

    /// The images of `shots` at truncation `psi`, in their order; `batch` of them are computed at once.
    ///
    /// # Errors
    /// [`ModelError::ImageNotFinite`] if the network computed NaN; [`ModelError::SickDevice`] if the first images of a GPU
    /// differ from the CPU's.
    pub fn images(
        &self,
        shots: impl IntoIterator<Item = impl Into<Shot>>,
        psi: f64,
        batch: usize,
    ) -> Result<Vec<Image>, ModelError> {
        let mut all = Vec::new();
        self.each(shots, psi, batch, |_, image| {
            all.push(image);
            Ok::<(), ModelError>(())
        })?;
        Ok(all)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use dermagan_model::{Backbone, Init};

    /// An untrained generator whose weights `change` has edited. It receives the name and the values of each parameter.
    pub(crate) fn changed(
        config: &ModelConfig,
        init: Init,
        change: impl Fn(&str, &mut [f32]),
    ) -> Generator {
        let device = ComputeDevice::cpu().handle;
        let mut weights = init.generator(config, 1, &device).to_weights();
        weights.iter_mut().for_each(|(name, array)| change(name, &mut array.values));
        Generator::new(config, &device).with_weights(&weights).unwrap()
    }

    #[test]
    fn the_orientation_of_an_image_depends_on_its_seed_and_not_on_the_batch() {
        let config = ModelConfig { resolution: 32, z_dim: 8, g_width: 4, ..ModelConfig::default() };
        let device = ComputeDevice::cpu();
        let sampler = |turns| {
            let generator = Init::Pytorch.generator(&config, 1, &device.handle);
            Sampler::of(generator, &config, None, turns, device.clone())
        };
        let (sampler, plain) = (sampler(true), sampler(false).images(0..32u64, 1.0, 8).unwrap());
        let oriented = sampler.images(0..32u64, 1.0, 8).unwrap();
        for (seed, (oriented, plain)) in (0..).zip(oriented.iter().zip(&plain)) {
            assert_eq!(*oriented, plain.clone().oriented(sampler.orientation_of(seed)));
            assert_eq!(*oriented, sampler.images([seed], 1.0, 64).unwrap()[0]);
        }
        assert!(oriented.iter().zip(&plain).any(|(a, b)| a != b));
    }

    #[test]
    fn weights_that_overflow_give_an_error_instead_of_black_images() {
        let config = ModelConfig { resolution: 32, z_dim: 8, g_width: 4, ..ModelConfig::default() };
        let huge = changed(&config, Init::Pytorch, |_, values| {
            values.iter_mut().for_each(|value| *value *= 1e38);
        });
        let sampler = Sampler::of(huge, &config, None, false, ComputeDevice::cpu());
        assert!(matches!(sampler.images(0..2u64, 1.0, 2), Err(ModelError::ImageNotFinite)));
    }

    #[test]
    fn images_with_fixed_noise_differ_only_by_their_latent() {
        let config = ModelConfig {
            backbone: Backbone::Residual,
            resolution: 32,
            z_dim: 8,
            noise: true,
            g_width: 4,
            ..ModelConfig::default()
        };
        let sampler = |ignores_z: bool| {
            let generator = changed(&config, Init::He, |name, values| {
                if name.starts_with("noise.") {
                    values.fill(1.0);
                }
                if ignores_z && name == "main.0.weight" {
                    values.fill(0.0);
                }
            });
            Sampler::of(generator, &config, None, true, ComputeDevice::cpu())
        };
        // A generator that ignores z makes one image, and its noise alone varies.
        let collapsed = sampler(true);
        let images = collapsed.images_with_fixed_noise(4, None).unwrap();
        let [first, rest @ ..] = &images[..] else { panic!("no images") };
        assert!(rest.iter().all(|image| image == first));
        let own = collapsed.images(0..4u64, 1.0, 4).unwrap();
        assert!(own.iter().enumerate().all(|(i, a)| own[..i].iter().all(|b| a != b)));
        let varied = sampler(false).images_with_fixed_noise(4, None).unwrap();
        assert!(varied[1..].iter().all(|image| *image != varied[0]));
    }
}
