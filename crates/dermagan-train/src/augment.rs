//! Augmentation of what the discriminator sees, real and fake alike, through which the generator's
//! gradient passes (Zhao et al. 2020, arXiv 2006.10738), each kind with a probability that may follow
//! the discriminator's overfitting (Karras et al. 2020, arXiv 2006.06676). With few images it keeps
//! the discriminator from learning them by heart.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::schedule::Scheduled;

/// Which augmentations, how strong and how often. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Mirror half of the images and turn each by 0 to 3 quarters, whatever the probability: a
    /// lesion has no up. The generator then learns none either, all its hairs may point one way, and a
    /// sampler turns what it makes by the seed.
    pub turns: bool,
    /// Largest shift along each axis as a share of the side, 0 to 0.5; whole pixels, the border
    /// reflected without repeating the edge. Zhao et al.: 0.125.
    pub translate: f64,
    /// Largest angle by which an image is turned about its middle, as a share of half a turn, 0 to 1: 1 is
    /// any angle. Between pixels in proportion, the border reflected.
    pub rotate: f64,
    /// Largest part by which an image is larger or smaller than it was, 0 to 1: the factor lies between
    /// 1 / (1 + this) and 1 + this.
    pub zoom: f64,
    /// Side of a square set to mid-grey as a share of the image's side, 0 to 1; its centre is
    /// anywhere in the image, so that it may hang over the edge. Zhao et al.: 0.5.
    pub cutout: f64,
    /// Largest offset, 0 to 2, of images that are in [-1, 1]. Zhao et al.: 0.5.
    pub brightness: f64,
    /// The distances of a pixel's channels from their mean are multiplied by a factor within 1 ± this,
    /// 0 to 1. Zhao et al.: 1.
    pub saturation: f64,
    /// Values are multiplied by a factor within 1 ± this, 0 to less than 1. Zhao et al.: 0.5, about
    /// the image's mean; here about mid-grey, 0, so that one linear map serves every pixel and
    /// nothing has to be summed over the image, neither here nor in the gradient.
    pub contrast: f64,
    /// Probability, 0 to 1, of translation, of rotation with zoom, of cutout and of colour, each drawn on
    /// its own; with a target it is not used.
    pub probability: Scheduled,
    /// That probability in the rarest class, 0 to 1: balanced sampling shows each of a hundred images
    /// sixty times as often as each of six thousand, and the discriminator learns them by heart that much
    /// sooner. Between the commonest class, which has the other, and this one by their [`rarity`]. Without
    /// it all classes have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rare_probability: Option<Scheduled>,
    /// Above 0, up to 1, the probability adapts until the mean sign of the real logits is this.
    /// Karras et al.: 0.6.
    pub target: f64,
    /// Thousands of images in which an adaptive probability may go from 0 to 1. Karras et al.: 500.
    pub adapt_kimg: f64,
}

impl AugmentConfig {
    /// Checks every number.
    ///
    /// # Errors
    /// Names the key and what is allowed.
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
        let bad = |what: &str| Err(TrainError::Option(what.to_owned()));
        if self.contrast >= 1.0 {
            return bad("augment.contrast = 1: 0 to less than 1 are possible");
        }
        if self.target > 0.0 && self.adapt_kimg <= 0.0 {
            return bad("augment.adapt_kimg = 0: with a target it is more than 0");
        }
        Ok(())
    }

    /// Refuses a shift or a square of less than a pixel in images of `side`.
    ///
    /// # Errors
    /// Names it, and the least that does anything.
    pub fn check_pixels(&self, side: usize) -> Result<(), TrainError> {
        for (key, share) in [("translate", self.translate), ("cutout", self.cutout)] {
            if share > 0.0 && pixels(share, side) == 0 {
                return Err(TrainError::Option(format!(
                    "augment.{key} = {share} is no pixel of {side}: expected at least {:.3}, or 0",
                    0.5 / side as f64
                )));
            }
        }
        Ok(())
    }

    /// Refuses strengths that no image would feel.
    ///
    /// # Errors
    /// Names them, and what is missing.
    pub fn check_heard(&self) -> Result<(), TrainError> {
        let set = self.strengths().into_iter().find(|(_, strength)| *strength > 0.0);
        match set.filter(|_| !self.may_come()) {
            Some((key, strength)) => Err(TrainError::Option(format!(
                "augment.{key} = {strength} changes no image while augment.probability and \
                 augment.target are 0, and augment.rare_probability is or no class is told; expected also \
                 such as augment.probability = 0.5"
            ))),
            None => Ok(()),
        }
    }

    /// Whether no image is ever changed.
    pub fn is_off(&self) -> bool {
        !(self.turns || self.has_strength() && self.may_come())
    }

    /// Whether any of the transforms with a probability would change an image.
    pub(crate) fn has_strength(&self) -> bool {
        self.strengths().iter().any(|(_, strength)| *strength > 0.0)
    }

    /// The strengths of the transforms with a probability, by key.
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

    pub(crate) fn warps(&self) -> bool {
        self.rotate > 0.0 || self.zoom > 0.0
    }

    /// Whether the transforms with a probability ever come.
    pub(crate) fn may_come(&self) -> bool {
        self.target > 0.0 || self.most() > 0.0
    }

    /// The largest probability that any class comes to, but for one that adapts.
    pub fn most(&self) -> f64 {
        self.probability.most().max(self.rare_probability.unwrap_or_default().most())
    }

    /// The probability in a class of this [`rarity`] when `share` of the run is done, where it is `common` in
    /// the commonest.
    pub fn of_class(&self, common: f64, rarity: f64, share: f64) -> f64 {
        self.rare_probability.map_or(common, |rare| common + (rare.at(share) - common) * rarity)
    }

    /// The probability after `images` more images, from the one before, `p`, and the mean sign (-1 to
    /// 1) of the logits of the real ones: more where the discriminator is too sure of them.
    pub fn adapted(&self, p: f64, mean_sign: f64, images: u64) -> f64 {
        let step = images as f64 / (self.adapt_kimg * 1000.0);
        (if mean_sign > self.target { p + step } else { p - step }).clamp(0.0, 1.0)
    }

    pub(crate) fn colours(&self) -> bool {
        self.brightness > 0.0 || self.saturation > 0.0 || self.contrast > 0.0
    }
}

/// The pixels of a share of the side.
pub(crate) fn pixels(share: f64, side: usize) -> usize {
    (share * side as f64).round() as usize
}

/// How rare each class is: 0 for the commonest, 1 for the rarest, between them by the logarithm of how many
/// images it has. A class is not rare that has half as many as another: 1 takes a tenth at most. It is
/// `evenness` of that, 0 to 1, the share by which classes are drawn equally often: drawn as they are, no
/// class's images are seen more often than another's.
pub fn rarity(images: &[u64], evenness: f64) -> Vec<f64> {
    let sizes: Vec<f64> = images.iter().map(|n| libm::log((*n).max(1) as f64)).collect();
    let most = sizes.iter().copied().fold(0.0, f64::max);
    let range = sizes.iter().map(|size| most - size).fold(std::f64::consts::LN_10, f64::max);
    sizes.iter().map(|size| evenness * (most - size) / range).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ALWAYS: Scheduled = Scheduled::Constant(1.0);
    pub(crate) const NEVER: Scheduled = Scheduled::Constant(0.0);

    /// Everything, and always.
    pub(crate) const FULL: AugmentConfig = AugmentConfig {
        turns: true,
        translate: 0.3,
        rotate: 1.0,
        zoom: 0.5,
        cutout: 0.4,
        brightness: 0.5,
        saturation: 1.0,
        contrast: 0.5,
        probability: ALWAYS,
        rare_probability: None,
        target: 0.6,
        adapt_kimg: 500.0,
    };

    #[test]
    fn it_is_off_when_nothing_would_ever_change() {
        let off = AugmentConfig::default();
        assert!(off.is_off() && AugmentConfig { probability: ALWAYS, target: 0.6, ..off }.is_off());
        assert!(AugmentConfig { probability: NEVER, target: 0.0, turns: false, ..FULL }.is_off());
        assert!(!AugmentConfig { turns: true, ..off }.is_off());
        assert!(!AugmentConfig { probability: NEVER, turns: false, ..FULL }.is_off());
    }

    #[test]
    fn rare_classes_have_the_probability_of_the_rarest_by_the_logarithm_of_their_size() {
        let rare = rarity(&[100, 10_000, 1000, 0], 1.0);
        assert_eq!((rare[1], rare[3]), (0.0, 1.0), "no image counts as one: {rare:?}");
        assert!((rare[0] - 0.5).abs() < 1e-12 && (rare[2] - 0.25).abs() < 1e-12, "{rare:?}");
        assert_eq!((rarity(&[7, 7], 1.0), rarity(&[], 1.0)), (vec![0.0; 2], Vec::new()));
        assert!((rarity(&[100, 200], 1.0)[0] - 0.301).abs() < 1e-3, "half as many is not rare");
        assert_eq!(rarity(&[10, 1000], 0.5), [0.5, 0.0]);
        assert_eq!(rarity(&[10, 1000], 0.0), [0.0, 0.0], "drawn as they are");

        let rare_probability = Some(Scheduled::Ramp { from: 0.5, to: 0.9 });
        let config = AugmentConfig { rare_probability, ..FULL };
        assert!((config.of_class(0.3, 1.0, 1.0) - 0.9).abs() < 1e-12);
        assert!((config.of_class(0.3, 0.5, 0.0) - 0.4).abs() < 1e-12);
        assert_eq!((config.of_class(0.3, 0.0, 1.0), FULL.of_class(0.3, 1.0, 1.0)), (0.3, 0.3));
        let alone = AugmentConfig { probability: NEVER, target: 0.0, turns: false, ..config };
        assert!(!alone.is_off() && alone.check_heard().is_ok() && alone.most() == 0.9);
    }

    #[test]
    fn less_than_a_pixel_is_refused() {
        let of = |translate, cutout| AugmentConfig { translate, cutout, ..FULL };
        assert!(of(0.0, 0.0).check_pixels(32).is_ok() && of(0.016, 0.016).check_pixels(32).is_ok());
        for (small, key) in [(of(0.015, 0.4), "translate"), (of(0.3, 0.015), "cutout")] {
            let error = small.check_pixels(32).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("augment.{key} = 0.015 is no pixel of 32")),
                "{error}"
            );
            assert!(small.check_pixels(64).is_ok());
        }
    }

    #[test]
    fn the_probability_follows_the_signs_and_stays_within_0_and_1() {
        assert!((FULL.adapted(0.5, 0.9, 5000) - 0.51).abs() < 1e-12);
        assert!((FULL.adapted(0.5, 0.2, 5000) - 0.49).abs() < 1e-12);
        assert_eq!(FULL.adapted(0.999, 1.0, 5000), 1.0);
        assert_eq!(FULL.adapted(0.001, -1.0, 5000), 0.0);
    }

    #[test]
    fn bad_values_are_refused_by_name() {
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
