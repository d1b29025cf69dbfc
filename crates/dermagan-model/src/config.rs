//! The shape of the two networks.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// How the layers are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// As Radford, Metz and Chintala (2015) have it: see [`crate::dcgan`].
    #[default]
    Dcgan,
    /// Residual, antialiased, without normalisation: see [`crate::residual`].
    Residual,
}

impl Backbone {
    /// Whether it is the one that files from before there was a choice have.
    fn is_dcgan(&self) -> bool {
        *self == Self::Dcgan
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// Side of the image that noise is added to after the layer that follows so many others of it.
pub(crate) fn noise_side(layer: usize) -> usize {
    8 << layer
}

/// Shape of generator and discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// How the layers are put together.
    #[serde(default, skip_serializing_if = "Backbone::is_dcgan")]
    pub backbone: Backbone,
    /// Classes that images are made of on demand; 0 when the generator knows of none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub classes: usize,
    /// Side of the images in pixels: 32, 64 or 128.
    pub resolution: usize,
    /// Length of the latent z.
    pub z_dim: usize,
    /// Whether the generator adds noise after each layer but the first and the last, by a strength that
    /// each channel learns (Karras et al. 2019): what is only grain then need not be made of z. Of the
    /// residual one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noise: bool,
    /// Channels of the generator's layer of half the resolution; each layer before has twice as many,
    /// and the residual one's layer after it half as many.
    pub g_width: usize,
    /// Channels of the discriminator's first layer; each layer after has twice as many.
    pub d_width: usize,
}

/// The resolutions that the networks are made for.
pub const RESOLUTIONS: [usize; 3] = [32, 64, 128];
const MAX_WIDTH: usize = 512;
const MAX_Z: usize = 4096;
const MAX_CLASSES: usize = 1000;
/// Numbers that stand for a class, beside the latent and in the discriminator's projection.
pub(crate) const EMBEDDING: usize = 32;

impl Default for ModelConfig {
    /// The reference: DCGAN at 64×64.
    fn default() -> Self {
        Self {
            backbone: Backbone::Dcgan,
            classes: 0,
            resolution: 64,
            z_dim: 100,
            noise: false,
            g_width: 64,
            d_width: 64,
        }
    }
}

impl ModelConfig {
    /// Checks that every size makes a network.
    ///
    /// # Errors
    /// Names the value and what is allowed.
    pub fn validate(&self) -> Result<(), ModelError> {
        let bad = |what: String| Err(ModelError::Config(what));
        if !RESOLUTIONS.contains(&self.resolution) {
            return bad(format!("a resolution of {}: 32, 64 or 128 are possible", self.resolution));
        }
        if !(1..=MAX_Z).contains(&self.z_dim) {
            return bad(format!("a latent of {} numbers: 1 to {MAX_Z} are possible", self.z_dim));
        }
        for width in [self.g_width, self.d_width] {
            if !(1..=MAX_WIDTH).contains(&width) {
                return bad(format!("a width of {width}: 1 to {MAX_WIDTH} are possible"));
            }
        }
        if self.classes > MAX_CLASSES {
            return bad(format!("{} classes: up to {MAX_CLASSES} are possible", self.classes));
        }
        if self.classes > 0 && self.backbone == Backbone::Dcgan {
            return bad("a DCGAN knows of no classes: use the residual backbone".to_owned());
        }
        if self.noise && self.backbone == Backbone::Dcgan {
            return bad("a DCGAN takes no noise: use the residual backbone".to_owned());
        }
        if self.backbone == Backbone::Residual && self.g_width % 2 == 1 {
            let (odd, even) = (self.g_width, self.g_width + 1);
            return bad(format!(
                "a width of {odd}: the residual generator's is even, such as {even}"
            ));
        }
        Ok(())
    }

    /// Hidden layers of either network: one for each doubling from 4×4 to half the resolution.
    pub fn stages(&self) -> usize {
        self.resolution.trailing_zeros() as usize - 2
    }

    /// Sides of the images that noise is added to.
    pub fn noise_sides(&self) -> Vec<usize> {
        let layers = if self.noise { self.stages() } else { 0 };
        (0..layers).map(noise_side).collect()
    }

    /// How many random numbers make an image: the latent z, and then the noise, side by side.
    pub fn latents(&self) -> usize {
        self.z_dim + self.noise_sides().iter().map(|side| side * side).sum::<usize>()
    }

    /// (in, out) channels of each layer of the generator. The residual one has a hidden layer of the
    /// whole resolution too.
    pub fn generator_channels(&self) -> Vec<(usize, usize)> {
        let hidden = (0..self.stages()).rev().map(|i| self.g_width << i);
        let whole = (self.backbone == Backbone::Residual).then_some(self.g_width / 2);
        let all = std::iter::once(self.z_dim).chain(hidden).chain(whole).chain([3]);
        let all: Vec<usize> = all.collect();
        all.windows(2).map(|w| (w[0], w[1])).collect()
    }

    /// (in, out) channels of each convolution of the discriminator.
    pub fn discriminator_channels(&self) -> Vec<(usize, usize)> {
        let hidden = (0..self.stages()).map(|i| self.d_width << i);
        let all: Vec<usize> = std::iter::once(3).chain(hidden).chain([1]).collect();
        all.windows(2).map(|w| (w[0], w[1])).collect()
    }
}
