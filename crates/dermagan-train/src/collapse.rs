//! Does the generator make one image whatever its latent? On small data one that is told classes may,
//! and its losses do not show it (NVlabs/stylegan3#627; Shahbazi et al. 2022).

use dermagan_base::image::Image;
use dermagan_model::ModelError;
use rayon::prelude::*;

use crate::plan::Plan;
use crate::sampler::Sampler;

/// Images of a class that are compared with each other.
const IMAGES: usize = 16;
/// A class has collapsed when its images differ by less than this share of what real ones do. Real
/// images of one lesion, taken twice, differ by a third to a half of it.
const COLLAPSED: f64 = 0.15;

/// How much a class's images differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Variety {
    /// Its code; `None` for all classes together, of a generator that makes none on demand.
    pub class: Option<String>,
    /// Mean difference of two generated images over that of two real ones.
    pub share: f64,
}

impl Variety {
    /// Whether it makes one image for every latent.
    pub fn has_collapsed(&self) -> bool {
        self.share < COLLAPSED
    }
}

/// Mean difference of two of the images, in grey levels; 0 of fewer than two.
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

/// The variety of every class that the generator makes, beside that of the first images of it that it
/// learnt from; classes of fewer than two images are left out. One image that seeds lay in eight ways, or
/// whose grain they change, is still one: of what real images differ by, those of a `rare` after 540 kimg
/// differ by 0.76 to 1.13 by their latents, and by 0.13 to 0.41 by their noise alone.
///
/// # Errors
/// When the generator makes no images.
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
        let fakes = sampler.by_latent(IMAGES, class)?;
        Ok((among_real > 0.0).then(|| Variety {
            class: class.map(|class| codes[class].clone()),
            share: difference(&fakes) / among_real,
        }))
    };
    classes.into_iter().filter_map(|class| variety(class).transpose()).collect()
}

/// What a run has found so far.
#[derive(Clone, Debug, Default)]
pub struct Lookout {
    /// Classes that were one image when last looked at.
    collapsed: Vec<Option<String>>,
}

impl Lookout {
    /// Looks at every class, as [`varieties`] does. A warning for each that has become one image since
    /// the last time.
    ///
    /// # Errors
    /// As [`varieties`].
    pub fn look(
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
                Some(class) => format!("class {class} is nearly one image for every seed"),
                None => "nearly the same image comes of every seed".to_owned(),
            };
            let percent = 100.0 * share;
            format!(
                "{what} at {kimg:.1} kimg: two of them differ by {percent:.0} % of what two real \
                 ones do"
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
    use crate::plan::Request;
    use crate::plan::tests::phantom;
    use crate::sampler::tests::changed;
    use crate::trainer::sampler_of;
    use dermagan_model::{Init, Selected};

    #[test]
    fn a_generator_that_does_not_hear_its_latent_is_told_of_once_for_each_class() {
        let rare = Request { preset: "rare".into(), width: Some(4), ..Request::default() };
        let plan = phantom(rare).unwrap();
        let config = &plan.config;
        let sampler = |deaf: bool| {
            let factor = if deaf { 0.0 } else { 4.0 };
            let generator = changed(&config.model, Init::He, |name, values| {
                if name == "main.0.weight" {
                    values.iter_mut().for_each(|value| *value *= factor);
                }
            });
            sampler_of(generator, config, 540_000, Selected::cpu())
        };
        let mut lookout = Lookout::default();
        let mut warnings = |deaf| lookout.look(&plan, &sampler(deaf), 540.0).unwrap();
        for _ in 0..2 {
            let found = warnings(true);
            assert_eq!(found.len(), config.source.classes.len(), "{found:?}");
            for (class, words) in config.source.classes.iter().zip(&found) {
                let expected = format!("class {class} is nearly one image for every seed at 540.0");
                assert!(words.starts_with(&expected) && words.contains(" 0 % of"), "{words}");
            }
            assert_eq!(warnings(true), [""; 0], "said once");
            assert_eq!(warnings(false), [""; 0]);
        }
    }

    #[test]
    fn images_that_are_one_image_have_no_variety() {
        let flat = |v: u8| Image::filled(4, 4, [v; 3]);
        assert_eq!(difference(&[flat(9), flat(9), flat(9)]), 0.0);
        assert_eq!(difference(&[flat(0), flat(30), flat(60)]), 40.0);
        assert_eq!(difference(&[flat(5)]), 0.0);
        let seen = |share| Variety { class: None, share }.has_collapsed();
        assert!(seen(0.05) && !seen(0.3));
    }
}
