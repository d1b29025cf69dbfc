//! Files of weights under PyTorch's names: safetensors, and PyTorch's `.pth` (read only).
//!
//! A weights file may come from anyone. Nothing in it is executed: the `.pth` reader interprets the
//! data of a pickle, never its code. Every length in it is checked against the length of the file
//! before it is used.

use std::collections::HashMap;
use std::path::Path;

use dermagan_base::quoted;
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::format::{Format, cut_safetensors, not_weights};
pub use super::torch::from_pth;
use super::values::floats;
pub use super::values::read_at_most;
pub use super::version::Version;
use crate::error::ModelError;
pub use crate::tensor::{Array, Weights};

/// The key of our JSON in the metadata of a safetensors file. There is only one key, because the
/// writer keeps metadata in a hash map: two keys would be written in random order, and equal states
/// would give different files.
pub const METADATA_KEY: &str = "dermagan";

/// The content of a weights file.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    /// The tensors.
    pub weights: Weights,
    /// The JSON under [`METADATA_KEY`]; `None` when another program wrote the file.
    pub metadata: Option<String>,
}

/// The bytes of a safetensors file. Equal weights and metadata give equal bytes.
///
/// # Errors
/// When the shape of an array does not fit its values.
pub fn to_safetensors(weights: &Weights, metadata: String) -> Result<Vec<u8>, ModelError> {
    serialize(weights, metadata, Dtype::F32, f32::to_le_bytes)
}

/// The bytes of a safetensors file in half precision (float16), for weights to share: half the size,
/// and three significant digits.
///
/// # Errors
/// As [`to_safetensors`], and when a value is beyond the range of half precision (65,504).
pub fn to_safetensors_half(weights: &Weights, metadata: String) -> Result<Vec<u8>, ModelError> {
    let lost = |v: &f32| v.is_finite() && !f16::from_f32(*v).is_finite();
    if let Some((name, _)) = weights.iter().find(|(_, a)| a.values.iter().any(lost)) {
        let what = "a value beyond the range of half precision (65,504)".to_owned();
        return Err(ModelError::weights(name.as_str(), what));
    }
    serialize(weights, metadata, Dtype::F16, |v| f16::from_f32(v).to_le_bytes())
}

fn serialize<const N: usize>(
    weights: &Weights,
    metadata: String,
    dtype: Dtype,
    bytes_of: impl Fn(f32) -> [u8; N],
) -> Result<Vec<u8>, ModelError> {
    let bytes: Vec<(&String, &Array, Vec<u8>)> = weights
        .iter()
        .map(|(name, a)| (name, a, a.values.iter().flat_map(|v| bytes_of(*v)).collect()))
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, array, bytes) in &bytes {
        let view = TensorView::new(dtype, array.shape.clone(), bytes)
            .map_err(|e| ModelError::weights(name.as_str(), e.to_string()))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata))
        .map_err(|e| ModelError::weights("safetensors", e.to_string()))
}

/// Reads the bytes of a safetensors file; `path` names it in errors. Tensors of integers and booleans
/// are skipped.
///
/// # Errors
/// When it is of another format, is cut short, or holds values that are neither floats nor integers.
pub fn from_safetensors(path: &str, bytes: &[u8]) -> Result<WeightsFile, ModelError> {
    let bad = |what: String| ModelError::weights(path, what);
    let broken = |e: safetensors::SafeTensorError| {
        bad(match Format::of(Path::new(path), bytes) {
            Format::Other(what) => not_weights(&what),
            Format::Torch => "a PyTorch file, expected a safetensors file".to_owned(),
            Format::Safetensors => cut_safetensors(bytes).unwrap_or_else(|| {
                format!("not a whole safetensors file, or damaged ({})", quoted(e))
            }),
        })
    };
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY).cloned());
    let mut weights = Weights::new();
    for (name, view) in file.tensors() {
        let values = floats(view.dtype(), view.data())
            .map_err(|what| bad(format!("tensor '{name}': {what}")))?;
        if let Some(values) = values {
            weights.insert(name, Array { shape: view.shape().to_vec(), values });
        }
    }
    Ok(WeightsFile { weights, metadata })
}
