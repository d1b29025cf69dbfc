//! A network in the form that suits the device, and how it gets its images.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::image::Image;
use dermagan_model::tensor::to_vec;
use rayon::prelude::*;

use crate::error::EvalError;

/// A network on the CPU, with the kernels of dermagan-kernels.
pub(super) trait OnCpu {
    /// The features `[n, dims]` of the images `[n, side, side, 3]`.
    fn forward(&self, images: &[f32]) -> Vec<f32>;
}

/// A network on any device, with burn's layers.
pub(super) trait OnDevice {
    /// The features `[n, dims]` of the images `[n, 3, side, side]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

/// A network in the form that suits the device.
#[derive(Debug)]
pub(super) enum Form<C, D> {
    /// For the CPU.
    Cpu(C),
    /// For a GPU.
    Gpu(Box<D>, Device),
}

impl<C: OnCpu, D: OnDevice> Form<C, D> {
    /// The features of the inputs `values`, `[n, side, side, 3]`.
    pub fn forward(&self, values: Vec<f32>, side: usize) -> Vec<f32> {
        match self {
            Self::Cpu(network) => network.forward(&values),
            Self::Gpu(network, device) => {
                let shape = [values.len() / (3 * side * side), side, side, 3];
                let input = Tensor::<4>::from_data(TensorData::new(values, shape), device);
                to_vec(network.forward(input.permute([0, 3, 1, 2])).flatten::<1>(0, 1))
            }
        }
    }

    /// The features of images, `batch` at a time. `to_input` writes an image as `[side, side, 3]`.
    ///
    /// # Errors
    /// The first error of `to_input`.
    pub fn extract(
        &self,
        images: &[Image],
        [side, batch]: [usize; 2],
        to_input: impl Fn(&Image, &mut [f32]) -> Result<(), EvalError> + Sync,
    ) -> Result<Vec<f32>, EvalError> {
        let size = 3 * side * side;
        let mut features = Vec::new();
        for some in images.chunks(batch) {
            let mut values = vec![0.0; some.len() * size];
            values
                .par_chunks_mut(size)
                .zip(some)
                .try_for_each(|(values, image)| to_input(image, values))?;
            features.extend(self.forward(values, side));
        }
        Ok(features)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks that both forms of a network compute the same features of an image of noise, up to `tolerance` times the
    /// largest. The form for GPUs also runs on burn's CPU backend, so no GPU is needed.
    #[track_caller]
    pub fn assert_same_features(
        cpu: impl OnCpu,
        gpu: impl FnOnce(&Device) -> Box<dyn OnDevice>,
        [side, dims]: [usize; 2],
        tolerance: f32,
    ) {
        struct Boxed(Box<dyn OnDevice>);
        impl OnDevice for Boxed {
            fn forward(&self, images: Tensor<4>) -> Tensor<2> {
                self.0.forward(images)
            }
        }
        let pixels = (0..3 * side * side).map(|i| ((i * 7919 + 13) % 211) as f32 / 105.0 - 1.0);
        let image: Vec<f32> = pixels.collect();
        let device = Device::flex();
        let ours = cpu.forward(&image);
        let boxed = Boxed(gpu(&device));
        let burn = Form::<NoCpu, _>::Gpu(Box::new(boxed), device).forward(image, side);
        assert_eq!(ours.len(), dims);
        let largest = burn.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let apart = ours.iter().zip(&burn).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(largest > 0.0 && apart < tolerance * largest, "{apart} of {largest}");
    }

    /// Stands for the form that a test does not use.
    struct NoCpu;

    impl OnCpu for NoCpu {
        fn forward(&self, _: &[f32]) -> Vec<f32> {
            Vec::new()
        }
    }
}
