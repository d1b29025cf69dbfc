//! The random numbers that images are generated from.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use rayon::prelude::*;

use super::config::ModelConfig;
use crate::tensor::upload;

/// The input of the generator for image `seed`, [`ModelConfig::latents`] numbers: the latent z, which is
/// standard normal times the truncation `psi`, and the noise, if the generator takes any.
///
/// At `psi` = 1, z has the distribution of training; towards 0, images approach the average image. These
/// generators have no intermediate latent to truncate, so z itself is scaled. The noise is not scaled (as
/// in Karras et al. 2019), because a typical image has its grain too.
pub fn latent(seed: u64, model: &ModelConfig, psi: f64) -> Vec<f32> {
    let mut all = Keyed::new(seed, "latent", 0).normals(model.z_dim, 0.0, psi);
    all.extend(Keyed::new(seed, "noise", 0).normals(model.latents() - model.z_dim, 0.0, 1.0));
    all
}

/// The input of the generator for a training batch: `count` rows of [`ModelConfig::latents`] standard
/// normal numbers. The key of row i is the seed `run` of the run, `purpose`, and the number of the image,
/// `first` + i.
pub fn training_values(
    run: u64,
    purpose: &'static str,
    first: u64,
    count: usize,
    model: &ModelConfig,
) -> Vec<f32> {
    (first..first + count as u64)
        .into_par_iter()
        .flat_map_iter(|i| Keyed::new(run, purpose, i).normals(model.latents(), 0.0, 1.0))
        .collect()
}

/// [`training_values`] on a device, `[count, latents]`.
pub fn training_latents(
    run: u64,
    purpose: &'static str,
    first: u64,
    count: usize,
    model: &ModelConfig,
    device: &Device,
) -> Tensor<2> {
    let values = training_values(run, purpose, first, count, model);
    upload(TensorData::new(values, [count, model.latents()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::config::Backbone;

    #[test]
    fn truncation_scales_the_latent_but_not_the_noise() {
        let plain = ModelConfig { backbone: Backbone::Residual, ..ModelConfig::default() };
        let noisy = ModelConfig { noise: true, ..plain };
        let (whole, half) = (latent(3, &noisy, 1.0), latent(3, &noisy, 0.5));
        assert_eq!(whole.len(), 100 + 64 + 256 + 1024 + 4096);
        assert_eq!(whole[..100], latent(3, &plain, 1.0));
        assert!(whole[..100].iter().zip(&half).all(|(whole, half)| whole * 0.5 == *half));
        assert_eq!(whole[100..], half[100..]);
        assert_ne!(whole[100..], latent(4, &noisy, 1.0)[100..]);
    }
}
