//! Weights on the host, by PyTorch's names, to and from safetensors and `.pth`.
//!
//! A weights file comes from anywhere. Nothing in it is executed (the `.pth` reader interprets a
//! pickle's data, never its code), and no length in it is believed before it is compared with the
//! file's own.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use dermagan_base::name::start_of;
use half::{bf16, f16};
use pytorch_reader::{DType as TorchType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::ModelError;

/// The largest weights file that is read: a width-512 checkpoint at 128×128 has some 30 GB, one of
/// the default width 0.1 GB.
const MAX_FILE: u64 = 4 << 30;

/// The key of our JSON in a safetensors file's metadata. One key only: the format keeps metadata
/// in a hash map, so two keys would come out in a random order, and equal states in unequal files.
pub const METADATA_KEY: &str = "dermagan";

/// What the JSON of a safetensors file says first: what it is, in which version. Formats are counted by kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// Of the format.
    pub format: u32,
    /// What the file is.
    pub kind: String,
}

impl Version {
    /// Reads it, whatever else the JSON says.
    ///
    /// # Errors
    /// When it says no such thing.
    pub fn of(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|e| format!("its metadata: {e}"))
    }

    /// Refuses files of another kind, and those from the future.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn check(&self, kind: &str, newest: u32) -> Result<(), String> {
        if self.kind != kind {
            return Err(format!("of the kind '{}', not a {kind}", start_of(&self.kind, SHOWN)));
        }
        match self.format <= newest {
            true => Ok(()),
            false => Err(format!(
                "format {}, written by a newer dermagan; this one reads up to {newest}",
                self.format
            )),
        }
    }
}

/// Letters of what a file says of itself that an error repeats.
pub(crate) const SHOWN: usize = 40;

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl Array {
    /// Whether all values are numbers.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }
}

/// Tensors by name.
pub type Weights = BTreeMap<String, Array>;

/// Tensors and our metadata, if the file is ours.
#[derive(Clone, Debug)]
pub struct WeightsFile {
    /// The tensors.
    pub weights: Weights,
    /// The JSON under [`METADATA_KEY`].
    pub metadata: Option<String>,
}

/// The bytes of a safetensors file. Equal weights and metadata give equal bytes.
///
/// # Errors
/// When a shape does not fit its values, which would be a mistake of the caller.
pub fn to_safetensors(weights: &Weights, metadata: String) -> Result<Vec<u8>, ModelError> {
    serialize(weights, metadata, Dtype::F32, f32::to_le_bytes)
}

/// The same in half precision, for weights that are to be shared: half the size, three digits.
///
/// # Errors
/// As [`to_safetensors`], and when a value is beyond half precision's range.
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

/// Reads a file of at most `limit` bytes; devices and pipes, which have no length, included.
///
/// # Errors
/// When it cannot be read or is longer.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let io = |error| ModelError::Io { path: path.display().to_string(), error };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        let what = format!("more than the {limit} bytes that such a file may have");
        return Err(ModelError::weights(path.display().to_string(), what));
    }
    Ok(bytes)
}

/// Reads a file, at most [`MAX_FILE`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_at_most(path, MAX_FILE)
}

/// Reads a safetensors file.
///
/// # Errors
/// When it is none, is cut short, or holds something other than floats.
pub fn from_safetensors(path: &str, bytes: &[u8]) -> Result<WeightsFile, ModelError> {
    let bad = |what: String| ModelError::weights(path, what);
    let broken = |e: safetensors::SafeTensorError| {
        bad(format!(
            "not a whole safetensors file ({e}): was it cut short, or is it another format?"
        ))
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

/// Little-endian floats of any width as f32; `None` for integers, which no layer here has
/// (PyTorch's `num_batches_tracked`).
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

/// Reads PyTorch's `.pth` (`torch.save` of a state dict, also inside a dictionary).
///
/// # Errors
/// When it is none, or is broken.
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
        // A view may repeat a few stored bytes over a huge shape.
        total += tensor.byte_len() as u64;
        if total > length.saturating_mul(8).min(MAX_FILE) {
            return Err(bad(format!("its tensors claim {total} bytes, the file has {length}")));
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
