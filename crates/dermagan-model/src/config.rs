//! The shape of the two networks.

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// Sizes of generator and discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Side of the pictures in pixels: 32, 64 or 128.
    pub resolution: usize,
    /// Length of the latent z.
    pub z_dim: usize,
    /// Channels of the generator's last hidden layer; each layer before has twice as many.
    pub g_width: usize,
    /// Channels of the discriminator's first layer; each layer after has twice as many.
    pub d_width: usize,
}

/// The resolutions that the networks are made for.
pub const RESOLUTIONS: [usize; 3] = [32, 64, 128];
const MAX_WIDTH: usize = 512;
const MAX_Z: usize = 4096;

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
        Ok(())
    }

    /// Hidden layers of either network: one for each doubling from 4×4 to half the resolution.
    pub fn stages(&self) -> usize {
        self.resolution.trailing_zeros() as usize - 2
    }

    /// (in, out) channels of each transposed convolution of the generator.
    pub fn generator_channels(&self) -> Vec<(usize, usize)> {
        let hidden = (0..self.stages()).rev().map(|i| self.g_width << i);
        let all: Vec<usize> = std::iter::once(self.z_dim).chain(hidden).chain([3]).collect();
        all.windows(2).map(|w| (w[0], w[1])).collect()
    }

    /// (in, out) channels of each convolution of the discriminator.
    pub fn discriminator_channels(&self) -> Vec<(usize, usize)> {
        let hidden = (0..self.stages()).map(|i| self.d_width << i);
        let all: Vec<usize> = std::iter::once(3).chain(hidden).chain([1]).collect();
        all.windows(2).map(|w| (w[0], w[1])).collect()
    }
}
