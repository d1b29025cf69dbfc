//! What one training step learns from.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::tensor::upload;

use crate::augment::transforms::Transforms;

/// What one training step learns from, all of it on the autodiff device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Real images, `[batch, 3, side, side]` in [-1, 1].
    pub real: Tensor<4>,
    /// Latents of the same number of fakes, `[batch, latents]`
    /// ([`latents`](dermagan_model::ModelConfig::latents)).
    pub z: Tensor<2>,
    /// The class of each real image and of the fake that it is paired with, `[batch, classes]` ([`class_rows`]); `None`
    /// for networks that are not conditioned on classes.
    pub class: Option<Tensor<2>>,
    /// The augmentation of the real images and of the fakes before the discriminator sees them.
    pub transforms: Option<[Transforms; 2]>,
}

impl Batch {
    /// A batch without classes and without augmentation.
    pub fn plain(real: Tensor<4>, z: Tensor<2>) -> Self {
        Self { real, z, class: None, transforms: None }
    }
}

/// Class labels, `[batch, count]`: one-hot rows times `strength`, the strength of conditioning from 0 to 1. `classes`
/// are the indices of the images' classes, and `count` is the number of classes.
///
/// # Panics
/// When an index is not below `count`, or `count` is 0.
pub fn class_rows(
    classes: impl ExactSizeIterator<Item = usize>,
    count: usize,
    strength: f64,
    device: &Device,
) -> Tensor<2> {
    let batch = classes.len();
    let mut rows = vec![0.0; batch * count];
    for (row, class) in rows.chunks_exact_mut(count).zip(classes) {
        row[class] = strength as f32;
    }
    upload(TensorData::new(rows, [batch, count]), device)
}
