//! Files that PyTorch's `torch.save` wrote (`.pth`, `.pt`, `.tar`), read only.
//!
//! Nothing in them is executed: the reader interprets the data of a pickle, never its code. Tensors are
//! listed by name and shape first, and only those that are needed are read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dermagan_base::quoted;
use pytorch_reader::{DType as TorchType, PickleValue, PytorchReader, Tensor};
use safetensors::Dtype;

use super::format::{Format, cut_zip, not_weights};
use super::networks::Shapes;
use super::values::{MAX_FILE, floats, read_file};
use crate::error::ModelError;
use crate::tensor::{Array, Weights};

/// How many times the bytes of a file its tensors may have: some share their values.
const MOST_SHARED: u64 = 8;

/// An open file of PyTorch.
pub(super) struct TorchFile {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    /// Its length in bytes.
    length: u64,
}

impl TorchFile {
    /// Opens a file with these bytes, and lists its tensors.
    ///
    /// # Errors
    /// When it is of another format, or is damaged. The error says what the file is, if that is known.
    pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<Self, ModelError> {
        let bad = |what: String| ModelError::weights(path.display().to_string(), what);
        // This comes before anything is unpacked.
        if let Format::Other(what) = Format::of(path, bytes) {
            return Err(bad(not_weights(&what)));
        }
        let reader =
            PytorchReader::new(path).map_err(|e| bad(problem(path, bytes, &e.to_string())))?;
        let (tensors, length) = (reader.into_tensors(), bytes.len() as u64);
        Ok(Self { path: path.to_owned(), tensors, length })
    }

    /// The names and shapes of the tensors of floats. A dictionary within the file adds its key and a
    /// dot to the names, a list its index.
    pub(super) fn shapes(&self) -> Shapes {
        let of_floats = self.tensors.iter().filter(|(_, tensor)| dtype(tensor).is_some());
        of_floats.map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect()
    }

    /// Reads the tensors of floats that `wanted` accepts by name.
    ///
    /// # Errors
    /// When a tensor is damaged, or they claim many times the bytes of the file.
    pub(super) fn read(&self, wanted: impl Fn(&str) -> bool) -> Result<Weights, ModelError> {
        let bad = |what: String| ModelError::weights(self.path.display().to_string(), what);
        let mut weights = Weights::new();
        let mut total = 0u64;
        for (name, tensor) in self.tensors.iter().filter(|(name, _)| wanted(name)) {
            let Some(dtype) = dtype(tensor) else { continue };
            // A tensor may be a view that repeats a few stored bytes over a huge shape.
            total = total.saturating_add(tensor.byte_len() as u64);
            if total > self.length.saturating_mul(MOST_SHARED).min(MAX_FILE) {
                let length = self.length;
                return Err(bad(format!(
                    "its tensors claim {total} bytes, but the file has {length}"
                )));
            }
            let bytes = tensor.read().map_err(|e| bad(quoted(e)))?;
            let values =
                floats(dtype, &bytes).map_err(|what| bad(format!("tensor '{name}': {what}")))?;
            if let Some(values) = values {
                weights.insert(name.clone(), Array { shape: tensor.shape().to_vec(), values });
            }
        }
        Ok(weights)
    }
}

/// The type of a tensor of floats; `None` for integers and booleans.
fn dtype(tensor: &Tensor) -> Option<Dtype> {
    match tensor.dtype() {
        TorchType::F32 => Some(Dtype::F32),
        TorchType::F64 => Some(Dtype::F64),
        TorchType::F16 => Some(Dtype::F16),
        TorchType::BF16 => Some(Dtype::BF16),
        _ => None,
    }
}

/// What is wrong with a file that the reader refused with `error`.
fn problem(path: &Path, bytes: &[u8], error: &str) -> String {
    if bytes.starts_with(b"PK")
        && let Some(cut) = cut_zip(bytes)
    {
        return cut;
    }
    // The reader takes a dictionary only.
    if let Some(PickleValue::List(_)) = structure(path) {
        return format!(
            "it holds a list, expected a dictionary of tensors; take one of its networks out with Python:\n  \
             import torch; s = torch.load({:?}, map_location=\"cpu\", weights_only=True)\n  \
             torch.save(s[0], \"generator.pth\")",
            path.display().to_string()
        );
    }
    let length = bytes.len();
    format!("not a PyTorch state dict, cut off or damaged at {length} bytes ({})", quoted(error))
}

/// The dictionaries and lists of a file, with their keys; `None` if it cannot be read.
pub(super) fn structure(path: &Path) -> Option<PickleValue> {
    PytorchReader::read_pickle_data(path, None).ok()
}

/// Reads all tensors of floats of a file of PyTorch: a state dict that `torch.save` wrote, or a
/// dictionary that contains one.
///
/// # Errors
/// When it is of another format, or is damaged.
pub fn from_pth(path: &Path) -> Result<Weights, ModelError> {
    TorchFile::open(path, &read_file(path)?)?.read(|_| true)
}
