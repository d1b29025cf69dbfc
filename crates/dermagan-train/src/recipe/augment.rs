//! Augmentation of the real images and the fakes that the discriminator sees.
//!
//! The generator's gradient passes through it (Zhao et al. 2020, arXiv:2006.10738). Each transform is applied with a
//! probability that may follow the discriminator's overfitting (Karras et al. 2020, arXiv:2006.06676). With few
//! training images, augmentation keeps the discriminator from memorising them.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::recipe::schedule::Scheduled;

/// The transforms, their strengths and their probabilities: section `augment` of a preset. By default nothing is
/// augmented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Mirrors half of the images and rotates each by 0 to 3 quarter turns, regardless of
    /// [`probability`](Self::probability). A lesion has no upright orientation. The generator does not learn one
    /// either: all of its hairs may point one way. A sampler therefore orients generated images by their seed.
    pub turns: bool,
    /// Largest shift along each axis as a share of the side, 0 to 0.5. Shifts are whole pixels. The border is reflected
    /// without repeating the edge. Zhao et al. use 0.125.
    pub translate: f64,
    /// Largest angle of rotation about the centre of the image, as a share of 180°, 0 to 1. With 1 the angle is
    /// unrestricted. Values are interpolated bilinearly, and the border is reflected.
    pub rotate: f64,
    /// Strength of scaling, 0 to 1. The scale factor lies between 1 / (1 + `zoom`) and 1 + `zoom`.
    pub zoom: f64,
    /// Side of a square that is set to mid-grey, as a share of the image's side, 0 to 1. Its centre may be anywhere in
    /// the image, so the square may extend beyond the edge. Zhao et al. use 0.5.
    pub cutout: f64,
    /// Largest offset, 0 to 2, added to pixel values in [-1, 1]. Zhao et al. use 0.5.
    pub brightness: f64,
    /// Strength of the change of saturation, 0 to 1. The distances of a pixel's channels from their mean are multiplied
    /// by a factor within 1 ± `saturation`. Zhao et al. use 1.
    pub saturation: f64,
    /// Strength of the change of contrast, 0 to less than 1. Values are multiplied by a factor within 1 ± `contrast`.
    /// Zhao et al. use 0.5 about the image's mean. This is about mid-grey, 0: one linear map then serves every pixel,
    /// and neither the transform nor its gradient has to sum over the image.
    pub contrast: f64,
    /// Probability, 0 to 1, of each transform: translation, rotation with zoom, cutout, and colour. Each is drawn
    /// independently. It is not used if [`target`](Self::target) is above 0.
    pub probability: Scheduled,
    /// Probability of each transform in the rarest class, 0 to 1. Without it, all classes have the same probability.
    ///
    /// Balanced sampling shows each image of a class of 100 images 60 times as often as each image of a class of 6000,
    /// and the discriminator memorises it that much sooner. The most common class has
    /// [`probability`](Self::probability). Classes in between are interpolated by their rarity, which is linear in the
    /// logarithm of their number of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rare_probability: Option<Scheduled>,
    /// Target for the mean sign of the real logits, 0 to 1. Above 0, the probability adapts until the mean sign reaches
    /// it. With 0 the probability does not adapt. Karras et al. use 0.6.
    pub target: f64,
    /// Number of images, in thousands, in which an adaptive probability can move from 0 to 1. Karras et al. use 500.
    pub adapt_kimg: f64,
}

impl AugmentConfig {
    /// Checks the range of every number.
    ///
    /// # Errors
    /// When a number is out of range. The error names its key and the range.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.probability.check("augment.probability", 0.0, 1.0)?;
        let rare = self.rare_probability.unwrap_or_default();
        rare.check("augment.rare_probability", 0.0, 1.0)?;
        for (key, value, most) in [
            ("translate", self.translate, 0.5),
            ("rotate", self.rotate, 1.0),
            ("zoom", self.zoom, 1.0),
            ("cutout", self.cutout, 1.0),
            ("brightness", self.brightness, 2.0),
            ("saturation", self.saturation, 1.0),
            ("contrast", self.contrast, 1.0),
            ("target", self.target, 1.0),
            ("adapt_kimg", self.adapt_kimg, 1e9),
        ] {
            Scheduled::Constant(value).check(&format!("augment.{key}"), 0.0, most)?;
        }
        let bad = |what: &str| Err(TrainError::Invalid(what.to_owned()));
        if self.contrast >= 1.0 {
            return bad("augment.contrast = 1: expected 0 to less than 1");
        }
        if self.target > 0.0 && self.adapt_kimg <= 0.0 {
            return bad(
                "augment.adapt_kimg = 0: expected more than 0, because augment.target is set",
            );
        }
        Ok(())
    }

    /// Rejects a shift or a cutout that rounds to 0 pixels in images of `side` pixels.
    ///
    /// # Errors
    /// When one does. The error names its key and the smallest value that has an effect.
    pub fn check_pixels(&self, side: usize) -> Result<(), TrainError> {
        for (key, share) in [("translate", self.translate), ("cutout", self.cutout)] {
            if share > 0.0 && pixels(share, side) == 0 {
                return Err(TrainError::Invalid(format!(
                    "augment.{key} = {share} rounds to 0 of {side} pixels: expected at least {:.3}, or 0",
                    0.5 / side as f64
                )));
            }
        }
        Ok(())
    }

    /// Rejects a transform with a strength above 0 that is never applied.
    ///
    /// # Errors
    /// When there is one. The error names it and the settings that would apply it.
    pub fn check_effective(&self) -> Result<(), TrainError> {
        let set = self.strengths().into_iter().find(|(_, strength)| *strength > 0.0);
        match set.filter(|_| !self.may_apply()) {
            Some((key, strength)) => Err(TrainError::Invalid(format!(
                "augment.{key} = {strength} changes no image: augment.probability and augment.target are 0, and \
                 augment.rare_probability is 0 or has no effect (it needs condition.classes and rare classes); set one of \
                 them too, such as augment.probability = 0.5"
            ))),
            None => Ok(()),
        }
    }

    /// Whether no image is ever changed.
    pub fn is_off(&self) -> bool {
        !(self.turns || self.has_strength() && self.may_apply())
    }

    /// Whether any of the transforms with a probability has a strength above 0.
    pub(crate) fn has_strength(&self) -> bool {
        self.strengths().iter().any(|(_, strength)| *strength > 0.0)
    }

    /// The strengths of the transforms with a probability, each with its key.
    pub(crate) fn strengths(&self) -> [(&'static str, f64); 7] {
        [
            ("translate", self.translate),
            ("rotate", self.rotate),
            ("zoom", self.zoom),
            ("cutout", self.cutout),
            ("brightness", self.brightness),
            ("saturation", self.saturation),
            ("contrast", self.contrast),
        ]
    }

    /// Whether images are rotated by any angle or scaled.
    pub(crate) fn warps(&self) -> bool {
        self.rotate > 0.0 || self.zoom > 0.0
    }

    /// Whether the probability of the transforms can be above 0.
    pub(crate) fn may_apply(&self) -> bool {
        self.target > 0.0 || self.most() > 0.0
    }

    /// The largest probability of any class over the run, 0 to 1. It does not cover an adaptive probability.
    pub fn most(&self) -> f64 {
        self.probability.most().max(self.rare_probability.unwrap_or_default().most())
    }

    /// The probability in a class, 0 to 1, when `share` of the run is done, 0 to 1. `common` is the probability in the
    /// most common class. `rarity` is 0 for the most common class and 1 for the rarest.
    pub fn of_class(&self, common: f64, rarity: f64, share: f64) -> f64 {
        self.rare_probability.map_or(common, |rare| common + (rare.at(share) - common) * rarity)
    }

    /// The adaptive probability, 0 to 1, after `images` more images (Karras et al. 2020, arXiv:2006.06676). `p` is the
    /// probability before them. `mean_sign`, -1 to 1, is the mean sign of the real logits. The probability grows while
    /// the discriminator is surer of real images than [`target`](Self::target).
    pub fn adapted(&self, p: f64, mean_sign: f64, images: u64) -> f64 {
        let step = images as f64 / (self.adapt_kimg * 1000.0);
        (if mean_sign > self.target { p + step } else { p - step }).clamp(0.0, 1.0)
    }

    /// Whether brightness, saturation or contrast changes.
    pub(crate) fn colours(&self) -> bool {
        self.brightness > 0.0 || self.saturation > 0.0 || self.contrast > 0.0
    }
}

/// A share of the side in whole pixels.
pub(crate) fn pixels(share: f64, side: usize) -> usize {
    (share * side as f64).round() as usize
}

/// The rarity of each class, 0 to 1, from its number of `images`.
///
/// The most common class has 0 and the rarest has 1. In between, rarity is linear in the logarithm of the number of
/// images. Half as many images as another class does not make a class rare: a rarity of 1 needs at most a tenth. The
/// result is multiplied by `evenness`, 0 to 1, the strength of balanced sampling. Without balanced sampling, no class's
/// images are seen more often than another's, and every rarity is 0.
pub fn rarity(images: &[u64], evenness: f64) -> Vec<f64> {
    let sizes: Vec<f64> = images.iter().map(|n| libm::log((*n).max(1) as f64)).collect();
    let most = sizes.iter().copied().fold(0.0, f64::max);
    let range = sizes.iter().map(|size| most - size).fold(std::f64::consts::LN_10, f64::max);
    sizes.iter().map(|size| evenness * (most - size) / range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{ALWAYS, FULL, NEVER};

    #[test]
    fn augmentation_is_off_when_no_image_can_change() {
        let off = AugmentConfig::default();
        assert!(off.is_off() && AugmentConfig { probability: ALWAYS, target: 0.6, ..off }.is_off());
        assert!(AugmentConfig { probability: NEVER, target: 0.0, turns: false, ..FULL }.is_off());
        assert!(!AugmentConfig { turns: true, ..off }.is_off());
        assert!(!AugmentConfig { probability: NEVER, turns: false, ..FULL }.is_off());
    }

    #[test]
    fn the_probability_of_a_class_follows_the_logarithm_of_its_number_of_images() {
        let rare = rarity(&[100, 10_000, 1000, 0], 1.0);
        assert_eq!(
            (rare[1], rare[3]),
            (0.0, 1.0),
            "a class without images counts as one image: {rare:?}"
        );
        assert!((rare[0] - 0.5).abs() < 1e-12 && (rare[2] - 0.25).abs() < 1e-12, "{rare:?}");
        assert_eq!((rarity(&[7, 7], 1.0), rarity(&[], 1.0)), (vec![0.0; 2], Vec::new()));
        assert!(
            (rarity(&[100, 200], 1.0)[0] - 0.301).abs() < 1e-3,
            "half as many images is not rare"
        );
        assert_eq!(rarity(&[10, 1000], 0.5), [0.5, 0.0]);
        assert_eq!(rarity(&[10, 1000], 0.0), [0.0, 0.0], "without balanced sampling");

        let rare_probability = Some(Scheduled::Ramp { from: 0.5, to: 0.9 });
        let config = AugmentConfig { rare_probability, ..FULL };
        assert!((config.of_class(0.3, 1.0, 1.0) - 0.9).abs() < 1e-12);
        assert!((config.of_class(0.3, 0.5, 0.0) - 0.4).abs() < 1e-12);
        assert_eq!((config.of_class(0.3, 0.0, 1.0), FULL.of_class(0.3, 1.0, 1.0)), (0.3, 0.3));
        let alone = AugmentConfig { probability: NEVER, target: 0.0, turns: false, ..config };
        assert!(!alone.is_off() && alone.check_effective().is_ok() && alone.most() == 0.9);
    }

    #[test]
    fn a_strength_that_rounds_to_0_pixels_is_rejected() {
        let of = |translate, cutout| AugmentConfig { translate, cutout, ..FULL };
        assert!(of(0.0, 0.0).check_pixels(32).is_ok() && of(0.016, 0.016).check_pixels(32).is_ok());
        for (small, key) in [(of(0.015, 0.4), "translate"), (of(0.3, 0.015), "cutout")] {
            let error = small.check_pixels(32).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("augment.{key} = 0.015 rounds to 0 of 32 pixels")),
                "{error}"
            );
            assert!(small.check_pixels(64).is_ok());
        }
    }

    #[test]
    fn the_adaptive_probability_follows_the_signs_and_stays_between_0_and_1() {
        assert!((FULL.adapted(0.5, 0.9, 5000) - 0.51).abs() < 1e-12);
        assert!((FULL.adapted(0.5, 0.2, 5000) - 0.49).abs() < 1e-12);
        assert_eq!(FULL.adapted(0.999, 1.0, 5000), 1.0);
        assert_eq!(FULL.adapted(0.001, -1.0, 5000), 0.0);
    }

    #[test]
    fn values_out_of_range_are_rejected_by_name() {
        assert!(FULL.validate().is_ok() && AugmentConfig::default().validate().is_ok());
        type Setting = fn(&mut AugmentConfig) -> &mut f64;
        let settings: [(&str, Setting, f64); 9] = [
            ("translate", |c| &mut c.translate, 0.51),
            ("rotate", |c| &mut c.rotate, 1.1),
            ("zoom", |c| &mut c.zoom, 1.1),
            ("cutout", |c| &mut c.cutout, 1.1),
            ("brightness", |c| &mut c.brightness, 2.1),
            ("saturation", |c| &mut c.saturation, 1.1),
            ("contrast", |c| &mut c.contrast, 1.0),
            ("target", |c| &mut c.target, 1.1),
            ("adapt_kimg", |c| &mut c.adapt_kimg, 0.0),
        ];
        for (key, setting, above) in settings {
            for value in [above, -0.1, f64::NAN, f64::INFINITY] {
                let mut config = FULL;
                *setting(&mut config) = value;
                let error = config.validate().unwrap_err().to_string();
                assert!(error.starts_with(&format!("augment.{key} = {value}: ")), "{error}");
            }
        }
        let probability = Scheduled::Ramp { from: 0.5, to: 1.1 };
        assert!(AugmentConfig { probability, ..FULL }.validate().is_err());
        let rare_probability = Some(probability);
        let error = AugmentConfig { rare_probability, ..FULL }.validate().unwrap_err();
        assert!(error.to_string().starts_with("augment.rare_probability = 1.1: "), "{error}");
        assert_eq!(toml::from_str::<AugmentConfig>("").unwrap(), AugmentConfig::default());
        assert!(toml::from_str::<AugmentConfig>("turn = true").is_err());
    }
}
