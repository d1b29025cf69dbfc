//! Initial weights, drawn on the host: the same on every device.

use burn::tensor::Device;
use dermagan_base::rng::Keyed;
use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;
use crate::discriminator::Discriminator;
use crate::generator::Generator;
use crate::named::{Network, from_slice};

/// How weights begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// As the DCGAN paper: convolutions N(0, 0.02), batch-norm gain N(1, 0.02), shift 0.
    Dcgan,
    /// As PyTorch's layers do by themselves: convolutions uniform within 1/√fan-in, gain 1, shift 0.
    Pytorch,
    /// So that a layer's results vary as much as what it is given: N(0, √(2/fan-in)) (He et al.
    /// 2015), the image's own layer fainter, biases 0, embeddings N(0, 1), noise's strengths N(0, 0.1).
    /// The residual backbone's.
    He,
}

/// The generator's last layer begins so faint that tanh is not saturated: at full strength, 14 to 60 %
/// of the first images' values were beyond ±0.95.
const FAINT: f64 = 0.2;

/// Spread of a filter's values. A transposed filter is [in, out, …], and its 4×4 form, which opens the
/// latent, gives each pixel one tap of numbers that no activation has halved.
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
    /// A generator that begins.
    pub fn generator(self, config: &ModelConfig, seed: u64, device: &Device) -> Generator {
        self.fill(Generator::new(config, device), seed, "init generator")
    }

    /// A discriminator that begins.
    pub fn discriminator(self, config: &ModelConfig, seed: u64, device: &Device) -> Discriminator {
        self.fill(Discriminator::new(config, device), seed, "init discrim")
    }

    /// Any network that begins; `purpose` keeps its numbers apart from those of others.
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
                // PyTorch: kaiming_uniform_(a=√5), which comes to 1/√fan-in, where fan-in is the
                // second axis times the kernel's area, for transposed convolutions too.
                (Self::Pytorch, 4, _) => {
                    let bound = 1.0 / ((shape[1] * shape[2] * shape[3]) as f64).sqrt();
                    draw.uniforms(n, -bound, bound)
                }
                (Self::He, 4, _) => draw.normals(n, 0.0, he::<N>(shape)),
                (Self::He, 2, _) => draw.normals(n, 0.0, 1.0),
                // Not zero: there the gradient is zero on average, and chance alone would choose.
                (Self::He, 1, _) if name.starts_with("noise.") => draw.normals(n, 0.0, 0.1),
                _ => return None,
            };
            Some(from_slice(&values, &old.device()))
        })
    }
}
