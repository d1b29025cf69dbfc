//! Detects mode collapse within a class: a generator that makes the same image for every latent. On small data,
//! class-conditional generators may do this, and their losses do not show it (NVlabs/stylegan3#627; Shahbazi et al.
//! 2022, arXiv:2201.06578).

use dermagan_base::image::Image;
use dermagan_generate::Sampler;
use dermagan_model::ModelError;
use rayon::prelude::*;

use crate::plan::run_plan::Plan;

/// Number of images per class that are compared with each other.
const IMAGES: usize = 16;
/// A class has collapsed when its generated images differ by less than this share of the difference between real
/// images. Real images of one lesion, taken twice, differ by a third to a half of that difference.
const COLLAPSED: f64 = 0.15;

/// How much the generated images of a class differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Variety {
    /// Code of the class. `None` stands for all classes together, if the generator is not conditioned on classes.
    pub class: Option<String>,
    /// Mean difference of two generated images divided by that of two real images. It is 0 if all are the same.
    pub share: f64,
}

impl Variety {
    /// Whether the class has collapsed to one image for every latent.
    pub fn has_collapsed(&self) -> bool {
        self.share < COLLAPSED
    }
}

/// Mean absolute difference of all pairs of the images, in grey levels, 0 to 255. It is 0 for fewer than two images.
pub fn difference(images: &[Image]) -> f64 {
    let pairs: Vec<(&Image, &Image)> = images
        .iter()
        .enumerate()
        .flat_map(|(i, a)| images[i + 1..].iter().map(move |b| (a, b)))
        .collect();
    let apart = |(a, b): &(&Image, &Image)| -> f64 {
        let sum: u64 = a.pixels.iter().zip(&b.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.pixels.len().max(1) as f64
    };
    let sums: Vec<f64> = pairs.par_iter().map(apart).collect();
    sums.iter().sum::<f64>() / pairs.len().max(1) as f64
}

/// The variety of each class that the generator makes, relative to that of the first training images of the class.
/// Classes with fewer than two training images are left out.
///
/// Only the latent varies between the generated images: one image in eight orientations, or with different noise, is
/// still one image. After 540 kimg of preset `rare`, images of different latents differ by 0.76 to 1.13 of the
/// difference between real images, and images of different noise alone by 0.13 to 0.41.
///
/// # Errors
/// When the generated images are not finite.
pub fn varieties(plan: &Plan, sampler: &Sampler) -> Result<Vec<Variety>, ModelError> {
    let codes = &plan.config.source.classes;
    let classes: Vec<Option<usize>> = match plan.config.model.classes {
        0 => vec![None],
        count => (0..count.min(codes.len())).map(Some).collect(),
    };
    let variety = |class: Option<usize>| {
        let is = |image: &&u32| class.is_none_or(|class| plan.class_of(**image) == class);
        let real: Vec<Image> = plan
            .images
            .iter()
            .filter(is)
            .take(IMAGES)
            .map(|&index| plan.cache.image(index as usize))
            .collect();
        let among_real = difference(&real);
        let fakes = sampler.images_with_fixed_noise(IMAGES, class)?;
        Ok((among_real > 0.0).then(|| Variety {
            class: class.map(|class| codes[class].clone()),
            share: difference(&fakes) / among_real,
        }))
    };
    classes.into_iter().filter_map(|class| variety(class).transpose()).collect()
}

/// Watches a run for mode collapse.
#[derive(Clone, Debug, Default)]
pub struct CollapseMonitor {
    /// Classes that had collapsed at the last check.
    collapsed: Vec<Option<String>>,
}

impl CollapseMonitor {
    /// Checks every class ([`varieties`]). Returns a warning for each class that has collapsed since the last check.
    ///
    /// # Errors
    /// As [`varieties`].
    pub fn check(
        &mut self,
        plan: &Plan,
        sampler: &Sampler,
        kimg: f64,
    ) -> Result<Vec<String>, ModelError> {
        let found: Vec<Variety> =
            varieties(plan, sampler)?.into_iter().filter(Variety::has_collapsed).collect();
        let new = found.iter().filter(|variety| !self.collapsed.contains(&variety.class));
        let warnings = new.map(|Variety { class, share }| {
            let what = match class {
                Some(class) => format!("class {class} has collapsed to nearly one image"),
                None => "the generator has collapsed to nearly one image".to_owned(),
            };
            let percent = 100.0 * share;
            format!(
                "{what} at {kimg:.1} kimg: two generated images differ by {percent:.0} % of the difference \
                 between two real images"
            )
        });
        let warnings = warnings.collect();
        self.collapsed = found.into_iter().map(|variety| variety.class).collect();
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::request::TrainRequest;
    use crate::test_support::{changed, plan, request};
    use crate::watch::trained::sampler_of;
    use dermagan_model::{ComputeDevice, Init};

    #[test]
    fn a_generator_that_ignores_its_latent_gets_one_warning_per_class() {
        let rare = TrainRequest { width: Some(4), ..request("rare", &[]) };
        let plan = plan(rare).unwrap();
        let config = &plan.config;
        let sampler = |ignores: bool| {
            let factor = if ignores { 0.0 } else { 4.0 };
            let generator = changed(&config.model, Init::He, |name, values| {
                if name == "main.0.weight" {
                    values.iter_mut().for_each(|value| *value *= factor);
                }
            });
            sampler_of(generator, config, 540_000, ComputeDevice::cpu())
        };
        let mut monitor = CollapseMonitor::default();
        let mut warnings = |ignores| monitor.check(&plan, &sampler(ignores), 540.0).unwrap();
        for _ in 0..2 {
            let found = warnings(true);
            assert_eq!(found.len(), config.source.classes.len(), "{found:?}");
            for (class, words) in config.source.classes.iter().zip(&found) {
                let expected = format!("class {class} has collapsed to nearly one image at 540.0");
                assert!(words.starts_with(&expected) && words.contains(" 0 % of"), "{words}");
            }
            assert_eq!(warnings(true), [""; 0], "there is one warning");
            assert_eq!(warnings(false), [""; 0]);
        }
    }

    #[test]
    fn equal_images_have_no_variety() {
        let flat = |v: u8| Image::filled(4, 4, [v; 3]);
        assert_eq!(difference(&[flat(9), flat(9), flat(9)]), 0.0);
        assert_eq!(difference(&[flat(0), flat(30), flat(60)]), 40.0);
        assert_eq!(difference(&[flat(5)]), 0.0);
        let collapsed = |share| Variety { class: None, share }.has_collapsed();
        assert!(collapsed(0.05) && !collapsed(0.3));
    }
}
