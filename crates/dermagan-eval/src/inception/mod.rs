//! Inception v3 as the Fréchet inception distance defines it: 2048 numbers an image.
//!
//! The network is that of pytorch-fid (<https://github.com/mseitzer/pytorch-fid>), whose weights
//! were carried over from TensorFlow's `inception-2015-12-05`, the ones that FID was published with.
//! torchvision's Inception is another network: its numbers are not comparable.

mod folded;
mod network;
mod plan;
mod prepared;
mod resize;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::image::Image;
use dermagan_model::ModelError;
use dermagan_model::named::to_vec;
use dermagan_model::ops::is_cpu;
use dermagan_model::weights::{Weights, from_pth, from_safetensors, read_at_most};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{EvalError, is_rgb};
use crate::extractor::Extractor;
use folded::Folded;
use network::Network;
use plan::Part;
use prepared::Prepared;
use resize::SIDE;

/// Numbers an image: the channels of the last block, averaged over its 8×8 places ("pool3").
pub const DIMS: usize = 2048;

/// Images that go through the network together: the widest layer takes some 17 MB an image, and
/// on the CPU even single images take no longer.
const BATCH: usize = 16;

/// The largest weights file that is read; pytorch-fid's has 96 MB.
const MAX_FILE: u64 = 512 << 20;

/// Classes of the network that FID uses; torchvision's has 1000.
const CLASSES: usize = 1008;

/// What to do about a file that is not the right one.
const ADVICE: &str = "`scripts/fetch-weights inception` fetches the file that FID is defined with";

/// Inception v3 on a device.
///
/// An image is brought to 299×299 as pytorch-fid does, by bilinear interpolation between pixel
/// centres, with one exception: a side above 299 is first reduced with an antialiased filter.
/// pytorch-fid picks four pixels there and skips the rest, so that its numbers for large images
/// depend on aliasing; ours differ from them. For images up to 299 pixels a side they agree.
#[derive(Debug)]
pub struct Inception {
    form: Form,
    path: PathBuf,
    hash: String,
}

/// The network in the form that serves a device.
#[derive(Debug)]
enum Form {
    /// On the CPU, by our own kernels.
    Cpu(Prepared),
    /// On a GPU, by burn's layers.
    Gpu(Network, Device),
}

impl Form {
    fn new(parts: Vec<Part<Folded>>, device: &Device) -> Self {
        if is_cpu(device) {
            return Self::Cpu(Prepared::new(parts));
        }
        Self::Gpu(Network::new(parts, device), device.clone())
    }

    /// 2048 numbers for each image of `values`, `[n, 299, 299, 3]`.
    fn forward(&self, values: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Cpu(network) => network.forward(&values),
            Self::Gpu(network, device) => {
                let shape = [values.len() / (3 * SIDE * SIDE), SIDE, SIDE, 3];
                let input = Tensor::<4>::from_data(TensorData::new(values, shape), device);
                to_vec(network.forward(input.permute([0, 3, 1, 2])).flatten::<1>(0, 1))
            }
        }
    }
}

impl Inception {
    /// Reads the weights that pytorch-fid publishes (`pt_inception-2015-12-05-6726825d.pth`), or
    /// the same tensors under the same names in safetensors. What the file is, its content says.
    ///
    /// # Errors
    /// When the file cannot be read, is cut short or damaged, lacks a tensor, has one of another
    /// shape, or is torchvision's Inception.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        let bad = |what: String| EvalError::Weights { path: path.to_owned(), what };
        let (weights, hash) = read(path)?;
        if let Some(head) = weights.get("fc.weight")
            && head.shape.first() != Some(&CLASSES)
        {
            let what = format!(
                "'fc.weight' has shape {:?}, expected {CLASSES} classes: torchvision's Inception \
                 gives no FID; {ADVICE}",
                head.shape
            );
            return Err(bad(what));
        }
        let parts = folded::network(&weights).map_err(|what| bad(format!("{what}; {ADVICE}")))?;
        Ok(Self { form: Form::new(parts, device), path: path.to_owned(), hash })
    }

    /// A network with random weights, which computes as long as a trained one: to measure its rate. Its
    /// features mean nothing.
    pub fn untrained(device: &Device) -> Self {
        let form = Form::new(folded::untrained(), device);
        Self { form, path: PathBuf::from("untrained"), hash: "0".repeat(64) }
    }

    /// The features of at most [`BATCH`] images that have pixels.
    fn forward(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        let mut values = vec![0.0; images.len() * 3 * SIDE * SIDE];
        values
            .par_chunks_mut(3 * SIDE * SIDE)
            .zip(images)
            .try_for_each(|(values, image)| resize::to_input(image, values))?;
        let features = self.form.forward(values);
        if features.iter().any(|value| !value.is_finite()) {
            let what = format!("these weights give features that are not finite; {ADVICE}");
            return Err(EvalError::Weights { path: self.path.clone(), what });
        }
        Ok(features)
    }
}

impl Extractor for Inception {
    fn name(&self) -> &'static str {
        "inception"
    }

    fn id(&self) -> String {
        // The version counts changes of the code that change the numbers.
        format!("inception-2-{}", &self.hash[..16])
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        if !images.iter().all(is_rgb) {
            return Err(EvalError::Input("an image has no pixels, or not three bytes each".into()));
        }
        let mut features = Vec::with_capacity(images.len() * DIMS);
        for some in images.chunks(BATCH) {
            features.extend(self.forward(some)?);
        }
        Ok(features)
    }
}

/// The tensors of a weights file, and its SHA-256 in hex.
fn read(path: &Path) -> Result<(Weights, String), EvalError> {
    let bad = |what: String| EvalError::Weights { path: path.to_owned(), what };
    if !path.exists() {
        return Err(bad(format!("there is no such file; {ADVICE}")));
    }
    let bytes = read_at_most(path, MAX_FILE).map_err(|e| bad(format!("{e}; {ADVICE}")))?;
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    // A safetensors file is a length of eight bytes and JSON; no form of `.pth` has a brace there.
    let weights = if bytes.get(8) == Some(&b'{') {
        from_safetensors(&path.display().to_string(), &bytes).map(|file| file.weights)
    } else {
        drop(bytes);
        from_pth(path)
    };
    let weights = weights.map_err(|error| match error {
        // Its message names the file, which ours does too.
        ModelError::Weights { what, .. } => bad(format!("{what}; {ADVICE}")),
        other => bad(other.to_string()),
    })?;
    Ok((weights, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form for GPUs runs on burn's CPU backend too: so it is tested where there is no GPU.
    #[test]
    fn both_forms_of_the_network_are_one_function() {
        let pixels = (0..3 * SIDE * SIDE).map(|i| ((i * 7919 + 13) % 211) as f32 / 105.0 - 1.0);
        let image: Vec<f32> = pixels.collect();
        let device = Device::flex();
        let ours = Form::Cpu(Prepared::new(folded::untrained())).forward(image.clone());
        let gpu = Form::Gpu(Network::new(folded::untrained(), &device), device);
        let burn = gpu.forward(image);
        assert_eq!(ours.len(), DIMS);
        let largest = burn.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let apart = ours.iter().zip(&burn).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(apart < 2e-5 * largest, "{apart} of {largest}");
    }
}
