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
                _ => return None,
            };
            Some(from_slice(&values, &old.device()))
        })
    }
}
