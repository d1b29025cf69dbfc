//! Latents by seed.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use rayon::prelude::*;

/// The latent of picture `seed`: `z_dim` standard normal numbers times the truncation `psi`. At
/// psi 1 it is what training drew from; towards 0 pictures come closer to the average one.
/// A DCGAN has no intermediate latent to truncate in, so the latent itself is scaled.
pub fn latent(seed: u64, z_dim: usize, psi: f64) -> Vec<f32> {
    Keyed::new(seed, "latent", 0).normals(z_dim, 0.0, psi)
}

/// Latents of training, keyed by the run's seed and the number of the image: [count, z_dim].
pub fn training_latents(
    run: u64,
    purpose: &'static str,
    first: u64,
    count: usize,
    z_dim: usize,
    device: &Device,
) -> Tensor<2> {
    let values: Vec<f32> = (first..first + count as u64)
        .into_par_iter()
        .flat_map_iter(|i| Keyed::new(run, purpose, i).normals(z_dim, 0.0, 1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, [count, z_dim]), device)
}
