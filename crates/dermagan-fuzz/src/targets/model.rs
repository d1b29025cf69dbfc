//! Readers of weights, checkpoints and arrays of features.

use std::path::Path;

use dermagan_base::image::Image;
use dermagan_eval::{LesionEncoder, npz};
use dermagan_generate::Sampler;
use dermagan_train::{Checkpoint, open_model};

use super::device::device;
use super::source::open_generated;
use crate::scratch::Scratch;

/// The most weights of a generator that is run: the time of a larger one says nothing about its reader.
const WEIGHTS: usize = 1 << 16;

/// Does with a generator what `info` and `sample` do.
fn use_model(path: &Path) {
    let _ = dermagan_train::describe(path, None);
    let Ok((_, model)) = open_model(Some(path), None) else { return };
    if model.weights.values().map(|array| array.values.len()).sum::<usize>() > WEIGHTS {
        return;
    }
    if let Ok(sampler) = Sampler::new(&model, device().clone()) {
        let _ = sampler.images([0], 1.0, 1);
    }
}

/// PyTorch's weights.
pub fn pth(scratch: &Scratch, bytes: &[u8]) {
    use_model(&scratch.put("generator.pth", bytes));
}

/// A generator's weights with their card, or weights of another program.
pub fn safetensors(scratch: &Scratch, bytes: &[u8]) {
    use_model(&scratch.put("generator.safetensors", bytes));
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
    use_model(&path);
}

/// Features, or images that another program sampled.
pub fn sample_npz(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("samples.npz", bytes);
    let _ = npz::read(&path);
    open_generated(&path);
}
