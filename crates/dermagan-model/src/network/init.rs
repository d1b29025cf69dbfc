//! Initial weights. They are drawn on the host, so they are the same on every device.

use burn::tensor::Device;
use dermagan_base::rng::Keyed;
use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::discriminator::Discriminator;
use super::generator::Generator;
use super::named::Network;
use crate::tensor::from_slice;

/// The distribution of the initial weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// That of the DCGAN paper (Radford, Metz and Chintala 2015): convolutions N(0, 0.02), gain of batch
    /// normalisation N(1, 0.02), shift 0.
    Dcgan,
    /// The default of PyTorch's layers: convolutions uniform within ±1/√fan-in, gain 1, shift 0.
    Pytorch,
    /// For the residual backbone: N(0, √(2/fan-in)), so that the results of a layer have the variance of
    /// its input (He et al. 2015). The last layer of the generator starts with a fifth of that spread.
    /// Biases are 0, embeddings N(0, 1), strengths of noise N(0, 0.1).
    He,
}

/// The factor on the initial spread of the generator's last layer. It keeps tanh out of saturation: with
/// the full spread, 14 to 60 % of the values of the first images were beyond ±0.95.
const FAINT: f64 = 0.2;

/// The standard deviation of a filter's values. A transposed filter has the shape `[in, out, …]`. In its
/// 4×4 form, which expands the latent, each pixel receives one tap only, and the input has not been
/// halved by an activation.
fn he<N: Network>(shape: &[usize]) -> f64 {
    let area = shape[2] * shape[3];
    match (N::TRANSPOSED, shape[2]) {
        (true, 4) => (1.0 / shape[0] as f64).sqrt(),
        (true, _) => {
            let gain = if shape[1] == 3 { FAINT } else { 1.0 };
            gain * (2.0 / (shape[0] * area) as f64).sqrt()
        }
        (false, _) => (2.0 / (shape[1] * area) as f64).sqrt(),
    }
}

impl Init {
    /// A generator with initial weights.
    pub fn generator(self, config: &ModelConfig, seed: u64, device: &Device) -> Generator {
        self.fill(Generator::new(config, device), seed, "init generator")
    }

    /// A discriminator with initial weights.
    pub fn discriminator(self, config: &ModelConfig, seed: u64, device: &Device) -> Discriminator {
        self.fill(Discriminator::new(config, device), seed, "init discrim")
    }

    /// Fills any network with initial weights; `purpose` separates its random numbers from those of other
    /// networks.
    pub fn fill<N: Network>(self, network: N, seed: u64, purpose: &'static str) -> N {
        let shapes: Vec<Vec<usize>> = network.parameters().into_iter().map(|p| p.shape).collect();
        let mut index = 0;
        network.map_values(|name, old| {
            let mut draw = Keyed::new(seed, purpose, index as u64);
            let shape = &shapes[index];
            index += 1;
            let n = old.dims()[0];
            let values = match (self, shape.len(), name.ends_with(".weight")) {
                (Self::Dcgan, 4, _) => draw.normals(n, 0.0, 0.02),
                (Self::Dcgan, 1, true) => draw.normals(n, 1.0, 0.02),
                // PyTorch: kaiming_uniform_(a=√5), which gives the bound 1/√fan-in. The fan-in is the
                // second axis times the area of the kernel, for transposed convolutions too.
                (Self::Pytorch, 4, _) => {
                    let bound = 1.0 / ((shape[1] * shape[2] * shape[3]) as f64).sqrt();
                    draw.uniforms(n, -bound, bound)
                }
                (Self::He, 4, _) => draw.normals(n, 0.0, he::<N>(shape)),
                (Self::He, 2, _) => draw.normals(n, 0.0, 1.0),
                // Not zero, because at zero the gradient is zero on average, and chance alone would decide.
                (Self::He, 1, _) if name.starts_with("noise.") => draw.normals(n, 0.0, 0.1),
                _ => return None,
            };
            Some(from_slice(&values, &old.device()))
        })
    }
}
