//! The shape of the generator and the discriminator.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::imagenet::{TAPS, Tap, Taps};

/// The architecture of both networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// That of Radford, Metz and Chintala (2015): see [`crate::dcgan`].
    #[default]
    Dcgan,
    /// Residual and antialiased, without batch normalisation: see [`crate::residual`].
    Residual,
}

impl Backbone {
    /// Whether it is the default. Files older than this setting do not name it.
    fn is_dcgan(&self) -> bool {
        *self == Self::Dcgan
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Side, in pixels, of the images that noise number `layer` (counted from 0) is added to.
pub(crate) fn noise_side(layer: usize) -> usize {
    8 << layer
}

/// The shape of the generator and the discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture of both networks.
    #[serde(default, skip_serializing_if = "Backbone::is_dcgan")]
    pub backbone: Backbone,
    /// Number of classes that the networks are conditioned on, up to 1000; 0 if they are not
    /// class-conditional.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub classes: usize,
    /// Side of the images in pixels, one of [`RESOLUTIONS`].
    pub resolution: usize,
    /// Length of the latent z, 1 to 4096.
    pub z_dim: usize,
    /// Whether the generator adds noise after each layer but the first and the last, with a strength that
    /// is learnt per channel (Karras et al. 2019). The latent z then need not encode the fine grain. For
    /// the residual backbone only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noise: bool,
    /// Number of channels of the generator's layer at half the resolution, 1 to 512. Each earlier layer
    /// has twice as many as the next. The residual generator has one more layer after it, with half
    /// as many.
    pub g_width: usize,
    /// Number of channels of the discriminator's first layer, 1 to 512. Each later layer has twice as
    /// many as the one before.
    pub d_width: usize,
    /// Whether the discriminator also judges features of a network that was trained on ImageNet
    /// ([`crate::imagenet`]); residual backbone only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub projected: bool,
}

/// The resolutions that the networks support, in pixels.
pub const RESOLUTIONS: [usize; 4] = [32, 64, 128, 256];
const MAX_WIDTH: usize = 512;
const MAX_Z: usize = 4096;
const MAX_CLASSES: usize = 1000;
/// Length of the embedding of a class, in the input of the generator and in the projection of the
/// discriminator.
pub(crate) const EMBEDDING: usize = 32;

impl Default for ModelConfig {
    /// The DCGAN of the paper at 64×64.
    fn default() -> Self {
        Self {
            backbone: Backbone::Dcgan,
            classes: 0,
            resolution: 64,
            z_dim: 100,
            noise: false,
            g_width: 64,
            d_width: 64,
            projected: false,
        }
    }
}

impl ModelConfig {
    /// Checks that a network can have these sizes.
    ///
    /// # Errors
    /// Names the first size that it cannot have, and the range that is allowed.
    pub fn validate(&self) -> Result<(), ModelError> {
        let bad = |what: String| Err(ModelError::Config(what));
        if !RESOLUTIONS.contains(&self.resolution) {
            return bad(format!("`resolution` = {}: expected 32, 64, 128 or 256", self.resolution));
        }
        if !(1..=MAX_Z).contains(&self.z_dim) {
            return bad(format!("`z_dim` = {}: expected 1 to {MAX_Z}", self.z_dim));
        }
        for (name, width) in [("g_width", self.g_width), ("d_width", self.d_width)] {
            if !(1..=MAX_WIDTH).contains(&width) {
                return bad(format!("`{name}` = {width}: expected 1 to {MAX_WIDTH}"));
            }
        }
        if self.classes > MAX_CLASSES {
            return bad(format!("{} classes: expected at most {MAX_CLASSES}", self.classes));
        }
        if self.projected && self.backbone == Backbone::Dcgan {
            return bad("`projected` needs the residual backbone".to_owned());
        }
        if self.classes > 0 && self.backbone == Backbone::Dcgan {
            return bad("a DCGAN is not class-conditional: use the residual backbone".to_owned());
        }
        if self.noise && self.backbone == Backbone::Dcgan {
            return bad("a DCGAN takes no noise: use the residual backbone".to_owned());
        }
        if self.backbone == Backbone::Residual && self.g_width % 2 == 1 {
            let (odd, even) = (self.g_width, self.g_width + 1);
            return bad(format!(
                "`g_width` = {odd}: the residual generator needs an even width, such as {even}"
            ));
        }
        Ok(())
    }

    /// Number of hidden layers of either network: one for each side of 4, 8, … pixels, up to half the
    /// resolution.
    pub fn stages(&self) -> usize {
        self.resolution.trailing_zeros() as usize - 2
    }

    /// Sides of the images that noise is added to, in pixels; empty without noise.
    pub fn noise_sides(&self) -> Vec<usize> {
        let layers = if self.noise { self.stages() } else { 0 };
        (0..layers).map(noise_side).collect()
    }

    /// Number of random numbers per image: those of the latent z, followed by those of the noise.
    pub fn latents(&self) -> usize {
        self.z_dim + self.noise_sides().iter().map(|side| side * side).sum::<usize>()
    }

    /// (in, out) channels of each layer of the generator. The residual generator also has a hidden layer
    /// at the full resolution.
    pub fn generator_channels(&self) -> Vec<(usize, usize)> {
        let hidden = (0..self.stages()).rev().map(|i| self.g_width << i);
        let whole = (self.backbone == Backbone::Residual).then_some(self.g_width / 2);
        let all = std::iter::once(self.z_dim).chain(hidden).chain(whole).chain([3]);
        let all: Vec<usize> = all.collect();
        all.windows(2).map(|w| (w[0], w[1])).collect()
    }

    /// (in, out) channels of each convolution of the discriminator.
    pub fn discriminator_channels(&self) -> Vec<(usize, usize)> {
        pairs(3, (0..self.stages()).map(|i| self.d_width << i))
    }

    /// The same of each judge of features, one per tap of [`crate::imagenet::TAPS`]; none unless the discriminator is
    /// projected. Each halves the side down to 4×4, and the last hidden layer has half as many channels as that of the
    /// discriminator of images.
    pub fn head_channels(&self) -> Vec<Vec<(usize, usize)>> {
        if !self.projected {
            return Vec::new();
        }
        let last = (self.d_width << (self.stages() - 1)) / 2;
        let head = |tap: &Tap| {
            let side = Taps::input_side(self.resolution) / tap.reduction;
            let stages = side.ilog2().saturating_sub(2);
            pairs(tap.channels, (0..stages).rev().map(|back| (last >> back).max(1)))
        };
        TAPS.iter().map(head).collect()
    }
}

/// (in, out) channels of convolutions from `first` channels through `hidden` ones to a single one.
fn pairs(first: usize, hidden: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let all: Vec<usize> = std::iter::once(first).chain(hidden).chain([1]).collect();
    all.windows(2).map(|w| (w[0], w[1])).collect()
}
