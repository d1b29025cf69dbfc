//! Readers of weights, checkpoints and arrays of features.

use std::path::Path;
use std::sync::OnceLock;

use dermagan_base::image::Image;
use dermagan_eval::{GeneratedImages, LesionEncoder, npz};
use dermagan_generate::Sampler;
use dermagan_model::{ComputeDevice, ModelFile};
use dermagan_train::Checkpoint;

use crate::scratch::Scratch;

/// The most weights of a generator that is run: the time of a larger one says nothing about its reader.
const WEIGHTS: usize = 1 << 16;

fn device() -> &'static ComputeDevice {
    static DEVICE: OnceLock<ComputeDevice> = OnceLock::new();
    DEVICE.get_or_init(ComputeDevice::cpu)
}

/// Does with a generator what `info` and `sample` do.
fn use_model(scratch: &Scratch, path: &Path) {
    let _ = dermagan_train::describe(path, Some(&scratch.path("runs")));
    let Ok(model) = ModelFile::open(path) else { return };
    if model.weights.values().map(|array| array.values.len()).sum::<usize>() > WEIGHTS {
        return;
    }
    if let Ok(sampler) = Sampler::new(&model, device().clone()) {
        let _ = sampler.images([0], 1.0, 1);
    }
}

/// PyTorch's weights.
pub fn pth(scratch: &Scratch, bytes: &[u8]) {
    use_model(scratch, &scratch.put("generator.pth", bytes));
}

/// A generator's weights with their card, or weights of another program.
pub fn safetensors(scratch: &Scratch, bytes: &[u8]) {
    use_model(scratch, &scratch.put("generator.safetensors", bytes));
}

/// A lesion encoder.
pub fn encoder(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("encoder.safetensors", bytes);
    if let Ok(encoder) = LesionEncoder::open(&path, &device().handle) {
        let _ = encoder.card().to_string();
        let _ = encoder.classify(&[Image::filled(64, 64, [200, 150, 120])]);
    }
}

/// A checkpoint of a run.
pub fn checkpoint(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("checkpoint-000000.000.safetensors", bytes);
    if let Ok(mut checkpoint) = Checkpoint::open(&path) {
        for player in ["G", "D", "G_ema", "adam_G.m"] {
            let _ = checkpoint.take(player);
        }
        let _ = checkpoint.meta.config.validate();
    }
    use_model(scratch, &path);
}

/// Features, or images that another program sampled.
pub fn sample_npz(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("samples.npz", bytes);
    let _ = npz::read(&path);
    if let Ok(images) = GeneratedImages::open(&path, device(), 0, 64) {
        let _ = (images.count(), images.notes(), images.describe());
    }
}
