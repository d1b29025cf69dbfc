//! Images by seed, from a generator that is ready to use.

use std::sync::OnceLock;

use burn::tensor::TensorData;
use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;
use dermagan_model::latent::latent;
use dermagan_model::named::Network;
use dermagan_model::pixels::{images, to_images};
use dermagan_model::transfer::upload;
use dermagan_model::{Generator, ModelConfig, ModelError, ModelFile, Prepared, Selected};
use rayon::prelude::*;

/// A generator on a device.
#[derive(Debug)]
pub struct Sampler {
    engine: Engine,
    model: ModelConfig,
    /// How many classes it makes on demand, and what it knows of them.
    classes: Option<(usize, Classes)>,
    /// Whether the seed also says how its image is laid.
    turns: bool,
}

/// What a generator that makes classes on demand knows of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Images of each that it was trained on: the shares in which they come when none is asked for.
    pub images: Vec<u64>,
    /// How much of a class it was told when it was saved, 0 to 1.
    pub strength: f64,
}

/// One image to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Decides its latent, and how it is laid.
    pub seed: u64,
    /// Its class, by its place among the generator's; `None` for one that the seed decides, as often
    /// as it came in training.
    pub class: Option<usize>,
}

impl From<u64> for Shot {
    fn from(seed: u64) -> Self {
        Self { seed, class: None }
    }
}

/// What makes the images.
#[derive(Debug)]
enum Engine {
    Cpu(Prepared),
    /// A GPU, and whether its first images were compared with the CPU's; or the CPU, for networks that it has no
    /// prepared form of.
    Device(Box<Generator>, Selected, OnceLock<()>),
}

/// Images of a GPU's first batch that are compared with the CPU's.
const COMPARED: usize = 2;
/// Largest mean difference of their pixels, of 255 levels, that is rounding. Images of wrong kernels differ by tens.
const LEVELS: f64 = 0.5;

impl Sampler {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// When its weights and its shape do not belong together.
    pub fn new(model: &ModelFile, device: Selected) -> Result<Self, ModelError> {
        let generator = model.generator(&device.device)?;
        let classes = model
            .card
            .as_ref()
            .map(|card| Classes { images: card.class_images.clone(), strength: card.condition });
        let turns = model.card.as_ref().is_some_and(|card| card.turns);
        Ok(Self::of(generator, &model.config, classes, turns, device))
    }

    /// From a generator that is on its device already.
    pub(crate) fn of(
        generator: Generator,
        config: &ModelConfig,
        classes: Option<Classes>,
        turns: bool,
        device: Selected,
    ) -> Self {
        let engine = match (device.is_cpu, &generator) {
            (true, Generator::Dcgan(network)) => Engine::Cpu(Prepared::new(network)),
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

    /// The class of an image, by its place among the generator's: the one asked for, or the one that
    /// its seed decides; `None` of a generator that knows of none.
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

    /// The code of an image's class among `codes`, those of the generator; `None` where it saw several
    /// and makes none on demand, or has not been told of them yet, and so does not know which one a
    /// image is of.
    pub fn code_of<'a>(&self, codes: &'a [String], shot: Shot) -> Option<&'a str> {
        let told = self.classes.as_ref().is_some_and(|(_, known)| known.strength > 0.0);
        let code = match codes {
            [only] => Some(only),
            all => self.class_of(shot).filter(|_| told).and_then(|class| all.get(class)),
        };
        code.map(String::as_str)
    }

    /// How the image of a seed is laid. A discriminator that sees every image turned at random
    /// cannot tell a generator that all its hairs point one way; real ones do not. So what it makes is
    /// turned as it was in training (`models/README.md` has what that brought).
    pub fn orientation_of(&self, seed: u64) -> Orientation {
        match self.turns {
            true => Orientation::draw(&mut Keyed::new(seed, "orientation", 0)),
            false => Orientation::default(),
        }
    }

    /// The images of `shots` at truncation `psi`, in their order, computed `batch` at a time and
    /// given out one by one, so that any number of them takes the memory of one batch. An image
    /// depends on its shot alone. On a GPU the last batch is filled up, so that every kernel runs
    /// at one shape.
    ///
    /// # Errors
    /// The first error of `give`, which ends it, or an image that is none.
    pub fn each<E: From<ModelError>>(
        &self,
        shots: impl IntoIterator<Item = impl Into<Shot>>,
        psi: f64,
        batch: usize,
        mut give: impl FnMut(Shot, Image) -> Result<(), E>,
    ) -> Result<(), E> {
        let batch = batch.max(1);
        let mut shots = shots.into_iter().map(Into::into);
        loop {
            let chunk: Vec<Shot> = shots.by_ref().take(batch).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let latents = chunk.par_iter().flat_map_iter(|s| latent(s.seed, &self.model, psi));
            let classes: Vec<Option<usize>> = chunk.iter().map(|s| self.class_of(*s)).collect();
            let made = self.make(latents.collect(), &self.rows(&classes), batch)?;
            for (shot, image) in chunk.into_iter().zip(made) {
                give(shot, image.turned(self.orientation_of(shot.seed)))?;
            }
        }
    }

    /// What the latents of seeds 0 to `count` make of a class, as the generator lays it, and with the noise
    /// of the first for all: they differ by z alone.
    pub(crate) fn by_latent(
        &self,
        count: usize,
        class: Option<usize>,
    ) -> Result<Vec<Image>, ModelError> {
        let first = latent(0, &self.model, 1.0);
        let noise = &first[self.model.z_dim..];
        let all = (0..count as u64).flat_map(|seed| {
            let own = latent(seed, &self.model, 1.0);
            [&own[..self.model.z_dim], noise].concat()
        });
        self.make(all.collect(), &self.rows(&vec![class; count]), count)
    }

    /// What says the classes of some images, [images, classes]; empty for a generator that knows of
    /// none.
    pub(crate) fn rows(&self, classes: &[Option<usize>]) -> Vec<f32> {
        let Some((count, known)) = &self.classes else { return Vec::new() };
        let mut rows = vec![0.0; count * classes.len()];
        for (row, class) in rows.chunks_exact_mut(*count).zip(classes) {
            if let Some(value) = class.and_then(|class| row.get_mut(class)) {
                *value = known.strength as f32;
            }
        }
        rows
    }

    /// The images of latents, [images, [`ModelConfig::latents`]], of classes, [images, classes]; at
    /// most `batch`. None is turned.
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
            Engine::Device(generator, selected, checked) => {
                let first = z[..latents * wanted.min(COMPARED)].to_vec();
                let filled = if selected.is_cpu { wanted } else { batch.max(wanted) };
                z.resize(filled * latents, 0.0);
                let z = TensorData::new(z, [filled, latents]);
                let class = self.classes.as_ref().map(|(count, _)| {
                    let mut rows = classes.to_vec();
                    rows.resize(filled * count, 0.0);
                    upload(TensorData::new(rows, [filled, *count]), &selected.device)
                });
                let z = upload(z, &selected.device);
                let made = to_images(generator.forward(z, class).narrow(0, 0, wanted))?;
                if !selected.is_cpu && checked.get().is_none() {
                    self.check(generator, selected, first, classes, &made)?;
                    let _ = checked.set(());
                }
                Ok(made)
            }
        }
    }

    /// Compares the first images of a GPU with the CPU's.
    fn check(
        &self,
        generator: &Generator,
        device: &Selected,
        z: Vec<f32>,
        classes: &[f32],
        made: &[Image],
    ) -> Result<(), ModelError> {
        let cpu = Selected::cpu();
        let reference = Generator::new(&self.model, &cpu.device)
            .with_weights(&generator.to_weights())
            .map_err(ModelError::Config)?;
        let known = self.classes.as_ref().map(|(_, known)| known.clone());
        let count = z.len() / self.model.latents().max(1);
        let rows = self.classes.as_ref().map_or(0, |(classes, _)| classes * count);
        let expected =
            Self::of(reference, &self.model, known, false, cpu).make(z, &classes[..rows], count)?;
        for (found, expected) in made.iter().zip(&expected) {
            let pairs = found.pixels.iter().zip(&expected.pixels);
            let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let off = sum as f64 / expected.pixels.len().max(1) as f64;
            if off > LEVELS {
                return Err(ModelError::SickDevice(format!(
                    "{} computes wrong images: they are off by {off:.1} of 255 levels from the CPU's. Use --device \
                     cpu, or update the device's driver",
                    device.name
                )));
            }
        }
        Ok(())
    }

    /// The images of `shots`, together.
    ///
    /// # Errors
    /// When one is none.
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

    /// A generator whose weights, by their names, are changed before its first step.
    pub(crate) fn changed(
        config: &ModelConfig,
        init: Init,
        change: impl Fn(&str, &mut [f32]),
    ) -> Generator {
        let device = Selected::cpu().device;
        let mut weights = init.generator(config, 1, &device).to_weights();
        weights.iter_mut().for_each(|(name, array)| change(name, &mut array.values));
        Generator::new(config, &device).with_weights(&weights).unwrap()
    }

    #[test]
    fn a_seed_lays_its_image_in_one_way_whatever_the_batch() {
        let config = ModelConfig { resolution: 32, z_dim: 8, g_width: 4, ..ModelConfig::default() };
        let device = Selected::cpu();
        let sampler = |turns| {
            let generator = Init::Pytorch.generator(&config, 1, &device.device);
            Sampler::of(generator, &config, None, turns, device.clone())
        };
        let (turning, straight) = (sampler(true), sampler(false).images(0..32u64, 1.0, 8).unwrap());
        let turned = turning.images(0..32u64, 1.0, 8).unwrap();
        for (seed, (turned, straight)) in (0..).zip(turned.iter().zip(&straight)) {
            assert_eq!(*turned, straight.clone().turned(turning.orientation_of(seed)));
            assert_eq!(*turned, turning.images([seed], 1.0, 64).unwrap()[0]);
        }
        assert!(turned.iter().zip(&straight).any(|(a, b)| a != b));
    }

    #[test]
    fn weights_that_overflow_make_an_error_and_no_black_images() {
        let config = ModelConfig { resolution: 32, z_dim: 8, g_width: 4, ..ModelConfig::default() };
        let huge = changed(&config, Init::Pytorch, |_, values| {
            values.iter_mut().for_each(|value| *value *= 1e38);
        });
        let sampler = Sampler::of(huge, &config, None, false, Selected::cpu());
        assert!(matches!(sampler.images(0..2u64, 1.0, 2), Err(ModelError::ImageNotFinite)));
    }

    #[test]
    fn images_by_their_latent_differ_by_nothing_else() {
        let config = ModelConfig {
            backbone: Backbone::Residual,
            resolution: 32,
            z_dim: 8,
            noise: true,
            g_width: 4,
            ..ModelConfig::default()
        };
        let sampler = |forget: bool| {
            let generator = changed(&config, Init::He, |name, values| {
                if name.starts_with("noise.") {
                    values.fill(1.0);
                }
                if forget && name == "main.0.weight" {
                    values.fill(0.0);
                }
            });
            Sampler::of(generator, &config, None, true, Selected::cpu())
        };
        // A generator that does not listen to z makes one image of many grains.
        let deaf = sampler(true);
        let [first, rest @ ..] = &deaf.by_latent(4, None).unwrap()[..] else { panic!("no images") };
        assert!(rest.iter().all(|image| image == first));
        let own = deaf.images(0..4u64, 1.0, 4).unwrap();
        assert!(own.iter().enumerate().all(|(i, a)| own[..i].iter().all(|b| a != b)));
        let heard = sampler(false).by_latent(4, None).unwrap();
        assert!(heard[1..].iter().all(|image| *image != heard[0]));
    }
}
