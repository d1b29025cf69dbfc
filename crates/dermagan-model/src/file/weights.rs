//! Files of weights under PyTorch's names: safetensors, and PyTorch's `.pth` (read only).
//!
//! A weights file may come from anyone. Nothing in it is executed: the `.pth` reader interprets the
//! data of a pickle, never its code. Every length in it is checked against the length of the file
//! before it is used.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType as TorchType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

pub use super::version::Version;
use crate::error::ModelError;
pub use crate::tensor::{Array, Weights};

/// The largest weights file that is read, in bytes. A checkpoint of width 512 at 128×128 has about
/// 30 GB, one of the default width 0.1 GB.
const MAX_FILE: u64 = 4 << 30;

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

/// Reads a file of at most `limit` bytes. Works for devices and pipes too, which have no length.
///
/// # Errors
/// When the file cannot be read or is longer.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let io = |error| ModelError::Io { path: path.display().to_string(), error };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        let what =
            format!("the file is longer than {limit} bytes, the most that such a file may have");
        return Err(ModelError::weights(path.display().to_string(), what));
    }
    Ok(bytes)
}

/// Reads a weights file of at most [`MAX_FILE`] bytes.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_at_most(path, MAX_FILE)
}

/// Reads the bytes of a safetensors file; `path` names it in errors. Tensors of integers and booleans
/// are skipped.
///
/// # Errors
/// When it is of another format, is cut short, or holds values that are neither floats nor integers.
pub fn from_safetensors(path: &str, bytes: &[u8]) -> Result<WeightsFile, ModelError> {
    let bad = |what: String| ModelError::weights(path, what);
    let broken = |e: safetensors::SafeTensorError| {
        bad(format!("not a complete safetensors file ({e}): it is cut short, or of another format"))
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

/// Little-endian floats of any width as float32. `None` for integers: no layer here has any, but
/// PyTorch's files do (`num_batches_tracked`).
fn floats(dtype: Dtype, bytes: &[u8]) -> Result<Option<Vec<f32>>, String> {
    Ok(Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => {
            bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
        Dtype::I64 | Dtype::I32 | Dtype::U64 | Dtype::U32 | Dtype::U8 | Dtype::BOOL => {
            return Ok(None);
        }
        other => return Err(format!("values of type {other:?}, expected floats")),
    }))
}

/// Reads PyTorch's `.pth`: a state dict that `torch.save` wrote, or a dictionary that contains one.
///
/// # Errors
/// When it is of another format, or is damaged.
pub fn from_pth(path: &Path) -> Result<Weights, ModelError> {
    let shown = path.display().to_string();
    let bad = |what: String| ModelError::weights(&shown, what);
    let length = std::fs::metadata(path)
        .map_err(|error| ModelError::Io { path: shown.clone(), error })?
        .len();
    let reader =
        PytorchReader::new(path).map_err(|e| bad(format!("not a PyTorch state dict ({e})")))?;
    let mut weights = Weights::new();
    let mut total = 0u64;
    for (name, tensor) in reader.tensors() {
        let dtype = match tensor.dtype() {
            TorchType::F32 => Dtype::F32,
            TorchType::F64 => Dtype::F64,
            TorchType::F16 => Dtype::F16,
            TorchType::BF16 => Dtype::BF16,
            _ => continue,
        };
        // A tensor may be a view that repeats a few stored bytes over a huge shape.
        total = total.saturating_add(tensor.byte_len() as u64);
        if total > length.saturating_mul(8).min(MAX_FILE) {
            return Err(bad(format!("its tensors claim {total} bytes, but the file has {length}")));
        }
        let bytes = tensor.read().map_err(|e| bad(format!("tensor '{name}': {e}")))?;
        let values =
            floats(dtype, &bytes).map_err(|what| bad(format!("tensor '{name}': {what}")))?;
        if let Some(values) = values {
            weights.insert(name.clone(), Array { shape: tensor.shape().to_vec(), values });
        }
    }
    Ok(weights)
}
