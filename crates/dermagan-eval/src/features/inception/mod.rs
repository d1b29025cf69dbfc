//! Inception v3 as the Fréchet inception distance defines it: 2048 features per image.
//!
//! The network is that of pytorch-fid (<https://github.com/mseitzer/pytorch-fid>). Its weights were
//! converted from TensorFlow's `inception-2015-12-05`, with which FID was published. torchvision's
//! Inception is another network: its features give figures that are not comparable.

mod architecture;
mod cpu;
mod folded;
mod gpu;
mod resize;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::hex;
use dermagan_base::image::Image;
use dermagan_model::ModelError;
use dermagan_model::ops::is_cpu;
use dermagan_model::tensor::to_vec;
use dermagan_model::weights::{Weights, from_pth, from_safetensors, read_at_most};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::EvalError;
use crate::features::extractor::Extractor;
use crate::features::resize::is_rgb;
use architecture::Op;
use cpu::CpuNetwork;
use folded::Folded;
use gpu::GpuNetwork;
use resize::SIDE;

/// Features per image: the channels of the last block, averaged over its 8×8 positions ("pool3").
const DIMS: usize = 2048;

/// Images per batch. The widest layer takes some 17 MB per image, and on the CPU a batch is no faster
/// than single images.
const BATCH: usize = 16;

/// The largest weights file that is read, in bytes; that of pytorch-fid has 96 MB.
const MAX_FILE: u64 = 512 << 20;

/// Classes of the network that FID uses; torchvision's network has 1000.
const CLASSES: usize = 1008;

/// The advice for a wrong file.
const ADVICE: &str = "`scripts/fetch-weights inception` fetches the file that FID is defined with";

/// Inception v3 on a device.
///
/// An image is resized to 299×299 as in pytorch-fid, by bilinear interpolation between pixel centres,
/// with one exception: a side above 299 pixels is first reduced with an antialiasing filter.
/// pytorch-fid interpolates between four pixels there and skips the rest, so its features of large
/// images depend on aliasing, and the features computed here differ. For images with sides up to 299
/// pixels the two agree.
#[derive(Debug)]
pub struct Inception {
    form: Form,
    path: PathBuf,
    hash: String,
}

/// The network in the form that suits the device.
#[derive(Debug)]
enum Form {
    /// For the CPU, with the kernels of dermagan-kernels.
    Cpu(CpuNetwork),
    /// For a GPU, with burn's layers.
    Gpu(GpuNetwork, Device),
}

impl Form {
    fn new(parts: Vec<Op<Folded>>, device: &Device) -> Self {
        if is_cpu(device) {
            return Self::Cpu(CpuNetwork::new(parts));
        }
        Self::Gpu(GpuNetwork::new(parts, device), device.clone())
    }

    /// The features `[n, 2048]` of the images `values`, `[n, 299, 299, 3]` in [-1, 1].
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
    /// Features per image: 2048.
    pub const DIMS: usize = DIMS;

    /// Reads the weights that pytorch-fid publishes (`pt_inception-2015-12-05-6726825d.pth`), or the same
    /// tensors under the same names in safetensors. The content of the file decides which format it is.
    ///
    /// # Errors
    /// When the file cannot be read, is truncated or damaged, lacks a tensor, has a tensor of another
    /// shape, or is torchvision's Inception.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        let bad = |what: String| EvalError::Weights { path: path.to_owned(), what };
        let (weights, hash) = read(path)?;
        if let Some(head) = weights.get("fc.weight")
            && head.shape.first() != Some(&CLASSES)
        {
            let what = format!(
                "'fc.weight' has shape {:?}, expected {CLASSES} classes: this is torchvision's \
                 Inception, with which FID is not defined; {ADVICE}",
                head.shape
            );
            return Err(bad(what));
        }
        let parts = folded::network(&weights).map_err(|what| bad(format!("{what}; {ADVICE}")))?;
        Ok(Self { form: Form::new(parts, device), path: path.to_owned(), hash })
    }

    /// A network with random weights, which is as fast as a trained one: for benchmarks. Its features
    /// mean nothing.
    pub fn untrained(device: &Device) -> Self {
        let form = Form::new(folded::untrained(), device);
        Self { form, path: PathBuf::from("untrained"), hash: "0".repeat(64) }
    }

    /// The features of at most `BATCH` images that have pixels.
    fn forward(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        let mut values = vec![0.0; images.len() * 3 * SIDE * SIDE];
        values
            .par_chunks_mut(3 * SIDE * SIDE)
            .zip(images)
            .try_for_each(|(values, image)| resize::to_input(image, values))?;
        let features = self.form.forward(values);
        if features.iter().any(|value| !value.is_finite()) {
            let what = format!("the weights give features that are not finite; {ADVICE}");
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
        // The version number grows with every change of the code that changes the features.
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
            return Err(EvalError::Input(
                "an image has no pixels, or not three bytes for each".into(),
            ));
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
        return Err(bad(format!("no such file; {ADVICE}")));
    }
    let bytes = read_at_most(path, MAX_FILE).map_err(|e| bad(format!("{e}; {ADVICE}")))?;
    let hash = hex(&Sha256::digest(&bytes));
    // A safetensors file starts with a length of eight bytes and JSON; a `.pth` file never has a brace there.
    let weights = if bytes.get(8) == Some(&b'{') {
        from_safetensors(&path.display().to_string(), &bytes).map(|file| file.weights)
    } else {
        drop(bytes);
        from_pth(path)
    };
    let weights = weights.map_err(|error| match error {
        // Take only its text: `bad` names the file.
        ModelError::Weights { what, .. } => bad(format!("{what}; {ADVICE}")),
        other => bad(other.to_string()),
    })?;
    Ok((weights, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form for GPUs also runs on burn's CPU backend, so no GPU is needed to test it.
    #[test]
    fn both_forms_of_the_network_compute_the_same_features() {
        let pixels = (0..3 * SIDE * SIDE).map(|i| ((i * 7919 + 13) % 211) as f32 / 105.0 - 1.0);
        let image: Vec<f32> = pixels.collect();
        let device = Device::flex();
        let ours = Form::Cpu(CpuNetwork::new(folded::untrained())).forward(image.clone());
        let gpu = Form::Gpu(GpuNetwork::new(folded::untrained(), &device), device);
        let burn = gpu.forward(image);
        assert_eq!(ours.len(), DIMS);
        let largest = burn.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let apart = ours.iter().zip(&burn).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(apart < 2e-5 * largest, "{apart} of {largest}");
    }
}
